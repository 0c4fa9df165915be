"""Phone numbers: libphonenumber's verdicts, who gives them, the parsed form, and that nothing shows one."""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import foobara_accel
from foobara_accel._pure import _phone_table as table
from foobara_accel.testing import load_twin

Sub = Callable[[str], ModuleType]

ROOT = Path(__file__).resolve().parent.parent
US, GB = "+12015550123", "+442079460018"
REGIONS = table.REGIONS.split()[1:]
EXAMPLES = dict(zip(REGIONS, table.EXAMPLES.split(), strict=True))
HAVE = importlib.util.find_spec("phonenumbers") is not None
needs_phonenumbers = pytest.mark.skipif(not HAVE, reason="phonenumbers is not installed")


def same_metadata() -> bool:
    if not HAVE:
        return False
    import phonenumbers

    return str(phonenumbers.__version__) == table.VERSION


@pytest.fixture(scope="session")
def phones(sub: Sub) -> ModuleType:
    return sub("types.phones")


@pytest.fixture(scope="session")
def twin(sub: Sub, phones: ModuleType) -> Any:
    return sub("_backend").phone


class Text(str):
    """A str whose own methods must not be asked."""

    def __len__(self) -> int:
        return 3

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def encode(self, *args: object) -> bytes:
        return b"9"


class Disguised:
    __class__ = str  # type: ignore[assignment]


# --- Verdicts on "+" and digits ---


@pytest.mark.parametrize("region", REGIONS)
def test_an_example_of_every_region_and_no_shorter_or_longer_one(phones: ModuleType, region: str) -> None:
    number = EXAMPLES[region]
    assert phones.is_valid_phone(number) is True
    assert phones.is_valid_phone(number, region) is True
    # Regions share plans: the example of SJ is one of NO's, and both begin with +47.
    parsed = phones.parse_phone(number)
    assert parsed.canonical == parsed.e164 == number
    assert parsed.region in REGIONS and parsed.type in table.TYPES.split()
    assert number.startswith(f"+{parsed.calling_code}") and parsed.calling_code in table.CODES.split()
    assert phones.is_valid_phone(number + "0" * 20) is False
    assert phones.is_valid_phone(number[:3]) is False


@pytest.mark.parametrize(
    ("text", "e164", "region", "kind"),
    [
        (US, US, "US", "fixed_line_or_mobile"),
        (GB, GB, "GB", "fixed_line"),
        ("+4402079460018", GB, "GB", "fixed_line"),
        ("+447400123456", "+447400123456", "GB", "mobile"),
        ("+447781123456", "+447781123456", "GG", "mobile"),
        ("+390236618300", "+390236618300", "IT", "fixed_line"),
        ("+80012345678", "+80012345678", "001", "toll_free"),
        ("+79123456789", "+79123456789", "RU", "mobile"),
        ("+77710009998", "+77710009998", "KZ", "mobile"),
        ("+5491123456789", "+5491123456789", "AR", "mobile"),
        ("+540111523456789", "+5491123456789", "AR", "mobile"),
        ("+378886377", "+3780549886377", "SM", "fixed_line"),
        ("+5501511961234567", "+5511961234567", "BR", "mobile"),
    ],
)
def test_what_a_number_is(phones: ModuleType, text: str, e164: str, region: str, kind: str) -> None:
    parsed = phones.parse_phone(text)
    assert (parsed.e164, parsed.region, parsed.type) == (e164, region, kind)
    assert phones.is_valid_phone(text) is True


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("+1", "too_short"),
        ("+12", "too_short"),
        ("+120155501", "too_short"),
        ("+44207946001", "too_short"),
        ("+120155501234", "too_long"),
        ("+12015550123" * 3, "form"),
        ("+1" + "2" * 260, "too_long"),
        ("+11015550123", "unassigned"),
        ("+999123456", "calling_code"),
        ("+0123456", "calling_code"),
        ("", "empty"),
    ],
)
def test_the_error_names_the_rule_and_never_the_number(phones: ModuleType, text: str, rule: str) -> None:
    if rule == "form" and not HAVE:
        pytest.skip("phonenumbers is not installed")
    with pytest.raises(ValueError, match=f"^phone number .* \\(rule: {rule}\\)") as caught:
        phones.parse_phone(text)
    assert not re.search("[0-9]{3}", str(caught.value)) and caught.value.__context__ is None


