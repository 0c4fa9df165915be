"""Modules named on the command line: what to write where somebody gave the path of one."""

from __future__ import annotations

import os

__all__ = ["not_a_path"]


def not_a_path(name: str) -> str:
    """Return what to tell somebody who gave *name*, a path, for a module; empty when it is none."""
    separators = [os.sep, *filter(None, [os.altsep])]
    if not any(each in name for each in separators) and not (name.endswith(".py") and os.path.isfile(name)):
        return ""
    parts = os.path.normpath(name).removesuffix(".py").split(os.sep)
    inside = all(part.isidentifier() for part in parts)
    return f"give a module name such as {'.'.join(parts) if inside else parts[-1]}, not a path"
