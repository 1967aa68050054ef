"""The parts of a zipped document: XML, bounded, for what is packed small may be large. Run in the cage."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import Any, Final
from xml.etree import ElementTree

from pipeline.errors import Unreadable

# All parts of a document together, unpacked.
XML_BYTES: Final = 64 << 20
MANIFEST_BYTES: Final = 1 << 20
DAMAGES: Final = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
)  # fmt: skip
# ECMA-376 part 1, A: names of the strict kind -> those that every program knows.
_STRICT: Final = {
    b"http://purl.oclc.org/ooxml/wordprocessingml/main": b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    b"http://purl.oclc.org/ooxml/drawingml/main": b"http://schemas.openxmlformats.org/drawingml/2006/main",
}


class Parts:
    """names: of all parts. kind_of_odf: `text`, `presentation`, ... of OpenDocument, else empty."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed, self._left = packed, XML_BYTES
        self.names = frozenset(packed.namelist())

    @property
    def kind_of_odf(self) -> str:
        told = re.match(rb"application/vnd\.oasis\.opendocument\.(\w+)", self._start("mimetype", 200))
        return told[1].decode() if told else ""

    @property
    def is_locked(self) -> bool:
        """Whether an OpenDocument asks for a password."""
        return b"encryption-data" in self._start("META-INF/manifest.xml", MANIFEST_BYTES)

    def _start(self, name: str, most_bytes: int) -> bytes:
        if name not in self.names:
            return b""
        with self._packed.open(name) as stream:
            return stream.read(most_bytes)

    def root(self, name: str) -> Any:
        """The part's outermost element. Raises Unreadable for a bomb and for what is no XML; KeyError without it."""
        with self._packed.open(name) as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(
                f"The document's text is larger than {XML_BYTES >> 20} MiB once unpacked: a bomb?",
                zh=f"文档展开后超过 {XML_BYTES >> 20} MiB：疑似压缩炸弹",
            )
        if re.search(rb"<!(?:DOCTYPE|ENTITY)", data[:4096]):
            raise Unreadable(
                "The document defines entities, which no office program does", zh="文档定义了实体，办公软件不会这样写"
            )
        for strict, usual in _STRICT.items():
            data = data.replace(strict, usual)
        try:
            return ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            raise Unreadable(f"The document's text is no XML: {error}", zh=f"文档内容不是 XML：{error}") from error