# --- Any other form ---


@needs_phonenumbers
@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("(201) 555-0123", "US", US),
        ("201.555.0123", "US", US),
        ("1-201-555-0123", "US", US),
        ("020 7946 0018", "GB", GB),
        ("0044 20 7946 0018", "FR", GB),
        ("+44 (0) 20 7946 0018", None, GB),
        ("tel:+44-20-7946-0018", None, GB),
        ("Tel: +44 20 7946 0018", None, GB),
        ("\uff0b\uff14\uff14\uff12\uff10\uff17\uff19\uff14\uff16\uff10\uff10\uff11\uff18", None, GB),
        ("+\u0661\u0662\u0660\u0661\u0665\u0665\u0665\u0660\u0661\u0662\u0663", None, US),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("+0442079460018", "FR", None),
        ("+00442079460018", "FR", GB),
        ("(201) 555-0123", None, None),
        ("(201) 555-0123", "NL", None),
        ("not a number", "US", None),
        ("+12015550123\0", None, US),
        ("+1201555\ud8000123", None, None),
    ],
)
def test_every_form_that_libphonenumber_reads(
    phones: ModuleType, text: str, region: str | None, e164: str | None
) -> None:
    assert phones.is_valid_phone(text, region) is (e164 is not None)
    assert phones.is_valid_phone(text, region=region) is (e164 is not None)
    if e164 is not None:
        assert phones.parse_phone(text, region).e164 == e164
        return
    with pytest.raises(
        ValueError, match=r"\(rule: (region|calling_code|form|unassigned|too_short|too_long)\)"
    ):
        phones.parse_phone(text, region)


@needs_phonenumbers
def test_extensions_are_kept(phones: ModuleType) -> None:
    plain = phones.parse_phone(US)
    for text in ("(201) 555-0123 ext. 45", "201-555-0123x45", f"{US};ext=45"):
        parsed = phones.parse_phone(text, "US")
        assert (parsed.e164, parsed.extension, parsed.canonical) == (US, "45", f"{US};ext=45")
        assert parsed != plain and phones.PhoneNumber(parsed.canonical) == parsed
        assert parsed.national == "(201) 555-0123 ext. 45" and parsed.region == "US"
    assert plain.extension == ""
    wide = phones.parse_phone(f"{US} ext. \uff14\u0665")
    assert wide == phones.parse_phone(f"{US} ext. 45") and wide.canonical == f"{US};ext=45"


@needs_phonenumbers
def test_the_forms_of_output(phones: ModuleType, sub: Sub) -> None:
    parsed = phones.parse_phone(GB)
    assert parsed.international == "+44 20 7946 0018" and parsed.national == "020 7946 0018"
    assert parsed.rfc3966 == "tel:+44-20-7946-0018"
    validator = sub("types.validators.additional").PhoneNumberValidator
    for output, text in (
        (None, "020 7946 0018"),
        ("e164", GB),
        ("international", "+44 20 7946 0018"),
        ("national", "020 7946 0018"),
        ("rfc3966", "tel:+44-20-7946-0018"),
    ):
        assert validator("GB", output=output).process("020 7946 0018") == text
        assert validator("GB", output=output)("020 7946 0018") == text
    assert validator("GB").process(parsed) is parsed
    # Without its calling code it would be another number.
    national = validator("US", output="national")
    assert national.process("+52 55 1234 5678") == "+52 55 1234 5678" == national.process("+525512345678")
    assert national.process("+14165550123") == "(416) 555-0123"
    field = TypeAdapter(Annotated[str, national])
    assert field.validate_python(field.validate_python("+525512345678")) == "+52 55 1234 5678"
    assert validator(None, output="national").process(GB) == "020 7946 0018"
    assert validator("GB", output="e164").process(parsed) == GB


