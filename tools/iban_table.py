"""Write the IBAN tables of both twins from the text of the SWIFT IBAN registry.

    python tools/iban_table.py PATH/iban-registry-r101.txt [--check]

The text itself stays outside the tree: SWIFT publishes it, and copies of each release are kept by
ericqu/iban_validation (iban_validation_preprocess). Every structure, length, position and example of the
text is verified before anything is written; a text other than the one described here is refused.

A newer release: change RELEASE, SHA256 and, after looking at what this script refuses, SURPRISES and OVERLAY.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import sys
from pathlib import Path
from string import ascii_uppercase
from typing import NamedTuple

RELEASE = "101"
SHA256 = "9c36f5e901dcba439e586c57b8105d4b298fb5854e02e0f7c91298cbc0da7552"
COUNTRIES = 89

# Structures newer than RELEASE: BR's bank identifier, account type and owner became alphanumeric.
# Source: SWIFT IBAN registry release 103 (September 2026). Its text was not at hand: the structure is the one
# in schwifty 2026.10.1 (iban_registry/generated.json); probing iban_validation_py 0.1.30, which reports
# iban_registry_v103.txt, gave the same.
OVERLAY_NAME = "BR103"
OVERLAY = {"BR": "8!c5!n10!n1!c1!c"}

# A prefix the registry lists under another country and nowhere uses in an IBAN of its own: display form only.
LISTED_ONLY = ("AX",)

# Countries whose banks write IBANs that the registry does not hold: BBAN structure, bank and branch.
# Nobody answers for them, so they are taken where they are asked for alone. Source: schwifty 2026.10.1
# (iban_registry/overwrite.json, "aspirational": true).
ASPIRATIONAL = {
    "AO": ("21!n", (0, 0), (0, 0)),
    "BF": ("2!c22!n", (0, 5), (5, 10)),
    "BJ": ("2!c22!n", (0, 5), (5, 10)),
    "CF": ("23!n", (0, 5), (5, 10)),
    "CG": ("23!n", (0, 5), (5, 10)),
    "CI": ("2!a22!n", (0, 5), (5, 10)),
    "CM": ("23!n", (0, 5), (5, 10)),
    "CV": ("21!n", (0, 4), (4, 8)),
    "DZ": ("22!n", (0, 5), (5, 10)),
    "GA": ("23!n", (0, 5), (5, 10)),
    "GQ": ("23!n", (0, 5), (5, 10)),
    "GW": ("2!c19!n", (0, 0), (0, 0)),
    "IR": ("22!n", (0, 0), (0, 0)),
    "KM": ("23!n", (0, 0), (0, 0)),
    "MA": ("24!n", (0, 5), (5, 10)),
    "MG": ("23!n", (0, 0), (0, 0)),
    "ML": ("2!c22!n", (0, 5), (5, 10)),
    "MZ": ("21!n", (0, 0), (0, 0)),
    "NE": ("2!a22!n", (0, 5), (5, 10)),
    "SN": ("2!a22!n", (0, 5), (5, 10)),
    "TD": ("23!n", (0, 5), (5, 10)),
    "TG": ("2!a3!n5!n12!n2!n", (0, 5), (5, 10)),
}

# What the text of RELEASE gets wrong or leaves out: example fields alone, no structure and no position.
SURPRISES = {
    "BA: BBAN example is not the BBAN of the IBAN example",
    "BA: bank identifier example is not at its position",
    "BA: branch identifier example is not at its position",
    "PL: bank identifier example is not at its position",
    "PL: branch identifier example without a position",
    "SE: bank identifier example is not at its position",
}

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "src/foobara_accel/_pure/_iban_table.py"
HEADER = ROOT / "ext/kernels/iban_table.h"

CODE = "IBAN prefix country code (ISO 3166)"
TERRITORIES = "Country code includes other countries/territories"
ROWS = (
    "Name of country",
    CODE,
    TERRITORIES,
    "BBAN structure",
    "BBAN length",
    "Bank identifier position within the BBAN",
    "Bank identifier pattern",
    "Branch identifier position within the BBAN",
    "Branch identifier pattern",
    "Bank identifier example",
    "Branch identifier example",
    "BBAN example",
    "IBAN structure",
    "IBAN length",
    "IBAN electronic format example",
    "IBAN print format example",
)


class WrongFile(Exception):
    """The text is not the registry this script knows how to read."""


class Country(NamedTuple):
    """One prefix: its BBAN structure as the registry writes it, and half-open positions within the BBAN."""

    code: str
    structure: str
    bank: tuple[int, int]
    branch: tuple[int, int]
    example: str

    @property
    def classes(self) -> str:
        """One letter n, a or c for each position of the BBAN."""
        return expand(self.structure)


def expand(structure: str) -> str:
    """Return ``nnaa`` for ``2!n2!a``; raises WrongFile for any other notation."""
    if not re.fullmatch(r"(\d{1,2}![nac])+", structure):
        raise WrongFile(f"not a structure: {structure!r}")
    return "".join(kind * int(count) for count, kind in re.findall(r"(\d+)!([nac])", structure))


def matches(text: str, classes: str) -> bool:
    """True when each character of *text* is of the class at its position."""
    alphabet = {"n": r"[0-9]", "a": r"[A-Z]", "c": r"[A-Za-z0-9]"}
    return re.fullmatch("".join(alphabet[kind] for kind in classes), text) is not None


def mod97(iban: str) -> int:
    """Return the ISO 7064 remainder, 1 for a right IBAN."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def read(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows in use as {row: {code: cell}}; raises WrongFile when the text is not RELEASE."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongFile(f"cannot read {path}: {error.strerror}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise WrongFile(
            f"{path} is not the text of registry release {RELEASE} (SHA-256 {digest}, expected {SHA256})"
        )
    table = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter="\t"))
    found: dict[str, list[str]] = {}
    for row in table:
        if row[0] in ROWS:
            if row[0] in found:
                raise WrongFile(f"row {row[0]!r} stands twice in {path}")
            found[row[0]] = [cell.strip() for cell in row[1:]]
    missing = [name for name in ROWS if name not in found]
    if missing:
        raise WrongFile(f"{path} lacks the rows {missing}")
    codes = found[CODE]
    if len(codes) != COUNTRIES or len(set(codes)) != COUNTRIES:
        raise WrongFile(f"{path} has {len(set(codes))} prefixes, expected {COUNTRIES}")
    return {name: dict(zip(codes, found[name], strict=True)) for name in ROWS}


