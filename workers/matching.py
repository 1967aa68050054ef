"""Where a file comes from, asked from the pages: the file is read in the cage, and nothing of it is kept."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pipeline.errors import BadInput, TryAgain
from workers.bootstrap import build_marked, scratch_of

if TYPE_CHECKING:
    from indexer.access import Reviewer
    from indexer.match import Answer
    from pipeline.edges.tools import Tools
    from workers.bootstrap import Home

FILE_MAX_BYTES: Final = 1 << 30
# For one question; so long another one waits for its turn.
LIMIT_S: Final = 120.0
_PIECE_BYTES: Final = 1 << 20


class Matching:
    """One home's answers, one at a time: a question fills both cores."""

    def __init__(self, home: Home) -> None:
        self._home, self._turn = home, threading.Lock()
        self._tools: Tools | None = None

    def close(self) -> None:
        """Everything it started has ended."""
        if self._tools is not None:
            self._tools.close()

    def _started(self) -> Tools:
        # Only who asks loads what reads media.
        from pipeline.edges.tools import Tools

        if self._tools is None:
            self._tools = Tools(self._home.settings.media.ffmpeg, self._home.settings.media.cage)
        return self._tools

    def ask(self, person: Reviewer, file: BinaryIO, name: str, limit: int) -> Answer:
        """Rows that this person may see. Raises BadInput where the file cannot be read, TryAgain where others ask."""
        from indexer.match import Query, ask

        if not self._turn.acquire(timeout=LIMIT_S):
            raise TryAgain("Others ask just now: try again in a minute", zh="其他人正在比对：请一分钟后再试")
        try:
            scratch = scratch_of(self._home.settings)
            scratch.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=scratch, prefix="asked-") as folder:
                path = _kept(file, Path(folder) / (Path(name).name[-80:] or "asked"))
                hidden = self._home.of(person).hidden_originals()
                query = Query(path, limit, hidden, limit_s=LIMIT_S)
                return ask(query, catalog=self._home.catalog, marked=build_marked(self._home), tools=self._started())
        finally:
            self._turn.release()


def _kept(file: BinaryIO, path: Path) -> Path:
    size = 0
    with path.open("wb") as stream:
        while piece := file.read(_PIECE_BYTES):
            size += len(piece)
            if size > FILE_MAX_BYTES:
                raise BadInput(
                    "The file is larger than 1 GiB: cut a piece out of it", zh="文件超过 1 GiB：请截取一段再试"
                )
            stream.write(piece)
    return path
