"""Card numbers: what is accepted, what the parsed form shows, and that nothing shows the number."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from types import ModuleType

import pytest

Sub = Callable[[str], ModuleType]

VISA = "4111111111111111"
RIGHT = [
    VISA,
    "4222222222222",
    "378282246310005",
    "30569309025904",
    "5555555555554444",
    "2223000048400011",
    "6011111111111117",
    "3530111333300000",
    "6304000000000000",
    "500000000009",
    "0000000000000000",
    "6212345678900000003",
]


@pytest.fixture(scope="session")
def cards(sub: Sub) -> ModuleType:
    return sub("types.cards")


class Text(str):
    """A str whose own methods must not be asked."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: object) -> str:
        return "9"

    def encode(self, *args: object) -> bytes:
        return b"9"


class Disguised:
    __class__ = str  # type: ignore[assignment]


class Unwilling:
    def __bool__(self) -> bool:
        raise LookupError("asked")


@pytest.mark.parametrize("number", RIGHT)
def test_right_numbers_of_every_length(cards: ModuleType, number: str) -> None:
    assert cards.is_valid_card(number) is True
    assert cards.is_valid_card(number, lenient=True) is True
    assert cards.parse_card(number).canonical == number


@pytest.mark.parametrize("number", RIGHT)
def test_any_other_last_digit_and_most_transpositions_are_wrong(cards: ModuleType, number: str) -> None:
    for step in range(1, 10):
        assert cards.is_valid_card(number[:-1] + str((int(number[-1]) + step) % 10)) is False
    for at in range(len(number) - 1):
        swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
        # Luhn is blind to equal neighbours and to 0 and 9.
        if swapped != number and {number[at], number[at + 1]} != {"0", "9"}:
            assert cards.is_valid_card(swapped) is False


