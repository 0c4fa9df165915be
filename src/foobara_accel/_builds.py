"""One lock for what has Pydantic build a class.

Two threads that rebuild one model take attributes from each other: one deletes what the other is about to, or
makes an instance of a class that is half built. A leaf: it imports nothing of this package.
"""

from __future__ import annotations

from _thread import RLock

__all__ = ["build_lock"]

# Reentrant: to build one class may build others, and a validator may run a command.
build_lock = RLock()
