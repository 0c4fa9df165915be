"""Columns of cards and IBANs: every layout gives the verdict of one value, bad memory a clear error."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from foobara_accel._pure import _iban_table as table, _phone_table as phones

np = pytest.importorskip("numpy")
_arrow = importlib.import_module("foobara_accel._arrow")
_hand = importlib.import_module("tests.arrow_by_hand")

Sub = Callable[[str], ModuleType]
Column = Callable[[list[str | None]], Any]

VISA, AMEX, WRONG = "4111111111111111", "378282246310005", "4111111111111112"
GB, FR, DE = "GB82WEST12345698765432", "FR1420041010050500013m02606", "DE89370400440532013000"
PLANTED = "4929123456789012"


@pytest.fixture(scope="session")
def columns(sub: Sub) -> ModuleType:
    return sub("types.columns")


@pytest.fixture(scope="session")
def scalar(sub: Sub) -> dict[str, Callable[..., Any]]:
    """What each function must say of one text."""
    types = sub("types")

    def brand(text: str, lenient: bool) -> str:
        try:
            return types.parse_card(text, lenient=lenient).brand or ""
        except ValueError:
            return ""

    def country(text: str, lenient: bool) -> str:
        # A letter of class c may be lower case in the electronic form; the country is never.
        return types.parse_iban(text, lenient=lenient).country if iban(text, lenient) else ""

    def card(text: str, lenient: bool) -> bool:
        return types.is_valid_card(text, lenient=lenient)

    def iban(text: str, lenient: bool) -> bool:
        return types.is_valid_iban(text, lenient=lenient)

    return {"luhn_valid": card, "iban_valid": iban, "card_brand": brand, "iban_country": country}


def luhn(body: str) -> str:
    total = sum(int(d) if at % 2 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def iban(code: str, bban: str) -> str:
    number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
    return f"{code}{98 - number % 97:02}{bban}"


def structure(code: str) -> str:
    found = table.COUNTRIES[table.TERRITORIES.get(code, code)][0]
    return "".join(kind * int(count) for count, kind in re.findall(r"([0-9]+)!([nac])", found))


CODES = sorted([*table.COUNTRIES, *table.TERRITORIES])
FILL = {"n": "0123456789", "a": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "c": "0123456789ABCXYZabcxyz"}
ODD = "0123456789AZaz \t-\n\0\x7f\x80\xb2\u0660\u0669\uff11\U0001d7d8\ufb01\u017f\u0131\xa0[@:/`{\ud800"


def some(rng: random.Random) -> str:
    """A card number, an IBAN or something close to one."""
    choice = rng.random()
    if choice < 0.4:
        first = rng.choice(
            ["4", "51", "2221", "34", "6011", "62", "3528", "650002", "637095", "9792", "1", "0"]
        )
        size = rng.choice([12, 13, 14, 15, 16, 16, 16, 17, 18, 19, 20])
        text = luhn((first + "".join(rng.choices("0123456789", k=20)))[: size - 1])
        if rng.random() < 0.2:
            text = f" {text[:4]} {text[4:8]}-{text[8:]}\t"
    else:
        code = rng.choice(CODES)
        text = iban(code, "".join(rng.choice(FILL[kind]) for kind in structure(code)))
        if rng.random() < 0.2:
            text = " ".join(text[at : at + 4] for at in range(0, len(text), 4)).lower()
        elif rng.random() < 0.1:
            text = text[:2] + rng.choice(["00", "01", "99"]) + text[4:]
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(["", rng.choice(ODD)]) + text[at + rng.choice([0, 1]) :]
    return text


def library(name: str) -> Any:
    return pytest.importorskip(name)


def encodable(texts: list[str | None]) -> list[str | None]:
    # Lone surrogates are in no Arrow text.
    return [None if text is None else text.encode("utf-8", "replace").decode() for text in texts]


def arrow(kind: str) -> Column:
    def column(texts: list[str | None]) -> Any:
        pa = library("pyarrow")
        return pa.array(encodable(texts), getattr(pa, kind)())

    return column


def sliced(texts: list[str | None]) -> Any:
    return arrow("string")(["12345", None, *texts, None, "4"])[2 : 2 + len(texts)]


def sliced_views(texts: list[str | None]) -> Any:
    return arrow("string_view")([GB, None, VISA, *texts, None])[3 : 3 + len(texts)]


def chunked(texts: list[str | None]) -> Any:
    cuts = [0, len(texts) // 3, len(texts) // 3, len(texts) // 2, len(texts)]
    pa = library("pyarrow")
    pieces = [encodable(texts)[a:b] for a, b in pairwise(cuts)]
    return pa.chunked_array([pa.array(piece, pa.large_string()) for piece in pieces])


def in_a_table(texts: list[str | None]) -> Any:
    return library("pyarrow").table({"only": sliced(texts)})


def nulls_of_structs(texts: list[str | None]) -> Any:
    pa = library("pyarrow")
    absent = pa.array([False, *(text is None for text in texts)])
    filled = pa.array(["1", *(VISA if text is None else text for text in encodable(texts))])
    return pa.StructArray.from_arrays([filled], names=["only"], mask=absent)[1:]


def padded(kind: str) -> Column:
    def column(texts: list[str | None]) -> Any:
        # What such an array cannot hold is left out: nulls, NUL at the end, non-ASCII as bytes.
        if any(text is None or text.endswith("\0") or (kind == "S" and not text.isascii()) for text in texts):
            return None
        return np.array(texts, dtype=kind if texts else f"{kind}16")

    return column


def strided(kind: str, step: int, width: int = 0) -> Column:
    def column(texts: list[str | None]) -> Any:
        plain = padded(kind)(texts)
        if plain is None:
            return None
        dtype = np.dtype(f"{kind}{max(width, plain.dtype.itemsize // (4 if kind == 'U' else 1))}")
        every = np.full(abs(step) * len(texts) + 3, "9" * 12, dtype)
        every[: len(texts) * abs(step) : abs(step)] = plain[::-1] if step < 0 else plain
        return every[: len(texts) * abs(step) : abs(step)][:: -1 if step < 0 else 1]

    return column


def field(kind: str) -> Column:
    def column(texts: list[str | None]) -> Any:
        plain = padded(kind)(texts)
        if plain is None:
            return None
        record = np.zeros(len(texts), np.dtype([("before", "S3"), ("text", plain.dtype), ("after", "S1")]))
        record["before"], record["text"], record["after"] = "411", plain, "1"
        return record["text"]

    return column


def swapped(texts: list[str | None]) -> Any:
    plain = padded("U")(texts)
    return None if plain is None else plain.astype(plain.dtype.newbyteorder())


def string_dtype(texts: list[str | None]) -> Any:
    return np.array(encodable(texts), np.dtypes.StringDType(na_object=None))


def masked(texts: list[str | None]) -> Any:
    plain = padded("S")([VISA if text is None else text for text in texts])
    return None if plain is None else np.ma.array(plain, mask=[text is None for text in texts])


def pandas(dtype: Any) -> Column:
    def column(texts: list[str | None]) -> Any:
        if dtype in ("string[pyarrow]", "str"):
            library("pyarrow")
        if dtype == "category" and not any(text is not None for text in texts):
            return None  # categories of no text are numbers
        return library("pandas").Series(encodable(texts), dtype=dtype)

    return column


def pandas_index(texts: list[str | None]) -> Any:
    return library("pandas").Index(encodable(texts), dtype=object)


def polars(kind: str) -> Column:
    def column(texts: list[str | None]) -> Any:
        pl = library("polars")
        return pl.Series(encodable(texts), dtype=getattr(pl, kind))

    return column


def polars_frame(texts: list[str | None]) -> Any:
    return polars("String")(texts).to_frame("only")


def duckdb(texts: list[str | None]) -> Any:
    db, pa = library("duckdb"), library("pyarrow")
    place = db.connect()
    place.register(
        "given", pa.table({"row": range(len(texts)), "text": pa.array(encodable(texts), pa.string())})
    )
    return place.sql("select text from given order by row")


LAYOUTS: dict[str, Column] = {
    "list": list,
    "tuple": tuple,
    "numpy object": lambda texts: np.array([*texts, 0], object)[:-1],
    "numpy S": padded("S"),
    "numpy U": padded("U"),
    "numpy U, other byte order": swapped,
    "numpy S, every third": strided("S", 3),
    "numpy S, backwards": strided("S", -1),
    "numpy S, wider than any": strided("S", 1, 61),
    "numpy S34": strided("S", 1, 34),
    "numpy U, backwards": strided("U", -2, 40),
    "numpy S, field": field("S"),
    "numpy U, unaligned field": field("U"),
    "numpy StringDType": string_dtype,
    "numpy masked": masked,
    "arrow string": arrow("string"),
    "arrow large_string": arrow("large_string"),
    "arrow string_view": arrow("string_view"),
    "arrow sliced": sliced,
    "arrow sliced views": sliced_views,
    "arrow dictionary": lambda texts: arrow("string")(texts).dictionary_encode(),
    "arrow dictionary with null": lambda texts: arrow("string")(texts).dictionary_encode("encode"),
    "arrow chunked": chunked,
    "arrow chunked dictionary": lambda texts: chunked(texts).dictionary_encode(),
    "arrow table": in_a_table,
    "arrow struct": nulls_of_structs,
    "pandas str": pandas("str"),
    "pandas object": pandas(object),
    "pandas string[pyarrow]": pandas("string[pyarrow]"),
    "pandas category": pandas("category"),
    "pandas index": pandas_index,
    "polars String": polars("String"),
    "polars Categorical": polars("Categorical"),
    "polars frame": polars_frame,
    "duckdb": duckdb,
}
PLAIN = ("list", "numpy object")  # hold lone surrogates as they are
FUNCTIONS = ("luhn_valid", "iban_valid", "card_brand", "iban_country")
EVERY = (*FUNCTIONS, "phone_valid")


def hold(
    columns: ModuleType, scalar: dict[str, Any], layout: str, texts: list[str | None], **more: Any
) -> int:
    column = LAYOUTS[layout](texts)
    if column is None:
        return 0
    seen = texts if layout in PLAIN else encodable(texts)
    for name in FUNCTIONS:
        for lenient in (False, True):
            want = ["" if "_valid" not in name else False] * len(seen)
            want = [
                none if text is None else scalar[name](text, lenient)
                for text, none in zip(seen, want, strict=True)
            ]
            found = getattr(columns, name)(column, lenient=lenient, **more)
            assert found.tolist() == want, (name, layout, lenient)
    return 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_verdict_of_the_single_value(
    columns: ModuleType, scalar: dict[str, Any], layout: str
) -> None:
    rng = random.Random(layout)
    held = 0
    for size in (0, 1, 7, 8, 9, 64, 600):
        texts: list[str | None] = [some(rng) for _ in range(size)]
        held += hold(columns, scalar, layout, texts)
        ascii_only = [
            text.encode("ascii", "ignore").decode().rstrip("\0") for text in texts if text is not None
        ]
        held += hold(columns, scalar, layout, [*ascii_only])
        held += hold(columns, scalar, layout, [text if rng.random() < 0.7 else None for text in ascii_only])
    assert held >= 10


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    texts=st.lists(
        st.one_of(
            st.none(),
            st.integers(0, 1 << 32).map(lambda seed: some(random.Random(seed))),
            st.text(st.sampled_from(ODD), max_size=40),
            st.from_regex(r"[0-9]{10,21}", fullmatch=True),
        ),
        max_size=40,
    ),
)
def test_any_texts_in_any_layout(
    columns: ModuleType, scalar: dict[str, Any], layout: str, texts: list[str | None]
) -> None:
    hold(columns, scalar, layout, texts)


def test_every_country_and_every_brand_by_code(columns: ModuleType, sub: Sub) -> None:
    assert tuple(CODES) == columns.IBAN_COUNTRIES and len(CODES) == 105
    values = [iban(code, "".join(FILL[kind][1] for kind in structure(code))) for code in CODES]
    codes = columns.iban_country(values, codes=True, lenient=True)
    assert codes.dtype == np.int8 and codes.tolist() == list(range(105))
    strict = columns.iban_country(np.array(values, "S"), codes=True)
    assert [CODES[at] for at in np.flatnonzero(strict < 0)] == ["AX"]

    cards = sub("types.cards")
    assert tuple(cards._BRANDS) == columns.CARD_BRANDS
    numbers = [
        luhn(prefix.ljust(size - 1, fill))
        for prefix in cards._prefixes()
        for size in (13, 15, 16, 19)
        for fill in "09"
    ]
    numbers += [luhn(f"{value:015}") for value in random.Random(5).sample(range(10**15), 3000)]
    want = [cards.parse_card(number).brand or "" for number in numbers]
    found = columns.card_brand(np.array(numbers, "S"))
    assert found.tolist() == want and set(columns.CARD_BRANDS) <= set(want)
    codes = columns.card_brand(numbers, codes=True)
    assert [columns.CARD_BRANDS[code] if code >= 0 else "" for code in codes] == want


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_kernel_gives_the_same(
    columns: ModuleType, scalar: dict[str, Any], level: int, fa: ModuleType
) -> None:
    limit = getattr(columns.twin, "_limit", None)
    if limit is None:
        assert columns.twin.kernel() == "numpy"
        return
    best = columns.twin.kernel()
    try:
        limit(level)
        names = ("portable", "sse2", "avx2")
        assert columns.twin.kernel() in names[: level + 1]
        rng = random.Random(level)
        for layout in (
            "numpy S",
            "numpy U",
            "numpy S34",
            "arrow string",
            "arrow large_string",
            "arrow string_view",
        ):
            texts = [text for text in (some(rng) for _ in range(900)) if text.isascii() and text[-1:] != "\0"]
            assert hold(columns, scalar, layout, [*texts]) == 1
    finally:
        limit(2)
    assert columns.twin.kernel() == best


def test_null_is_false_in_numpy_and_null_in_arrow(columns: ModuleType) -> None:
    pa = pytest.importorskip("pyarrow")
    values = [VISA, None, WRONG, AMEX, "", None, "9792" + "0" * 12]
    assert columns.luhn_valid(values).tolist() == [True, False, False, True, False, False, False]
    for given_as in (values, pa.array(values), pa.array(values, pa.string_view())):
        verdicts = pa.array(columns.luhn_valid(given_as, result="arrow"))
        verdicts.validate(full=True)
        assert verdicts.type == pa.bool_() and verdicts.null_count == 2
        assert verdicts.to_pylist() == [True, None, False, True, False, None, False]
        brands = pa.array(columns.card_brand(given_as, result="arrow"))
        brands.validate(full=True)
        assert brands.type == pa.dictionary(pa.int8(), pa.string())
        assert brands.to_pylist() == ["visa", None, None, "amex", None, None, None]
    assert pa.array(columns.luhn_valid([VISA] * 9, result="arrow")).null_count == 0
    assert pa.array(columns.iban_valid([], result="arrow")).to_pylist() == []
    countries = columns.iban_country(pa.nulls(3), result="arrow")
    assert pa.array(countries).to_pylist() == [None] * 3
    assert columns.iban_valid(pa.nulls(3)).tolist() == [False] * 3
    assert columns.iban_country([GB, None], codes=True)[1] == -1


def test_the_arrow_result_is_its_own_and_may_be_read_again(columns: ModuleType) -> None:
    pa = pytest.importorskip("pyarrow")
    gc.collect()
    before = pa.total_allocated_bytes()
    result = columns.card_brand([VISA, WRONG] * 500, result="arrow")
    assert len(result) == 1000 and repr(result) == "<ArrowResult of 1000 rows>"
    assert pa.schema(
        pa.struct([("x", pa.DataType._import_from_c_capsule(result.__arrow_c_schema__()))]).fields
    )
    first, second = pa.array(result), pa.array(result)
    unread = result.__arrow_c_array__(requested_schema=None)
    moved = first.to_pylist()
    del result, second, unread
    gc.collect()
    assert moved == first.to_pylist() == ["visa", None] * 500
    del first
    gc.collect()
    assert pa.total_allocated_bytes() <= before
    pl = pytest.importorskip("polars")
    assert pl.Series(columns.iban_valid([GB, None], result="arrow")).to_list() == [True, None]
    assert pl.Series(columns.iban_country([GB, None], result="arrow")).to_list() == ["GB", None]


def test_out_is_filled_and_returned(columns: ModuleType) -> None:
    pa = pytest.importorskip("pyarrow")
    values = [VISA, None, WRONG]
    for given_as in (
        values,
        pa.array(values),
        pa.chunked_array([[VISA], [None, WRONG], []]),
        np.array(values),
    ):
        out = np.ones(3, np.bool_)
        assert columns.luhn_valid(given_as, out=out) is out and out.tolist() == [True, False, False]
    whole = np.ones(5, np.bool_)
    columns.luhn_valid(values, out=whole[1:4])
    assert whole.tolist() == [True, True, False, False, True]
    codes = np.zeros(3, np.int8)
    assert columns.card_brand(values, codes=True, out=codes) is codes and codes.tolist() == [0, -1, -1]
    names = columns.card_brand([VISA])
    names = np.empty(3, names.dtype)
    assert columns.card_brand(values, out=names) is names and names.tolist() == ["visa", "", ""]
    chunks = pa.chunked_array([pa.array([VISA, VISA]), pa.array([None], pa.string())])
    assert columns.card_brand(chunks, codes=True, out=codes).tolist() == [0, 0, -1]


def test_an_out_is_false_where_the_call_raises(columns: ModuleType) -> None:
    out = np.ones(3, np.bool_)
    with pytest.raises(TypeError, match="row 2 is an int"):
        columns.luhn_valid([VISA, None, 7], out=out)
    assert out.view(np.int8).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("out", "error", "text"),
    [
        ([False] * 2, TypeError, "out is a NumPy array, not a list"),
        (np.zeros(2, np.int8), ValueError, "one-dimensional, contiguous, writable array of bool"),
        (np.zeros((2, 1), np.bool_), ValueError, "one-dimensional, contiguous, writable array of bool"),
        (np.zeros(4, np.bool_)[::2], ValueError, "one-dimensional, contiguous, writable array of bool"),
        (np.broadcast_to(np.zeros(1, np.bool_), 2), ValueError, "one-dimensional, contiguous, writable"),
        (np.zeros(3, np.bool_), ValueError, "out has 3 rows, the column 2"),
    ],
)
def test_an_out_that_does_not_fit_is_named(columns: ModuleType, out: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=rf"^luhn_valid\(\): (out is a )?{text}"):
        columns.luhn_valid([VISA, AMEX], out=out)


def test_arguments_that_are_wrong_are_named(columns: ModuleType) -> None:
    for threads, shown in ((0, "0"), (-1, "-1"), (1.5, "a float"), (True, "a bool"), (None, "a NoneType")):
        with pytest.raises(ValueError, match=f"threads is a number from 1 up, not {shown}$"):
            columns.luhn_valid([VISA], threads=threads)
    with pytest.raises(ValueError, match=r"result is 'numpy' or 'arrow', not 'polars'$"):
        columns.iban_valid([GB], result="polars")
    with pytest.raises(ValueError, match=r"leave it out with result='arrow'$"):
        columns.iban_valid([GB], result="arrow", out=np.zeros(1, np.bool_))
    with pytest.raises(ValueError, match=r"array of int8$"):
        columns.card_brand([VISA], codes=True, out=np.zeros(1, np.int16))
    with pytest.raises(ValueError, match=r"out has 3 rows, the column 1$"):
        columns.iban_country([GB], out=np.zeros(3, columns.iban_country([]).dtype))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_verdict(
    columns: ModuleType, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_PER_THREAD", 300)
    rng = random.Random(threads)
    few = [text for text in (some(rng) for _ in range(3000)) if text.isascii() and text[-1:] != "\0"]
    texts, pa = np.array(few), pytest.importorskip("pyarrow")
    for column in (texts, texts.astype("S"), pa.array(few), pa.array(few, pa.string_view())):
        one = columns.iban_valid(column, lenient=True)
        assert (columns.iban_valid(column, lenient=True, threads=threads) == one).all() and one.any()
        one = columns.card_brand(column, codes=True)
        assert (columns.card_brand(column, codes=True, threads=threads) == one).all()
    wrong = np.arange(0, 3001 * 16, 16, dtype=np.int32)
    wrong[[1000, 2900]] = -1, 0
    with pytest.raises(ValueError, match=r"row 999: its offsets are negative"):
        columns.luhn_valid(
            produced(b"u", 3000, 0, None, wrong.tobytes(), VISA.encode() * 3000), threads=threads
        )


def test_many_callers_at_once(columns: ModuleType) -> None:
    values = np.array([VISA, WRONG, AMEX, ""] * 30_000, "S")
    want = [True, False, True, False] * 30_000
    failed: list[object] = []

    def call() -> None:
        for _ in range(3):
            if columns.luhn_valid(values, threads=2).tolist() != want:
                failed.append(1)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert not failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_threads_work_in_a_forked_child(columns: ModuleType) -> None:
    program = f"""
