"""The benchmark: a quick run end to end, and each part of it alone."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import io
import json
import runpy
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Generator, Iterator
from itertools import repeat
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import foobara_accel
from foobara_accel.bench import app, budgets, cases, compare, main, payments, report, rounds, runner, worker
from foobara_py_here import needs_foobara_py

BACKENDS = ["c", "py"] if str(foobara_accel.backend()) == "c" else ["py"]


def whole(made: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of *made* that says of itself what a run without --quick does."""
    changed = copy.deepcopy(made)
    changed["options"].update(quick=False, rounds=31)
    return changed


def call(*argv: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of `foobara-accel bench` with *argv*."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(argv))
    return code, out.getvalue(), err.getvalue()


def quick(output: Path, *more: str) -> tuple[int, str, str]:
    return call(
        *("--quick", "--rounds", "2", "--rows", "600", "--output", str(output)),
        *("--backends", ",".join(BACKENDS), *more),
    )


def short(output: Path, *more: str) -> tuple[int, str, str]:
    return call(
        *("--quick", "--rounds", "1", "--rows", "60", "--output", str(output), "--backends", "py", *more)
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A quick run: its directory, exit code and output."""
    directory = tmp_path_factory.mktemp("bench") / "report"
    code, out, err = quick(directory)
    return SimpleNamespace(directory=directory, code=code, out=out, err=err)


@pytest.fixture(scope="module")
def made(run: SimpleNamespace) -> dict[str, Any]:
    return json.loads((run.directory / "report.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


# --- a whole run


def test_a_quick_run_measures_every_backend_and_they_agree(
    run: SimpleNamespace, made: dict[str, Any]
) -> None:
    assert run.code == 0, run.out + run.err
    assert made["disagreements"] == []
    assert [name for name, known in made["backends"].items() if known["available"]] == BACKENDS
    lacking = {"html": "nh3", "html_long": "nh3", "luhn_column": "numpy", "iban_column": "numpy"}
    for key in (budget.case or budget.key for budget in budgets.BUDGETS if budget.compiled is not None):
        if key in lacking and importlib.util.find_spec(lacking[key]) is None:
            assert key not in made["cases"]
            continue
        assert set(made["cases"][key]["backends"]) == set(BACKENDS), key
    for name in BACKENDS:
        totals = made["payments"]["backends"][name]["totals"]
        assert totals["rows"] == 600
        assert totals["accepted"] == made["payments"]["file"]["usable"]
        assert totals["rejected"] > 10


def test_the_files_are_complete_and_nothing_else_is_left(run: SimpleNamespace) -> None:
    names = {file.name for file in run.directory.iterdir()}
    assert names == {
        "report.json",
        "report.md",
        "report.html",
        *(f"rejects-{name}.jsonl" for name in BACKENDS),
    }


def test_the_screen_shows_cases_budgets_and_the_database_share(run: SimpleNamespace) -> None:
    for word in ("simple run, two ints", "Budgets", "database", "p99", "collections", "Written: "):
        assert word in run.out


def test_a_quick_run_says_how_little_it_measured_and_judges_nothing(
    run: SimpleNamespace, made: dict[str, Any]
) -> None:
    assert {verdict["status"] for verdict in made["verdicts"]} == {"not judged"}
    reasons = {(verdict["key"], verdict["backend"]): verdict["reason"] for verdict in made["verdicts"]}
    for backend, found in made["backends"].items():
        if found["available"]:
            assert {reasons[key, backend] for key in ("simple", "nested", "errors")} == {"a quick run"}
    words = ("a quick run", "was not measured", "not installed", "no such case")
    assert all(any(each in reason for each in words) for reason in reasons.values()), reasons
    page, markdown = report.as_html(made), report.as_markdown(made)
    said = "Quick run: 2 rounds of each case, 600 payments (seed 1). No budget is judged by a quick run"
    for text in (run.out, page, markdown):
        assert said in text
    assert "| rounds | 2 |" in markdown and "| quick | True |" in markdown
    assert "<td>rounds</td><td>2</td>" in page


def test_a_whole_run_says_what_it_measured(made: dict[str, Any]) -> None:
    changed = whole(made)
    assert report._extent(changed) == "31 rounds of each case, 600 payments (seed 1)."
    changed["options"].update(rounds=7)
    assert report._extent(changed).endswith(
        "No budget is judged by fewer than 8 rounds: the figures are rough."
    )
    assert {each.status for each in budgets.judge_all(changed)} == {"not judged"}
    changed["options"].update(rounds=1, quick=True, app="shop:registry")
    assert report._extent(changed) == "Quick run: 1 round of each case, shop:registry. The figures are rough."


def test_rejects_are_complete_errors_without_account_or_card_numbers(
    run: SimpleNamespace, tmp_path: Path
) -> None:
    source = tmp_path / "payments.csv"
    payments.generate(source, 600, 1)
    secrets = set()
    for _, cells in payments._lines(source):
        secrets |= {cell for cell in (cells.get("iban", ""), cells.get("card", "")) if len(cell) > 12}
    for name in BACKENDS:
        text = (run.directory / f"rejects-{name}.jsonl").read_text(encoding="utf-8")
        assert not [secret for secret in secrets if secret in text]
        for line in text.splitlines():
            entry = json.loads(line)
            assert entry["line"] > 1
            for error in entry["errors"]:
                assert {"key", "category", "symbol", "path", "message", "severity"} <= set(error)


def test_the_page_is_well_formed_and_fetches_nothing(run: SimpleNamespace) -> None:
    text = (run.directory / "report.html").read_text(encoding="utf-8")
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))
    tags = [element.tag for element in page.iter()]
    assert tags.count("svg") > 10
    assert tags.count("table") >= 6
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert "http" not in text
    assert "url(" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert all(svg.get("aria-label") for svg in page.iter("svg"))


def test_the_page_shows_verdicts_and_limits_where_a_narrow_screen_has_them(made: dict[str, Any]) -> None:
    changed = whole(made)
    ratios = changed["cases"]["invalid"]["backends"]["py"]["ratios"]
    ratios["I"] = 3.5
    changed["cases"]["simple"]["backends"]["py"]["ratios"]["I"] = 99.0
    changed["verdicts"] = [verdict.as_dict() for verdict in budgets.judge_all(changed)]
    text = report.as_html(changed)
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))
    budget = next(
        table for table in page.iter("table") if next(each.text for each in table.iter("th")) == "budget"
    )
    assert [each.text for each in budget.iter("th")][:3] == ["budget", "backend", "verdict"]
    classes = {(cell.text, cell.get("class")) for cell in budget.iter("td") if cell.get("class")}
    assert {("met", "good"), ("missed", "bad"), ("not judged", "none")} <= classes
    assert all(div.get("tabindex") == "0" for div in page.iter("div") if div.get("class") == "scroll")
    # The unit stands over the bars, the limit beside the figure: also where that is a least.
    assert "<figcaption>three validation errors, in I</figcaption>" in text
    assert ">3.50 (limit 8.00)</text>" in text
    fifty = next(each for each in page.iter("figure") if each[0].text == "fifty errors to JSON bytes, in J")
    assert len([line for line in fifty.iter("line") if line.get("class") == "limit"]) == len(BACKENDS)
    assert "(limit 0.33)" in fifty.findall(".//text")[-1].text  # type: ignore[operator]
    changed["verdicts"] = []
    assert "| limit" not in report.as_html(changed)


def test_a_number_stays_with_its_unit_in_a_table() -> None:
    assert report._unbroken("1.98 (1,545 ns) <= 2 B") == "1.98 (1,545\u00a0ns) <=\u00a02\u00a0B"
    assert report._unbroken("pure Python: 3 runs") == "pure\u00a0Python: 3 runs"


def test_the_report_names_no_machine_path_and_no_host(run: SimpleNamespace) -> None:
    import platform

    for name in ("report.json", "report.md", "report.html"):
        text = (run.directory / name).read_text(encoding="utf-8")
        assert str(Path(__file__).parent.parent) not in text
        assert len(platform.node()) < 4 or platform.node() not in text


def test_disagreeing_totals_are_told_in_red_and_end_with_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = runner.Process.ask

    def ask(self: runner.Process, op: str, **request: Any) -> dict[str, Any]:
        answer = asked(self, op, **request)
        if op == "payments":
            answer["totals"]["accepted"] += 1
        return answer

    monkeypatch.setattr(runner.Process, "ask", ask)
    code, out, _ = short(tmp_path)
    assert code == 1
    assert "DISAGREEMENT: payments" in out
    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert f"{report.RED}DISAGREEMENT" in report.as_text(made, colour=True)
    assert 'class="bad">Disagreement' in report.as_html(made)
    assert "Disagreement" in report.as_markdown(made)


def test_json_goes_to_stdout_alone(tmp_path: Path) -> None:
    code, out, err = short(tmp_path, "--json")
    assert code == 0, err
    assert json.loads(out)["format"] == 1


def test_enforce_ends_with_one_when_a_budget_is_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missed = budgets.Verdict("simple", "simple", "py", 9.0, 1.0, "I", False, "missed")
    monkeypatch.setattr(budgets, "judge_all", lambda made: [missed])
    monkeypatch.setattr(budgets, "too_little", lambda options: "")
    assert short(tmp_path)[0] == 0
    assert short(tmp_path, "--enforce")[0] == 1


# --- flags


@pytest.mark.parametrize(
    ("argv", "flag"),
    [
        (["--rows", "0"], "--rows"),
        (["--rows", "many"], "--rows"),
        (["--rounds", "-1"], "--rounds"),
        (["--seed", "x"], "--seed"),
        (["--backends", "java"], "--backends"),
        (["--backends", ""], "--backends"),
        (["--app", "m:r"], "--inputs"),
        (["--inputs", "f.jsonl"], "--app"),
        (["--app", "nonsense", "--inputs", "f.jsonl"], "--app"),
        (["--app", "m:r", "--inputs", "no-such-file.jsonl"], "--inputs"),
        (["--app", "m:r", "--inputs", "f", "--rows", "5"], "--rows"),
        (["--app", "m:r", "--inputs", "f", "--enforce"], "--enforce"),
        (["--quick", "--enforce"], "--enforce: no budget is judged by a quick run"),
        (["--rounds", "7", "--enforce"], "--enforce: no budget is judged by fewer than 8 rounds"),
        (["--wrong"], "--wrong"),
    ],
)
def test_a_bad_flag_is_named(argv: list[str], flag: str) -> None:
    code, _, err = call(*argv)
    assert code == 2
    assert flag in err


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    code, _, err = call("--output", str(file))
    assert code == 2
    assert "--output" in err


def test_a_backend_asked_for_but_absent_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ask(self: runner.Process, op: str, **request: Any) -> dict[str, Any]:
        raise runner.WorkerError("ModuleNotFoundError: No module named 'foobara_py'")

    monkeypatch.setattr(runner.Process, "ask", ask)
    code, _, err = call("--backends", "foobara_py", "--output", str(tmp_path))
    assert code == 2
    assert "--backends foobara_py: not installed" in err
    code, _, err = call("--output", str(tmp_path))
    assert code == 1
    assert "no backend could be started" in err


# --- the user's own commands

MODULE = """
from pydantic import BaseModel
from foobara_accel import AsyncCommand, Command

class Pair(BaseModel):
    a: int
    b: int

class Add(Command[Pair, int]):
    def execute(self):
        print("noise on stdout")
        return self.inputs.a + self.inputs.b

class Later(AsyncCommand[Pair, int]):
    async def execute(self):
        return self.inputs.a

registry = [Add, Later]
"""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bench_shop.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_own_commands_are_measured_on_every_backend(application: Path) -> None:
    inputs = application / "in.jsonl"
    lines = [
        {"command": "Add", "inputs": {"a": 1, "b": 2}},
        {"command": "Add", "inputs": {"a": "x", "b": 2}},
        {"command": "Later", "inputs": {"a": 1, "b": 2}},
    ]
    inputs.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    code, out, err = call(
        *("--app", "bench_shop:registry", "--inputs", str(inputs), "--quick", "--rounds", "2"),
        *("--output", "out", "--backends", ",".join(BACKENDS)),
    )
    assert code == 0, out + err
    made = json.loads(Path("out/report.json").read_text(encoding="utf-8"))
    assert {key: set(case["backends"]) for key, case in made["cases"].items()} == {
        "Add": set(BACKENDS),
        "Later": set(BACKENDS),
    }
    assert made["verdicts"] == []


def test_a_command_the_registry_lacks_is_named_with_those_it_has(application: Path) -> None:
    (application / "in.jsonl").write_text('{"command": "Sub", "inputs": {}}', encoding="utf-8")
    code, _, err = call("--app", "bench_shop:registry", "--inputs", "in.jsonl", "--backends", BACKENDS[-1])
    assert code == 2
    assert "'Sub'" in err
    assert "Add" in err


ROOMS = """
from pydantic import BaseModel
from foobara_accel import AsyncCommand, Command
from foobara_accel.core.registry import CommandRegistry
from foobara_accel.core.simple import async_simple_command, command

class Pair(BaseModel):
    a: int
    b: int

def made(domain, answer):
    class Add(Command[Pair, int]):
        _domain = domain

        def execute(self):
            return answer

    return Add

@command
def double(n: int) -> int:
    return n * 2

@async_simple_command
async def later(n: int) -> int:
    return n * 3

first, second, bare = made("First", 1), made("Second", 2), made(None, 3)
every = CommandRegistry()
for each in (first, second, bare):
    every.register(each)
nested = [first, second]
twice = [first, first]
same = [made("First", 1), made("First", 4)]
functions = {"double": double, "later": later}
"""


def measured(directory: Path, target: str, *names: str, **inputs: object) -> dict[str, object]:
    """Return the answer of each command that `--app bench_rooms:target` measures for *names*."""
    (directory / "bench_rooms.py").write_text(ROOMS, encoding="utf-8")
    lines = [{"line": place, "command": name, "inputs": inputs} for place, name in enumerate(names, 1)]
    found = app.build(f"bench_rooms:{target}", lines, "foobara_accel")
    return {name: case.once() for name, case in found.items()}


def test_a_full_name_comes_before_the_class_name_of_another(application: Path) -> None:
    assert measured(application, "every", "Add", "First::Add", a=1, b=2) == {"Add": [3], "First::Add": [1]}
    assert measured(application, "nested", "Second::Add", a=1, b=2) == {"Second::Add": [2]}
    assert measured(application, "twice", "Add", a=1, b=2) == {"First::Add": [1]}


@pytest.mark.parametrize(
    ("target", "name", "told"),
    [
        ("nested", "Add", "'Add' may be any of First::Add, Second::Add; give the full name"),
        ("same", "First::Add", "2 commands have the full name 'First::Add'"),
    ],
)
def test_a_name_that_several_commands_have_is_refused(
    application: Path, target: str, name: str, told: str
) -> None:
    with pytest.raises(app.UsageError, match=told):
        measured(application, target, name, a=1, b=2)


def test_a_function_made_a_command_is_measured(application: Path) -> None:
    assert measured(application, "functions", "double", "later", n=2) == {"double": [4], "later": [6]}
    assert measured(application, "double", "double", n=2) == {"double": [4]}
    assert measured(application, "later", "later", n=2) == {"later": [6]}


def test_an_application_that_does_not_load_is_an_error_naming_the_flag(application: Path) -> None:
    (application / "in.jsonl").write_text('{"command": "Sub"}', encoding="utf-8")
    code, _, err = call(
        "--app", "no_such_module:registry", "--inputs", "in.jsonl", "--backends", BACKENDS[-1]
    )
    assert code == 2
    assert "--app no_such_module:registry" in err


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("os:environ", "it holds str, which is no command"),
        ("os:getpid", "builtin_function_or_method is no registry"),
        ("bench_shop:Pair", "is no registry"),
    ],
)
def test_what_is_no_registry_is_told(application: Path, target: str, told: str) -> None:
    with pytest.raises(app.UsageError, match=told):
        app.build(target, [{"line": 1, "command": "Add", "inputs": {}}], "foobara_accel")


@pytest.mark.parametrize("base", ["Command", "AsyncCommand"])
def test_a_command_that_raises_is_named_with_the_line_and_without_inputs(
    application: Path, base: str
) -> None:
    boom = f"""
class Boom({base}[Pair, int]):
    def execute(self):
        return None

    def validate(self):
        raise KeyError(f"card {{self.inputs.a}}")

registry.append(Boom)
"""
    (application / "bench_boom.py").write_text(MODULE + boom, encoding="utf-8")
    lines = [
        {"command": "Add", "inputs": {"a": 1, "b": 2}},
        {"command": "Boom", "inputs": {"a": 4111, "b": 2}},
    ]
    (application / "in.jsonl").write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    code, out, err = call(
        "--app", "bench_boom:registry", "--inputs", "in.jsonl", "--backends", ",".join(BACKENDS)
    )
    row = (MODULE + boom).splitlines().index('        raise KeyError(f"card {self.inputs.a}")') + 1
    assert code == 2
    assert f"Boom, --inputs line 3: raised KeyError at bench_boom.py:{row}" in err
    assert "4111" not in out + err


def test_an_error_leaves_no_empty_directory_of_reports(application: Path) -> None:
    (application / "in.jsonl").write_text('{"command": "Sub"}', encoding="utf-8")
    flags = ("--app", "no_such_module:registry", "--inputs", "in.jsonl", "--backends", BACKENDS[-1])
    assert call(*flags, "--output", "new/reports")[0] == 2
    assert not Path("new/reports").exists()


def test_commands_of_another_package_are_not_measured_under_this_name(application: Path) -> None:
    with pytest.raises(TypeError, match="Add is not a command of foobara_py"):
        app.build("bench_shop:registry", [{"command": "Add", "inputs": {}}], "foobara_py")


def test_an_interrupt_is_told_and_writes_no_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ask(self: runner.Process, op: str, **request: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.Process, "ask", ask)
    code, _, err = call("--output", str(tmp_path))
    assert code == 130
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1"),
        ('{"command": "A"}\n[]', "line 2"),
        ('{"command": 3}', "line 1"),
        ('{"command": "A", "inputs": []}', "inputs must be an object"),
        ("\n\n", "no command"),
    ],
)
def test_a_bad_line_of_inputs_is_named(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(app.UsageError, match=f"--inputs .*{told}"):
        app.read_inputs(file)


def test_inputs_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(app.UsageError, match="--inputs"):
        app.read_inputs(file)


# --- comparing two reports


@pytest.fixture
def reports(made: dict[str, Any], tmp_path: Path) -> Iterator[Any]:
    def write(name: str, factor: float = 1.0, change: Callable[[dict[str, Any]], Any] | None = None) -> str:
        changed = whole(made)
        for case in changed["cases"].values():
            for figures in case["backends"].values():
                figures["spread"] = 0.02
                figures["rounds"] = 31
                figures["ratios"] = {floor: value * factor for floor, value in figures["ratios"].items()}
        if change is not None:
            change(changed)
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps(changed), encoding="utf-8")
        return str(tmp_path / name)

    yield write


def test_a_report_compared_with_itself_is_the_same(reports: Any) -> None:
    old = reports("old")
    code, out, _ = call("compare", old, old, "--fail-above", "0")
    assert code == 0
    assert "0 slower, 0 faster" in out


def test_slower_past_the_limit_ends_with_one(reports: Any) -> None:
    old, new = reports("old"), reports("new", 1.2)
    assert call("compare", old, new)[0] == 0
    assert call("compare", old, new, "--fail-above", "15%")[0] == 1
    assert call("compare", old, new, "--fail-above", "25")[0] == 0
    code, out, _ = call("compare", new, old + "/report.json", "--fail-above", "5")
    assert code == 0
    assert "faster" in out


def test_a_change_within_noise_is_no_change(reports: Any, made: dict[str, Any]) -> None:
    slower = compare.Change("simple", "c", 1.0, 1.2, 0.3)
    assert slower.verdict == "same"
    assert compare.Change("simple", "c", 1.0, 1.2, 0.1).verdict == "slower"
    figures = {"spread": 0.5, "rounds": 8}
    assert compare._noise(figures, figures) == pytest.approx(0.962, abs=0.001)
    assert call("compare", reports("old"), reports("new", 1.02), "--fail-above", "0")[0] == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 1}',
        '{"format": 7, "cases": {}}',
        '{"format": 1, "cases": {"simple": 7}}',
        '{"format": 1, "cases": {"simple": {"backends": {"c": {}}}}}',
        '{"format": 1, "cases": {}, "payments": {"backends": []}, "environment": 7}',
    ],
)
def test_a_file_that_is_no_report_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text, encoding="utf-8")
    code, _, err = call("compare", str(file), str(file))
    assert code == 2
    assert "broken.json" in err


def test_compare_refuses_bad_flags_and_reports_without_a_common_case(reports: Any, tmp_path: Path) -> None:
    old = reports("old")
    assert "--fail-above" in call("compare", old, old, "--fail-above", "-3")[2]
    file = tmp_path / "empty.json"
    file.write_text('{"format": 1, "cases": {}}', encoding="utf-8")
    code, _, err = call("compare", old, str(file))
    assert code == 2
    assert "no case in common" in err


def lose_a_case(changed: dict[str, Any]) -> None:
    del changed["cases"]["nested"]


def lose_a_backend(changed: dict[str, Any]) -> None:
    changed["backends"]["py"] = {"available": False, "reason": "it does not load"}
    for case in changed["cases"].values():
        case["backends"] = {"c": case["backends"]["py"]}
    changed["payments"]["backends"].pop("py")


def lose_a_case_of_one_backend(changed: dict[str, Any]) -> None:
    del changed["cases"]["nested"]["backends"]["py"]
    changed["cases"]["nested"]["backends"]["other"] = {"ratios": {"I": 1.0}, "rounds": 31, "spread": 0.0}


def lose_the_payments(changed: dict[str, Any]) -> None:
    changed["payments"] = {}


def change_the_floor(changed: dict[str, Any]) -> None:
    case = changed["cases"]["nested"]
    case["floors"] = ["other"]
    for figures in case["backends"].values():
        figures["ratios"] = {"other": 1.0}


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (lose_a_case, f"MISSING in NEW: case nested ({', '.join(BACKENDS)})\n"),
        (lose_a_case_of_one_backend, "MISSING in NEW: case nested (py)\n"),
        (lose_the_payments, f"MISSING in NEW: case payments ({', '.join(BACKENDS)})\n"),
        (change_the_floor, f"MISSING in NEW: case nested ({', '.join(BACKENDS)})\n"),
        pytest.param(
            lose_a_backend,
            "MISSING in NEW: backend py: it does not load\n",
            marks=pytest.mark.skipif(len(BACKENDS) < 2, reason="one backend"),
        ),
    ],
)
def test_what_the_new_report_lacks_is_told_and_is_past_any_limit(reports: Any, lose: Any, told: str) -> None:
    old, new = reports("old"), reports("new", change=lose)
    code, out, _ = call("compare", old, new)
    assert (code, told in out) == (0, True), out
    assert call("compare", old, new, "--fail-above", "1000")[0] == 1
    code, out, _ = call("compare", new, old, "--fail-above", "1000")
    assert "note: only in NEW: " in out
    if lose is lose_a_case:
        assert code == 0


def test_a_few_rounds_tell_nothing(reports: Any) -> None:
    def few(changed: dict[str, Any]) -> None:
        for case in changed["cases"].values():
            for figures in case["backends"].values():
                figures.update(rounds=7, spread=0.0)

    old, new = reports("old"), reports("new", 5.0, few)
    code, out, _ = call("compare", old, new)
    assert code == 0
    assert "0 slower, 0 faster, 0 same" in out and "fewer than 8 rounds" in out
    code, _, err = call("compare", old, new, "--fail-above", "1")
    assert (code, "--fail-above: the reports hold too little" in err) == (2, True)


def test_the_noise_of_payments_goes_by_their_rows(made: dict[str, Any]) -> None:
    def noise(rows: int, other_rows: int | None = None, seed: int = 1) -> float | None:
        old, new = whole(made), whole(made)
        old["payments"]["file"]["rows"] = rows
        new["payments"]["file"]["rows"] = other_rows or rows
        new["options"]["seed"] = seed
        for job in new["payments"]["backends"].values():
            job["cpu_ns"] *= 1.5
        (found,) = {c.noise for c in compare.compare(old, new) if c.key == "payments"}
        return found

    assert noise(1_000_000) == noise(100_000) == 0.1
    assert noise(25_000) == 0.2
    assert noise(9_999) is None
    assert noise(100_000, 50_000) is None
    assert noise(100_000, seed=2) is None


def test_compare_tells_of_differing_conditions(made: dict[str, Any]) -> None:
    other = copy.deepcopy(made)
    other["environment"]["python"] = "2.7"
    other["options"].update(rounds=31, rows=5, quick=False, seed=3)
    assert compare.differing_conditions(made, other) == [
        f"python: {made['environment']['python']} -> 2.7",
        "option rounds: 2 -> 31",
        "option rows: 600 -> 5",
        "option quick: True -> False",
        "option seed: 1 -> 3",
    ]
    said = compare.render(compare.compare(made, other), made, other)
    assert "the reports differ in option rounds: 2 -> 31\n" in said


# --- budgets


@pytest.mark.parametrize(
    ("ratios", "value", "status", "reason"),
    [
        ({"call": 1.4, "python-stdnum": 0.0109}, 1 / 0.0109, "met", ""),  # 10 % under a least is met
        ({"call": 1.5, "python-stdnum": 0.0112}, 1 / 0.0112, "missed", ""),
        ({"call": 1.0}, None, "not judged", "python-stdnum was not measured"),
        (None, None, "not judged", "no such case on this backend"),
    ],
)
def test_a_budget_against_a_peer_is_judged_where_the_peer_is(
    made: dict[str, Any], ratios: dict[str, float] | None, value: float | None, status: str, reason: str
) -> None:
    changed = whole(made)
    if "c" not in changed["cases"]["card"]["backends"]:
        pytest.skip("no compiled backend was measured")
    if ratios is None:
        del changed["cases"]["card"]["backends"]["c"]
    else:
        changed["cases"]["card"]["backends"]["c"]["ratios"] = ratios
    verdicts = {(each.key, each.backend): each for each in budgets.judge_all(changed)}
    found = verdicts["card_python-stdnum", "c"]
    assert (found.value, found.status, found.reason) == (value, status, reason)
    assert found.unit == "times as fast as python-stdnum" and found.binds
    if ratios:
        assert verdicts["card", "c"].status == ("met" if ratios["call"] < 1.43 else "missed")


def test_what_takes_many_values_is_timed_per_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "timed", lambda loop, number: 800.0)
    served = worker.Worker("py")
    many = cases.Case("many", "many", print, lambda: 1, ("x",), {"x": print}, values=8)
    served._cases, served._numbers = {"many": many}, {("many", ""): 1, ("many", "x"): 1}
    assert served.do_round("many", 0) == {"ns": 100.0, "floors": {"x": 100.0}}


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "status"),
    [
        (1.0, 1.0, False, "met"),
        (1.09, 1.0, False, "met"),
        (1.11, 1.0, False, "missed"),
        (15.0, 16.0, True, "met"),
        (14.0, 16.0, True, "missed"),
        (0.0, 0.0, False, "met"),
        (1.0, 0.0, False, "missed"),
        (None, 1.0, False, "not judged"),
    ],
)
def test_ten_per_cent_over_a_limit_is_met(
    value: float | None, limit: float, at_least: bool, status: str
) -> None:
    assert budgets.judge(value, limit, at_least) == status


def test_without_orjson_the_json_budget_is_not_judged(made: dict[str, Any]) -> None:
    changed = whole(made)
    for known in changed["backends"].values():
        known["orjson"] = False
    found = [verdict for verdict in budgets.judge_all(changed) if verdict.key == "run_json"]
    assert [verdict.status for verdict in found] == ["not judged"] * len(BACKENDS)


def test_a_backend_that_was_not_measured_is_not_judged(made: dict[str, Any]) -> None:
    changed = whole(made)
    changed["backends"] = {"py": changed["backends"]["py"], "c": {"available": False, "reason": "no"}}
    assert {verdict.backend for verdict in budgets.judge_all(changed)} == {"py"}


def verdict_of(report: dict[str, Any], key: str, backend: str = "py") -> budgets.Verdict:
    (found,) = (each for each in budgets.judge_all(report) if (each.key, each.backend) == (key, backend))
    return found


@pytest.mark.parametrize(("cost", "status"), [(21.0, "met"), (22.9, "met"), (24.0, "missed")])
def test_ten_subcommands_more_may_cost_what_ten_did(made: dict[str, Any], cost: float, status: str) -> None:
    changed = whole(made)
    for key, ratio in (("simple", 1.0), ("nested", 11.0), ("nested_20", cost)):
        changed["cases"][key]["backends"]["py"]["ratios"]["I"] = ratio
    found = verdict_of(changed, "depth")
    assert (found.value, found.status) == (pytest.approx((cost - 1) / 10), status)


def test_collections_and_kept_bytes_are_judged_in_every_case(made: dict[str, Any]) -> None:
    changed = whole(made)
    changed["gc"]["invalid"]["py"]["per_100k"] = [3, 0, 0]
    changed["memory"]["subcommand"]["py"] = {"runs": 1000, "retained": 64_000, "peak": 900}
    assert (verdict_of(changed, "gc").value, verdict_of(changed, "gc").status) == (3.0, "missed")
    assert (verdict_of(changed, "retained").value, verdict_of(changed, "retained").status) == (64.0, "missed")


def test_peak_memory_is_judged_where_foobara_py_was_measured(made: dict[str, Any]) -> None:
    changed = whole(made)
    changed["memory"]["simple"].pop("foobara_py", None)
    alone = verdict_of(changed, "peak")
    assert (alone.value, alone.status, alone.reason) == (None, "not judged", "foobara_py was not measured")
    changed["memory"]["simple"]["py"]["peak"] = 700
    changed["memory"]["simple"]["foobara_py"] = {"runs": 1000, "retained": 0, "peak": 1000}
    assert (verdict_of(changed, "peak").value, verdict_of(changed, "peak").status) == (0.7, "missed")


def test_the_readme_table_has_a_row_per_judged_case(made: dict[str, Any]) -> None:
    tool = Path(__file__).resolve().parent.parent / "tools" / "readme_table.py"
    if not tool.exists():
        pytest.skip("no checkout here")
    written = runpy.run_path(str(tool))
    text = written["block"](made)
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    judged = [
        each
        for each in budgets.BUDGETS
        if each.key in made["cases"] and any(each.limit(name) is not None for name in BACKENDS)
    ]
    assert len(rows) == len(judged)
    assert all(line.count("|") == rows[0].count("|") for line in rows)
    assert f"Python {made['environment']['python']}" in text
    changed = with_swapped(made, 5.5)
    changed["backends"]["swapped"]["replaced"] = 19
    beside = written["swapped_block"](changed)
    assert "19 functions replaced by the compiled backend" in beside
    assert "| 5.5 | 6: met |" in beside and "| 5.5 | 8: missed |" in beside and "0 after." in beside


# --- the payments file and its import


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    assert payments.generate(first, 300, 7) == payments.generate(second, 300, 7)
    payments.generate(other, 300, 8)
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_a_file_holds_every_fault(tmp_path: Path) -> None:
    planted = payments.generate(tmp_path / "a.csv", 3_000, 3)
    assert set(planted["faults"]) == {*payments.FAULTS, "duplicate"}
    assert planted["usable"] == 3_000 - sum(planted["faults"].values())
    assert 0.02 < 1 - planted["usable"] / 3_000 < 0.06


def test_the_file_has_what_real_files_have(tmp_path: Path) -> None:
    payments.generate(tmp_path / "a.csv", 3_000, 3)
    raw = (tmp_path / "a.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\0" in raw
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")


def test_each_fault_makes_the_line_a_reject(fa: ModuleType, tmp_path: Path) -> None:
    import csv
    import random

    source = tmp_path / "faults.csv"
    good = ["P1", "2025-01-31", "DE89370400440532013000", "4111111111111111", "12.50", "EUR", "Ada", ""]
    with payments.writing(source) as file:
        out = csv.writer(file)
        out.writerow(payments.COLUMNS)
        out.writerow(good)
        for place, fault in enumerate(payments.FAULTS.values()):
            out.writerow(fault(random.Random(1), [f"F{place}", *good[1:]]))
        out.writerow(good)
    job = payments.run_import(fa.__name__, source, tmp_path / "db", tmp_path / "rejects.jsonl")
    totals = job["totals"]
    assert (totals["accepted"], totals["rejected"]) == (1, len(payments.FAULTS) + 1)
    assert totals["amounts"] == {"EUR": 1250}
    assert totals["reasons"]["duplicate_reference@"] == 1
    assert totals["reasons"]["invalid_iban@iban"] >= 5
    assert 0 < job["database_ns"] <= job["cpu_ns"]


def test_a_rejected_payment_leaves_nothing_in_the_database(fa: ModuleType, tmp_path: Path) -> None:
    import sqlite3

    source = tmp_path / "one.csv"
    source.write_text(",".join(payments.COLUMNS) + "\nP1,2025-01-31,DE00,,1.00,EUR,Ada,\n", encoding="utf-8")
    payments.run_import(fa.__name__, source, tmp_path / "db", tmp_path / "rejects.jsonl")
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM payments").fetchone() == (0,)


def test_an_unfinished_file_is_not_left_behind(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    with pytest.raises(KeyboardInterrupt), payments.writing(target) as file:
        file.write("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_masking_reaches_into_nested_values() -> None:
    value = {
        "a": ["x DE89370400440532013000 y", ("4111 1111 1111 1111", 3, None, 1.5, True)],
        "iban": "short",
        "b": b"raw",
    }
    assert payments.mask(value) == {
        "a": ["x *** y", ["***", 3, None, 1.5, True]],
        "iban": "***",
        "b": "b'raw'",
    }
    assert payments.mask("secret here", ("secret",)) == "*** here"


def test_totals_that_differ_are_each_told() -> None:
    planted = {"rows": 10, "usable": 8}
    job = {"totals": {"rows": 10, "accepted": 8, "ledger": "x"}, "rejects_sha256": "1"}
    other = copy.deepcopy(job)
    assert list(runner.disagreements(planted, {"c": job, "py": other})) == []
    other["totals"]["ledger"] = "y"  # type: ignore[index]
    other["rejects_sha256"] = "2"
    told = list(runner.disagreements(planted, {"c": job, "py": other}))
    assert [text.split(":")[0] for text in told] == [
        "payments, ledger",
        "payments",
    ]
    assert "accepted 8" in next(runner.disagreements({"rows": 10, "usable": 9}, {"c": job}))


# --- the parts


def test_every_case_gives_its_answer(fa: ModuleType) -> None:
    made = cases.build(fa.__name__)
    assert made["simple"].once() == 3
    assert made["nested"].once() == 3
    assert made["async"].once() == [3]
    assert made["run_json"].once() == 3
    assert [error[0] for error in made["errors"].once()] == ["first", "second"]
    assert [error[1] for error in made["invalid"].once()] == [["count"], ["label"], ["share"]]
    assert made["card"].once() == made["iban"].once() == [True]
    for key, wrong in (("card_mixed", 44), ("iban_mixed", 44)):
        answers = made[key].once()
        assert len(answers) == made[key].values == 200 and abs(answers.count(False) - wrong) < 20
    assert made["phone"].once() == [True] * 8
    paid, no_card, no_iban = made["payment"].once()
    assert paid == ["411111******1111", "visa", "DE89 **** 3000", "+1 **** 23"]
    assert (no_card[0][:2], no_iban[0][:2]) == (["card_number", ["card"]], ["iban", ["to"]])
    for case in made.values():
        case.loop(repeat(None, 3))
        for floor in case.floors:
            (case.own_floors.get(floor) or cases.floors()[floor])(repeat(None, 3))


def test_a_case_that_suspends_is_an_error() -> None:
    class Pause:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def body(times: Any) -> None:
        await Pause()

    with pytest.raises(RuntimeError, match="suspended"):
        cases._driven(body)(())


def test_quantiles_and_spread() -> None:
    assert rounds.quantile([3, 1, 2], 0.5) == 2
    assert rounds.quantile([1, 2], 0.75) == 1.75
    assert rounds.quantile([5], 0.99) == 5
    assert rounds.spread([1.0]) == 0
    assert rounds.spread([1.0, 2.0, 3.0]) == 0.5
    assert rounds.spread([0.0, 0.0]) == 0


def test_measuring_a_loop() -> None:
    kept: list[object] = []

    def loop(times: Any) -> None:
        for _ in times:
            kept.append([])

    assert rounds.timed(loop, 100) > 0
    assert rounds.calibrate(loop, 1e5) >= rounds.BLOCK
    latency = rounds.blocks({"a": loop, "b": loop}, 30)
    assert latency["a"]["p50"] <= latency["a"]["p99"]
    assert len(rounds.collections(loop, 100)) == 3
    assert rounds.memory(loop, 1_000)["retained"] > 8_000


def test_a_worker_answers_errors_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    served = worker.Worker("py")
    assert "unknown operation" in served.handle({"op": "nonsense"})["error"]
    assert "KeyError" in served.handle({"op": "round", "case": "none", "turn": 0})["error"]
    assert served.handle({"op": "hello"})["backend"] == "py"


def test_a_worker_measures_round_by_round(tmp_path: Path) -> None:
    served = worker.Worker("c")

    def ask(op: str, **request: Any) -> dict[str, Any]:
        answer = served.handle({"op": op, **request})
        assert "error" not in answer, answer
        return answer

    assert ask("hello")["active"] == str(foobara_accel.backend())
    assert ask("cases")["cases"]["simple"]["answer"] == 3
    assert ask("calibrate", case="simple", target_ns=1e4)["number"] >= rounds.BLOCK
    for turn in (0, 1):
        taken = ask("round", case="simple", turn=turn)
        assert set(taken["floors"]) == {"I", "V"}
    assert ask("blocks", case="simple", count=10)["floor_name"] == "I"
    assert len(ask("collections", case="simple", runs=100)["per_100k"]) == 3
    assert ask("memory", case="simple", runs=100)["runs"] == 100
    source = tmp_path / "payments.csv"
    payments.generate(source, 50, 1)
    job = ask(
        "payments", source=str(source), database=str(tmp_path / "db"), rejects=str(tmp_path / "rejects")
    )
    assert job["totals"]["rows"] == 50


def test_a_worker_loads_an_application(application: Path) -> None:
    served = worker.Worker("c")
    lines = [
        {"line": 1, "command": "Add", "inputs": {"a": 1, "b": 2}},
        {"line": 2, "command": "Later", "inputs": {"a": 1, "b": 2}},
    ]
    described = served.handle({"op": "app", "target": "bench_shop:registry", "lines": lines})["cases"]
    assert {name: case["answer"] for name, case in described.items()} == {"Add": [3], "Later": [1]}
    served.handle({"op": "calibrate", "case": "Later", "target_ns": 1e4})
    assert served.handle({"op": "round", "case": "Later", "turn": 0})["ns"] > 0


@pytest.mark.parametrize(
    "shape", ["Add", "{'add': Add}", "lambda: [Add]", "type('R', (), {'list_commands': lambda s: [Add]})()"]
)
def test_a_registry_may_have_any_usual_shape(application: Path, shape: str) -> None:
    name = f"bench_shop_{abs(hash(shape))}"
    (application / f"{name}.py").write_text(f"{MODULE}\nfound = {shape}\n", encoding="utf-8")
    lines = [{"line": 1, "command": "Add", "inputs": {"a": 1, "b": 2}}]
    assert list(app.build(f"{name}:found", lines, "foobara_accel")) == ["Add"]


def test_a_worker_that_died_is_reported_with_its_last_words() -> None:
    with runner.Process("py") as process:
        process._process.kill()
        process._process.wait()
        with pytest.raises(runner.WorkerError, match="py worker ended"):
            process.ask("hello")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_drawn_on_a_terminal_alone() -> None:
    screen, file, silent = Screen(), io.StringIO(), Screen()
    for stream, quiet in ((screen, False), (file, False), (silent, True)):
        progress = runner.Progress(2, stream, quiet)
        progress.step("one")
        progress.step("one")
        progress.close()
    assert "100 % one" in screen.getvalue()
    assert file.getvalue() == "one\n"
    assert silent.getvalue() == ""


def test_titles_of_commands_are_escaped_in_the_page(made: dict[str, Any]) -> None:
    changed = copy.deepcopy(made)
    changed["cases"]["simple"]["title"] = "<script>&|"
    changed["disagreements"] = ["<b>"]
    page = report.as_html(changed)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;&amp;|" in page
    assert "&lt;script>&\\|" in report.as_markdown(changed)


# --- foobara_py before and after install()

STAND_IN = """
class Outcome:
    errors = ()
    def __init__(self, result):
        self.result = result
    def is_success(self):
        return True

class Command:
    @classmethod
    def full_name(cls):
        return cls.__name__
    @classmethod
    def inputs_type(cls):
        raise TypeError("no inputs")
    @classmethod
    def run(cls, **inputs):
        return Outcome(cls.execute(cls, **inputs))
"""

SMALL_SHOP = """
from foobara_py import Command

class Twice(Command):
    def execute(self, n):
        return n * 2

registry = {"twice": Twice}
"""


@pytest.fixture
def stand_in(application: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A foobara_py of one class, which install() knows no part of, and an application written for it."""
    package = application / "theirs" / "foobara_py"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    (application / "small_shop.py").write_text(SMALL_SHOP, encoding="utf-8")
    (application / "in.jsonl").write_text('{"command": "Twice", "inputs": {"n": 2}}', encoding="utf-8")
    monkeypatch.setenv("FOOBARA_PY_PATH", str(package.parent))
    return application


def of_app(target: str, *more: str) -> tuple[int, str, str]:
    return call("--app", target, "--inputs", "in.jsonl", "--quick", "--rounds", "1", "--output", "out", *more)


def test_an_application_for_a_foobara_py_that_install_does_not_know_is_measured_alone(stand_in: Path) -> None:
    code, out, err = of_app("small_shop:registry")
    assert code == 0, err
    assert "foobara_py + install() was not measured: RuntimeError: install() replaces nothing" in out
    assert "pure Python was not measured: --app small_shop:registry: its commands are foobara_py's" in out
    made = json.loads(Path("out/report.json").read_text(encoding="utf-8"))
    assert {key: set(case["backends"]) for key, case in made["cases"].items()} == {"Twice": {"foobara_py"}}
    assert made["cases"]["Twice"]["floors"] == ["I"]  # its inputs have no model to validate them


def test_install_that_replaces_nothing_is_an_error_where_it_was_asked_for(stand_in: Path) -> None:
    code, _, err = of_app("small_shop:registry", "--backends", "swapped")
    assert code == 2
    assert "--backends swapped: RuntimeError: install() replaces nothing" in err
    assert "Traceback" not in err


def test_an_application_for_foobara_py_is_not_measured_by_this_package(stand_in: Path) -> None:
    code, _, err = of_app("small_shop:registry", "--backends", "py")
    assert code == 2
    assert "it is written for foobara_py; measure it with --backends foobara_py,swapped" in err


@pytest.mark.parametrize(
    ("failed", "known", "told"),
    [
        ({"c": "A", "py": "A", "foobara_py": "B"}, {}, "A; B"),
        (
            {"c": runner.LACKING, "foobara_py": "AttributeError: x"},
            {},
            f"{runner.LACKING}; AttributeError: x",
        ),
        (
            {"c": f"ModuleNotFoundError: {runner.LACKING}", "foobara_py": "AttributeError: x"},
            {},
            "AttributeError: x",
        ),
        (
            {"py": "OtherPackage: X", "swapped": "OtherPackage: Y"},
            {},
            "commands of foobara_accel and of foobara_py",
        ),
        ({"swapped": "OtherPackage: X"}, {}, "measure them with --backends c,py"),
        ({"py": "OtherPackage: X"}, {}, "measure it with --backends foobara_py,swapped"),
        (
            {"py": f"ModuleNotFoundError: {runner.LACKING}"},
            {"foobara_py": {"available": False, "reason": "not installed"}},
            "it needs foobara_py, which cannot be measured: not installed",
        ),
    ],
)
def test_an_application_that_none_can_measure_is_told_once(
    failed: dict[str, str], known: dict[str, Any], told: str
) -> None:
    assert told in runner._why_none(failed, known)


def test_answers_are_compared_line_by_line() -> None:
    one = {"answer": [1, 2, 3, "x" * 500], "lines": [4, 5, 6, 7], "varies": [False, False, True, False]}
    assert runner._compared("Add", "foobara_py", one, "swapped", copy.deepcopy(one)) == ([], [])
    other = {**one, "answer": [1, 9, 8, "x" * 499]}
    told, unsure = runner._compared("Add", "foobara_py", one, "swapped", other)
    assert told[0] == "Add, --inputs line 5: foobara_py answers 2, foobara_py + install() 9"
    assert told[1].endswith("x..., foobara_py + install() another one of the same beginning")
    assert unsure == ["Add, --inputs line 6: not compared, as each run answers differently"]
    steady = {**other, "varies": [False] * 4}
    assert len(runner._compared("Add", "foobara_py", one, "swapped", steady)[0]) == 3


def test_an_answer_shows_no_address_and_takes_any_value() -> None:
    assert worker._plain([object(), {(1, 2): object()}]) == [
        "<object object at 0x>",
        worker._plain({(1, 2): object()}),
    ]
    endless: list[object] = []
    endless.append({"a": endless, "b": {1: 2, "c": 3}})
    assert worker._plain(endless) == [cases.shown(endless[0])]


def test_errors_that_differ_in_their_message_alone_are_told_without_it(fa: ModuleType) -> None:
    def told(message: str) -> Any:
        error = fa.FoobaraError(category="data", symbol="bad", path=("a",), message=message)
        return app._told(SimpleNamespace(is_success=lambda: False, errors=[error]))

    assert told("card 4111") == told("card 4111") != told("card 4112")
    assert told("card 4111")["errors"] == [["bad", ["a"], []]]
    assert "4111" not in str(told("card 4111"))


def test_what_replaces_foobara_py_is_the_backend_the_user_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOBARA_ACCEL_BACKEND", raising=False)
    chosen = {name: runner._environment_of(name)["FOOBARA_ACCEL_BACKEND"] for name in runner.BACKENDS}
    assert chosen == {"c": "c", "py": "py", "foobara_py": "py", "swapped": "auto"}
    monkeypatch.setenv("FOOBARA_ACCEL_BACKEND", "py")
    assert runner._environment_of("swapped")["FOOBARA_ACCEL_BACKEND"] == "py"


def with_swapped(made: dict[str, Any], times: float, active: str = "c") -> dict[str, Any]:
    """Return *made* as if foobara_py had been measured, and with install() so many *times* as fast."""
    changed = whole(made)
    for name in ("foobara_py", "swapped"):
        changed["backends"][name] = {**changed["backends"]["py"], "active": active}
        for part in ("memory", "gc"):
            for found in changed[part].values():
                found[name] = copy.deepcopy(found["py"])
    for case in changed["cases"].values():
        case["backends"]["foobara_py"] = copy.deepcopy(case["backends"]["py"])
        case["backends"]["swapped"] = copy.deepcopy(case["backends"]["py"])
        for floor in case["backends"]["swapped"]["ratios"]:
            case["backends"]["swapped"]["ratios"][floor] /= times
        case["times_foobara_py"]["swapped"] = times
    changed["verdicts"] = [verdict.as_dict() for verdict in budgets.judge_all(changed)]
    return changed


def test_limits_against_foobara_py_are_shown_and_do_not_bind(made: dict[str, Any]) -> None:
    changed = with_swapped(made, 5.5)
    found = {each["key"]: each for each in changed["verdicts"] if each["backend"] == "swapped"}
    limits = {key: each["limit"] for key, each in found.items() if each["at_least"]}
    assert limits == {
        "simple": 8.0,
        "scalars": 6.0,
        "constrained": 5.0,
        "unguarded": 5.0,
        "model_validator": 5.0,
        "subcommand": 10.0,
        "nested": 12.0,
        "callbacks": 12.0,
        "errors": 6.0,
        "errors_json": 5.0,
        "invalid": 3.0,
        "async": 5.0,
        "process": 2.5,
    }
    assert (found["scalars"]["status"], found["simple"]["status"]) == ("met", "missed")
    assert {each["binds"] for key, each in found.items() if key in limits} == {False}
    assert {key for key, each in found.items() if each["binds"]} == {"gc", "retained"}
    assert all(each["binds"] for each in changed["verdicts"] if each["backend"] != "swapped")


def test_limits_against_foobara_py_are_those_of_the_compiled_backend(made: dict[str, Any]) -> None:
    found = verdict_of(with_swapped(made, 2.0, active="py"), "simple", "swapped")
    assert (found.status, found.reason) == ("not judged", "the limit is for the compiled backend")
    changed = with_swapped(made, 2.0)
    for case in changed["cases"].values():
        case["times_foobara_py"] = {}
    found = verdict_of(changed, "simple", "swapped")
    assert (found.status, found.reason) == ("not judged", "foobara_py was not measured")


def test_enforce_leaves_out_what_does_not_bind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missed = budgets.Verdict("simple", "simple", "swapped", 2.0, 8.0, "", True, "missed", binds=False)
    monkeypatch.setattr(budgets, "judge_all", lambda made: [missed])
    monkeypatch.setattr(budgets, "too_little", lambda options: "")
    assert short(tmp_path, "--enforce")[0] == 0


def test_every_form_shows_foobara_py_after_install(made: dict[str, Any]) -> None:
    changed = with_swapped(made, 9.0)
    changed["notes"] = ["foobara_py + install(): 19 functions | replaced."]
    text, markdown, page = report.as_text(changed), report.as_markdown(changed), report.as_html(changed)
    assert "foobara_py + install(): 19 functions | replaced.\n" in text
    assert "19 functions \\| replaced." in markdown
    assert "<p>foobara_py + install(): 19 functions | replaced.</p>" in page
    for each in (text, markdown, page):
        assert "how many times as fast as foobara_py (x)" in each
        assert "9.0x" in each
        assert "reported, not enforced" in each
    assert page.count("--swapped: #") == 2  # on a light page and on a dark one
    assert 'class="swapped"' in page
    # The mark stands where foobara_py's bar would end, divided by the limit.
    theirs = changed["cases"]["simple"]["backends"]["foobara_py"]["ratios"]["I"]
    assert f"(limit {theirs / 8:.2f}), 9.0x</text>" in page
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))


