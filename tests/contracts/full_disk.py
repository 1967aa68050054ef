"""An index on a disk that fills up and is emptied again: run by itself, in a small file system of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from filelock import FileLock

from indexer.contract import Place, backend_named
from indexer.document import Document
from indexer.tree import DOCUMENT_FLAG, Words
from pipeline.errors import TryAgain


def _documents(prefix: str, count: int, length: int) -> list[Document]:
    return [
        Document(
            id=f"{prefix}{number}",
            words={"text": ("检查", *(f"{prefix}{number}w{place}" for place in range(length)))},
            exact={"flags": (DOCUMENT_FLAG,)},
        )
        for number in range(count)
    ]


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as ballast:
        for size in (1 << 16, 1 << 10):
            try:
                while True:
                    ballast.write(b"\1" * size)
            except OSError:
                continue


def main(name: str, folder: Path) -> None:
    """Raises AssertionError where a full disk loses, breaks or hides something."""
    place = Place(folder=folder / "index", lock=FileLock(folder / "writer.lock"))
    index, kind = backend_named(name).open(place), backend_named(name)
    index.stage(_documents("a", 50, 20))
    index.commit(1)
    _fill(folder / "ballast")
    refused = ""
    try:
        index.stage(_documents("b", 40, 60))
        index.commit(2)
    except TryAgain as error:
        refused = str(error)
    assert "written" in refused, f"a full disk was not told: {refused!r}"
    for one in (index, kind.open(place)):
        assert (one.seq(), one.count(Words(("检查",)))) == (1, 50)
    (folder / "ballast").unlink()
    index.stage(_documents("b", 40, 60))
    index.commit(2)
    for one in (index, kind.open(place)):
        assert (one.seq(), one.count(Words(("检查",)))) == (2, 90)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
