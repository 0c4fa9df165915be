"""Columns beside reading and copying their bytes, NumPy and the loop over values: figures of docs/columns.md.

python benchmarks/columns.py [ROWS] [ROUNDS]

Each round runs every case once, in turn; a figure is the median of its rounds in thread CPU time, ratios are
those of medians. Reading is memchr for a byte that is not there, which takes as long as ORing the bytes by
32-byte loads (about: both wait for memory), copying memcpy; with Arrow, of text and offsets.
Threads are timed by the wall clock, the least of many laps between barriers, as other work only adds to it.
"""

from __future__ import annotations

import ctypes
import importlib
import platform
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np

import foobara_accel
from foobara_accel._pure import _iban_table as table, _phone_table
from foobara_accel._pure.checks import _classes
from foobara_accel.testing import load_twin
from foobara_accel.types import columns, is_valid_card, is_valid_iban, is_valid_phone

EXAMPLES = _phone_table.EXAMPLES.split()
COMMON = ("DE", "FR", "GB", "ES", "IT", "NL", "BE", "AT", "PL", "SE", "CH", "PT")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
libc = ctypes.CDLL(None)
libc.memchr.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.memcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def luhn(body: str) -> str:
    total = sum(int(d) if at % 2 else sum(divmod(2 * int(d), 10)) for at, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def card(rng: random.Random, size: int, wrong: float) -> str:
    text = luhn("4" + "".join(rng.choices("0123456789", k=size - 2)))
    return text[:-1] + str((int(text[-1]) + 1) % 10) if rng.random() < wrong else text


def iban(rng: random.Random, codes: tuple[str, ...], letters: float, corrupt: float) -> str:
    """An IBAN; *letters*: how many characters of class c are letters, *corrupt*: how many IBANs are wrong."""
    code = rng.choice(codes)
    fill = {"n": lambda: rng.choice("0123456789"), "a": lambda: rng.choice(LETTERS)}
    fill["c"] = lambda: fill["a" if rng.random() < letters else "n"]()
    bban = "".join(fill[kind]() for kind in _classes(code))
    number = int("".join(str(int(char, 36)) for char in f"{bban}{code}00"))
    text = f"{code}{98 - number % 97:02}{bban}"
    if rng.random() >= corrupt:
        return text
    at = rng.randrange(4, len(text))
    match rng.randrange(10):
        case 0:
            return text[:at] + "-" + text[at + 1 :]
        case 1:
            return text[:at] + rng.choice(LETTERS) + text[at + 1 :]
        case 2:
            return "X" + text[1:]
        case 3:
            return text[:-1]
    at = rng.randrange(2, 4) if rng.random() < 0.2 else at
    return text[:at] + str((int(text[at], 36) + 1 + rng.randrange(9)) % 10) + text[at + 1 :]


def repeated(make: Callable[[], str], rows: int) -> list[str]:
    # As many different texts as branch prediction cannot learn.
    some = [make() for _ in range(min(rows, 50_000))]
    order = np.random.default_rng(1).integers(0, len(some), rows)
    return [some[at] for at in order]


class Text:
    """An Arrow utf8 column of *texts*, and where its bytes are."""

    def __init__(self, texts: list[str]) -> None:
        self.data = np.frombuffer("".join(texts).encode(), np.uint8)
        self.ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        self.out = np.empty(len(texts), np.int8)

    def judge(self, kind: int) -> Callable[[], object]:
        return lambda: columns.twin.offsets(kind, self.ends, self.data, self.out, False, None)


DOUBLED = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], np.uint8)


def numpy_luhn(cards: np.ndarray) -> np.ndarray:
    """What a data engineer writes: a look-up table over a matrix of digits."""
    digits = cards.view(np.uint8).reshape(len(cards), 16) - 48
    right = (digits <= 9).all(axis=1)
    digits = np.minimum(digits, 9)
    total = digits[:, 1::2].sum(1, dtype=np.uint16) + DOUBLED[digits[:, ::2]].sum(1, dtype=np.uint16)
    return right & (total % 10 == 0)


