"""What our own codes in pictures say: the clock card's instant, the case slate's number. Pure.

    CR1 T 20210803T101005.2+0800 K7QF 3XJ2M8QA       a clock card: the instant, which card, its seal
    CR1 C 平商务罚字〔2021〕第3号 K7QF 3XJ2M8QA       a case slate: the number, which slate, its seal

The seal is the first 40 bits of an HMAC (SHA-256) over what stands before it, under the secret of that card. A code of
any other form is a stranger's and is passed over. Letters, digits and signs of a clock card are those of a QR code's
alphanumeric mode (ISO/IEC 18004, 7.4.4), which takes a third less room than any other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.records import Known

HEAD: Final = "CR1 "
CARD_BYTES, SEAL_BYTES = 5, 5  # of a card's number four letters are shown
CARD_LETTERS: Final = 4
# A clock card shows a new code so often.
STEP_S: Final = 0.2
TEXT_MAX: Final = 200
_SEALED: Final = r"(?P<card>[A-Z2-7]{4}) (?P<seal>[A-Z2-7]{8})"
_CLOCK: Final = re.compile(rf"CR1 T (?P<at>\d{{8}}T\d{{6}}\.\d[+-]\d{{4}}) {_SEALED}", re.ASCII)
_SLATE: Final = re.compile(rf"CR1 C (?P<case>\S(?:.{{0,78}}\S)?) {_SEALED}")
CLOCK_PROPERTY, SLATES_PROPERTY = "codes.clock", "codes.slates"


@dataclass(frozen=True, kw_only=True)
class Code:
    """One of our codes. Exactly one of at and case is given; card: which card or slate; seal: that it carries."""

    text: str
    card: str
    seal: str
    at: datetime | None = None
    case: str | None = None

    @property
    def sealed(self) -> str:
        """What the seal is over."""
        return self.text.rpartition(" ")[0]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A code as a recording showed it: at_s after its beginning, in the picture with this time stamp (PTS)."""

    code: Code
    at_s: float
    pts: int


@dataclass(frozen=True, kw_only=True)
class Slate:
    """A case slate as a recording showed it, from the first second to the last."""

    code: Code
    from_s: float
    to_s: float


def read(text: str) -> Code | None:
    """What the text says; None where it is none of our codes."""
    if found := _CLOCK.fullmatch(text):
        try:
            at = datetime.strptime(found["at"], "%Y%m%dT%H%M%S.%f%z").astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return Code(text=text, card=found["card"], seal=found["seal"], at=at)
    if len(text) <= TEXT_MAX and (found := _SLATE.fullmatch(text)):
        return Code(text=text, card=found["card"], seal=found["seal"], case=found["case"])
    return None


def clock_text(at: datetime, card: str, secret: bytes) -> str:
    """What a clock card shows at this moment, in the moment's own zone, cut off to a tenth of a second."""
    shown = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 100_000}{at:%z}"
    return _sealed(f"{HEAD}T {shown} {card}", secret)


def slate_text(case: str, card: str, secret: bytes) -> str:
    """What the slate of this case shows."""
    return _sealed(f"{HEAD}C {case} {card}", secret)


def _sealed(text: str, secret: bytes) -> str:
    return f"{text} {seal_of(text, secret)}"


def seal_of(text: str, secret: bytes) -> str:
    """The seal over the text, eight letters."""
    return base64.b32encode(hmac.digest(secret, text.encode(), hashlib.sha256)[:SEAL_BYTES]).decode()


def secret_of(card: str, home_secret: bytes) -> bytes:
    """The secret of one card; the home's own is in no card."""
    return hmac.digest(home_secret, f"casereel card {card}".encode(), hashlib.sha256)


def is_sealed(code: Code, home_secret: bytes) -> bool:
    """Whether a card of this home shows it."""
    return hmac.compare_digest(seal_of(code.sealed, secret_of(code.card, home_secret)), code.seal)


# -- as they lie among the properties of an original


def readings_of(known: Known) -> tuple[Reading, ...]:
    """What was read of clock cards in it, in its order."""
    return tuple(
        Reading(code=code, at_s=float(row[1]), pts=int(row[0]))
        for row in _told(known, CLOCK_PROPERTY).get("readings", ())
        if (code := read(str(row[2]))) and code.at
    )


def slates_of(known: Known) -> tuple[Slate, ...]:
    """The case slates that were seen in it, in its order."""
    return tuple(
        Slate(code=code, from_s=float(row[0]), to_s=float(row[1]))
        for row in _told(known, SLATES_PROPERTY).get("seen", ())
        if (code := read(str(row[2]))) and code.case
    )


def _told(known: Known, name: str) -> Mapping[str, Any]:
    value = known.value(name)
    return value if isinstance(value, Mapping) else {}


def codes_of(known: Known) -> Iterator[Code]:
    """Every code that was seen in it."""
    yield from (one.code for one in readings_of(known))
    yield from (one.code for one in slates_of(known))


def seen(hits: Iterable[tuple[float, str]], step_s: float) -> list[tuple[float, float, str]]:
    """(from, to, text) of each slate: one that was out of sight for no more than four looks counts as held up.

    hits: (second, text) in their order. step_s: between two looks.
    """
    found: list[tuple[float, float, str]] = []
    last: dict[str, int] = {}
    for at_s, text in hits:
        place = last.get(text)
        if place is not None and at_s - found[place][1] <= 4 * step_s:
            found[place] = (found[place][0], at_s, text)
        else:
            last[text] = len(found)
            found.append((at_s, at_s, text))
    return found


def stretches(moments: Sequence[float], before_s: float, after_s: float) -> list[tuple[float, float]]:
    """From and to of what lies about these moments, in their order, none touching another."""
    found: list[tuple[float, float]] = []
    for at_s in moments:
        from_s, to_s = max(0.0, at_s - before_s), at_s + after_s
        if found and from_s <= found[-1][1]:
            found[-1] = (found[-1][0], to_s)
        else:
            found.append((from_s, to_s))
    return found
