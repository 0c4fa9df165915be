"""Writes the runs of a command class: one source text for each shape, compiled once.

A shape says which phases have something to do. All classes of one shape share the text; each has
a copy of the code, bound to it by ``make``: the interpreter adapts code to the one class that it
meets (bench case "ten nested"). The text holds four functions with the same phases in them:

- ``run(cls, **inputs)``: what ``SomeCommand.run`` is; returns the outcome.
- ``run_in(parent, inputs)``: the body of a subcommand; returns the result and makes no outcome.
- ``run_json(cls, data)``: what ``SomeCommand.run_json`` is.
- ``run_on(model)``: the inputs are valid already.

Whatever a shape does not know it hands over at the end of a phase: ``_resume``, ``_stopped`` and
``_executed`` of executor.py finish the run as ``_phases`` would have.
"""

from __future__ import annotations

import linecache
from textwrap import dedent, indent
from types import CodeType, FunctionType
from typing import Any, NamedTuple

__all__ = ["Shape", "copied", "factory"]

EXECUTE, COMMIT, AFTER = 5, 6, 8
# Texts stay for good and take half a millisecond to compile: callbacks that come and go must not write
# new ones without end.
MOST_SHAPES = 256
MOST_CALLBACKS = 8
HOOKS = ("", "", "load_records", "validate_records", "validate")


class Shape(NamedTuple):
    """What decides the text of a run."""

    mask: int  # hooks that the class overrides
    chains: tuple[tuple[int, int, int] | None, ...]  # callbacks of each transition: before, after, error
    own: int  # class attributes whose values are compared
    registry: bool  # the library base has callbacks
    direct: bool  # the model's own validator takes the inputs as they are
    ended: bool  # callbacks run where it fails or errs

    @property
    def execute_only(self) -> bool:
        return self.mask & ~(1 << EXECUTE) == 0 and not any(self.chains) and not self.ended


# New objects come from endless iterators: the first item of one costs less than a call (bench case "simple
# run").
MAKE = """\
def make(owner, plan, builder, own, chains, commands, outcomes):
    at, library, size = plan.epoch, plan.library, plan.size
    last, get = plan.last, plan.members.get
    validator = builder.validator
    fields = _namespace(builder.model)
    validate = validator.validate_python
    validate_json = validator.validate_json
{bindings}
    def run(cls, /, *given, **inputs):
        \"""Run on *inputs* and return the outcome.\"""
        if (
            cls is not owner
            or given
            or at != _epoch
            or next(last) != "_accel_plan"
            or len(library) != size{own}
        ):
            return _stale_run(owner, cls, "run")(*given, **inputs)
        for command in commands:
            break
        command._accel_raw = inputs
        command._errors = command._result = command._parent = {none}
{run}
{succeed}

    def run_in(parent, inputs, again=_subcommand):
        if at != _epoch or next(last) != "_accel_plan" or len(library) != size{own}:
            return again(parent, owner, inputs)
        for command in commands:
            break
        command._accel_raw = inputs
        command._parent = parent
        command._errors = command._result = {none}
{run_in}
        return {result}

    def run_json(cls, data):
        \"""Run on the JSON object in *data*; JSON that cannot be read is a failed outcome.\"""
        if (
            cls is not owner
            or at != _epoch
            or next(last) != "_accel_plan"
            or len(library) != size
            or fields["__pydantic_validator__"] is not validator{own}
        ):
            return _stale_run(owner, cls, "run_json")(data)
        for command in commands:
            break
        try:
            command._inputs = validate_json(data)
        except ValidationError as error:
            unread = error
        else:
            command._accel_raw = command._errors = command._result = command._parent = {none_given}
{run_on_json}
        return _unread(cls, plan, unread)

    def run_on(model):
        for command in commands:
            break
        command._inputs = model
        command._accel_raw = command._errors = command._result = command._parent = {none_given}
{run_on}
{succeed}

    return {written}, run_in, run_on
"""
NONE = "command._own_callbacks = command._transaction = command._accel_closed = None"
FAILURE = """\
for outcome in outcomes:
    break
outcome._result = outcome._errors = outcome._metadata = None
outcome._collection = errors
return outcome"""
RETURN_FAILURE = """\
_adopt(parent, owner, errors)
return None"""
SUCCESS = """\
        for outcome in outcomes:
            break
        outcome._result = {result}
        outcome._collection = outcome._errors = outcome._metadata = None
        return outcome"""

