"""Measuring a user's own commands: `--app module:registry --inputs file.jsonl`.

Each line names a command and gives its inputs: `{"command": "Org::Domain::Name", "inputs": {...}}`. The class
name alone will do where one command has it. A function made a command is measured by its command class.
Commands of foobara_py are measured before and after `install()`, each in a process of its own. The floor is
Pydantic's validation of the same inputs (V), the refusal of bad ones included.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .._targets import not_a_path
from .cases import Case, Loop, _answer, _driven, shown

__all__ = ["CommandRaised", "OtherPackage", "UsageError", "build", "check_target", "read_inputs"]


class UsageError(ValueError):
    """Something on the command line, or in a file it names, cannot be used; the text names the flag."""


class OtherPackage(TypeError):
    """A command is another package's: its figures would stand under the wrong name."""


class CommandRaised(RuntimeError):
    """A command raised instead of returning an outcome; the text names it and the line of its inputs."""


def _raised(name: str, entry: dict[str, Any], error: Exception) -> CommandRaised:
    # Neither the exception's text nor the inputs: one may repeat the other.
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    return CommandRaised(f"{name}, --inputs line {entry['line']}: raised {type(error).__name__} at {place}")


def check_target(target: str) -> None:
    """Raise UsageError unless *target* has the form module:name."""
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise UsageError(f"--app {target!r}: expected module:registry, for example shop.commands:registry")
    if told := not_a_path(module):
        raise UsageError(f"--app {target!r}: {told}")


def read_inputs(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSONL file of commands and inputs.

    Raises UsageError naming the flag, the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--inputs {path}: {error}") from error
    lines: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"--inputs {path}, line {number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{place}: not JSON: {error}") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("command"), str):
            raise UsageError(f'{place}: expected {{"command": "Name", "inputs": {{...}}}}')
        if not isinstance(entry.get("inputs", {}), dict):
            raise UsageError(f"{place}: inputs must be an object")
        lines.append({"line": number, "command": entry["command"], "inputs": entry.get("inputs", {})})
    if not lines:
        raise UsageError(f"--inputs {path}: no command in the file")
    return lines


def _registry(target: str) -> Any:
    module, _, name = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    value: Any = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value() if inspect.isfunction(value) else value


def _is_command(value: Any) -> bool:
    return hasattr(value, "run") and (hasattr(value, "inputs_type") or _is_function_of_foobara_py(value))


def _is_function_of_foobara_py(value: Any) -> bool:
    """Whether *value* is what foobara_py's decorators make of a function: an instance without a full name."""
    return not isinstance(value, type) and hasattr(value, "_inputs_model") and hasattr(value, "func")


def _full_name(command: Any) -> str:
    return str(command.name if _is_function_of_foobara_py(command) else command.full_name())


def _name(command: Any) -> str:
    return str(command.name if _is_function_of_foobara_py(command) else command.__name__)


def _validator(command: Any) -> Any:
    """Return the validator of the command's inputs, or None where it declares no model."""
    try:
        model = command._inputs_model if _is_function_of_foobara_py(command) else command.inputs_type()
    except TypeError:
        return None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    return model.__pydantic_validator__


def _class_of(value: Any) -> Any:
    """Return the command class behind *value*, which may be a function that was made a command."""
    made = getattr(value, "command_class", None)
    return made if _is_command(made) else value


def _commands(registry: Any) -> list[Any]:
    """Return the command classes of a registry, mapping or iterable, or the one that *registry* is."""
    held: Iterable[Any]
    if _is_command(_class_of(registry)):
        held = [registry]
    elif isinstance(registry, dict):
        held = registry.values()
    elif hasattr(registry, "list_commands"):
        held = registry.list_commands()
    elif isinstance(registry, Iterable):
        held = registry
    else:
        raise UsageError(f"--app: {type(registry).__name__} is no registry, mapping, list or command")
    found: dict[int, Any] = {}
    for value in held:
        command = _class_of(value)
        named = hasattr(command, "full_name") or _is_function_of_foobara_py(command)
        if not (named and hasattr(command, "run")):
            raise UsageError(f"--app: it holds {type(command).__name__}, which is no command")
        found[id(command)] = command
    return list(found.values())


def _find(commands: list[Any], name: str) -> Any:
    """Return the command whose full name is *name*, or else the only one whose class has that name."""
    named = [command for command in commands if _full_name(command) == name]
    matching = named or [command for command in commands if _name(command) == name]
    if len(matching) == 1:
        return matching[0]
    if named:
        raise UsageError(f"--app: {len(named)} commands have the full name {name!r}")
    if matching:
        meant = ", ".join(sorted(map(_full_name, matching)))
        raise UsageError(f"--inputs: {name!r} may be any of {meant}; give the full name")
    listed = ", ".join(sorted(map(_full_name, commands))) or "none"
    raise UsageError(f"--inputs: no command {name!r} in the registry; it has {listed}")


def build(target: str, lines: list[dict[str, Any]], package: str) -> dict[str, Case]:
    """Return one case per command in *lines*; a command with several lines runs them in turn.

    Raises OtherPackage for a command that is not of *package*.
    """
    commands = _commands(_registry(target))
    grouped: dict[str, tuple[Any, list[dict[str, Any]]]] = {}
    for line in lines:
        command = _find(commands, line["command"])
        bases = command.__mro__ if isinstance(command, type) else type(command).__mro__
        if not any(base.__module__.partition(".")[0] == package for base in bases):
            raise OtherPackage(f"{_full_name(command)} is not a command of {package}")
        grouped.setdefault(_full_name(command), (command, []))[1].append(line)
    return {name: _case(name, command, inputs) for name, (command, inputs) in grouped.items()}


def _case(name: str, command: Any, lines: list[dict[str, Any]]) -> Case:
    inputs = [line["inputs"] for line in lines]
    validator = _validator(command)
    size = len(inputs)
    floors: dict[str, Loop] = {}

    if validator is not None:
        validate = validator.validate_python

        def floor(times: Iterable[object]) -> None:
            for place, _ in enumerate(times):
                try:
                    validate(inputs[place % size])
                except ValidationError:
                    continue

        floors["V"] = floor

    loop: Loop
    if inspect.iscoroutinefunction(command.run):

        async def awaiting(times: Iterable[object]) -> None:
            for place, _ in enumerate(times):
                await command.run(**inputs[place % size])

        loop = _driven(awaiting)

        def once() -> Any:
            answers: list[Any] = []

            async def body(times: Iterable[object]) -> None:
                for line in lines:
                    try:
                        answers.append(_told(await command.run(**line["inputs"])))
                    except Exception as error:
                        raise _raised(name, line, error) from None

            _driven(body)(())
            return answers

    else:

        def running(times: Iterable[object]) -> None:
            for place, _ in enumerate(times):
                command.run(**inputs[place % size])

        loop = running

        def once() -> Any:
            answers: list[Any] = []
            for line in lines:
                try:
                    answers.append(_told(command.run(**line["inputs"])))
                except Exception as error:
                    raise _raised(name, line, error) from None
            return answers

    places = tuple(line["line"] for line in lines)
    return Case(name, name, loop, once, tuple(floors) or ("I",), floors, places)


def _told(outcome: Any) -> Any:
    """Return the answer of *outcome*, and a digest of all else that its errors say: that is the user's."""
    answer = _answer(outcome)
    if outcome.is_success():
        return answer
    whole = [error.to_dict() for error in outcome.errors]
    digest = hashlib.sha256(shown(whole).encode(errors="backslashreplace")).hexdigest()
    return {"errors": answer, "messages and context": digest[:12]}