import os, warnings
warnings.simplefilter("ignore")
import numpy as np
from foobara_accel.testing import load_twin
import importlib
name = {columns.__name__!r}
if not name.startswith("foobara_accel."):
    name = load_twin("py").__name__ + ".types.columns"
columns = importlib.import_module(name)
values = np.array([{VISA!r}] * 100_000, "S")
assert columns.luhn_valid(values, threads=2).all()
child = os.fork()
if not child:
    os._exit(0 if columns.luhn_valid(values, threads=2).all() else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        (VISA, TypeError, "takes an array, a sequence of str or an Arrow column, not a str$"),
        (VISA.encode(), TypeError, "an Arrow column, not a bytes$"),
        (None, TypeError, "an Arrow column, not a NoneType$"),
        (411, TypeError, "an Arrow column, not an int$"),
        ({VISA: 1}, TypeError, "an Arrow column, not a dict$"),
        ({VISA}, TypeError, "an Arrow column, not a set$"),
        (iter([VISA]), TypeError, "an Arrow column, not a list_iterator$"),
        (np.ndarray, TypeError, "an Arrow column, not a type$"),
        ([VISA, VISA.encode()], TypeError, "row 1 is a bytes; rows are str, or None where missing$"),
        ([VISA, 411], TypeError, "row 1 is an int; rows are str"),
        ([None, float("nan")], TypeError, "row 1 is a float; rows are str"),
        ([[VISA]], TypeError, "row 0 is a list; rows are str"),
        (np.array([VISA, 3.5], object), TypeError, "row 1 is a float; rows are str"),
        (np.array([VISA, np.bytes_(b"4")], object), TypeError, "row 1 is a bytes_; rows are str"),
        (np.array([4111111111111111]), TypeError, "not of int64: numbers have lost their leading zeros"),
        (np.array([4.1]), TypeError, "not of float64: numbers have lost their leading zeros"),
        (
            np.array([True]),
            TypeError,
            "takes an array of text \\(S, U, StringDType or object\\), not of bool$",
        ),
        (np.array(["2026"], "M8[Y]"), TypeError, "not of datetime64"),
        (np.zeros(1, "V16"), TypeError, "not of \\|V16$"),
        (np.zeros(1, [("a", "S16")]), TypeError, "takes an array of text"),
        (np.array([[VISA]]), ValueError, "a one-dimensional array, not one of 2 dimensions$"),
        (np.array(VISA), ValueError, "a one-dimensional array, not one of 0 dimensions$"),
    ],
)
def test_what_is_no_column_of_text_is_named(columns: ModuleType, values: Any, error: type, text: str) -> None:
    for name in EVERY:
        with pytest.raises(error, match=rf"^{name}\(\): .*{text}") as caught:
            getattr(columns, name)(values)
        assert VISA not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda pa: pa.array([4111111111111111]), "numbers, which have lost .* \\(Arrow format 'l'\\)$"),
        (lambda pa: pa.array([1.5]), "numbers, which have lost"),
        (lambda pa: pa.array([VISA.encode()]), "binary: cast it to text \\(Arrow format 'z'\\)$"),
        (lambda pa: pa.array([VISA.encode()], pa.large_binary()), "binary: cast it to text"),
        (lambda pa: pa.array([VISA.encode()], pa.binary_view()), "binary views: cast them to text"),
        (lambda pa: pa.array([VISA.encode()], pa.binary(16)), "fixed-size binary: cast it to text"),
        (lambda pa: pa.array([True]), "booleans"),
        (lambda pa: pa.array([0], pa.timestamp("s")), "dates or times"),
        (lambda pa: pa.array([1], pa.decimal128(19, 0)), "decimals: numbers have lost"),
        (lambda pa: pa.array([[VISA]]), "nested"),
        (lambda pa: pa.array([VISA.encode()]).dictionary_encode(), "binary: cast it to text"),
        (lambda pa: pa.array([7]).dictionary_encode(), "numbers, which have lost"),
        (lambda pa: pa.table({"a": [VISA], "b": [VISA]}), "the table has 2 columns: pass one of them$"),
        (lambda pa: pa.chunked_array([], pa.int64()), "numbers, which have lost"),
        (lambda pa: pa.RunEndEncodedArray.from_arrays([2], [VISA]), "run-end encoded: decode it first"),
    ],
)
def test_an_arrow_column_that_is_no_text_is_named(
    columns: ModuleType, make: Callable[[Any], Any], text: str
) -> None:
    with pytest.raises(TypeError, match=rf"^iban_valid\(\): .*{text}"):
        columns.iban_valid(make(pytest.importorskip("pyarrow")))


