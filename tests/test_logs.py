"""The log record of a failed command: what is in it, what never is, and that it is off by default."""

import asyncio
import logging
import sys
import types
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel


class In(BaseModel):
    a: int = 0


def make(fa: ModuleType, execute: Any, name: str = "Pay", base: str = "Command", **members: Any) -> Any:
    parent = getattr(fa, base)[In, Any]
    body = {"execute": execute, "__module__": __name__, **members}
    return types.new_class(name, (parent,), exec_body=lambda namespace: namespace.update(body))


def refuse(self: Any) -> None:
    self.add_runtime_error("refused", "the card 4111111111111111 was refused", halt=False)


def test_the_record_says_what_failed_for_how_long_and_where(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    cls = make(fa, refuse, _domain="Shop", _organization="Acme", _log_failures=True)
    assert cls.run(a=7).is_failure()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("foobara_accel", logging.WARNING)
    assert record.getMessage() == "Acme::Shop::Pay failed: refused"
    said = {name: value for name, value in vars(record).items() if name.startswith("foobara_")}
    assert 0 < said.pop("foobara_duration") < 60
    assert said == {
        "foobara_command": "Acme::Shop::Pay",
        "foobara_symbol": "refused",
        "foobara_path": "Acme::Shop::Pay",
        "foobara_trace_id": None,
        "foobara_errors": 1,
    }


def test_neither_inputs_nor_messages_nor_paths_are_in_it(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    def execute(self: Any) -> None:
        self.add_input_error(("cards", "4111111111111111"), "unknown", "no card 4111111111111111")

    cls = make(fa, execute, _log_failures=True)
    cls.run(a=1)
    cls.run(a="4111111111111111x")
    assert [record.foobara_symbol for record in caplog.records] == ["unknown", "int_parsing"]
    assert all("4111111111111111" not in str(vars(record)) for record in caplog.records)


def test_each_failed_command_leaves_one_and_names_those_around_it(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    inner = make(fa, refuse, "Inner", _log_failures=True)
    outer = make(fa, lambda self: self.run_subcommand_bang(inner), "Outer", _log_failures=True)
    quiet = make(fa, lambda self: self.run_subcommand_bang(inner), "Quiet")
    outer.run()
    quiet.run()
    assert [record.foobara_path for record in caplog.records] == [
        "Outer > Inner",
        "Outer",
        "Quiet > Inner",
    ]


@pytest.mark.parametrize(
    ("members", "symbol"),
    [
        ({"execute": lambda self: self.halt()}, "halted"),
        ({"execute": lambda self: 1 / 0}, "execution_error"),
        ({"validate": refuse}, "refused"),
        ({"open_transaction": refuse}, "refused"),
        ({"commit_transaction": refuse}, "refused"),
    ],
)
def test_a_failure_of_any_kind_has_a_duration(
    fa: ModuleType, caplog: pytest.LogCaptureFixture, members: dict[str, Any], symbol: str
) -> None:
    cls = make(fa, **{"execute": lambda self: 1, **members}, _log_failures=True)
    assert cls.run().is_failure()
    (record,) = caplog.records
    assert record.foobara_symbol == symbol and record.foobara_duration > 0


def test_every_way_to_run_leaves_the_same_record(fa: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    cls = make(fa, refuse, _log_failures=True)
    asynchronous = make(fa, refuse, base="AsyncCommand", _log_failures=True, _is_async=True)

    async def refuse_later(self: Any) -> None:
        refuse(self)

    asynchronous.execute = refuse_later
    cls.run(a=1)
    cls.run_with(In(a=1))
    cls.run_json(b'{"a": 1}')
    cls.run_json(b"{")
    cls(a=1).run_instance()
    with pytest.raises(ValueError):
        cls.run_or_raise(a=1)
    asyncio.run(cls.run_async(a=1))
    asyncio.run(asynchronous.run(a=1))
    assert [record.foobara_symbol for record in caplog.records] == ["refused"] * 3 + ["json_invalid"] + [
        "refused"
    ] * 4
    assert all(record.foobara_duration > 0 for record in caplog.records)


def test_a_switch_thrown_later_is_seen_at_the_next_run(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    cls = make(fa, refuse)
    cls.run()
    assert caplog.records == []
    cls._log_failures = True
    cls.run()
    (record,) = caplog.records
    assert record.foobara_duration > 0
    cls._log_failures = False
    cls.run()
    assert len(caplog.records) == 1


def test_callbacks_of_the_class_and_of_the_instance_are_called_as_before(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    cls = make(fa, refuse, _log_failures=True)
    cls.before_open_transaction(lambda command: seen.append("class"))
    command = cls(a=1)
    command.before_open_transaction(lambda command: seen.append("instance"))
    command.after_execute_transition(lambda command: seen.append("after"))
    command.run_instance()
    assert seen == ["class", "instance", "after"]
    assert len(caplog.records) == 1 and caplog.records[0].foobara_duration > 0


def test_a_command_that_does_not_log_measures_nothing(fa: ModuleType) -> None:
    command = make(fa, refuse)(a=1)
    command.run_instance()
    assert vars(command) == {}
    logging_command = make(fa, refuse, _log_failures=True)(a=1)
    logging_command.run_instance()
    assert vars(logging_command) == {}


def test_an_instance_may_log_for_itself_without_a_duration(
    fa: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    command = make(fa, refuse)(a=1)
    command._log_failures = True
    command.run_instance()
    (record,) = caplog.records
    assert record.foobara_duration is None


def test_the_trace_id_is_that_of_the_span_else_of_the_context(
    fa: ModuleType, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = make(fa, refuse, _log_failures=True)
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    token = fa.trace_id.set("request-1")
    try:
        cls.run()
        span = SimpleNamespace(is_valid=True, trace_id=0xABC)
        api = ModuleType("opentelemetry.trace")
        api.get_current_span = lambda: SimpleNamespace(get_span_context=lambda: span)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", api)
        cls.run()
        span.is_valid = False
        cls.run()
    finally:
        fa.trace_id.reset(token)
    assert [record.foobara_trace_id for record in caplog.records] == [
        "request-1",
        f"{0xABC:032x}",
        "request-1",
    ]
    assert fa.current_trace_id() is None
