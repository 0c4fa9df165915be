"""Helpers for the tests of applications and of this package."""

from ._twin import load_twin

__all__ = ["load_twin"]
