"""Runs the named benches and prints each measured thing, as a ratio against a rival of the same run.

scripts/bench            every bench
scripts/bench intake     one of them
scripts/bench --json     JSON, one object a measured thing
scripts/bench match --hours 10000     in an archive of so many hours, made for it in the temporary folder
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
sys.path.insert(0, str(HERE))


def main(arguments: list[str]) -> int:
    names = [one for one in arguments if not one.startswith("--") and not one.isdigit()]
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    unknown = [one for one in names if one not in known]
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        for row in importlib.import_module(name).measure():
            if "--json" in arguments:
                print(json.dumps({"bench": name, **row}, ensure_ascii=False), flush=True)
            else:
                print(name, *(f"{key}={value}" for key, value in row.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
