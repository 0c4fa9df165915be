"""Callbacks under the module path that foobara_py gives them."""

from __future__ import annotations

from .callbacks import (
    CallbackCondition,
    EnhancedCallbackExecutor,
    EnhancedCallbackRegistry,
    RegisteredCallback,
)

__all__ = [
    "CallbackCondition",
    "EnhancedCallbackExecutor",
    "EnhancedCallbackRegistry",
    "RegisteredCallback",
]