# The state is set by hand: nobody can look at it while pydantic-core works.
VALIDATE = """\
try:
    {validate}
except BaseException as error:
    command._inputs = None
    command._accel_state = 2
    return {invalid}
"""
DIRECT = """\
if fields["__pydantic_validator__"] is validator:
        command._inputs = validate(inputs)
    else:
        command._inputs = builder.build_dict(inputs)"""

ONLY_EXECUTE = """\
command._accel_state = 6
try:
    result = command._result = command.execute()
except BaseException as error:
    errors = command._errors
    if (
        type(error) is Halt
        and errors is not None
        and errors._items
        and command._own_callbacks is None
        and command._transaction is None
        and type(command) is owner
        and not command.__dict__
        and not plan.logs
    ):
        if not (at != _epoch or next(last) != "_accel_plan" or len(library) != size{own}):
            # All that _executed would do here: there is nothing to roll back and nobody to tell.
            command._accel_closed = True
            command._accel_left = 6
            command._accel_state = 9
{halted}
    return {raised}
errors = command._errors
if (
    errors is not None
    or at != _epoch
    or command._own_callbacks is not None
    or type(command) is not owner
    or command.__dict__
):
    attributes = command.__dict__
    if (
        at != _epoch
        or command._own_callbacks is not None
        or type(command) is not owner
        or (attributes and _reshaped(command, plan))
    ):
        return {executed}
    if errors is not None and (errors._pending is not None or errors._items):
        if command._accel_state != 6 or command._transaction is not None or attributes:
            return {failed}
        # All that _fail would do here.
        command._accel_closed = True
        command._accel_left = 6
        command._accel_state = 9
{failure}
command._accel_state = 8
"""

PHASE = """\
command._accel_state = {state}
try:
{body}
except BaseException as error:
    return {stopped}
if (
    (command._errors is not None and command._errors)
    or at != _epoch
    or command._own_callbacks is not None
    or type(command) is not owner
    or (command.__dict__ and _reshaped(command, plan))
):
    return {resume}
"""
WITH_ERROR_CALLBACKS = """\
try:
{body}
except Exception as error:
{callbacks}
    raise
"""
# after_execute is looked up on the instance: a callback or execute may have put it there.
EXECUTE_ACTION = """\
result = command.execute()
if command._errors is None or not command._errors:
    result = command.after_execute(result)
command._result = result
"""
SUCCEED = """\
command._accel_state = 7
try:
{body}
except BaseException as error:
    return {stopped}
"""

_factories: dict[Shape, Any] = {}


def factory(shape: Shape, namespace: dict[str, Any]) -> Any:
    """Return the function ``make`` of *shape*, which takes the rest from *namespace*, the executor's.

    None for a shape with many callbacks and once there are many shapes: the general loop runs those.
    """
    make = _factories.get(shape)
    if make is None:
        if len(_factories) >= MOST_SHAPES or any(
            chain and max(chain) > MOST_CALLBACKS for chain in shape.chains
        ):
            return None
        text = source(shape)
        name = f"<foobara_accel run {len(_factories)}>"
        made: dict[str, Any] = {}
        exec(compile(text, name, "exec"), namespace, made)
        make = _factories[shape] = made["make"]
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name
    return FunctionType(copied(make.__code__), namespace)


def copied(code: CodeType) -> CodeType:
    """Return *code* as the compiler made it, with nothing that the interpreter has learnt from running it."""
    inner = tuple(copied(each) if type(each) is CodeType else each for each in code.co_consts)
    return code.replace(co_consts=inner)


