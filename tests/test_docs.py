"""README and docs/ are executed: the snippets of a file in order, as one program, on both backends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import foobara_accel
from foobara_accel.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_SNIPPETS = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")]
BACKENDS = ("c", "py")
# What the snippets of a page import besides the package.
NEEDS = {
    "columns.md": ("numpy", "pandas", "polars", "pyarrow"),
    "fields.md": ("argon2", "nh3"),
    "transformers.md": ("argon2", "nh3"),
    "validators.md": ("stdnum",),
}

# Fences that hold something else than Python, and need no run.
OTHER = {"console", "diff", "json", "text", "toml"}


def program(page: Path) -> str:
    """Return the Python snippets of *page* with every other line blank, so that line numbers stay."""
    lines, language = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.match(r"```(\S*)\s*$", line)
        if fence and language is None:
            language = fence[1]
            assert language == "python" or language in OTHER, f"{page.name}:{number}: a fence of {language!r}"
        elif fence:
            assert not fence[1], f"{page.name}:{number}: a fence inside a fence"
            language = None
        lines.append(line if language == "python" and not fence else "")
    assert language is None, f"{page.name}: an open fence"
    return "\n".join(lines) + "\n"


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=lambda page: page.name)
def test_every_snippet_runs(page: Path, backend: str, tmp_path: Path) -> None:
    if backend == "c" and str(foobara_accel.backend()) != "c":
        pytest.skip(f"no compiled backend: {foobara_accel.backend().reason}")
    for name in NEEDS.get(page.name, ()):
        pytest.importorskip(name)
    script = tmp_path / f"{page.stem}.py"
    script.write_text(program(page), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        cwd=tmp_path,
        env={**os.environ, "FOOBARA_ACCEL_BACKEND": backend, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    # Numbers of cards, accounts and phones that a page gives to its snippets are in nothing that they print.
    shown = done.stdout + done.stderr
    numbers = re.findall(
        r"""["'](\+?[0-9(][0-9 ()-]{9,}[0-9]|[A-Za-z]{2}[0-9]{2}[A-Za-z0-9 ]{11,})["']""", program(page)
    )
    assert [number for number in numbers if number in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.name == "index.md" or f"({page.name})" in index, page.name


def test_readme_marks_exactly_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    marked = re.search(r"<!-- commands -->\n(.*?)<!-- /commands -->", text, re.DOTALL)
    assert marked is not None
    commands = [line for line in marked[1].splitlines() if line and not line.startswith("```")]
    assert commands == [
        "python -m pip install . && foobara-accel bench",
        "python -m pip install -e '.[test]' && python -m pytest",
    ]


def test_pages_name_subcommands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    ([a-z]+) ", capsys.readouterr().out, re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:`|^|&& )foobara-accel ([a-z]+)", text, re.MULTILINE))
        assert named <= known, f"{page.name}: {sorted(named - known)}"