@pytest.mark.parametrize("length", range(30))
def test_twelve_to_nineteen_digits(cards: ModuleType, length: int) -> None:
    assert cards.is_valid_card("0" * length) is (12 <= length <= 19)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        " 4111111111111111",
        "4111111111111111\t",
        "41 11-11 1111  111111",
    ],
)
def test_display_form_is_for_lenient_alone(cards: ModuleType, text: str) -> None:
    assert cards.is_valid_card(text) is False
    assert cards.is_valid_card(text, lenient=True) is True
    assert cards.parse_card(text, lenient=True).canonical == VISA
    with pytest.raises(ValueError, match=r"rule: character\); lenient=True takes spaces and hyphens$"):
        cards.parse_card(text)
    with pytest.raises(ValueError, match=r"rule: character\)$"):
        cards.parse_card(f"{text}1")


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111\n",
        "\r4111111111111111",
        "4111\t1111 1111 1111",
        "-4111111111111111",
        "4111111111111111-",
        "+4111111111111111",
        "4111_1111_1111_1111",
        "4111.1111.1111.1111",
        "4111\xa01111\xa01111\xa01111",
        "4111\u20131111\u20131111\u20131111",
        "4111\u200d111111111111",
        "4111\xad111111111111",
        "\u0664\u0661\u0661\u0661" * 4,
        "\uff14\uff11\uff11\uff11" + "1" * 12,
        "411111111111111\u0661",
        "\U0001d7d2111111111111111",
        "\xb2111111111111111",
        "4111111111111111\0",
        "\0" * 16,
        "411111111111111\ud800",
        "x" * 16,
        "-",
        "- -",
    ],
)
def test_nothing_but_ascii_digits_spaces_and_inner_hyphens(cards: ModuleType, text: str) -> None:
    assert cards.is_valid_card(text) is False
    assert cards.is_valid_card(text, lenient=True) is False
    with pytest.raises(ValueError, match="rule: character") as caught:
        cards.parse_card(text, lenient=True)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("4111", "length"),
        ("41111111111", "length"),
        ("1" * 20, "length"),
        ("4111 1111 1111 1112", "checksum"),
    ],
)
def test_the_error_names_the_rule_and_never_the_number(cards: ModuleType, text: str, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^card number .* \\(rule: {rule}\\)$") as caught:
        cards.parse_card(text, lenient=True)
    assert "411" not in str(caught.value) and caught.value.__context__ is None


@pytest.mark.parametrize("value", [None, 4111111111111111, b"4111111111111111", ["4"], object()])
def test_anything_but_a_str_is_a_type_error(cards: ModuleType, value: object) -> None:
    for function in (cards.is_valid_card, cards.parse_card):
        with pytest.raises(
            TypeError, match=f"^{function.__name__}\\(\\) takes a str, not {type(value).__name__}$"
        ):
            function(value)


def test_an_object_that_claims_to_be_a_str_is_a_type_error(cards: ModuleType) -> None:
    with pytest.raises(TypeError, match="takes a str, not Disguised"):
        cards.is_valid_card(Disguised())


def test_ten_megabytes_of_digits_are_only_too_long(cards: ModuleType) -> None:
    for text in ("1" * 10_000_000, "1 " * 5_000_000, " " * 10_000_000 + "-"):
        assert cards.is_valid_card(text, lenient=True) is False
    with pytest.raises(ValueError, match="rule: length"):
        cards.parse_card("1-" * 5_000_000 + "1", lenient=True)


def test_a_str_subclass_counts_with_its_characters(cards: ModuleType) -> None:
    assert cards.is_valid_card(Text(VISA)) is True
    assert cards.is_valid_card(Text(VISA[:-1])) is False
    assert cards.is_valid_card(Text("4111 1111 1111 1111"), lenient=True) is True
    assert type(cards.parse_card(Text(VISA)).canonical) is str


def test_lenient_takes_any_truth_value_and_is_asked_only_when_needed(cards: ModuleType) -> None:
    assert cards.is_valid_card(VISA, lenient=Unwilling()) is True
    assert cards.is_valid_card(f" {VISA}", lenient=1) is True
    assert cards.is_valid_card(f" {VISA}", lenient=0) is False
    with pytest.raises(LookupError):
        cards.is_valid_card(f" {VISA}", lenient=Unwilling())


def test_calls_with_wrong_arguments_are_type_errors(cards: ModuleType) -> None:
    for arguments, names in (
        ((), {}),
        ((VISA, True), {}),
        ((VISA,), {"strict": True}),
        ((), {"value": VISA}),
    ):
        with pytest.raises(TypeError):
            cards.is_valid_card(*arguments, **names)


def test_the_functions_say_who_they_are(fa: ModuleType, cards: ModuleType, sub: Sub) -> None:
    function = cards.is_valid_card
    assert function.__name__ == "is_valid_card" and function.__module__ == "foobara_accel.types"
    assert list(inspect.signature(function).parameters) == ["value", "lenient"]
    assert "Luhn" in function.__doc__
    assert sub("types").is_valid_card is function
    assert sub("types").parse_card is cards.parse_card


def test_masked_shows_six_and_four_and_hides_at_least_six(cards: ModuleType) -> None:
    card = cards.parse_card(VISA)
    assert card.masked == "411111******1111" and card.last4 == "1111"
    for number in RIGHT:
        masked = cards.parse_card(number).masked
        assert len(masked) == len(number) and masked.count("*") >= 6 and masked.endswith(number[-4:])
    assert cards.parse_card("500000000009").masked == "50******0009"


def test_no_text_form_holds_the_number(cards: ModuleType) -> None:
    card = cards.parse_card(VISA)
    for text in (
        str(card),
        repr(card),
        f"{card}",
        f"{card!r}",
        f"{card:>20}",
        repr([card]),
        repr({card: card}),
    ):
        assert VISA not in text and "411111******1111" in text


def test_the_parsed_form_is_frozen_and_equal_by_number(cards: ModuleType) -> None:
    card = cards.parse_card(VISA)
    assert card == cards.parse_card("4111 1111 1111 1111", lenient=True)
    assert card != cards.parse_card(RIGHT[1]) and card != VISA
    assert len({card, copy.copy(card), copy.deepcopy(card)}) == 1
    with pytest.raises(AttributeError):
        card.canonical = RIGHT[1]
    with pytest.raises(ValueError, match="rule: checksum"):
        cards.CardNumber("4111111111111112")


def test_a_pickle_of_either_backend_loads_as_the_public_class(cards: ModuleType) -> None:
    from foobara_accel.types import CardNumber

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(cards.parse_card(VISA), protocol))
        assert type(loaded) is CardNumber and loaded.canonical == VISA


@pytest.mark.parametrize(
    ("prefix", "length", "brand"),
    [
        ("4", 16, "visa"),
        ("4", 15, None),
        ("51", 16, "mastercard"),
        ("2220", 16, None),
        ("2221", 16, "mastercard"),
        ("2720", 16, "mastercard"),
        ("2721", 16, None),
        ("34", 15, "amex"),
        ("6011", 16, "discover"),
        ("65", 19, "discover"),
        ("305", 14, "diners"),
        ("306", 14, None),
        ("3095", 14, "diners"),
        ("3527", 16, None),
        ("3528", 16, "jcb"),
        ("3589", 19, "jcb"),
        ("3590", 16, None),
        ("622126", 17, "unionpay"),
        ("8100", 16, "unionpay"),
        ("8172", 16, "rupay"),
        ("56", 12, "maestro"),
        ("6304", 13, "maestro"),
        ("2200", 16, "mir"),
        ("508500", 16, "rupay"),
        ("4571", 16, "dankort"),
        ("9792", 16, "troy"),
        ("401178", 16, "elo"),
        ("401177", 16, "visa"),
        ("650031", 16, "elo"),
        ("650002", 16, "verve"),
        ("63737423", 16, "hiper"),
        ("63737424", 16, "maestro"),
        ("606282", 16, "hipercard"),
        ("0", 16, None),
    ],
)
def test_brand_by_the_longest_prefix(cards: ModuleType, prefix: str, length: int, brand: str | None) -> None:
    body = prefix.ljust(length - 1, "0")
    number = next(body + last for last in "0123456789" if cards.is_valid_card(body + last))
    assert cards.parse_card(number).brand == brand