class Produced:
    """An object that hands out the capsules that it was made with."""

    def __init__(self, *capsules: object) -> None:
        self.capsules = capsules

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self.capsules


def produced(
    format: bytes, rows: int, nulls: int, *buffers: bytes | None, dictionary: Any = None
) -> Produced:
    return Produced(*_hand.export(format, rows, nulls, buffers, dictionary))


def ints(*values: int, kind: str = "i4") -> bytes:
    return np.array(values, f"<{kind}").tobytes()


TEXT = (PLANTED * 2).encode()
OUTSIDE = "its offsets are negative, decreasing or beyond the last one$"
VIEW = "its view points outside of the text buffers$"


def view(size: int, buffer: int, start: int) -> bytes:
    return ints(size) + b"4929" + ints(buffer, start)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (produced(b"u", 2, 0, None, ints(-1, 16, 32), TEXT), f"row 0: {OUTSIDE}"),
        (produced(b"u", 2, 0, None, ints(0, 40, 32), TEXT), f"row 0: {OUTSIDE}"),
        (produced(b"u", 2, 0, None, ints(16, 0, 32), TEXT), f"row 0: {OUTSIDE}"),
        (produced(b"u", 2, 0, None, ints(0, -(2**31), 32), TEXT), f"row 0: {OUTSIDE}"),
        (produced(b"u", 3, 0, None, ints(0, 16, 8, 32), TEXT), f"row 1: {OUTSIDE}"),
        (
            produced(b"u", 2, 0, None, ints(0, 16, -5), TEXT),
            "the last offset of the Arrow array is negative$",
        ),
        (produced(b"U", 2, 0, None, ints(0, 1 << 40, 32, kind="i8"), TEXT), f"row 0: {OUTSIDE}"),
        (produced(b"U", 2, 0, None, ints(0, -1, 32, kind="i8"), TEXT), f"row 0: {OUTSIDE}"),
        (
            produced(b"U", 1, 0, None, ints(0, (1 << 63) - 1, kind="i8"), TEXT),
            "the last offset .* is absurd$",
        ),
        (produced(b"u", 2, 0, None, ints(0, 16, 32), None), "buffer 2 of the Arrow array is missing$"),
        (produced(b"u", 2, 0, None, None, TEXT), "buffer 1 of the Arrow array is missing$"),
        (produced(b"u", 2, 0, None, ints(0, 16, 32)), "the Arrow array has 2 buffers, not 3$"),
        (produced(b"u", 2, 1, None, ints(0, 16, 32), TEXT), "has nulls and no validity bitmap$"),
        (produced(b"u", -1, 0, None, ints(0), TEXT), "longer than its column$|of length -1"),
        (produced(b"vu", 1, 0, None, view(16, 1, 0), TEXT, ints(32, kind="i8")), f"row 0: {VIEW}"),
        (produced(b"vu", 1, 0, None, view(16, -1, 0), TEXT, ints(32, kind="i8")), f"row 0: {VIEW}"),
        (produced(b"vu", 1, 0, None, view(16, 0, 17), TEXT, ints(32, kind="i8")), f"row 0: {VIEW}"),
        (produced(b"vu", 1, 0, None, view(16, 0, -1), TEXT, ints(32, kind="i8")), f"row 0: {VIEW}"),
        (produced(b"vu", 1, 0, None, view(2**31 - 1, 0, 16), TEXT, ints(32, kind="i8")), f"row 0: {VIEW}"),
        (
            produced(b"vu", 2, 0, None, view(16, 0, 0) + view(-9, 0, 0), TEXT, ints(32, kind="i8")),
            f"row 1: {VIEW}",
        ),
        (produced(b"vu", 1, 0, None, view(16, 0, 0), TEXT, ints(-1, kind="i8")), "has a negative size$"),
        (produced(b"vu", 1, 0, None, view(16, 0, 0), None, ints(32, kind="i8")), "buffer 2 .* is missing$"),
        (
            produced(b"i", 2, 0, None, ints(0, 1), dictionary=(b"u", 1, 0, (None, ints(0, 16), TEXT))),
            "row 1: its index is outside of the dictionary$",
        ),
        (
            produced(b"c", 1, 0, None, b"\xff", dictionary=(b"u", 1, 0, (None, ints(0, 16), TEXT))),
            "row 0: its index is outside of the dictionary$",
        ),
        (
            produced(b"c", 1, 0, None, b"\0", dictionary=(b"u", 1, 0, (None, ints(0, -16), TEXT))),
            "the last offset of the Arrow array is negative$",
        ),
        (
            produced(b"c", 1, 0, None, b"\0", dictionary=(b"u", 2, 0, (None, ints(0, 20, 16), TEXT))),
            f"dictionary row 0: {OUTSIDE}",
        ),
    ],
)
def test_bad_arrow_memory_is_named_before_it_is_read(
    columns: ModuleType, column: Produced, text: str
) -> None:
    lenient = {"lenient": True}
    for name, more in (
        ("luhn_valid", {}),
        ("card_brand", lenient),
        ("iban_country", lenient),
        ("phone_valid", {}),
    ):
        with pytest.raises(ValueError, match=rf"^{name}\(\): .*({text})") as caught:
            getattr(columns, name)(column, **more)
        assert PLANTED not in str(caught.value)


