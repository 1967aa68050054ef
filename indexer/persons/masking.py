"""Numbers of persons in names and texts, hidden in lists: who needs them opens the one original.

Hidden are identity-card numbers (18 digits, or 17 and an X, with a date of birth in them; 15 of the former kind) and
mobile numbers, each standing alone among other digits. Their length stays, so that places in the text stay true.
Sources: GB 11643 (公民身份号码), the mobile ranges in use (13 to 19). Not covered: names of persons, landlines.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BORN: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_CARD: Final = rf"[1-9]\d{{5}}(?:19|20)\d\d{_BORN}\d{{3}}[\dXx]"
_FORMER_CARD: Final = rf"[1-9]\d{{5}}\d\d{_BORN}\d{{3}}"
_MOBILE: Final = r"1[3-9]\d{9}"
_NUMBERS: Final = re.compile(rf"(?<!\d)(?:(?P<card>{_CARD}|{_FORMER_CARD})|(?P<mobile>{_MOBILE}))(?!\d)")
# Shorter numbers are never hidden. What stands between U+3000 and U+9FFF becomes no digit: most texts are soon told.
_MAY_HOLD: Final = re.compile(r"[^\x00-/:-\x7f\u3000-\u9fff]{11}")


def masked(text: str) -> str:
    """The text with the middle of every such number hidden: `640103********1234`, `138****8000`."""
    # Full-width digits are digits to whoever reads them; only forms of one letter change, so places stay.
    if not _MAY_HOLD.search(text):
        return text
    plain = text if text.isascii() else "".join(_narrow(letter) for letter in text)
    hidden = list(text)
    for match in _NUMBERS.finditer(plain):
        first, last = match.span()
        lead, tail = (6, 4) if match["card"] else (3, 4)
        hidden[first + lead : last - tail] = "*" * (last - first - lead - tail)
    return "".join(hidden)


def _narrow(letter: str) -> str:
    narrow = unicodedata.normalize("NFKC", letter)
    return narrow if len(narrow) == 1 else letter
