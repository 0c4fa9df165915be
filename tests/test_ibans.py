"""IBANs: structure per country, display form, the parsed form and the script that writes the table."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import create_model

from foobara_accel._pure import _iban_table as table

Sub = Callable[[str], ModuleType]

ROOT = Path(__file__).resolve().parent.parent
GB = "GB82WEST12345698765432"
FR = "FR1420041010050500013M02606"
RIGHT = [
    GB,
    FR,
    "DE89370400440532013000",
    "NO9386011117947",
    "BE68539007547034",
    "MT84MALT011000012345MTLCAST001S",
]
REGISTRY = os.environ.get("FOOBARA_ACCEL_IBAN_REGISTRY")


@pytest.fixture(scope="session")
def ibans(sub: Sub) -> ModuleType:
    return sub("types.ibans")


def classes(code: str) -> str:
    structure = table.COUNTRIES[table.TERRITORIES.get(code, code)][0]
    return "".join(kind * int(count) for count, kind in re.findall(r"(\d+)!([nac])", structure))


def with_check(code: str, bban: str, shift: int = 0) -> str:
    number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
    return f"{code}{98 - number % 97 + shift:02}{bban}"


def example(code: str, seed: int = 0) -> str:
    fill = {"n": "7305918264", "a": "QWERTYUIOP", "c": "A1z9K0b5X8"}
    bban = "".join(fill[kind][(seed + at) % 10] for at, kind in enumerate(classes(code)))
    return with_check(code, bban)


class Text(str):
    """A str whose own methods must not be asked."""

    def __getitem__(self, key: object) -> str:
        return "X"

    def upper(self) -> str:
        return "X"


@pytest.mark.parametrize("code", sorted(table.COUNTRIES))
def test_every_country_at_every_position(ibans: ModuleType, code: str) -> None:
    for seed in range(10):
        value = example(code, seed)
        assert ibans.is_valid_iban(value) is True
        parsed = ibans.parse_iban(value)
        assert parsed.canonical == value.upper() and parsed.country == code and parsed.listed_under is None
    others = {"n": "Aa-", "a": "7a[", "c": " -é"}
    for at, kind in enumerate("aann" + classes(code)):
        for other in others[kind]:
            changed = value[:at] + other + value[at + 1 :]
            assert ibans.is_valid_iban(changed) is False
    assert ibans.is_valid_iban(value[:-1]) is False and ibans.is_valid_iban(value + "0") is False
    assert ibans.is_valid_iban(with_check(code, value[4:], 1)) is False


@pytest.mark.parametrize("value", RIGHT)
def test_print_form_and_case_are_for_lenient_alone(ibans: ModuleType, value: str) -> None:
    printed = ibans.parse_iban(value).print_format()
    assert printed.replace(" ", "") == value and max(map(len, printed.split(" "))) == 4
    for text in (printed, value.lower(), f" {value}\t", f"{value[:1]} {value[1:]}"):
        assert ibans.is_valid_iban(text) is False
        assert ibans.is_valid_iban(text, lenient=True) is True
        assert ibans.parse_iban(text, lenient=True).canonical == value
    with pytest.raises(ValueError, match=r"rule: character\); lenient=True takes spaces, lower case and AX$"):
        ibans.parse_iban(printed)
    with pytest.raises(ValueError, match=r"rule: character\)$"):
        ibans.parse_iban(f"{printed}0")


def test_lower_case_in_class_c_is_in_the_registry(ibans: ModuleType) -> None:
    assert ibans.is_valid_iban("FR1420041010050500013m02606") is True
    assert ibans.parse_iban("FR1420041010050500013m02606").canonical == FR


@pytest.mark.parametrize(
    "text",
    [
        GB.replace("WEST", "WEST-"),
        "GB82.WEST.1234.5698.7654.32",
        "GB82\tWEST12345698765432",
        "GB82\xa0WEST12345698765432",
        GB + "\n",
        "\n" + GB,
        "GB\u0668\u0662WEST12345698765432",
        "GB82WEST1234569876543\uff12",
        "GB82WE\u017fT12345698765432",
        "F\u01311420041010050500013M02606",
        "\ufb01" + "2112345600000785",
        GB + "\0",
        "\0" + GB,
        GB[:-1] + "\ud800",
    ],
)
def test_nothing_but_ascii_letters_digits_and_spaces(ibans: ModuleType, text: str) -> None:
    assert ibans.is_valid_iban(text) is False
    assert ibans.is_valid_iban(text, lenient=True) is False
    with pytest.raises(ValueError, match="rule: character"):
        ibans.parse_iban(text, lenient=True)


@pytest.mark.parametrize(("alias", "right"), [("00", "97"), ("01", "98"), ("99", "02")])
def test_check_digits_are_02_to_98(ibans: ModuleType, alias: str, right: str) -> None:
    bban = next(
        text for text in (f"{number:018}" for number in range(1000)) if with_check("DE", text)[2:4] == right
    )
    assert ibans.is_valid_iban(f"DE{right}{bban}") is True
    assert ibans.is_valid_iban(f"DE{alias}{bban}") is False
    with pytest.raises(ValueError, match="rule: check_digits"):
        ibans.parse_iban(f"DE{alias}{bban}")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"),
        (" ", "empty"),
        ("G", "country"),
        ("8", "country"),
        ("XX82WEST12345698765432", "country"),
        ("US82WEST12345698765432", "country"),
        ("DZ4000400174401001050486", "country"),
        ("GB", "length"),
        ("GB82WEST1234569876543", "length"),
        ("GBXXWEST12345698765432", "structure"),
        ("GB82WES112345698765432", "structure"),
        ("GB83WEST12345698765432", "checksum"),
    ],
)
def test_the_error_names_the_rule_and_never_the_iban(ibans: ModuleType, text: str, rule: str) -> None:
    assert ibans.is_valid_iban(text, lenient=True) is False
    with pytest.raises(ValueError, match=f"^IBAN .* \\(rule: {rule}\\)$") as caught:
        ibans.parse_iban(text, lenient=True)
    assert "WEST" not in str(caught.value) and caught.value.__context__ is None


@pytest.mark.parametrize("value", [None, 82, GB.encode(), [GB]])
def test_anything_but_a_str_is_a_type_error(ibans: ModuleType, value: object) -> None:
    for function in (ibans.is_valid_iban, ibans.parse_iban):
        with pytest.raises(
            TypeError, match=f"^{function.__name__}\\(\\) takes a str, not {type(value).__name__}$"
        ):
            function(value)


def aspirational(code: str, seed: int = 0) -> str:
    structure = "".join(
        kind * int(count) for count, kind in re.findall(r"(\d+)!([nac])", table.ASPIRATIONAL[code][0])
    )
    fill = {"n": "7305918264", "a": "QWERTYUIOP", "c": "A1z9K0b5X8"}
    return with_check(code, "".join(fill[kind][(seed + at) % 10] for at, kind in enumerate(structure)))


@pytest.mark.parametrize("code", sorted(table.ASPIRATIONAL))
def test_countries_outside_of_the_registry_are_taken_where_they_are_asked_for(
    ibans: ModuleType, sub: Sub, code: str
) -> None:
    assert code in ibans.ASPIRATIONAL and code not in ibans.COUNTRIES
    validator = sub("types").IBANValidator
    for seed in range(10):
        text = aspirational(code, seed)
        shown = text[:4].lower() + "  " + text[4:]
        for options in ({}, {"lenient": True}):
            assert ibans.is_valid_iban(text, **options) is False
            with pytest.raises(ValueError, match=r"\(rule: country\)$"):
                ibans.parse_iban(text, **options)
            assert ibans.is_valid_iban(text, aspirational=True, **options) is True
            assert ibans.parse_iban(text, aspirational=True, **options).canonical == text.upper()
        assert ibans.is_valid_iban(shown, aspirational=True) is False
        assert ibans.is_valid_iban(shown, aspirational=True, lenient=True) is True
        with pytest.raises(ValueError, match=r"\(rule: character\); lenient=True takes spaces") as caught:
            ibans.parse_iban(shown, aspirational=True)
        assert text[4:] not in str(caught.value)
        for rule, wrong in (
            ("checksum", text[:2] + f"{(int(text[2:4]) - 1) % 96 + 2:02}" + text[4:]),
            ("length", text[:-1]),
            ("structure", text[:-1] + "X"),
            ("check_digits", text[:2] + "99" + text[4:]),
        ):
            assert ibans.is_valid_iban(wrong, aspirational=True, lenient=True) is False
            with pytest.raises(ValueError, match=rf"\(rule: {rule}\)$"):
                ibans.parse_iban(wrong, aspirational=True)
            assert validator(aspirational=True).validate(wrong).rule == rule
        assert validator().validate(text).rule == "country"
        assert validator(aspirational=True).process(text) == text
    with pytest.raises(ValueError, match=r"aspirational=True takes such countries$"):
        validator(countries=[code])
    only = validator(aspirational=True, countries=[code], canonical=True)
    assert only.process(text) == text.upper()
    assert only.validate(GB).rule == "country_not_allowed"


def test_registered_countries_are_judged_alike_with_aspirational(ibans: ModuleType) -> None:
    for code in sorted(ibans.COUNTRIES):
        for options in ({}, {"lenient": True}):
            text = example(code)
            for each in (text, text[:-1], text[:-2] + text[:-3:-1]):
                without = ibans.is_valid_iban(each, **options)
                assert ibans.is_valid_iban(each, aspirational=True, **options) is without


def test_an_aspirational_iban_has_its_parts_and_comes_back_from_a_pickle(ibans: ModuleType) -> None:
    found = ibans.parse_iban("DZ580002100001113000000570", aspirational=True)
    assert (found.country, found.bank_code, found.branch_code) == ("DZ", "00021", "00001")
    assert found.listed_under is None and found.masked == "DZ58 **** 0570"
    angola = ibans.parse_iban(aspirational("AO"), aspirational=True)
    assert (angola.bank_code, angola.branch_code) == ("", None)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(found, protocol)).canonical == found.canonical


def test_fields_take_an_aspirational_iban_where_they_say_so(fa: ModuleType, sub: Sub) -> None:
    types = sub("types")
    text = "DZ580002100001113000000570"
    opted = Annotated[types.IBAN, types.IBANValidator(aspirational=True)]
    inputs = create_model(
        "Inputs", to=(opted, ...), shown=(Annotated[str, types.IBANValidator(aspirational=True)], "")
    )
    plain = create_model("Plain", to=(types.IBAN, ...))

    def command(model: Any) -> Any:
        class Pay(fa.Command[model, object]):
            def execute(self) -> object:
                return self.inputs.to

        return Pay

    paid = command(inputs).run(to=text, shown=text)
    assert paid.result.canonical == text and type(paid.result) is types.IBAN
    assert command(inputs).run(to=paid.result).result is paid.result
    refused = command(plain).run(to=text)
    assert not refused.is_success() and text not in repr(refused.errors)
    assert not command(inputs).run(to=text[:-1] + "1").is_success()


def test_ten_megabytes_are_only_too_long(ibans: ModuleType) -> None:
    for text in ("GB" + "1" * 10_000_000, "G B" + " 1" * 5_000_000):
        with pytest.raises(ValueError, match="rule: length"):
            ibans.parse_iban(text, lenient=True)


def test_a_str_subclass_counts_with_its_characters(ibans: ModuleType) -> None:
    assert ibans.is_valid_iban(Text(GB)) is True and ibans.is_valid_iban(Text(GB[:-1])) is False
    assert ibans.parse_iban(Text(GB.lower()), lenient=True).canonical == GB
    assert type(ibans.parse_iban(Text(GB)).canonical) is str


def test_territories_share_a_structure_and_ax_is_for_lenient_alone(ibans: ModuleType) -> None:
    assert len(table.TERRITORIES) == 16 and list(table.LISTED_ONLY) == ["AX"]
    for code, parent in table.TERRITORIES.items():
        value = example(code)
        assert ibans.is_valid_iban(value) is (code != "AX")
        assert ibans.is_valid_iban(value, lenient=True) is True
        assert ibans.parse_iban(value, lenient=True).listed_under == parent
    # The prefix is part of the sum: a territory's IBAN is not its parent's with two letters changed.
    assert ibans.is_valid_iban("GG" + GB[2:]) is False


def test_br_is_alphanumeric_since_release_103(ibans: ModuleType) -> None:
    assert ibans.REGISTRY_RELEASE == "101+BR103"
    for bban in ("00360305000010009795493C1", "A0360305000010009795493C1", "0036030500001000979549311"):
        assert ibans.is_valid_iban(with_check("BR", bban)) is True
    assert ibans.is_valid_iban(with_check("BR", "00360305A00010009795493C1")) is False


def test_national_check_digits_are_not_judged(ibans: ModuleType) -> None:
    assert ibans.is_valid_iban(with_check("BE", "539007547035")) is True


def test_parts_stand_at_the_registrys_positions(ibans: ModuleType) -> None:
    parsed = ibans.parse_iban(GB)
    assert (parsed.country, parsed.check_digits, parsed.bban) == ("GB", "82", "WEST12345698765432")
    assert (parsed.bank_code, parsed.branch_code) == ("WEST", "123456")
    italian = ibans.parse_iban("IT60X0542811101000000123456")
    assert (italian.bank_code, italian.branch_code) == ("05428", "11101")
    assert ibans.parse_iban("DE89370400440532013000").branch_code is None
    assert ibans.parse_iban(with_check("GG", "WEST12345698765432")).branch_code == "123456"


def test_no_text_form_but_the_asked_one_holds_the_iban(ibans: ModuleType) -> None:
    parsed = ibans.parse_iban(GB)
    assert parsed.masked == "GB82 **** 5432" and parsed.print_format() == "GB82 WEST 1234 5698 7654 32"
    for text in (str(parsed), repr(parsed), f"{parsed}", f"{parsed:>30}", repr([parsed])):
        assert "WEST" not in text and "GB82 **** 5432" in text


def test_the_parsed_form_is_frozen_and_equal_by_iban(ibans: ModuleType) -> None:
    parsed = ibans.parse_iban(GB)
    assert (
        parsed == ibans.parse_iban(GB.lower(), lenient=True)
        and parsed != ibans.parse_iban(FR)
        and parsed != GB
    )
    assert len({parsed, copy.copy(parsed), copy.deepcopy(parsed)}) == 1
    with pytest.raises(AttributeError):
        parsed.canonical = FR
    with pytest.raises(ValueError, match="rule: checksum"):
        ibans.IBAN("GB83WEST12345698765432")


def test_a_pickle_of_either_backend_loads_as_the_public_class(ibans: ModuleType) -> None:
    from foobara_accel.types import IBAN

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(ibans.parse_iban(GB), protocol))
        assert type(loaded) is IBAN and loaded.canonical == GB


def test_the_functions_say_who_they_are(ibans: ModuleType, sub: Sub) -> None:
    function = ibans.is_valid_iban
    assert function.__name__ == "is_valid_iban" and function.__module__ == "foobara_accel.types"
    assert list(inspect.signature(function).parameters) == ["value", "lenient", "aspirational"]
    assert sub("types").is_valid_iban is function and sub("types").REGISTRY_RELEASE == "101+BR103"


def test_types_exports_are_lazy_and_complete(sub: Sub) -> None:
    types = sub("types")
    assert dir(types) == sorted(types.__all__)
    for name in ("CardNumber", "IBAN", "parse_card", "parse_iban"):
        assert getattr(types, name).__module__.startswith("foobara_accel")
    with pytest.raises(AttributeError, match="no attribute 'is_valid_isbn'"):
        types.is_valid_isbn  # noqa: B018


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "tools" / "iban_table.py"
    if not path.exists():
        pytest.skip("tools/ stands in a checkout alone")
    spec = importlib.util.spec_from_file_location("iban_table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_refuses_any_other_file(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "registry.txt"
    wrong.write_text("Data element\tAndorra\r\n")
    assert script.main([str(wrong)]) == 1
    assert "is not the text of registry release 101" in capsys.readouterr().err
    assert script.main([str(tmp_path / "none.txt")]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_the_script_reads_no_structure_but_the_registrys_notation(script: ModuleType) -> None:
    assert script.expand("2!n1!a") == "nna"
    for wrong in ("", "2n", "2!x", "2!n ", "123!n"):
        with pytest.raises(script.WrongFile):
            script.expand(wrong)


def test_the_c_table_is_what_the_script_makes_of_the_python_table(script: ModuleType) -> None:
    rows = [script.Country(code, *row, "") for code, row in sorted(table.COUNTRIES.items())]
    assert script.header_text(rows, table.TERRITORIES) == script.HEADER.read_text(encoding="utf-8")
    assert script.python_text(rows, table.TERRITORIES) == script.PYTHON.read_text(encoding="utf-8")


@pytest.mark.skipif(not REGISTRY, reason="FOOBARA_ACCEL_IBAN_REGISTRY does not name the registry text")
def test_tables_and_examples_agree_with_the_registry_text(script: ModuleType, ibans: ModuleType) -> None:
    assert script.main([str(REGISTRY), "--check"]) == 0
    found = script.countries(script.read(Path(str(REGISTRY))))
    assert len(found) == 89
    for each in found:
        parsed = ibans.parse_iban(each.example)
        assert (
            ibans.is_valid_iban(each.example) is True
            and parsed.bank_code == each.example[4:][slice(*each.bank)]
        )