def test_a_null_row_may_hold_anything_but_a_bad_offset(columns: ModuleType) -> None:
    sizes = ints(32, kind="i8")
    views = produced(b"vu", 2, -1, b"\x01", view(16, 0, 0) + view(16, 7, 7), TEXT, sizes)
    assert columns.luhn_valid(views).tolist() == [False, False]
    assert columns.card_brand(views, codes=True).tolist() == [-1, -1]
    indices = produced(
        b"i", 2, 1, b"\x01", ints(0, 99), dictionary=(b"u", 1, 0, (None, ints(0, 16), VISA.encode()))
    )
    assert columns.luhn_valid(indices).tolist() == [True, False]
    assert columns.card_brand(indices).tolist() == ["visa", ""]
    absent = produced(b"u", 2, 2, b"\0", ints(0, 16, 32), VISA.encode() * 2)
    assert columns.luhn_valid(absent).tolist() == [False, False]


def test_an_unknown_or_missing_format_is_an_error(columns: ModuleType) -> None:
    for format in (b"", b"q", b"\xff\xfe", b"u8", b"+vu"):
        with pytest.raises(TypeError, match="takes a column of text, this one is "):
            columns.luhn_valid(produced(format, 0, 0, None, None, None))


def test_capsules_that_are_none_or_were_moved_are_named(columns: ModuleType) -> None:
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(TypeError, match=r"returned no pair of capsules$"):
        columns.luhn_valid(Produced(1))
    with pytest.raises(TypeError, match=r"a int is no capsule named arrow_schema$"):
        columns.luhn_valid(Produced(1, 2))
    schema, array = pa.array([VISA]).__arrow_c_array__()
    with pytest.raises(TypeError, match=r"a PyCapsule is no capsule named arrow_schema$"):
        columns.luhn_valid(Produced(array, schema))
    held = Produced(schema, array)
    assert columns.luhn_valid(held).tolist() == [True] == columns.luhn_valid(held).tolist()  # lent, not taken
    assert pa.array(held).to_pylist() == [VISA]
    with pytest.raises(ValueError, match=r"the arrow_(schema|array) was released or moved before$"):
        columns.luhn_valid(held)


