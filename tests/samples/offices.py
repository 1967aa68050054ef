"""Office documents as programs write them: ODF, OFD, PPTX, RTF and Word's binary form, each of the pages given."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

OFD = 'xmlns:ofd="http://www.ofdspec.org/2016"'
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def packed(path: Path, parts: Mapping[str, str]) -> Path:
    """A zip of these parts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():  # ODF wants its own kind first, and not packed
            archive.writestr(name, text, zipfile.ZIP_STORED if name == "mimetype" else None)
    return path


def odt(path: Path, *pages: str, kind: str = "text", extra: str = "", manifest: str = "") -> Path:
    """Paragraphs; a page ends where the program last broke it."""
    shown = "<text:p><text:soft-page-break/></text:p>".join(
        "".join(f"<text:p>{escape(line)}</text:p>" for line in page.splitlines()) for page in pages
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{whole}:1.0"'
        for name, whole in (("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"))
    )
    body = f"<office:body>{shown}{extra}</office:body>"
    return packed(path, {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {names}>{body}</office:document-content>",
        "META-INF/manifest.xml": f'<m:manifest xmlns:m="urn:x">{manifest}</m:manifest>',
    })  # fmt: skip


def pptx(path: Path, *pages: str) -> Path:
    """A slide a page."""
    a = "http://schemas.openxmlformats.org/drawingml/2006/main"
    slides = {
        f"ppt/slides/slide{number}.xml": f'<s xmlns:a="{a}">'
        + "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in page.splitlines()) + "</s>"
        for number, page in enumerate(pages, 1)
    }  # fmt: skip
    return packed(path, {"[Content_Types].xml": "<Types/>", "ppt/presentation.xml": "<p/>", **slides})


def text_object(number: int, x: float, y: float, text: str, size: float = 5.0) -> str:
    """A line that begins at this place, a letter every `size` millimetres (GB/T 33190-2016, 11)."""
    steps = f"g {max(1, len(text) - 1)} {size}"
    return (
        f'<ofd:TextObject ID="{number}" Font="2" Size="{size}" Boundary="{x} {y} 160 {size}">'
        f'<ofd:TextCode X="0" Y="{size}" DeltaX="{steps}">{escape(text)}</ofd:TextCode></ofd:TextObject>'
    )


def ofd(path: Path, *pages: str, objects: str = "", template: str = "") -> Path:
    """Lines from top to bottom; objects: of the first page; template: what all pages lie on."""
    listed, contents = "", {}
    for number, page in enumerate(pages):
        listed += f'<ofd:Page ID="{number + 10}" BaseLoc="Pages/Page_{number}/Content.xml"/>'
        lines = "".join(text_object(100 + at, 20, 10 + 8 * at, line) for at, line in enumerate(page.splitlines()))
        lies_on = '<ofd:Template TemplateID="7"/>' if template else ""
        contents[f"Doc_0/Pages/Page_{number}/Content.xml"] = (
            f"<ofd:Page {OFD}>{lies_on}<ofd:Content><ofd:Layer>{lines}{objects if number == 0 else ''}"
            "</ofd:Layer></ofd:Content></ofd:Page>"
        )
    common = '<ofd:CommonData><ofd:TemplatePage ID="7" BaseLoc="Tpls/Tpl_0/Content.xml"/></ofd:CommonData>'
    root = "<ofd:DocBody><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody>"
    document = f"{common if template else ''}<ofd:Pages>{listed}</ofd:Pages>"
    if template:
        contents["Doc_0/Tpls/Tpl_0/Content.xml"] = f"<ofd:Page {OFD}><ofd:Content>{template}</ofd:Content></ofd:Page>"
    return packed(path, {
        "OFD.xml": f'<ofd:OFD {OFD} Version="1.0">{root}</ofd:OFD>',
        "Doc_0/Document.xml": f"<ofd:Document {OFD}>{document}</ofd:Document>",
        **contents,
    })  # fmt: skip