def test_e164_needs_no_phonenumbers_and_anything_else_names_the_extra(fa: ModuleType) -> None:
    done = alone(
        fa,
        f"""
        import sys
        sys.modules["phonenumbers"] = None
        from foobara_accel import is_valid_phone, parse_phone
        from foobara_accel.types import PhoneNumberValidator, phone_metadata
        assert is_valid_phone("{US}") and is_valid_phone("{US}", "US") and not is_valid_phone("+1201555")
        assert is_valid_phone("+4402079460018") and parse_phone("+4402079460018").e164 == "{GB}"
        number = parse_phone("{US};ext=5")
        assert (number.region, number.extension) == ("US", "5")
        assert PhoneNumberValidator(output="e164").process("{US}") == "{US}"
        assert not is_valid_phone("+0123") and not is_valid_phone("1" * 300) and not is_valid_phone("")
        for call in (
            lambda: is_valid_phone("(201) 555-0123", "US"),
            lambda: is_valid_phone("+0123", "US"),
            lambda: parse_phone("(201) 555-0123", "US"),
            lambda: number.national,
            lambda: PhoneNumberValidator().process("(201) 555-0123"),
        ):
            try:
                call()
            except ImportError as error:
                assert "pip install 'foobara-accel[phone]'" in str(error) and "555" not in str(error)[:40]
                assert "201) 555" not in str(error)
            else:
                raise AssertionError("no ImportError")
        assert phone_metadata() == "phone table {table.VERSION}, no phonenumbers"
        """,
    )
    assert done == ""


def alone(fa: ModuleType, program: str) -> str:
    """Run *program* in a process of its own on the backend of *fa*; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "FOOBARA_ACCEL_BACKEND": str(fa.backend())},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not same_metadata(), reason="the installed phonenumbers has other metadata")
def test_the_first_verdict_imports_no_phonenumbers(fa: ModuleType) -> None:
    alone(
        fa,
        f"""
        import sys
        from foobara_accel import is_valid_phone, parse_phone
        assert is_valid_phone("{US}") and parse_phone("{US}", "GB").region == "US"
        assert "phonenumbers" not in sys.modules
        """,
    )


def test_another_module_of_that_name_is_no_phonenumbers(fa: ModuleType) -> None:
    alone(
        fa,
        f"""
        import sys, types
        sys.modules["phonenumbers"] = types.ModuleType("phonenumbers")
        from foobara_accel import is_valid_phone
        assert is_valid_phone("{US}") and not is_valid_phone("+1201555")
        try:
            is_valid_phone("(201) 555-0123", "US")
        except ImportError as error:
            assert str(error).startswith("what is imported as phonenumbers is something else")
        else:
            raise AssertionError("no ImportError")
        """,
    )


# --- Other metadata than the table's ---


CHANGED = f"""
    import phonenumbers
    from foobara_accel.types import _numbering, is_valid_phone, parse_phone, phone_metadata
    from foobara_accel._backend import phone
    phonenumbers.__version__ = "99.0.1"
    GB = phonenumbers.PhoneMetadata.metadata_for_region("GB")
    US, LONDON = "{US}", "{GB}"
