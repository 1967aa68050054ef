"""How often one may ask: a bucket of tokens for each who asks, so that a script stops where a person never comes to.

In this process alone, for one process serves the pages; nothing is kept over a restart. Source: the token bucket of
RFC 2697, with one rate; RFC 6585 for 429 and RFC 9110 for Retry-After.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

# So many who ask are known at a time, of each kind; who has not asked for longest is forgotten.
KNOWN: Final = 10_000
FREE: Final = ""
# What is counted, by method and path; the first that fits. What a page loads by itself (pictures, media, files) is not.
KINDS: Final[tuple[tuple[str, str, re.Pattern[str]], ...]] = (
    ("sign_in", "POST", re.compile(r"/sign-in|/password")),
    ("sign_in", "GET", re.compile(r"/sign-in/oidc(/back)?")),
    ("export", "POST", re.compile(r"/exports(/.*)?")),
    ("export", "GET", re.compile(r"/exports/.+")),
    ("upload", "POST", re.compile(r"/api/uploads")),
    # The pieces of a file that was begun.
    (FREE, "*", re.compile(r"/api/uploads/.+")),
    ("ask", "*", re.compile(r"/api/.*|/search|/cases|/match|/log(/.*)?|/statistics(/.*)?")),
)


def kind_of(method: str, path: str) -> str:
    """Under which rate this request falls; FREE where it is not counted."""
    for kind, of, pattern in KINDS:
        if of in (method, "*") and pattern.fullmatch(path):
            return kind
    return FREE


class Buckets:
    """Tokens of everybody who asks for one kind of thing. per_min: so many come back in a minute, and as many are held;
    0: nobody is limited. ticks_s: a clock that only counts.
    """

    def __init__(self, per_min: float, ticks_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._most, self._ticks_s = per_min / 60.0, max(per_min, 1.0), ticks_s
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, who: str) -> int:
        """0 where they may go on, and one token is gone; else in how many whole seconds they may ask again."""
        if self._per_s <= 0:
            return 0
        now = self._ticks_s()
        with self._lock:
            tokens, at = self._held.pop(who, (self._most, now))
            tokens = min(self._most, tokens + (now - at) * self._per_s)
            is_free = tokens >= 1.0
            self._held[who] = (tokens - 1.0 if is_free else tokens, now)
            while len(self._held) > KNOWN:
                self._held.popitem(last=False)
        return 0 if is_free else max(1, math.ceil((1.0 - tokens) / self._per_s))
