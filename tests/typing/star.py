"""A star import brings every public name."""

from typing import reveal_type

from pydantic import BaseModel

from foobara_accel import *  # noqa: F403
from foobara_accel.core import *  # noqa: F403


class In(BaseModel):
    a: int


class Negate(Command[In, int]):  # noqa: F405
    def execute(self) -> int:
        return -self.inputs.a


reveal_type(Negate.run(a=1))  # reveal: CommandOutcome[int]
reveal_type(get_default_registry())  # noqa: F405  # reveal: CommandRegistry
