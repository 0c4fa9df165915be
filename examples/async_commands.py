"""Async: subcommands in parallel, a timeout over all of them, and a sync command in a thread."""

from __future__ import annotations

import asyncio
import hashlib

from pydantic import BaseModel

from foobara_accel import AsyncCommand, Command

DELAYS = {"north": 0.01, "south": 0.02, "moon": 30.0}


class WarehouseInputs(BaseModel):
    warehouse: str


class StockAt(AsyncCommand[WarehouseInputs, int]):
    """Ask one warehouse; the sleep stands for the network."""

    async def execute(self) -> int:
        delay = DELAYS.get(self.inputs.warehouse)
        if delay is None:
            self.add_runtime_error("unknown_warehouse", f"there is no warehouse {self.inputs.warehouse}")
        await asyncio.sleep(delay or 0)
        return len(self.inputs.warehouse)


class StockInputs(BaseModel):
    warehouses: list[str]


class Stock(AsyncCommand[StockInputs, int]):
    """Ask all warehouses at once; half a second is the limit for everything inside."""

    timeout = 0.5

    async def execute(self) -> int:
        found = await asyncio.gather(
            *(self.run_subcommand(StockAt, warehouse=name) for name in self.inputs.warehouses)
        )
        return sum(each for each in found if each is not None)


class DigestInputs(BaseModel):
    text: str


class Digest(Command[DigestInputs, str]):
    """A sync command; ``run_async`` runs it in a thread."""

    def execute(self) -> str:
        return hashlib.sha256(self.inputs.text.encode()).hexdigest()[:12]


async def main() -> None:
    print("two warehouses:", (await Stock.run(warehouses=["north", "south"])).result)
    for names in (["north", "mars"], ["north", "moon"]):
        outcome = await Stock.run(warehouses=names)
        print(", ".join(names), "->", [error.key() for error in outcome.errors])
    outcomes = await asyncio.gather(*(Digest.run_async(text=text) for text in ("a", "b")))
    print("in threads:", [outcome.result for outcome in outcomes])


if __name__ == "__main__":
    asyncio.run(main())