def source(shape: Shape) -> str:
    """Return the text of a shape's runs."""
    bindings = "".join(f"    (name{i}, value{i}) = own[{i}]\n" for i in range(shape.own))
    own = "".join(f" or get(name{i}) is not value{i}" for i in range(shape.own))
    if shape.registry:
        own += ' or library.get("_callback_registry") is not plan.registry'
    for at, chain in enumerate(shape.chains):
        if chain is not None:
            lists = ", ".join(
                "(" + "".join(f"{kind}{at}_{i}, " for i in range(count)) + ")"
                for kind, count in zip(("before", "after", "failed"), chain, strict=True)
                if count
            )
            kept = ", ".join(f"chains[{at}][{index}]" for index, n in zip((0, 2, 3), chain, strict=True) if n)
            bindings += f"    ({lists},) = ({kept},)\n"
    outcome, returned = "_outcome(command, {})", "_returned(owner, command, {})"
    result = "result" if shape.execute_only else "command._result"
    given = _body(shape, outcome, given=True, own=own)
    return MAKE.format(
        bindings=bindings,
        own=own,
        # A callback before the inputs are validated may ask for them.
        none="command._inputs = " + NONE if shape.chains[0] or shape.chains[1] else NONE,
        none_given=NONE,
        result=result,
        succeed=SUCCESS.format(result=result),
        run=indent(_body(shape, outcome, given=False, own=own), " " * 8).rstrip(),
        run_in=indent(_body(shape, returned, given=False, own=own), " " * 8).rstrip(),
        run_on=indent(given, " " * 8).rstrip(),
        run_on_json=indent(given + dedent(SUCCESS.format(result=result)), " " * 12),
        written='{"run": run, "run_json": run_json}' if shape.direct else '{"run": run}',
    )


def _body(shape: Shape, end: str, given: bool, own: str) -> str:
    parts = [] if shape.chains[0] is None else [_phase(shape, end, 0)]
    if shape.chains[1] is not None:
        parts.append(_phase(shape, end, 1))
    elif not given:
        # Nothing of the user's has run when the first phase has no callbacks.
        validate = DIRECT if shape.direct else "command._inputs = builder.build_dict(inputs)"
        parts.append(VALIDATE.format(validate=validate, invalid=end.format("_invalid(command, plan, error)")))
    if shape.execute_only:
        failure = FAILURE if "_outcome" in end else RETURN_FAILURE
        return "".join(parts) + ONLY_EXECUTE.format(
            raised=end.format("_executed(command, error)"),
            halted=indent(failure, " " * 12),
            failure=indent(failure, " " * 8),
            own=own,
            executed=end.format("_executed(command, None)"),
            failed=end.format("_fail(command, plan, _NO_CHAINS)"),
        )
    for phase in range(2, 7):
        # What comes before success is called where the run commits.
        ends = phase == COMMIT and shape.chains[7] is not None
        if phase == EXECUTE or ends or shape.chains[phase] is not None or shape.mask >> phase & 1:
            parts.append(_phase(shape, end, phase))
    if shape.chains[7] is None:
        return "".join(parts) + "command._accel_state = 8\n"
    return "".join(parts) + _phase(shape, end, 7)


def _phase(shape: Shape, end: str, phase: int) -> str:
    before, after, failed = shape.chains[phase] or (0, 0, 0)
    body = "" if phase == 7 else "".join(f"before{phase}_{i}(command)\n" for i in range(before))
    if phase == EXECUTE:
        body += EXECUTE_ACTION
    elif phase == 7:
        body += "command._accel_state = 8\n"
    elif HOOKS[phase : phase + 1] and HOOKS[phase]:
        # Also where only a callback runs: it may hang the hook on the instance.
        body += f"command.{HOOKS[phase]}()\n"
    else:
        body += f"_act(command, plan, {phase})\n"
    body += "".join(f"after{phase}_{i}(command)\n" for i in range(after))
    if failed:
        callbacks = "".join(f"failed{phase}_{i}(command, error)\n" for i in range(failed))
        body = WITH_ERROR_CALLBACKS.format(
            body=indent(body, "    ").rstrip(), callbacks=indent(callbacks, "    ").rstrip()
        )
    return (SUCCEED if phase == 7 else PHASE).format(
        state=phase + 1,
        body=indent(body, "    ").rstrip(),
        stopped=end.format(f"_stopped(command, plan, error, {phase})"),
        resume=end.format(f"_resume(command, plan, {phase + 1})"),
    )