"""


@pytest.mark.skipif(not same_metadata(), reason="the installed phonenumbers has other metadata")
def test_phonenumbers_decides_about_the_plans_that_it_changed(fa: ModuleType) -> None:
    alone(
        fa,
        CHANGED
        + """
    GB.mobile._mutable = GB.general_desc._mutable = True
    GB.mobile.national_number_pattern = GB.general_desc.national_number_pattern = "7400123457"
    assert is_valid_phone("+447400123457") and not is_valid_phone("+447400123456")
    assert not is_valid_phone(LONDON) and phone.examine(LONDON) == -1
    assert is_valid_phone(US) and phone.examine(US) > 1
    assert phone_metadata().endswith("phonenumbers 99.0.1: phonenumbers decides about what it changed: +44")
    try:
        parse_phone(LONDON)
    except ValueError as error:
        assert "(rule: unassigned)" in str(error)
    """,
    )


@pytest.mark.skipif(not same_metadata(), reason="the installed phonenumbers has other metadata")
def test_nothing_is_guessed_under_another_parser_or_other_calling_codes(fa: ModuleType) -> None:
    for change, told in (
        ("_numbering.parser_fingerprint = lambda module: 'another'", "its parser is another"),
        ("phonenumbers.COUNTRY_CODE_TO_REGION_CODE[999] = ('GB',)", "it has other calling codes"),
    ):
        alone(
            fa,
            CHANGED
            + f"""
    {change}
    assert is_valid_phone(US) and not is_valid_phone("+1201555") and phone.examine(US) == -1
    assert parse_phone("+4402079460018").e164 == LONDON
    for text, rule in (("+1201555", "too_short"), (US + "1", "too_long"), ("+11015550123", "unassigned")):
        assert _numbering.read(text, None) == rule, text
    assert "{told}: phonenumbers decides" in phone_metadata()
    assert 999 not in phonenumbers.COUNTRY_CODE_TO_REGION_CODE or _numbering.calling_code("+99912") == "999"
    """,
        )


@pytest.mark.skipif(not same_metadata(), reason="the installed phonenumbers has other metadata")
def test_the_phonenumbers_that_is_imported_counts_not_the_one_that_was_found(fa: ModuleType) -> None:
    alone(
        fa,
        f"""
        from foobara_accel.types import _numbering, is_valid_phone, phone_metadata
        assert is_valid_phone("{US}") and "phonenumbers too" in phone_metadata()
        import phonenumbers
        phonenumbers.__version__ = "99.0.1"
        assert is_valid_phone("(201) 555-0123", "US") and is_valid_phone("{US}")
        assert "phonenumbers 99.0.1: phonenumbers decides about what it changed: none" in phone_metadata()
        """,
    )


@pytest.mark.skipif(not same_metadata(), reason="the installed phonenumbers has other metadata")
def test_the_table_is_what_the_script_writes() -> None:
    tool = load_tool()
    assert tool.main(["--check"]) == 0


def load_tool() -> Any:
    pytest.importorskip("phonenumbers")
    path = ROOT / "tools" / "phone_table.py"
    if not path.exists():
        pytest.skip("the scripts of the repository are not here")
    spec = importlib.util.spec_from_file_location("phone_table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["phone_table"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("pattern", ["a", "1*", "(?=1)2", r"\w", "^1", "[a-f]", "(?i:1)", "1{2,}"])
def test_the_script_refuses_what_is_no_pattern_of_digits(pattern: str) -> None:
    tool = load_tool()
    with pytest.raises(tool.Unsupported):
        tool.Language(pattern)


@given(st.text("0123456789", max_size=7))
@settings(max_examples=300, deadline=None)
def test_the_automata_of_the_script_match_what_re_matches(text: str) -> None:
    tool = load_tool_once()
    for pattern in (r"(?:1[0-4]|2\d?)\d{2,3}|0|77(?:1|2)?", r"[1-35]\d{3}|9(?:0[1-9]|12)\d{1,2}", r"\d?"):
        language = tool.language(pattern)
        state = language.start
        for digit in text:
            state = language.step(state)[int(digit)]
        assert language.accepts[state] is bool(re.fullmatch(pattern, text))


_tool: list[Any] = []


def load_tool_once() -> Any:
    if not _tool:
        _tool.append(load_tool())
    return _tool[0]


# --- Bad input ---


@pytest.mark.parametrize(
    "value",
    [None, 12015550123, 1.5, b"+12015550123", bytearray(b"1"), ["+1"], Disguised()],
    ids=lambda value: type(value).__name__,
)
def test_anything_but_a_str_is_a_type_error(phones: ModuleType, value: object) -> None:
    for function in (phones.is_valid_phone, phones.parse_phone):
        with pytest.raises(
            TypeError, match=f"^{function.__name__}\\(\\) takes a str, not {type(value).__name__}$"
        ):
            function(value)
    with pytest.raises(TypeError, match=r"^PhoneNumber\(\) takes a str"):
        phones.PhoneNumber(value)


def test_a_subclass_of_str_is_read_by_its_characters(phones: ModuleType) -> None:
    assert phones.is_valid_phone(Text(US)) is True and phones.is_valid_phone(Text("+1201555")) is False
    parsed = phones.parse_phone(Text(US), Text("GB"))
    assert type(parsed.canonical) is str and parsed.canonical == US
    with pytest.raises(ValueError, match="does not know this region"):
        phones.is_valid_phone(US, Text("ZZ"))


@pytest.mark.parametrize("region", ["us", "USA", "ZZ", "001", "", "GB ", US, "\ud800", "U\0"])
def test_an_unknown_region_is_an_error_that_does_not_show_it(
    phones: ModuleType, region: str, sub: Sub
) -> None:
    validator = sub("types.validators").PhoneNumberValidator
    calls: list[tuple[str, Callable[[], object]]] = [
        ("is_valid_phone", lambda: phones.is_valid_phone(US, region)),
        ("is_valid_phone", lambda: phones.is_valid_phone("201 555 0123", region=region)),
        ("parse_phone", lambda: phones.parse_phone(US, region)),
        ("PhoneNumberValidator", lambda: validator(region)),
        ("PhoneNumberValidator", lambda: phones.PhoneNumber[region]),
    ]
    for name, call in calls:
        with pytest.raises(ValueError, match=rf"^{name}\(\) does not know this region: give two") as caught:
            call()
        assert "2015550123" not in str(caught.value) and repr(region) not in str(caught.value)


@pytest.mark.parametrize(
    "region", [5, b"US", ["US"], {}, Disguised()], ids=lambda region: type(region).__name__
)
def test_a_region_is_a_str_or_none(phones: ModuleType, region: Any) -> None:
    for function in (phones.is_valid_phone, phones.parse_phone):
        with pytest.raises(TypeError, match=r"\(\) takes a region as str or None, not "):
            function(US, region)


@pytest.mark.parametrize(
    "text", ["1" * 10_000_000, "+" + "1" * 10_000_000, "\u0661" * 10_000_000, "x" * 251], ids=range(4)
)
def test_long_text_is_refused_unread(phones: ModuleType, text: str) -> None:
    assert phones.is_valid_phone(text) is False and phones.is_valid_phone(text, "US") is False
    with pytest.raises(ValueError, match=r"too many digits \(rule: too_long\)$"):
        phones.parse_phone(text)


def test_wrong_calls_are_type_errors(phones: ModuleType) -> None:
    for call in (
        lambda: phones.is_valid_phone(),
        lambda: phones.is_valid_phone(US, "US", "GB"),
        lambda: phones.is_valid_phone(US, country="US"),
        lambda: phones.is_valid_phone(value=US),
    ):
        with pytest.raises(TypeError):
            call()


def test_functions_describe_themselves(phones: ModuleType) -> None:
    signature = inspect.signature(phones.is_valid_phone)
    assert list(signature.parameters) == ["value", "region"]
    assert signature.parameters["region"].default is None
    assert (
        phones.is_valid_phone.__module__ == "foobara_accel.types"
        and "libphonenumber" in phones.is_valid_phone.__doc__
    )


# --- The twins ---

FORMS = st.one_of(
    st.tuples(st.sampled_from(table.CODES.split()), st.text("0123456789", max_size=22)).map(
        lambda x: f"+{x[0]}{x[1]}"
    ),
    st.tuples(
        st.sampled_from(table.EXAMPLES.split()), st.integers(1, 15), st.text("0123456789", max_size=5)
    ).map(lambda x: x[0][: x[1]] + x[2] + x[0][x[1] + len(x[2]) :]),
    st.text("+0123456789", max_size=30),
    st.text("0123456789", min_size=240, max_size=260).map(lambda x: f"+{x}"),
    st.text(max_size=30).map(lambda x: f"+{x}"),
)


@given(FORMS, st.sampled_from([None, *REGIONS]))
@settings(max_examples=500, deadline=None)
def test_the_twins_agree(text: str, region: str | None) -> None:
    if str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    answers = []
    for package in ("foobara_accel", load_twin("py").__name__):
        numbering = importlib.import_module(f"{package}.types._numbering")
        phone = importlib.import_module(f"{package}._backend").phone
        answer: list[object] = [phone.examine(text)]
        if HAVE or answer[0] != -1:
            answer += [phone.is_valid_phone(text, region if HAVE else None), numbering.read(text, None)]
        answers.append(answer)
    assert answers[0] == answers[1]


def test_a_table_of_ones_own(twin: Any, sub: Sub) -> None:
    # Row 1 begins; row 2 is valid; "+1" and any two or three more digits are; "+2" is for the judge.
    numbering = sub("types._numbering")
    row = [0] * 10
    first = [*row]
    first[1], first[2], first[3] = 0x8000 | 0b1100, 0xFFFF, 3
    rows = [row, first, [0x8000] * 10, [2] * 10]
    details = [[0x8005] * 10 + [0], [0] * 11]
    pack = lambda table: b"".join(n.to_bytes(2, sys.byteorder) for each in table for n in each)  # noqa: E731
    try:
        twin.use(["US"], pack(rows), 3, pack(details))
        told = {
            text: twin.examine(text)
            for text in ("+123", "+1234", "+12345", "+1x", "+212", "+3", "+345", "+4", "+444")
        }
        assert list(told.values()) == [5, 5, -3, -1, -1, -2, -3, -2, 1]
        twin.use(["US"], b"", 0, b"")
        assert twin.examine("+123") == -1
    finally:
        numbering._prepare()
    assert twin.examine(US) > 1
    rows, valid, details = numbering.table_in_use()
    assert valid == table.VALID and len(rows) == 20 * table.VERDICTS and len(details) == 22 * table.DETAILS


def test_threads_share_the_first_call(fa: ModuleType) -> None:
    alone(
        fa,
        f"""
        import threading
        from foobara_accel import is_valid_phone
        gate, said = threading.Barrier(8), []
        def ask():
            gate.wait()
            said.append((is_valid_phone("{US}"), is_valid_phone("{US}0"), is_valid_phone("{GB}", "US")))
        threads = [threading.Thread(target=ask) for _ in range(8)]
        [each.start() for each in threads]
        [each.join() for each in threads]
        assert said == [(True, False, True)] * 8
        """,
    )


# --- The parsed form ---


def test_only_the_calling_code_and_two_digits_show(phones: ModuleType) -> None:
    parsed = phones.parse_phone(US)
    for text in (str(parsed), f"{parsed}", parsed.masked, f"{parsed!s}"):
        assert text == "+1 **** 23"
    assert repr(parsed) == "PhoneNumber('+1 **** 23')" and f"{parsed:>12}" == "  +1 **** 23"
    assert phones.parse_phone(f"{GB};ext=12345").masked == "+44 **** 18"


def test_equality_hash_copy_and_pickle(phones: ModuleType) -> None:
    parsed = phones.parse_phone(US)
    assert parsed == phones.PhoneNumber(US) and hash(parsed) == hash(phones.PhoneNumber(US))
    assert parsed != US and parsed != phones.parse_phone(GB)
    assert copy.copy(parsed) is parsed and copy.deepcopy([parsed])[0] is parsed
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        loaded = pickle.loads(pickle.dumps(parsed, protocol))
        assert type(loaded).__module__ == "foobara_accel.types.phones" and loaded.canonical == US
    with pytest.raises(AttributeError, match="immutable"):
        parsed.canonical = GB
    with pytest.raises(ValueError, match="rule: too_short"):
        phones.PhoneNumber("+1201555")


def test_caches_show_nothing_and_can_be_emptied(phones: ModuleType, sub: Sub) -> None:
    pytest.importorskip("phonenumbers")
    numbering = sub("types._numbering")
    phones.forget_phones()
    assert phones.is_valid_phone("(201) 555-0123", "US") and phones.parse_phone(US).national
    for kept in (numbering._judged, numbering._formatted):
        assert kept.cache_info().currsize == 1 and kept.cache_info().maxsize == numbering.CACHED
        assert "5550123" not in repr(kept) and "555-0123" not in repr(kept)  # 555 may be in an address
    phones.forget_phones()
    assert numbering._judged.cache_info().currsize == numbering._formatted.cache_info().currsize == 0


def test_patterns_of_many_regions_stay_compiled(sub: Sub) -> None:
    phonenumbers = pytest.importorskip("phonenumbers")
    if not hasattr(phonenumbers, "enable_pattern_cache"):
        pytest.skip("this phonenumbers keeps no patterns")
    sub("types._numbering").library()
    assert phonenumbers.re_util.re_compile("1(2)3") is phonenumbers.re_util.re_compile("1(2)3")
    re.purge()
    pattern = phonenumbers.re_util.re_compile("1(2)34")
    re.purge()
    assert phonenumbers.re_util.re_compile("1(2)34") is pattern


# --- The validator ---


def test_the_validator_of_the_roadmap(sub: Sub) -> None:
    validators, processors = sub("types.validators.additional"), sub("types.processors")
    validator = validators.PhoneNumberValidator()
    assert issubclass(validators.PhoneNumberValidator, processors.Validator) and validator.region == "US"
    assert validators.PhoneNumberValidator(region="GB").region == "GB"
    assert validator.process(US) == US and validator(GB) == GB
    assert validator == validators.PhoneNumberValidator("US") and hash(validator) == hash(validator)
    assert sub("types").PhoneNumberValidator is validators.PhoneNumberValidator
    with pytest.raises(ValueError, match=r"^phone number has too few digits \(rule: too_short\)$"):
        validator.process("+1201555")
    with pytest.raises(TypeError, match=r"^phone number is a str, not int$"):
        validator.process(12015550123)


def test_the_verdict_is_frozen_and_masked(sub: Sub) -> None:
    validator = sub("types.validators").PhoneNumberValidator(None)
    good, bad, other = validator.validate(US), validator.validate("+1201555"), validator.validate(5)
    assert good.valid and good and good.rule == good.reason == "" and good.masked == "+1 **** 23"
    assert (good.e164, good.region, good.type, good.calling_code, good.extension) == (
        US,
        "US",
        "fixed_line_or_mobile",
        "1",
        "",
    )
    assert (
        not bad.valid and not bad and bad.rule == "too_short" and bad.e164 is bad.region is bad.number is None
    )
    assert other.rule == "type" and good != bad and good == validator.validate(good.number)
    for text in (repr(good), repr(bad), str(good), str(TypeAdapter(Any).dump_json(good))):
        assert "5550" not in text
    with pytest.raises(AttributeError, match="immutable"):
        good.canonical = GB
    assert pickle.loads(pickle.dumps(good)).e164 == US


def test_regions_and_types_limit_what_is_valid(sub: Sub) -> None:
    validator = sub("types.validators").PhoneNumberValidator
    american = validator(regions=["US", "CA"])
    assert american.validate(US) and american.validate(GB).rule == "region_not_allowed"
    mobile = validator(types={"mobile"})
    # The plan of +1 cannot tell one from the other.
    assert mobile.validate(US) and mobile.validate("+447400123456")
    assert (
        mobile.validate(GB).rule == "type_not_allowed"
        and mobile.validate("+80012345678").rule == "type_not_allowed"
    )
    assert validator(regions=("001",), types=("toll_free",)).validate("+80012345678")
    with pytest.raises(
        ValueError, match=r"^phone number is of none of the types mobile \(rule: type_not_allowed\)$"
    ):
        mobile.process(GB)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"regions": "US"}, TypeError, "regions is a collection of names, not str"),
        ({"regions": []}, ValueError, "regions is empty"),
        ({"regions": ["us"]}, ValueError, "does not know this region"),
        ({"regions": [5]}, TypeError, "takes a region as str or None, not int"),
        ({"types": "mobile"}, TypeError, "types is a collection of names, not str"),
        ({"types": ["cell"]}, ValueError, "types are some of fixed_line, mobile"),
        ({"types": ()}, ValueError, "types is empty"),
        ({"output": "E164"}, ValueError, "output is one of e164, international, national, rfc3966"),
        ({"output": 5}, ValueError, "output is one of"),
        ({"region": 5}, TypeError, "takes a region as str or None, not int"),
    ],
)
def test_options_that_mean_nothing(sub: Sub, options: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        sub("types.validators").PhoneNumberValidator(**options)


# --- Pydantic ---


class Later(BaseModel):
    """Its annotations are strings, as this module asks for."""

    phone: foobara_accel.PhoneNumber["US"]  # noqa: UP037


def test_annotations_may_be_strings() -> None:
    assert Later(phone=US).phone.e164 == US


def test_whole_numbers_are_written_with_the_context_unmasked(contact: Any, fa: ModuleType, sub: Sub) -> None:
    made = contact(phone=US, more=[f"{GB};ext=5"])
    unmasked = sub("types").UNMASKED
    written = json.loads(made.model_dump_json(context=unmasked))
    assert written["phone"] == US and written["more"] == [f"{GB};ext=5"]
    assert contact.model_validate_json(json.dumps(written)) == made


def test_an_example_in_a_schema_is_one_that_the_field_takes(phones: ModuleType, sub: Sub) -> None:
    validator = sub("types.validators").PhoneNumberValidator
    for options, examples in (
        ({}, [US]),
        ({"region": "GB"}, [EXAMPLES["GB"]]),
        ({"regions": ["FR"]}, [EXAMPLES["FR"]]),
        ({"types": ["toll_free"]}, None),
        ({"region": None}, [US]),
    ):
        schema = TypeAdapter(Annotated[phones.PhoneNumber, validator(**options)]).json_schema()
        assert schema.get("examples") == examples


@pytest.fixture(scope="session")
def contact(fa: ModuleType, sub: Sub) -> Any:
    validator = sub("types.validators").PhoneNumberValidator
    namespace = {
        "__annotations__": {
            "phone": fa.PhoneNumber,
            "home": fa.PhoneNumber["US"] | None,
            "text": Annotated[str, validator("GB", output="e164")],
            "more": list[fa.PhoneNumber],
        },
        "__module__": __name__,
        "home": None,
        "text": GB,
        "more": [],
    }
    return type("Contact", (BaseModel,), namespace)


def test_fields_take_what_their_region_says(contact: Any, phones: ModuleType) -> None:
    made = contact(phone=US, more=[GB, phones.parse_phone(US)])
    assert made.phone == phones.parse_phone(US) and made.more[0].region == "GB"
    assert made.model_dump()["phone"] is made.phone
    assert json.loads(made.model_dump_json())["phone"] == "+1 **** 23"
    assert contact.model_validate_json(json.dumps({"phone": US})).phone == made.phone
    if HAVE:
        other = contact(phone="+1 201 555 0123", home="(201) 555-0123", text="020 7946 0018")
        assert other.phone == other.home == made.phone and other.text == GB


def test_pydantic_errors_hold_no_digits(contact: Any) -> None:
    wrong: dict[str, Any] = {"phone": "+12015", "text": "+442079460", "more": ["+1201555"]}
    if HAVE:
        wrong["home"] = "(201) 555-01"
    with pytest.raises(ValidationError) as caught:
        contact(**wrong)
    assert len(caught.value.errors()) == len(wrong)
    for text in (str(caught.value), repr(caught.value.errors()), caught.value.json()):
        assert not re.search(r"201|207|555", text)
    with pytest.raises(ValidationError) as caught:
        contact(phone=12015550123)
    assert "201" not in str(caught.value) and caught.value.errors()[0]["type"] == "string_type"


def test_the_schema_says_what_to_send_and_what_is_shown(contact: Any, phones: ModuleType) -> None:
    sent = contact.model_json_schema()["properties"]
    assert sent["phone"]["type"] == "string" and sent["phone"]["format"] == "phone"
    assert sent["phone"]["examples"] == [US] and sent["text"]["examples"] == [EXAMPLES["GB"]]
    shown = contact.model_json_schema(mode="serialization")["properties"]["phone"]
    assert shown["format"] == "masked-phone" and re.match(shown["pattern"], phones.parse_phone(GB).masked)
    for region in REGIONS if HAVE else ["US", "GB"]:
        field = TypeAdapter(phones.PhoneNumber[region]).json_schema()
        bare = sent["phone"]["pattern"]
        assert re.match(field["pattern"], field["examples"][0]) and re.match(bare, field["examples"][0])
        if HAVE:
            parsed = phones.parse_phone(EXAMPLES[region])
            assert re.match(field["pattern"], parsed.national), region
            assert re.match(bare, parsed.international) and re.match(bare, parsed.e164 + ";ext=7"), region
            assert phones.is_valid_phone(field["examples"][0], region)


def test_numbers_in_the_inputs_of_a_command(fa: ModuleType, contact: Any) -> None:
    class Call(fa.Command[contact, Any]):
        def execute(self) -> Any:
            return self.inputs

    for run in (lambda **raw: Call.run(**raw), lambda **raw: Call.run_json(json.dumps(raw))):
        done = run(phone=US, more=[GB])
        assert done.is_success() and done.result.phone.e164 == US
        assert US not in repr(done) and US.encode() not in done.to_json_bytes()
        failed = run(phone="+1201555012", more=["+4420794600"])
        assert failed.is_failure()
        assert [(error.symbol, error.path) for error in failed.errors] == [
            ("phone_number", ("phone",)),
            ("phone_number", ("more", "0")),
        ]
        assert "201555" not in repr(failed) + failed.to_json_bytes().decode()


def test_no_digits_in_what_runs_into_an_error(phones: ModuleType) -> None:
    # What a logger writes of an exception: message, notes, chain; not the values of local variables.
    import traceback

    for text in ("+12015550", "+999555012", f"{US}99"):
        try:
            phones.parse_phone(text)
        except ValueError as error:
            assert text[4:] not in "".join(traceback.format_exception(error))
        else:
            raise AssertionError("no error")