class Stream:
    """A producer whose stream ends in an error after *good* arrays."""

    def __init__(self, good: int, schema_status: int = 0) -> None:
        self.good = good
        self.released: list[str] = []
        fields = dict(_arrow.ArrowStream._fields_)
        self.kept = _hand.export(b"u", 1, 0, (None, ints(0, 16), VISA.encode()), None)
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

        def move(capsule: object, struct: Any, name: bytes, target: Any) -> None:
            ctypes.memmove(target, pointer(capsule, name), ctypes.sizeof(struct))
            struct.from_address(pointer(capsule, name)).release = type(struct().release)()

        def get_schema(stream: Any, target: Any) -> int:
            if not schema_status:
                move(
                    _hand.export(b"u", 1, 0, (None, ints(0, 16), b""), None)[0],
                    _arrow.ArrowSchema,
                    b"arrow_schema",
                    target,
                )
            return schema_status

        def get_next(stream: Any, target: Any) -> int:
            if not self.good:
                return 22
            self.good -= 1
            array = _hand.export(b"u", 1, 0, (None, ints(0, 16), VISA.encode()), None)[1]
            move(array, _arrow.ArrowArray, b"arrow_array", target)
            return 0

        def release(stream: Any) -> None:
            self.released.append("stream")
            stream.contents.release = fields["release"]()

        self.struct = _arrow.ArrowStream(
            get_schema=fields["get_schema"](get_schema),
            get_next=fields["get_next"](get_next),
            get_last_error=fields["get_last_error"](lambda stream: PLANTED.encode()),
            release=fields["release"](release),
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return _hand._capsule(self.struct, b"arrow_array_stream")


def test_a_stream_that_fails_says_where_and_repeats_nothing(columns: ModuleType) -> None:
    for good, status, number in ((2, 0, 22), (0, 0, 22), (0, 5, 5)):
        before = len(_hand._exported)
        producer = Stream(good, status)
        with pytest.raises(
            ValueError, match=rf"failed to give its rows as Arrow \(error {number}\)"
        ) as caught:
            columns.luhn_valid(producer)
        assert PLANTED not in str(caught.value)
        del caught  # its traceback holds the capsule
        gc.collect()
        assert producer.released == ["stream"]
        del producer
        gc.collect()
        assert len(_hand._exported) == before


def test_a_result_may_be_dropped_while_an_exception_is_on_its_way(columns: ModuleType) -> None:
    # In a process of its own: what went wrong ended it.
    loaded = "import foobara_accel as package"
    if columns.__name__ != "foobara_accel.types.columns":
        loaded = "from foobara_accel.testing import load_twin; package = load_twin('py')"
    script = f"""
import sys, importlib
import pyarrow as pa
{loaded}
columns = importlib.import_module(package.__name__ + ".types.columns")
result = columns.luhn_valid(["{VISA}"], result="arrow")
try:
    print(len(result.__arrow_c_array__()), 1 / 0)
except ZeroDivisionError:
    print("one")
try:
    pa.table({{"x": [1, 2], "y": pa.array(result)}})
except pa.ArrowInvalid:
    print("two")
sys.kept = pa.array(result), result.__arrow_c_array__()
"""
    pytest.importorskip("pyarrow")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n"), done.stderr


def test_without_the_extension_an_arrow_result_names_what_it_needs(
    columns: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns.twin.export is not columns._arrow.export:
        assert columns.luhn_valid([VISA], result="arrow")
        return
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"^luhn_valid\(\): .*pip install pyarrow, or take result='numpy'$"):
        columns.luhn_valid([VISA], result="arrow")


def test_a_view_outlives_the_stream_that_it_came_from(columns: ModuleType) -> None:
    before = len(_hand._exported)
    chunk = next(columns._arrow.read(Stream(1), "luhn_valid"))
    gc.collect()
    assert bytes(chunk.parts[1]) == VISA.encode()  # the stream is gone, its memory is not
    with pytest.raises(ValueError, match="read-only"):
        chunk.parts[1][:] = 0
    del chunk
    gc.collect()
    assert len(_hand._exported) == before


def test_errors_of_libraries_hold_no_value(columns: ModuleType) -> None:
    pd, duckdb = pytest.importorskip("pandas"), pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")

    class Fails:
        def __array__(self, *given: object, **named: object) -> Any:
            raise ArithmeticError(PLANTED)

    lazy = f"select cast(cast(x as integer) as varchar) x from (values ('{PLANTED}x')) t(x)"
    for column in (
        pd.Series(pd.Categorical([1, PLANTED + "x"])),
        duckdb.sql(lazy),
        pd.Series([1 + 2j]),
        pd.MultiIndex.from_tuples([(1, PLANTED)]),
        Fails(),
    ):
        with pytest.raises(ValueError, match=r"^luhn_valid\(\): .* failed to give its rows as ") as caught:
            columns.luhn_valid(column)
        assert caught.value.__context__ is caught.value.__cause__ is None
        assert PLANTED not in str(caught.value)


def test_nulls_of_a_dictionary_are_null(columns: ModuleType) -> None:
    pa = pytest.importorskip("pyarrow")
    column = pa.array([VISA, None, WRONG]).dictionary_encode(null_encoding="encode")
    assert columns.luhn_valid(column).tolist() == [True, False, False]
    assert pa.array(columns.luhn_valid(column, result="arrow")).to_pylist() == [True, None, False]
    assert pa.array(columns.phone_valid(column, result="arrow")).to_pylist() == [False, None, False]
    # A null row may have any index, and the dictionary as many texts as an index can count.
    indices = pa.array(np.array([-1, 0], np.int8), mask=np.array([True, False]))
    full = pa.DictionaryArray.from_arrays(indices, pa.array([VISA] * 128), safe=False)
    assert columns.luhn_valid(full).tolist() == [False, True]


def test_out_of_another_length_is_not_touched(columns: ModuleType) -> None:
    out = np.ones(3, np.bool_)
    with pytest.raises(ValueError, match=r"out has 3 rows, the column 2$"):
        columns.luhn_valid([VISA, WRONG], out=out)
    assert out.all()
    with pytest.raises(TypeError, match="row 1 is an int"):
        columns.luhn_valid([VISA, 5, None], out=out)
    assert not out.any()


def test_odd_arguments(columns: ModuleType) -> None:
    class Lies(list[Any]):
        def __len__(self) -> int:
            return 5

    assert columns.luhn_valid(Lies([VISA])).tolist() == [True]
    with pytest.raises(TypeError, match=r"out is a NumPy array, not a MaskedArray$"):
        columns.luhn_valid([VISA], out=np.ma.masked_array(np.zeros(1, np.bool_)))
    for result, shown in ((np.array([1, 2]), "a ndarray"), (PLANTED, "a str"), ("polars", "'polars'")):
        with pytest.raises(ValueError, match=f"result is 'numpy' or 'arrow', not {shown}$"):
            columns.luhn_valid([VISA], result=result)


def test_no_thread_has_the_buffers_when_a_call_ends(
    columns: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, seen = threading.Event(), []

    def slow(start: int, stop: int) -> int:
        if threading.current_thread() is not threading.main_thread():
            running.set()
            for _ in range(100):
                if len(seen) == 2:
                    break
                gc.collect(0)
                threading.Event().wait(0.02)
            seen.append("judged")
            return -1
        running.wait(10)
        raise KeyboardInterrupt

    class Interrupted(columns.SimpleQueue):
        def get(self) -> Any:
            if len(seen) < 2:
                seen.append("interrupted")
                raise KeyboardInterrupt
            return super().get()

    monkeypatch.setattr(columns, "SimpleQueue", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        columns._spread(slow, 200_000, 2)
    assert seen == ["interrupted", "interrupted", "judged"]


def test_an_interrupt_between_two_threads_leaves_none_behind(
    columns: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, started, ended = columns._pool(), threading.Event(), []

    class Pool:
        def submit(self, work: Any) -> Any:
            if started.is_set():
                raise KeyboardInterrupt
            submitted = pool.submit(work)
            assert started.wait(10)
            return submitted

    def slow(start: int, stop: int) -> int:
        started.set()
        threading.Event().wait(0.1)
        ended.append(start)
        return -1

    monkeypatch.setattr(columns, "_pool", Pool)
    with pytest.raises(KeyboardInterrupt):
        columns._spread(slow, 300_000, 4)
    assert ended == [0]


def test_a_thread_that_the_pool_could_not_start_is_waited_for(
    columns: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, ended = threading.Event(), []

    class Pool:
        def submit(self, work: Any) -> Any:
            threading.Thread(target=work).start()  # as one that found the work in the queue
            raise RuntimeError("can't start new thread")

    def slow(start: int, stop: int) -> int:
        if threading.current_thread() is threading.main_thread():
            assert started.wait(10)
        else:
            started.set()
            threading.Event().wait(0.1)
        ended.append((start, stop))
        return start

    monkeypatch.setattr(columns, "_pool", Pool)
    assert sorted(columns._spread(slow, 200_000, 2)) == [0, 100_000]
    assert sorted(ended) == [(0, 100_000), (100_000, 200_000)]


def test_threads_at_the_end_of_the_interpreter(columns: ModuleType) -> None:
    def refuses(*given: object) -> Any:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    class Pool:
        submit = staticmethod(refuses)

    kept = columns._pool
    columns._pool = Pool
    try:
        rows = np.array([VISA, WRONG] * 100_000, "S16")
        assert columns.luhn_valid(rows, threads=2).sum() == 100_000
    finally:
        columns._pool = kept


def test_a_library_whose_own_conversion_is_missing_is_read_as_an_array(columns: ModuleType) -> None:
    pd = pytest.importorskip("pandas")

    class Lonely(pd.Series):
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise ImportError("no pyarrow here")

    assert columns.luhn_valid(Lonely([VISA, None, WRONG])).tolist() == [True, False, False]

    class Other:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise ImportError("no pyarrow here")

    with pytest.raises(ImportError, match="no pyarrow here"):
        columns.luhn_valid(Other())


def test_mixed_objects_of_pandas_are_named_without_the_value(columns: ModuleType) -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="row 2 is an int; rows are str") as caught:
        columns.luhn_valid(pd.Series([PLANTED, None, 7], dtype=object))
    assert PLANTED not in str(caught.value)
    with pytest.raises(TypeError, match="row 2 is an int; rows are str") as caught:
        columns.luhn_valid(pd.DataFrame({"only": pd.Series([PLANTED, None, 7], dtype=object)}))
    assert PLANTED not in str(caught.value)
    assert columns.luhn_valid(pd.DataFrame({"only": [VISA, WRONG]})).tolist() == [True, False]
    assert (
        columns.luhn_valid(pd.Series([VISA, float("nan"), pd.NA, None], dtype=object)).tolist()
        == [True] + [False] * 3
    )


def test_objects_that_are_arrays_by_protocol(columns: ModuleType) -> None:
    class Holder:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([VISA, WRONG], "S")

    assert columns.luhn_valid(Holder()).tolist() == [True, False]
    assert columns.luhn_valid(np.array([], "S")).tolist() == [] == columns.card_brand([]).tolist()
    assert (
        columns.luhn_valid(np.empty(3, "S0") if np.empty(3, "S0").dtype.itemsize == 0 else [""] * 3).sum()
        == 0
    )
    assert columns.luhn_valid(np.broadcast_to(np.array([VISA], "S"), 20)).all()


def test_ten_megabytes_are_one_wrong_row(columns: ModuleType) -> None:
    long = "4" * 10_000_000
    pa = pytest.importorskip("pyarrow")
    for column in ([VISA, long], pa.array([VISA, long]), pa.array([VISA, long], pa.string_view())):
        assert columns.luhn_valid(column, lenient=True).tolist() == [True, False]
        assert columns.iban_valid(column).tolist() == [False, False]
    wide = np.array([VISA, "4" * 200_000])
    assert columns.luhn_valid(wide).tolist() == [True, False]
    spread = " ".join(VISA) + " " * 100_000
    assert columns.luhn_valid(np.array([spread, VISA]), lenient=True).tolist() == [True, True]


def test_unaligned_memory(columns: ModuleType) -> None:
    twin = columns.twin
    texts = [VISA, WRONG, AMEX, "x"] * 30
    joined = "".join(texts).encode()
    for kind in ("i4", "i8"):
        ends = np.cumsum([0, *map(len, texts)]).astype(kind)
        apart = np.frombuffer(b"x" + ends.tobytes(), kind, offset=1)
        assert not apart.flags.aligned
        out = np.empty(len(texts), np.int8)
        text = np.frombuffer(b"x" + joined, np.uint8, offset=1)
        assert twin.offsets(twin.CARDS, apart, text, out, False, None) == -1
        assert out.tolist() == [1, 0, 1, 0] * 30


def test_the_twins_say_wrong_buffers_of_out(columns: ModuleType, fa: ModuleType) -> None:
    if str(fa.backend()) == "c":
        with pytest.raises(ValueError, match="out has 1 bytes, not one for each of 2 rows"):
            columns.twin.fixed(0, np.array([VISA, VISA], "S"), np.zeros(1, np.int8), False, None)
        with pytest.raises(BufferError):
            columns.twin.fixed(
                0, np.array([VISA], "S"), bytearray(b"1").decode and memoryview(b"1"), False, None
            )


def test_functions_say_who_they_are_and_types_has_them(columns: ModuleType, sub: Sub) -> None:
    types = sub("types")
    for name in (*EVERY, "CARD_BRANDS", "IBAN_COUNTRIES", "ArrowResult"):
        assert getattr(types, name) is getattr(columns, name)
        assert name not in types.__all__
    for name in EVERY:
        assert getattr(columns, name).__module__ == "foobara_accel.types"


def test_without_numpy_only_columns_are_missing() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from foobara_accel.types import *
assert is_valid_card("4111111111111111")
try:
    import foobara_accel.types.columns
except ImportError as error:
    print(error)
"""
    for backend in ("py", "auto"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "FOOBARA_ACCEL_BACKEND": backend},
        )
        assert done.stdout.strip() == "columns need NumPy: pip install 'foobara-accel[columns]'", done.stderr


# --- Phone numbers ---

PHONE, LONDON = "+12015550123", "+442079460018"


def some_phone(rng: random.Random) -> str:
    """A phone number in some form, or something close to one."""
    text = rng.choice(phones.EXAMPLES.split())
    for _ in range(rng.choice([0, 0, 1, 2])):
        at = rng.randrange(1, len(text))
        text = text[:at] + rng.choice("0123456789") + text[at + rng.choice([0, 1]) :]
    if rng.random() < 0.2:
        text = f"{text[:3]} ({text[3:6]}) {text[6:]}"
    elif rng.random() < 0.1:
        text = text[3:]
    elif rng.random() < 0.1:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(ODD) + text[at:]
    return text


def hold_phones(columns: ModuleType, types: ModuleType, layout: str, texts: list[str | None]) -> int:
    column = LAYOUTS[layout](texts)
    if column is None:
        return 0
    seen = texts if layout in PLAIN or " U" in layout else encodable(texts)
    for region in (None, "US"):
        want = [text is not None and types.is_valid_phone(text, region) for text in seen]
        assert columns.phone_valid(column, region=region).tolist() == want, (layout, region)
    return 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_phones_of_every_layout_get_the_verdict_of_the_single_value(
    columns: ModuleType, sub: Sub, layout: str
) -> None:
    library("phonenumbers")
    rng = random.Random(layout)
    held = 0
    for size in (0, 1, 9, 300):
        texts: list[str | None] = [some_phone(rng) for _ in range(size)]
        held += hold_phones(columns, sub("types"), layout, texts)
        plain = [str(text).encode("ascii", "ignore").decode().rstrip("\0") for text in texts]
        held += hold_phones(columns, sub("types"), layout, [*plain])
        held += hold_phones(columns, sub("types"), layout, [x if rng.random() < 0.7 else None for x in plain])
    assert held >= 6


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    texts=st.lists(
        st.one_of(
            st.none(),
            st.integers(0, 1 << 32).map(lambda seed: some_phone(random.Random(seed))),
            st.text(st.sampled_from(ODD + "+"), max_size=20),
            st.from_regex(r"\+?[0-9]{1,30}", fullmatch=True),
        ),
        max_size=20,
    ),
)
def test_any_phones_in_any_layout(
    columns: ModuleType, sub: Sub, layout: str, texts: list[str | None]
) -> None:
    library("phonenumbers")
    hold_phones(columns, sub("types"), layout, texts)


def test_phones_with_threads_out_and_arrow(columns: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_PER_THREAD", 300)
    values = np.array([PHONE, LONDON, "+1201555"] * 1000, "S")
    out = np.empty(3000, np.bool_)
    assert columns.phone_valid(values, threads=3, out=out) is out
    assert out.tolist() == [True, True, False] * 1000
    pa = library("pyarrow")
    answers = columns.phone_valid(pa.array([PHONE, None, "+1201555"]), result="arrow")
    assert pa.array(answers).to_pylist() == [True, None, False]


def test_bytes_that_are_no_text_are_no_phone_number(columns: ModuleType) -> None:
    library("phonenumbers")
    wide = "\uff0b12015550123"
    values = np.array([wide.encode(), PHONE.encode() + b"\xff", b"\xff" + PHONE.encode()])
    assert columns.phone_valid(values).tolist() == [True, False, False]
    codes = np.array([[ord("+"), *map(ord, PHONE[1:]), last] for last in (0, 0x20, 0xFFFFFFFF)], np.uint32)
    assert columns.phone_valid(codes.view("U13")[:, 0]).tolist() == [True, True, False]
    long = ["1" * 250, "1" * 251, "1" * 100_000, "\uff11" * 251]
    assert columns.phone_valid(long, region="US").tolist() == [False] * 4
    assert columns.phone_valid(library("pyarrow").array(long), region="US").tolist() == [False] * 4


@pytest.mark.parametrize("given", [[PHONE], np.array([PHONE], "S"), np.array([PHONE])])
def test_without_a_table_that_holds_all_rows_are_phonenumbers_own(
    columns: ModuleType, sub: Sub, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sub("types._numbering"), "table_in_use", lambda: (b"", 0, b""))
    assert columns.phone_valid(given).tolist() == [True]


def test_phonenumbers_is_asked_about_rows_alone_and_named_where_it_is_missing(
    columns: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(text: str, region: str | None) -> bool:
        raise ImportError("pip install 'foobara-accel[phone]'")

    monkeypatch.setattr(columns._backend.phone, "is_valid_phone", missing)
    pa = library("pyarrow")
    other = "(201) 555-0123"
    unused = pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.array([PHONE, other]))
    assert columns.phone_valid(unused).tolist() == [True, False]
    masked = np.ma.array([PHONE, other], mask=[False, True])
    assert columns.phone_valid(masked).tolist() == [True, False]
    out = np.ones(2, np.bool_)
    with pytest.raises(ImportError, match=r"foobara-accel\[phone\]") as caught:
        columns.phone_valid([PHONE, other], out=out)
    assert "555" not in str(caught.value) and out.tolist() == [False, False]


def test_a_region_that_is_wrong_is_named(columns: ModuleType) -> None:
    for region in ("us", "ZZ", "", PHONE):
        with pytest.raises(ValueError, match=r"^phone_valid\(\) does not know this region") as caught:
            columns.phone_valid([PHONE], region=region)
        assert PHONE not in str(caught.value)
    with pytest.raises(TypeError, match=r"^phone_valid\(\) takes a region as str or None, not int$"):
        columns.phone_valid([PHONE], region=1)