def compact(text: str) -> str:
    """Return an example without the blanks and hyphens some national formats carry."""
    return text.replace(" ", "").replace("-", "")


def position(rows: dict[str, dict[str, str]], code: str, kind: str, surprises: set[str]) -> tuple[int, int]:
    """Return the half-open position of the bank or branch identifier; (0, 0) when the registry gives none."""
    where = rows[f"{kind} identifier position within the BBAN"][code]
    pattern = rows[f"{kind} identifier pattern"][code]
    example = compact(rows[f"{kind} identifier example"][code])
    if where in ("", "N/A"):
        if pattern not in ("", "N/A"):
            raise WrongFile(f"{code}: {kind.lower()} identifier pattern {pattern!r} without a position")
        if example not in ("", "N/A"):
            surprises.add(f"{code}: {kind.lower()} identifier example without a position")
        return 0, 0
    match = re.fullmatch(r"(\d+)-(\d+)", where)
    if match is None:
        raise WrongFile(f"{code}: {kind.lower()} identifier position {where!r}")
    start, stop = int(match[1]) - 1, int(match[2])
    if expand(pattern) != expand(rows["BBAN structure"][code])[start:stop]:
        raise WrongFile(f"{code}: {kind.lower()} identifier pattern {pattern!r} is not the BBAN's at {where}")
    if example != rows["IBAN electronic format example"][code][4:][start:stop]:
        surprises.add(f"{code}: {kind.lower()} identifier example is not at its position")
    return start, stop


