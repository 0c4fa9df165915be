"""What decorators of domains, registries and mappers leave of what they decorate, bare and with arguments."""

from typing import reveal_type

from pydantic import BaseModel

from foobara_accel import (
    AsyncCommand,
    Command,
    CommandRegistry,
    Domain,
    DomainMapper,
    async_command,
    command,
    domain_mapper,
    foobara_domain,
    foobara_organization,
    register,
    simple_command,
)

shop = Domain("Shop")
registry = CommandRegistry("here")


class In(BaseModel):
    a: int


class Listed(Command[In, int]):
    _tags = ["x", "y"]  # noqa: RUF012
    _depends_on = ["Stock"]  # noqa: RUF012


class Tupled(Command[In, int]):
    _tags = ("x",)
    _depends_on = ("Stock",)


class Lettered(Command[In, int]):
    _tags = "x"  # error: both


@shop.type
class User(BaseModel):
    name: str


@shop.type("Other")
class Guest(BaseModel):
    name: str


@foobara_domain
class Billing:
    size = 1


@foobara_domain("Billing")
class Named:
    size = 1


@foobara_organization
class Acme:
    size = 1


@domain_mapper
class Bare(DomainMapper[User, Guest]): ...


@domain_mapper("Shop")
class Called(DomainMapper[User, Guest]): ...


@async_command
class Later(AsyncCommand[In, int]):
    async def execute(self) -> int:
        return self.inputs.a


@async_command
async def later(a: int) -> str:
    return str(a)


@register
@shop.command
@simple_command
def half(a: int) -> float:
    return a / 2


@registry.register
@shop.command(description="Halves it.")
@command(domain="Shop", depends_on=["Stock"])
def quarter(a: int) -> float:
    return a / 4


reveal_type(User(name="a").name)  # reveal: str
reveal_type(Guest(name="a").name)  # reveal: str
reveal_type(Billing.size)  # reveal: int
reveal_type(Named.size)  # reveal: int
reveal_type(Acme.size)  # reveal: int
reveal_type(Later(a=1).inputs)  # reveal: In
later.run("1")  # error: both
reveal_type(half.run(a=1))  # reveal: CommandOutcome[float]
reveal_type(quarter.run(a=1))  # reveal: CommandOutcome[float]
registry.register(print)  # error: both