def test_a_report_of_before_the_notes_is_still_shown(made: dict[str, Any]) -> None:
    changed = copy.deepcopy(made)
    del changed["notes"]
    assert report.as_text(changed) and report.as_markdown(changed) and report.as_html(changed)


THEIR_SHOP = """
import time

from pydantic import BaseModel

from foobara_py import AsyncCommand, Command
from foobara_py.core.command import simple_command
from foobara_py.core.registry import CommandRegistry

class Pair(BaseModel):
    a: int
    b: int

class Add(Command[Pair, int]):
    def execute(self):
        print("noise on stdout")
        return self.inputs.a + self.inputs.b

class Later(AsyncCommand[Pair, int]):
    async def execute(self):
        return self.inputs.a

class Now(Command[Pair, int]):
    def execute(self):
        return time.perf_counter_ns()

@simple_command
def double(n: int) -> int:
    return n * 2

def replaced():
    import foobara_accel
    return foobara_accel.is_installed()

class Which(Command[Pair, bool]):
    def execute(self):
        return replaced()

class Boom(Command[Pair, bool]):
    @classmethod
    def run(cls, **inputs):
        if replaced():
            raise KeyError(f"card {inputs['a']}")
        return super().run(**inputs)

registry = CommandRegistry()
for each in (Add, Later, Now, Which, Boom):
    registry.register(each)
functions = [double]
"""


