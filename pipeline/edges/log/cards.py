"""The secret from which clock cards and case slates get their seals. It lies with the keys, apart from the home's data.

Whoever holds a clock card can make it show any instant, for the card holds its own secret; nobody else can. The home's
secret is in no card.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final

from config.settings import Settings
from pipeline.codes import CARD_BYTES, CARD_LETTERS, Code, is_sealed, secret_of
from pipeline.edges.log import keys
from pipeline.errors import TryAgain

FILE: Final = "cards.secret"
SECRET_BYTES: Final = 32


class Cards:
    """The cards of one home."""

    def __init__(self, settings: Settings) -> None:
        self._folder = keys.keys_folder(settings)
        self._secret = b""

    def is_ours(self, code: Code) -> bool:
        """Whether a card of this home shows this code. Where the home's secret is not here, none does."""
        secret = self._read()
        return bool(secret) and is_sealed(code, secret)

    def new(self) -> tuple[str, bytes]:
        """The number of a new card and its secret."""
        card = base64.b32encode(os.urandom(CARD_BYTES)).decode()[:CARD_LETTERS]
        return card, secret_of(card, self._made())

    def _made(self) -> bytes:
        """The home's secret; it is made where there is none. Raises TryAgain where what lies there is none."""
        path = self._folder / FILE
        if not path.exists():
            keys.write_private(self._folder, FILE, os.urandom(SECRET_BYTES).hex().encode())
        secret = self._read()
        if not secret:
            raise TryAgain(
                f"The secret of the cards at {path} cannot be read: put it back from a copy, or take it away; then "
                "the cards made so far are strangers",
                zh=f"无法读取卡片密钥 {path}：请从副本恢复，或将其移走；移走后，已制作的卡片不再被识别",
                path=str(path),
            )
        return secret

    def _read(self) -> bytes:
        if not self._secret:
            self._secret = _secret_in(self._folder / FILE)
        return self._secret


def _secret_in(path: Path) -> bytes:
    """Empty where there is none, or it is no secret."""
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return b""
    return secret if len(secret) == SECRET_BYTES else b""