def countries(rows: dict[str, dict[str, str]]) -> list[Country]:
    """Return the verified countries, sorted; raises WrongFile for anything not listed in SURPRISES."""
    surprises: set[str] = set()
    result = []
    for code in sorted(rows[CODE]):
        if not re.fullmatch(r"[A-Z]{2}", code):
            raise WrongFile(f"not a country code: {code!r}")
        structure = rows["BBAN structure"][code]
        classes = expand(structure)
        whole = rows["IBAN structure"][code]
        if whole[:2] != code or expand(whole[2:]) != "nn" + classes:
            raise WrongFile(f"{code}: IBAN structure {whole!r} is not {code}2!n followed by {structure!r}")
        lengths = (rows["BBAN length"][code], rows["IBAN length"][code])
        if lengths != (str(len(classes)), str(len(classes) + 4)):
            raise WrongFile(f"{code}: lengths do not agree with {structure!r}")
        example = rows["IBAN electronic format example"][code]
        if not matches(example[4:], classes) or example[:2] != code or mod97(example) != 1:
            raise WrongFile(f"{code}: the electronic example is not a right IBAN")
        if compact(rows["IBAN print format example"][code]) != example:
            raise WrongFile(f"{code}: the print example is not the electronic one")
        if compact(rows["BBAN example"][code]) != example[4:]:
            surprises.add(f"{code}: BBAN example is not the BBAN of the IBAN example")
        bank = position(rows, code, "Bank", surprises)
        branch = position(rows, code, "Branch", surprises)
        newer = OVERLAY.get(code, structure)
        if len(expand(newer)) != len(classes) or not matches(example[4:], expand(newer)):
            raise WrongFile(f"{code}: the overlay {newer!r} refuses the registry's example")
        result.append(Country(code, newer, bank, branch, example))
    if surprises != SURPRISES:
        raise WrongFile(f"examples differ from what is known: {sorted(surprises ^ SURPRISES)}")
    return result


def territories(rows: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return {territory: the country whose structure it shares}, sorted."""
    result = {}
    for parent, cell in rows[TERRITORIES].items():
        if cell == "N/A":
            continue
        # "MF (French part)": the note in brackets is prose.
        for code in re.sub(r"\([^)]*\)", "", cell).split(","):
            code = code.strip()
            if not re.fullmatch(r"[A-Z]{2}", code) or code in rows[CODE] or code in result:
                raise WrongFile(f"{parent}: territory {code!r}")
            result[code] = parent
    if not set(LISTED_ONLY) <= set(result):
        raise WrongFile(f"{LISTED_ONLY} are not among the territories {sorted(result)}")
    return dict(sorted(result.items()))


NOTE = (
    f"SWIFT IBAN registry release {RELEASE}, overlay {OVERLAY_NAME}: BR's alphanumeric form",
    "of release 103 (September 2026), as carried by schwifty 2026.10.1 and iban_validation_py 0.1.30.",
    "Written by tools/iban_table.py: change that script, not this file.",
)


def python_text(table: list[Country], shared: dict[str, str]) -> str:
    """Return the module that the pure twin and types.ibans read."""
    listed = ", ".join(f'"{code}"' for code in LISTED_ONLY)
    return "\n".join(
        [
            '"""The IBAN structures of each country.',
            "",
            *NOTE,
            '"""',
            "",
            "from __future__ import annotations",
            "",
            f'RELEASE = "{RELEASE}+{OVERLAY_NAME}"',
            "",
            "# code: BBAN structure; bank and branch identifier as half-open positions; (0, 0): none.",
            "COUNTRIES: dict[str, tuple[str, tuple[int, int], tuple[int, int]]] = {",
            *(f'    "{each.code}": ("{each.structure}", {each.bank}, {each.branch}),' for each in table),
            "}",
            "",
            "# Prefixes that share the structure of the country they are listed under.",
            "TERRITORIES: dict[str, str] = {",
            *(f'    "{code}": "{parent}",' for code, parent in shared.items()),
            "}",
            "",
            "# Used by banks, held by no registry (schwifty 2026.10.1); taken with aspirational=True alone.",
            "ASPIRATIONAL: dict[str, tuple[str, tuple[int, int], tuple[int, int]]] = {",
            *(f'    "{code}": ("{row[0]}", {row[1]}, {row[2]}),' for code, row in ASPIRATIONAL.items()),
            "}",
            "",
            "# Of the territories, the ones accepted in the display form alone.",
            f"LISTED_ONLY: frozenset[str] = frozenset({{{listed}}})",
            "",
        ]
    )


