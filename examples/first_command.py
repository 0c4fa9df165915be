"""A first command: typed inputs, one method, and an outcome that holds a result or all errors."""

from __future__ import annotations

from pydantic import BaseModel, Field

from foobara_accel import Command


class QuoteInputs(BaseModel):
    item: str = Field(min_length=1)
    quantity: int = Field(ge=1, le=100)
    cents: int = Field(ge=1)


class Quote(Command[QuoteInputs, int]):
    """Price of an order; ten or more of an item cost a tenth less."""

    def validate(self) -> None:
        if self.inputs.item == "unicorn":
            self.add_input_error("item", "not_for_sale", "unicorns are not for sale", item="unicorn")

    def execute(self) -> int:
        total = self.inputs.quantity * self.inputs.cents
        return total if self.inputs.quantity < 10 else total * 9 // 10


def main() -> None:
    outcome = Quote.run(item="lamp", quantity=12, cents=1999)
    print("twelve lamps:", outcome.result, "cents")

    # Text is converted where Pydantic converts it.
    print("from text:   ", Quote.run(item="lamp", quantity="2", cents="1999").result, "cents")

    # A failure names every input that is wrong.
    for error in Quote.run(item="", quantity=1000, cents=-5).errors:
        print(f"  {error.symbol:<20} {'.'.join(error.path):<9} {error.message}")

    # A rule of the command itself is an error of the same kind.
    refused = Quote.run(item="unicorn", quantity=1, cents=1)
    print("unicorn:     ", refused.is_failure(), refused.errors[0].key())


if __name__ == "__main__":
    main()
