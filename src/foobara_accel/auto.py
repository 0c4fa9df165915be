"""``import foobara_accel.auto``: switch the drop-in on when foobara_py is first imported.

``FOOBARA_ACCEL_FIXES`` names the repairs, separated by commas; empty means none.
"""

from __future__ import annotations

from .swap import fixes_of_the_environment, install_later

__all__: list[str] = []

install_later(fixes_of_the_environment())