def rtf(path: Path, *pages: str) -> Path:
    """As WPS and Word write it in Chinese: bytes of code page 936, a picture behind the text."""

    def told(line: str) -> str:
        return "".join(
            chr(one) if 32 <= one < 128 and one not in b"\\{}" else f"\\'{one:02x}" for one in line.encode("gb18030")
        )

    body = r"\page ".join("".join(f"{told(line)}\\par\n" for line in page.splitlines()) for page in pages)
    fonts = r"{\fonttbl{\f0\fnil\fcharset134 \'cb\'ce\'cc\'e5;}}"
    picture = r"{\pict\pngblip " + "89504e47" * 4000 + "}"
    path.write_bytes(rf"{{\rtf1\ansi\ansicpg936\deff0{fonts}\uc1\pard\f0\fs24 {body}{picture}}}".encode())
    return path


def word(*pages: str, flags: int = 0x0200, pieces: int = 3, rows: Sequence[int] = ()) -> dict[str, bytes]:
    """The streams of a Word 97 document whose text lies in so many pieces, the last first in the stream.

    rows: of one piece, the numbers of the letters that end a row of a table, as the paragraphs' formatting says.
    """
    text = "\f".join(page.replace("\n", "\r") for page in pages) + "\r"
    step = -(-len(text) // pieces)
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    stream, places = bytearray(0x600), []
    for part in reversed(parts):
        narrow = part.isascii()
        places.append(len(stream) * 2 | 0x40000000 if narrow else len(stream))
        stream += part.encode("ascii" if narrow else "utf-16-le")
        stream += bytes(len(stream) % 2)
    starts = [0, *(min(len(text), step * (number + 1)) for number in range(len(parts)))]
    table = struct.pack(f"<{len(starts)}I", *starts)
    table += b"".join(struct.pack("<HIH", 0, place, 0) for place in reversed(places))
    clx = b"\1" + struct.pack("<H", 4) + bytes(4) + b"\2" + struct.pack("<I", len(table)) + table
    told = b""
    if rows:
        stream += bytes(-len(stream) % 512)
        told = struct.pack("<III", 0x600, 0x600 + 2 * len(text), len(stream) // 512)
        stream += _paragraphs(rows)
    struct.pack_into("<HH", stream, 0, 0xA5EC, 0x00C1)
    struct.pack_into("<II", stream, 0x102, 16 + len(clx), len(told))
    struct.pack_into("<H2xH", stream, 6, 0x0804, flags)
    struct.pack_into("<i", stream, 0x4C, len(text))
    struct.pack_into("<II", stream, 0x1A2, 16, len(clx))
    return {"WordDocument": bytes(stream), "1Table": bytes(16) + clx + told}


def _paragraphs(rows: Sequence[int]) -> bytes:
    """A page of formatting ([MS-DOC] 2.9.174): each of these letters ends a paragraph that ends a row."""
    bounds = [0x600, *(0x600 + 2 * (row + more) for row in rows for more in (0, 1))]
    runs = len(bounds) - 1
    page = bytearray(512)
    struct.pack_into(f"<{runs + 1}I", page, 0, *bounds)
    for run in range(1, runs, 2):
        page[4 * (runs + 1) + 13 * run] = 200
    page[400:406] = b"\3\0\0\x17\x24\1"
    page[511] = runs
    return bytes(page)


def streams(path: Path, contents: Mapping[str, bytes]) -> Path:
    """A compound file of at most three streams ([MS-CFB]): one sector of FAT, one of directory."""
    sectors: list[int] = [FAT, END]
    entries = [_entry("Root Entry", 5, child=1)]
    body = b""
    for number, (name, data) in enumerate(contents.items(), 1):
        padded = data.ljust(4096, b"\0")
        padded += bytes(-len(padded) % 512)
        first, count = len(sectors), len(padded) // 512
        sectors += [*range(first + 1, first + count), END]
        is_last = number == len(contents)
        entries.append(_entry(name, 2, right=FREE if is_last else number + 1, start=first, size=len(padded)))
        body += padded
    head = (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(16)
        + struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, END, 0, END, 0)
    )
    head += struct.pack("<109I", 0, *[FREE] * 108)
    table = struct.pack("<128I", *sectors, *[FREE] * (128 - len(sectors)))
    path.write_bytes(head + table + b"".join(entries).ljust(512, b"\0") + body)
    return path


def _entry(name: str, kind: int, *, child: int = FREE, right: int = FREE, start: int = END, size: int = 0) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return text.ljust(64, b"\0") + struct.pack(
        "<HBBIII16xI16xIQ", len(text), kind, 1, FREE, right, child, 0, start, size
    )
