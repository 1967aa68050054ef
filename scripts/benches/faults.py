"""What faults cost: how often each was tried, and how many acknowledged files or rows were lost or doubled.

Runs the fault tests and prints what they counted; `--full` with the full counts, which takes most of an hour.
`held` says whether the test passed: then nothing was lost and nothing doubled, for that is what it asks.
Mounting needs Linux and root; a test that cannot run is left out, and said on standard error.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = ("tests/faults", "tests/flows/test_kill.py", "tests/flows/test_zombie.py")


def measure() -> Iterator[dict[str, Any]]:
    """A row a test that counted: `fault`, `tries`, `lost`, `doubled`, `held`, `seconds`."""
    environ = {**os.environ, "CASEREEL_TEST_COUNTS": "full" if "--full" in sys.argv else ""}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        for test in TESTS:
            subprocess.run(
                [sys.executable, "-m", "pytest", "-q", test, f"--junitxml={report}"], env=environ, stdout=sys.stderr,
                check=False,
            )  # fmt: skip
            for case in ET.parse(report).getroot().iter("testcase"):
                yield from _row(case)


def _row(case: ET.Element) -> Iterator[dict[str, Any]]:
    counted = {str(one.get("name")): one.get("value") for one in case.iter("property")}
    failed = case.find("failure") is not None or case.find("error") is not None
    if not counted and not failed:
        return
    row: dict[str, Any] = {"fault": counted.pop("fault", case.get("name")), "held": not failed}
    row |= {name: int(value) for name, value in counted.items() if value and value.isdigit()}
    for name in ("lost", "doubled"):
        row.setdefault(name, None if failed else 0)
    yield {**row, "seconds": round(float(case.get("time", 0)), 1)}
