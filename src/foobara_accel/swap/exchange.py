"""Two codes for one function: how a method is replaced without touching its class.

A class attribute that is set again and again costs CPython 3.13 the version tag of that class and of every
class under it for good, and with it the speed of every look-up. So the functions of foobara_py stay the
objects they are, where they are: while a replacement is switched on, the function holds a code that hands its
arguments to the replacement, a constant of that code; afterwards it holds its own code again.
"""

from __future__ import annotations

import linecache
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Exchange", "cannot", "is_foreign", "original_code"]

_COROUTINE, _GENERATOR, _ASYNC_GENERATOR = 0x80, 0x20, 0x200
_VARARGS, _VARKEYWORDS = 0x04, 0x08
_PLACE = "<the replacement>"

# Own code and code for replacements of every function that was ever exchanged. Kept for good: a code that a
# thread is about to run must not be freed under it where there is no GIL, and switching must cost no memory.
_originals: dict[FunctionType, CodeType] = {}
_codes: dict[tuple[FunctionType, int], tuple[CodeType, Any]] = {}
_ours: dict[int, CodeType] = {}


class Exchange:
    """One function and the code that stands for its replacement."""

    __slots__ = ("_code", "_function", "_original", "key")

    key: str

    def __init__(self, key: str, function: FunctionType, replacement: Any) -> None:
        self.key = key
        self._function = function
        self._original = _originals.setdefault(function, function.__code__)
        made = _codes.get((function, id(replacement)))
        if made is None:
            code = _calling(replacement, function, f"<foobara_accel swap {key}>")
            made = _codes[function, id(replacement)] = code, replacement
            _ours[id(code)] = code
        self._code = made[0]

    def on(self) -> None:
        """Let the function run its replacement."""
        self._function.__code__ = self._code

    def off(self) -> bool:
        """Give the function its own code; False when somebody else has given it another one meanwhile."""
        if self._function.__code__ is self._code:
            self._function.__code__ = self._original
        return self._function.__code__ is self._original


def original_code(function: FunctionType) -> CodeType:
    """Return the code that *function* came with, whatever it runs at the moment."""
    return _originals.get(function, function.__code__)


def is_foreign(function: FunctionType) -> bool:
    """Whether the code that *function* holds is neither its own nor one of ours."""
    code = function.__code__
    return code is not original_code(function) and id(code) not in _ours


def cannot(function: FunctionType) -> str | None:
    """Say why the code of *function* cannot be exchanged; None if it can."""
    code = function.__code__
    if code.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
        return "it is a generator"
    if not all(name.isidentifier() for name in (code.co_name, *code.co_varnames, *code.co_freevars)):
        return "it has names that cannot be written"
    return None


def _calling(replacement: Any, function: FunctionType, filename: str) -> CodeType:
    """Return a code with the signature of *function* that calls *replacement* with its arguments.

    A replacement whose ``packed`` is true takes everything positionally, ``*args`` as a tuple and
    ``**kwargs`` as a dict.
    """
    original = original_code(function)
    names = list(original.co_varnames)
    positional, keyword = original.co_argcount, original.co_kwonlyargcount
    taken, only = names[:positional], names[positional : positional + keyword]
    rest = names[positional + keyword :]
    packed = bool(getattr(replacement, "packed", False))
    parameters = list(taken)
    if original.co_posonlyargcount:
        parameters.insert(original.co_posonlyargcount, "/")
    passed = list(taken)
    if original.co_flags & _VARARGS:
        name = rest.pop(0)
        parameters.append(f"*{name}")
        passed.append(name if packed else f"*{name}")
    elif only:
        parameters.append("*")
    parameters += only
    passed += only if packed else [f"{name}={name}" for name in only]
    if original.co_flags & _VARKEYWORDS:
        name = rest.pop(0)
        parameters.append(f"**{name}")
        passed.append(name if packed else f"**{name}")
    awaits = bool(original.co_flags & _COROUTINE)
    # A branch never taken makes them free variables: the closure of a function has as many as its code.
    free = f"        if 0: {', '.join(original.co_freevars)}\n" if original.co_freevars else ""
    # A bare constant that is called is a SyntaxWarning; the branch is gone when it is compiled.
    text = (
        f"def made({', '.join(original.co_freevars)}):\n"
        f"    {'async ' * awaits}def {original.co_name}({', '.join(parameters)}):\n"
        f"{free}"
        f"        return {'await ' * awaits}({_PLACE!r} if 1 else 0)({', '.join(passed)})\n"
    )
    made = compile(text, filename, "exec", dont_inherit=True)
    code = next(each for each in _inner(_inner(made)[0].co_consts) if each.co_name == original.co_name)
    constants = tuple(replacement if each == _PLACE else each for each in code.co_consts)
    shown = f"{'    ' * 2}return {'await ' * awaits}replacement({', '.join(passed)})\n"
    lines = text.splitlines(keepends=True)[:-1] + [shown]
    linecache.cache[filename] = len(text), None, lines, filename
    return code.replace(co_consts=constants, co_qualname=original.co_qualname)


def _inner(constants: Any) -> list[CodeType]:
    if isinstance(constants, CodeType):
        constants = constants.co_consts
    return [each for each in constants if isinstance(each, CodeType)]
