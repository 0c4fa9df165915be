"""What each method of foobara_py costs by itself, with the drop-in, and at least where it would be replaced.

    FOOBARA_PY_PATH=... python benchmarks/replaced_methods.py [--rounds 41] [--only ErrorCollection]

One process, on and off in turn, thread CPU time, medians. "At best" is against the method with its code
exchanged for one that calls a compiled function which does nothing: where that is below 1.5, no replacement
can be 1.5 times as fast. The figures of docs/drop-in.md are from it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

sys.path.insert(0, os.environ.get("FOOBARA_PY_PATH", ""))

import foobara_accel
from foobara_accel.swap.exchange import Exchange
from foobara_accel.swap.target import find, load, underlying

Work = Callable[[], Any]
# What these return has to be of a type.
TYPED = {"__init__", "__len__", "__iter__", "__bool__", "__eq__"}


def works(target: Any) -> dict[str, Work]:
    """Return by "Class.method" a call of it on what an application would have: ten errors, five callbacks."""
    error_class, collection_class = target.FoobaraError, target.ErrorCollection
    states = tuple(target.CommandState)
    base = target.Command

    def made(number: int) -> Any:
        return error_class(
            category=("data", "runtime")[number % 2],
            symbol=("too_short", "missing", "taken")[number % 3],
            path=("orders", str(number // 2)),
            message="not good",
            context={"input": number},
        )

    errors = [made(number) for number in range(10)]
    full = collection_class()
    full.add_all(*errors)
    one, keyed = errors[3], errors[4].key()
    deep = one.with_cause(errors[5].with_cause(errors[6]))
    under = one.with_runtime_path_prefix("top", "below")
    boom = ValueError("boom")

    class Add(base):  # type: ignore[misc, valid-type]
        def execute(self) -> int:
            return 3

    command = Add()
    context = target.TransactionContext()
    outcome = target.CommandOutcome.from_result(1)
    failure = target.CommandOutcome.from_errors(one, deep)
    registry = target.EnhancedCallbackRegistry()
    for kind in ("before", "after", "before", "around", "after"):
        registry.register(kind, print, transition="execute")
    commands = target.CommandRegistry()
    domain_commands = target.DomainRegistry("d")
    commands.register(Add)
    domain_commands.register(Add)
    commands.find_command("Add")
    machine = target.CommandStateMachine()

    def fresh(then: Callable[[Any], Any]) -> Work:
        def work() -> Any:
            machine._state = states[0]
            machine._transition_history.clear()
            return then(machine)

        return work

    def rebuilt(then: Callable[[Any], Any]) -> Work:
        def work() -> Any:
            full._errors_by_key = None
            return then(full)

        return work

    def left(work_of: Callable[[], Any]) -> Work:
        def work() -> Any:
            work_of()
            command._errors._errors_by_id.clear()

        return work

    def key_anew() -> Any:
        one._cached_key = None
        return one.key()

    def inside() -> Any:
        with context:
            pass

    queries: dict[str, Work] = {
        "add": lambda: full.add(one),
        "add_all": lambda: full.add_all(*errors),
        "merge": lambda: full.merge(errors),
        "has_errors": full.has_errors,
        "has_fatal": full.has_fatal,
        "is_empty": full.is_empty,
        "count": full.count,
        "__len__": lambda: len(full),
        "__iter__": lambda: iter(full),
        "__bool__": lambda: bool(full),
        "__contains__": lambda: keyed in full,
        "get": lambda: full.get(keyed),
        "first": full.first,
        "all": full.all,
        "keys": full.keys,
        "_rebuild_key_index": full._rebuild_key_index,
        "at_path": lambda: full.at_path("orders", "2"),
        "with_symbol": lambda: full.with_symbol("missing"),
        "by_category": lambda: full.by_category("data"),
        "in_runtime_path": lambda: full.in_runtime_path("top"),
        "fatal_errors": full.fatal_errors,
        "data_errors": full.data_errors,
        "group_by_path": full.group_by_path,
        "group_by_category": full.group_by_category,
        "messages": full.messages,
        "to_sentence": full.to_sentence,
        "to_dict": full.to_dict,
        "to_list": full.to_list,
        "to_human_readable": full.to_human_readable,
        "summary": full.summary,
        "copy": full.copy,
    }
    return {
        **{f"ErrorCollection.{name}": work for name, work in queries.items()},
        "FoobaraError.__init__": lambda: error_class(category="data", symbol="s", path=("a",), message="m"),
        "FoobaraError.__eq__": lambda: one == errors[1],
        "FoobaraError.key": key_anew,
        "FoobaraError.to_dict": one.to_dict,
        "FoobaraError.with_runtime_path_prefix": lambda: one.with_runtime_path_prefix("top"),
        "FoobaraError.with_path_prefix": lambda: one.with_path_prefix("top"),
        "FoobaraError.with_cause": lambda: one.with_cause(under),
        "FoobaraError.with_suggestion": lambda: one.with_suggestion("do"),
        "FoobaraError.with_help_url": lambda: one.with_help_url("url"),
        "FoobaraError.get_error_chain": deep.get_error_chain,
        "FoobaraError.get_root_cause": deep.get_root_cause,
        "FoobaraError.data_error": lambda: error_class.data_error("s", ["a"], "m", seen=1),
        "FoobaraError.validation_error": lambda: error_class.validation_error("s", ["a"], "m", seen=1),
        "FoobaraError.runtime_error": lambda: error_class.runtime_error("s", "m", seen=1),
        "FoobaraError.domain_error": lambda: error_class.domain_error("s", "m", seen=1),
        "FoobaraError.system_error": lambda: error_class.system_error("s", "m", seen=1),
        "FoobaraError.auth_error": lambda: error_class.auth_error("s", "m", seen=1),
        "FoobaraError.external_error": lambda: error_class.external_error("s", "m", service="x"),
        "FoobaraError.from_exception": lambda: error_class.from_exception(boom),
        "ErrorsConcern.add_error": left(lambda: command.add_error(one)),
        "ErrorsConcern.add_input_error": left(lambda: command.add_input_error(["a"], "s", "m")),
        "ErrorsConcern.add_runtime_error": left(lambda: command.add_runtime_error("s", "m", halt=False)),
        "CommandStateMachine.transition_to": fresh(lambda machine: machine.transition_to(states[1])),
        "CommandStateMachine.fail": fresh(lambda machine: machine.fail()),
        "CommandStateMachine.error": fresh(lambda machine: machine.error()),
        "CommandStateMachine.succeed": fresh(lambda machine: machine.succeed()),
        "CommandStateMachine.state": lambda: machine.state,
        "TransactionContext.__enter__": inside,
        "TransactionContext.is_active": lambda: context.is_active,
        "EnhancedCallbackRegistry.get_callbacks": lambda: registry.get_callbacks(
            "before", states[5], states[6], "execute"
        ),
        "EnhancedCallbackRegistry.has_callbacks": registry.has_callbacks,
        "CommandOutcome.from_result": lambda: target.CommandOutcome.from_result(1),
        "CommandOutcome.from_errors": lambda: target.CommandOutcome.from_errors(one),
        "CommandOutcome.is_success": outcome.is_success,
        "CommandOutcome.unwrap": outcome.unwrap,
        "CommandOutcome.unwrap_or": lambda: outcome.unwrap_or(2),
        "CommandOutcome.to_dict": failure.to_dict,
        "CommandRegistry.get": lambda: commands.get("Add"),
        "CommandRegistry.find_command": lambda: commands.find_command("Add"),
        "CommandRegistry.list_commands": commands.list_commands,
        "DomainRegistry.get_command": lambda: domain_commands.get_command("Add"),
    }


def timed(work: Work, times: int) -> float:
    """Return the nanoseconds of thread CPU time that one call takes."""
    again: Iterable[None] = repeat(None, times)
    start = time.thread_time_ns()
    for _ in again:
        work()
    return (time.thread_time_ns() - start) / times


def main() -> int:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--only", default="", help="names that hold this")
    options = parser.parse_args()
    load()
    target = find()
    report = foobara_accel.install()
    made = {key: work for key, work in works(target).items() if options.only in key}
    taken: dict[tuple[str, str], list[float]] = {}

    def measure(kind: str) -> None:
        for key, work in made.items():
            taken.setdefault((key, kind), []).append(timed(work, 500))

    floors = {
        key: Exchange(key, function, "".format)
        for key in made
        if key.partition(".")[2] not in TYPED and (function := underlying(target.attribute(key))) is not None
    }
    for _ in range(options.rounds):
        foobara_accel.install()
        measure("replaced")
        foobara_accel.uninstall()
        measure("stock")
        for key, each in floors.items():
            each.on()
            taken.setdefault((key, "floor"), []).append(timed(made[key], 500))
            each.off()
    print("| method | foobara_py, ns | with the drop-in | times as fast | at best |")
    print("|---|---|---|---|---|")
    for key in made:
        stock, now = (statistics.median(taken[key, kind]) for kind in ("stock", "replaced"))
        best = f"{stock / statistics.median(taken[key, 'floor']):.1f}" if key in floors else "-"
        told = f"{now:.0f} | {stock / now:.1f}" if key in report.replaced else "its own | -"
        print(f"| `{key}` | {stock:.0f} | {told} | {best} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