def measured(
    cases: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], int] = time.thread_time_ns
) -> dict[str, float]:
    taken: dict[str, list[int]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, call in cases.items():
            start = clock()
            call()
            taken[name].append(clock() - start)
    return {name: statistics.median(each) for name, each in taken.items()}


def reading(*arrays: np.ndarray) -> Callable[[], object]:
    return lambda: [libc.memchr(each.ctypes.data, 0xFE, each.nbytes) for each in arrays]


def copying(*arrays: np.ndarray) -> Callable[[], object]:
    targets = [np.ones(each.nbytes, np.uint8) for each in arrays]
    pairs = list(zip(targets, arrays, strict=True))
    return lambda: [libc.memcpy(to.ctypes.data, of.ctypes.data, of.nbytes) for to, of in pairs]


def two_threads(judge: Callable[[slice], object], rows: int, laps: int = 2000) -> float:
    """How many times faster two threads judge *rows* than one; the least time of either."""
    halves = [slice(0, rows // 2), slice(rows // 2, rows)]
    barrier = threading.Barrier(2)
    ends = [[0.0, 0.0] for _ in range(laps)]
    starts = [[0.0, 0.0] for _ in range(laps)]

    def work(mine: int) -> None:
        for lap in range(laps):
            barrier.wait()
            starts[lap][mine] = time.perf_counter()
            for _ in range(20):
                judge(halves[mine])
            ends[lap][mine] = time.perf_counter()

    both = [threading.Thread(target=work, args=(mine,)) for mine in (0, 1)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    two = min(max(end) - min(start) for end, start in zip(ends, starts, strict=True))
    one = float("inf")
    for _ in range(laps // 2):
        start = time.perf_counter()
        for _ in range(20):
            judge(halves[0])
            judge(halves[1])
        one = min(one, time.perf_counter() - start)
    return one / two


def beside_polars(ibans: dict[str, list[str]], rounds: int) -> None:
    """Time the IBAN plugin of polars on the same Series: CPU time of all threads, as polars has its own."""
    try:
        import iban_validation_polars as plugin
        import polars as pl
    except ImportError as error:
        print(f"\npolars: {error.name} is not installed, not compared")
        return
    print("\n| IBAN, polars Series | ns a row | country_status | process_ibans |\n|---|---|---|---|")
    for name, texts in ibans.items():
        series = pl.Series("iban", texts)
        frame = series.to_frame()
        found = measured(
            {
                "own": lambda series=series: columns.iban_valid(series),
                "status": lambda frame=frame: frame.select(plugin.country_status("iban")),
                "process": lambda frame=frame: frame.select(plugin.process_ibans("iban")),
            },
            rounds,
            time.process_time_ns,
        )
        status, process = (found[each] / found["own"] for each in ("status", "process"))
        own = found["own"] / len(texts)
        print(f"| {name} | {own:.2f} | {status:.0f} times as long | {process:.0f} times as long |")


def pure() -> ModuleType:
    return importlib.import_module(f"{load_twin('py').__name__}.types.columns")


def main(rows: int = 1_000_000, rounds: int = 21) -> None:
    rng = random.Random(7)
    backend = foobara_accel.backend()
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {backend}, {columns.twin.kernel()},"
    )
    print(f"NumPy {np.__version__}, {rows} rows, medians of {rounds} rounds\n")
    every = tuple(sorted(table.COUNTRIES))
    s16 = np.array(repeated(lambda: card(rng, 16, 0.02), rows), "S16")
    mixed = Text(repeated(lambda: card(rng, rng.randrange(13, 20), 0.02), rows))
    ibans = {
        "2 % wrong": repeated(lambda: iban(rng, COMMON, 0, 0.02), rows),
        "22 % corrupt": repeated(lambda: iban(rng, COMMON, 0, 0.22), rows),
        "22 % corrupt, half letters": repeated(lambda: iban(rng, every, 0.5, 0.22), rows),
    }
    s34 = {name: np.array(texts, "S34") for name, texts in ibans.items()}
    out = np.empty(rows, np.bool_)
    groups: dict[str, tuple[tuple[np.ndarray, ...], Callable[[], object]]] = {
        "Luhn, NumPy S16, 2 % wrong": ((s16,), lambda: columns.luhn_valid(s16, out=out)),
        "Luhn, Arrow utf8 of 13-19": ((mixed.data, mixed.ends), mixed.judge(columns.twin.CARDS)),
        **{
            f"IBAN, NumPy S34, {name}": ((each,), lambda each=each: columns.iban_valid(each, out=out))
            for name, each in s34.items()
        },
    }
    for name in ibans:
        text = Text(ibans[name])
        groups[f"IBAN, Arrow utf8, {name}"] = ((text.data, text.ends), text.judge(columns.twin.IBANS))
    # E.164 of all regions, the last two digits any.
    dialled = repeated(lambda: f"{rng.choice(EXAMPLES)[:-2]}{rng.randrange(100):02}", rows)
    e164 = np.array(dialled, "S16")
    groups["Phone, NumPy S16, E.164"] = ((e164,), lambda: columns.phone_valid(e164, out=out))
    u16 = s16.astype("U16")
    groups["Luhn, NumPy U16, 2 % wrong"] = ((u16,), lambda: columns.luhn_valid(u16, out=out))
    cases: dict[str, Callable[[], object]] = {}
    for name, (arrays, judge) in groups.items():
        cases |= {f"{name} read": reading(*arrays), f"{name} copied": copying(*arrays), name: judge}
    cases["numpy"] = lambda: numpy_luhn(s16)
    found = measured(cases, rounds)
    print("| column | ns a row | times a read of its bytes | times a memcpy |\n|---|---|---|---|")
    for name in groups:
        read, copied = found[f"{name} read"], found[f"{name} copied"]
        took = found[name]
        print(f"| {name} | {took / rows:.2f} | {took / read:.2f} | {took / copied:.2f} |")
    ratio = found["numpy"] / found["Luhn, NumPy S16, 2 % wrong"]
    print(
        f"\nNumPy with a look-up table, S16: {found['numpy'] / rows:.0f} ns a row, {ratio:.0f} times as long"
    )

    beside_polars(ibans, max(3, rounds // 5))

    few = min(rows, 20_000)
    strings, codes = [text.decode() for text in s16[:few]], ibans["2 % wrong"][:few]
    slow = pure()
    pure_checks = importlib.import_module(f"{load_twin('py').__name__}.types")
    phones = dialled[:few]
    phones16 = np.array(phones, "S16")
    part, part34, spread = s16[:few], s34["2 % wrong"][:few], Text(codes)
    found = measured(
        {
            "loop card": lambda: [is_valid_card(text) for text in strings],
            "list card": lambda: columns.luhn_valid(strings),
            "loop iban": lambda: [is_valid_iban(text) for text in codes],
            "list iban": lambda: columns.iban_valid(codes),
            "pure loop card": lambda: [pure_checks.is_valid_card(text) for text in strings],
            "pure card S16": lambda: slow.luhn_valid(part),
            "pure card list": lambda: slow.luhn_valid(strings),
            "pure loop iban": lambda: [pure_checks.is_valid_iban(text) for text in codes],
            "pure iban S34": lambda: slow.iban_valid(part34),
            "pure iban Arrow": lambda: slow.twin.offsets(
                1, spread.ends, spread.data, spread.out, False, None
            ),
            "pure iban list": lambda: slow.iban_valid(codes),
            "loop phone": lambda: [is_valid_phone(text) for text in phones],
            "phone S16": lambda: columns.phone_valid(phones16),
            "phone list": lambda: columns.phone_valid(phones),
            "pure loop phone": lambda: [pure_checks.is_valid_phone(text) for text in phones],
            "pure phone S16": lambda: slow.phone_valid(phones16),
            "pure phone list": lambda: slow.phone_valid(phones),
        },
        max(5, rounds // 3),
    )
    print("\n| | ns a row | of the loop over single values |\n|---|---|---|")
    loop = 0.0
    for name, took in found.items():
        if "loop" in name:
            loop = took
        print(f"| {name} | {took / few:.1f} | {loop / took:.1f} times faster |")

    small = 40_000
    answers = np.empty(small, np.int8)
    kinds = {"Luhn, S16": (columns.twin.CARDS, s16), "IBAN, S34": (columns.twin.IBANS, s34["2 % wrong"])}
    print(f"\nTwo threads on {small} rows, which the caches hold:", end=" ")
    for name, (kind, array) in kinds.items():

        def judge(part: slice, kind: int = kind, array: np.ndarray = array) -> None:
            columns.twin.fixed(kind, array[part], answers[part], False, None)

        print(f"{name} {two_threads(judge, small):.2f} times as fast as one", end="; ")
    print()
    for threads in (1, 2):
        least = float("inf")
        for _ in range(200):
            start = time.perf_counter()
            columns.luhn_valid(s16, out=out, threads=threads)
            least = min(least, time.perf_counter() - start)
        print(
            f"luhn_valid(S16, threads={threads}), {rows} rows: {least * 1e9 / rows:.2f} ns a row, wall clock"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