def masks(classes: str, kind: str) -> str:
    """Return the four block masks of *kind* as C: 0x80 in each byte of that class, first character lowest.

    Whole blocks start at BBAN position 0, 8, 16; the rest is a block that ends with the BBAN, so its first
    bytes, which belong to what came before, are 0.
    """
    blocks = [classes[start : start + 8].rjust(8) for start in range(0, 32, 8)]
    words = [sum(0x80 << 8 * i for i, each in enumerate(block) if each == kind) for block in blocks]
    return "{" + ", ".join(f"0x{word:x}ull" if word else "0" for word in words) + "}"


def header_text(table: list[Country], shared: dict[str, str]) -> str:
    """Return the C header of the compiled twin."""
    hoped = [Country(code, *row, "") for code, row in ASPIRATIONAL.items()]
    every = [*table, *hoped]
    number = {each.code: index for index, each in enumerate(every, 1)}
    cells = number | {each.code: number[each.code] | 0x80 for each in hoped}
    for code, parent in shared.items():
        cells[code] = number[parent] | (0x80 if code in LISTED_ONLY else 0)
    lines = [
        "/* The IBAN structures of each country.",
        *(f" * {line}" for line in NOTE),
        " */",
        "#ifndef FA_IBAN_TABLE_H",
        "#define FA_IBAN_TABLE_H",
        "",
        "#include <stdint.h>",
        "",
        "/* Words of eight BBAN characters: 0x80 in each byte of the class, first character lowest;",
        " * the word after the whole ones ends with the BBAN. */",
        "typedef struct { uint64_t digit[4], upper[4], any[4]; uint8_t length; } fa_iban_country;",
        "",
        f"#define FA_IBAN_REGISTERED {len(table)} /* the others are aspirational */",
        f"static const fa_iban_country fa_iban_countries[{len(every) + 1}] = {{",
        "    {{0}, {0}, {0}, 0},",
    ]
    for each in every:
        groups = ",\n     ".join(masks(each.classes, kind) for kind in "nac")
        lines += [f"    /* {each.code} {each.structure} */", f"    {{{groups}, {len(each.classes) + 4}}},"]
    lines += [
        "};",
        "",
        "/* [first letter][second letter]: number in the table; 0 unknown; 0x80 only where it is asked for:",
        " * in the display form, or as an aspirational one. */",
        "static const uint8_t fa_iban_index[26][26] = {",
    ]
    for first in ascii_uppercase:
        row = ", ".join(str(cells.get(first + second, 0)) for second in ascii_uppercase)
        lines += [f"    /* {first} */ {{{row}}},"]
    lines += ["};", "", "#endif", ""]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write both tables, or with ``--check`` compare them; returns 1 for a wrong file or table."""
    parser = argparse.ArgumentParser(description="Write the IBAN tables from the registry text.")
    parser.add_argument("registry", type=Path, help=f"the TXT of registry release {RELEASE}")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a table differs")
    options = parser.parse_args(arguments)
    try:
        rows = read(options.registry)
        table, shared = countries(rows), territories(rows)
        if known := ASPIRATIONAL.keys() & {*shared, *(each.code for each in table)}:
            raise WrongFile(f"{sorted(known)} are in the registry: no longer aspirational")
    except WrongFile as error:
        print(f"iban_table: {error}", file=sys.stderr)
        return 1
    stale = 0
    for path, text in ((PYTHON, python_text(table, shared)), (HEADER, header_text(table, shared))):
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"iban_table: {path.relative_to(ROOT)} differs from the registry text", file=sys.stderr)
            stale = 1
    print(f"{len(table)} countries and examples, {len(shared)} territories, {len(SURPRISES)} known faults")
    return stale


if __name__ == "__main__":
    sys.exit(main())