def their_app(directory: Path, target: str, *lines: tuple[str, dict[str, Any]]) -> tuple[int, str, Any]:
    """Measure foobara_py commands before and after install(); return exit code, screen and report."""
    (directory / "their_shop.py").write_text(THEIR_SHOP, encoding="utf-8")
    text = "\n".join(json.dumps({"command": name, "inputs": inputs}) for name, inputs in lines)
    (directory / "in.jsonl").write_text(text, encoding="utf-8")
    code, out, err = of_app(f"their_shop:{target}", "--backends", "foobara_py,swapped")
    file = Path("out/report.json")
    assert "Traceback" not in err
    return code, out + err, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


@needs_foobara_py
def test_foobara_py_is_measured_alone_and_after_install(tmp_path: Path) -> None:
    code, out, err = call(
        *("--quick", "--rounds", "1", "--rows", "60", "--output", str(tmp_path)),
        *("--backends", "foobara_py,swapped"),
    )
    assert code == 0, out + err
    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    known = made["backends"]["swapped"]
    assert known["active"] == str(foobara_accel.backend()) and known["replaced"] > 10
    assert report.NAMES[known["active"]] in made["notes"][0]
    for budget in budgets.BUDGETS:
        if budget.swapped is not None:
            assert made["cases"][budget.key]["times_foobara_py"]["swapped"] > 0, budget.key
    collected = {key: sum(found["swapped"]["per_100k"]) for key, found in made["gc"].items()}
    assert collected == dict.fromkeys(runner.DEEP, 0)
    assert set(made["import"]) == {"foobara_py", "swapped"}
    assert "functions replaced by the" in out and "times as fast as foobara_py (x)" in out


