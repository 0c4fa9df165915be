"""``python -m foobara_accel`` is the command ``foobara-accel``."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
