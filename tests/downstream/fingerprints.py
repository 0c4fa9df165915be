"""Print the fingerprints of what is replaced in a checkout of foobara_py, as `swap/known.py` has them.

    python tests/downstream/fingerprints.py CHECKOUT

Those that are not known yet are marked.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "src"))

from foobara_accel.swap import patches, shapes, target
from foobara_accel.swap.known import KNOWN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    sys.path.insert(0, str(parser.parse_args().checkout))
    target.load()
    found = shapes.Shapes(target.find())
    unknown = 0
    for part in patches.PARTS:
        for key in part.keys:
            try:
                digest = found.fingerprint(key)
            except LookupError as error:
                print(f"    # {key}: {error}")
                unknown += 1
                continue
            new = digest not in KNOWN.get(key, ())
            unknown += new
            print(f'    "{key}": ("{digest}",),{"  # new" * new}')
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