@needs_foobara_py
def test_a_foobara_py_application_is_compared_before_and_after(application: Path) -> None:
    good, bad = {"a": 1, "b": 2}, {"a": "x", "b": 2}
    code, out, made = their_app(
        application, "registry", ("Add", good), ("Add", bad), ("Later", good), ("Now", good)
    )
    assert code == 0, out
    assert {key: set(case["backends"]) for key, case in made["cases"].items()} == {
        name: {"foobara_py", "swapped"} for name in ("Add", "Later", "Now")
    }
    assert made["notes"][1:] == ["Now, --inputs line 4: not compared, as each run answers differently"]
    assert their_app(application, "functions", ("double", {"n": 2}))[0] == 0


@needs_foobara_py
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Which", "Which, --inputs line 1: foobara_py answers False, foobara_py + install() True"),
        ("Boom", "foobara_py + install(): Boom, --inputs line 1: raised KeyError at their_shop.py"),
    ],
)
def test_outcomes_that_install_changes_are_told_in_red(application: Path, name: str, told: str) -> None:
    code, out, made = their_app(application, "registry", (name, {"a": 4111, "b": 2}))
    assert code == 1
    assert f"DISAGREEMENT: {told}" in out
    assert "card" not in out
    assert f"{report.RED}DISAGREEMENT: {told}" in report.as_text(made, colour=True)
    assert f'class="bad">Disagreement: {told}' in report.as_html(made)
