"""Named places where a test may end the process at once, to see that nothing is lost there.

CASEREEL_FAILPOINT=name ends the process by SIGKILL when it comes to that name; `name:3` at its third coming.
"""

from __future__ import annotations

import os
import signal

come: dict[str, int] = {}  # how often each place was come to, counted while a place is asked for


def at(name: str) -> None:
    """Ends the process here if a test asked for it; otherwise nothing."""
    wanted = os.environ.get("CASEREEL_FAILPOINT")
    if wanted is None:
        return
    come[name] = come.get(name, 0) + 1
    place, _, count = wanted.partition(":")
    if name == place and come[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
