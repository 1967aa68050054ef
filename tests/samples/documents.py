"""PDF documents as devices, offices, scanners and attackers write them (ISO 32000-1, 7.5)."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pylopdf_fonts_zh_cn import sans_path


def pdf(path: Path, objects: Sequence[bytes]) -> Path:
    """A PDF of these objects, numbered from 1; the first is its catalog."""
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    out += b"trailer << /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    path.write_bytes(bytes(out))
    return path


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def blank_pages(path: Path, count: int, box: bytes = b"[0 0 200 100]") -> Path:
    """Many pages that share one content."""
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox %s >>" % box
    tree = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count)
    return pdf(path, [b"<< /Type /Catalog /Pages 2 0 R >>", tree, *([page] * count)])


def chinese_without_its_font(path: Path, text: str) -> Path:
    """As Word prints them where embedding is off: a page of SimSun that the file does not hold."""
    shown = b"BT /F1 40 Tf 20 80 Td <%s> Tj ET" % text.encode("utf-16-be").hex().encode()
    return pdf(path, [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        stream(shown),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /SimSun /Encoding /UniGB-UCS2-H /DescendantFonts [6 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /SimSun /FontDescriptor 7 0 R "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>",
        b"<< /Type /FontDescriptor /FontName /SimSun /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 800 "
        b"/Descent -200 /CapHeight 700 /StemV 80 >>",
    ])  # fmt: skip


def with_a_sealed_field(path: Path) -> Path:
    """A page whose only mark is the red appearance of a signature field."""
    appearance = b"/Type /XObject /Subtype /Form /BBox [0 0 100 100]"
    return pdf(path, [
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] /SigFlags 3 >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Annots [4 0 R] >>",
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (seal) /F 4 /Rect [0 0 100 100] /P 3 0 R /AP << /N 5 0 R >> >>",
        stream(b"1 0 0 rg 0 0 100 100 re f", appearance),
    ])  # fmt: skip


def with_a_bomb(path: Path, side_px: int = 60_000) -> Path:
    """Three pages; the second holds one picture of side_px x side_px pixels in a few hundred kilobytes."""
    squeezer = zlib.compressobj(9)
    row = bytes(side_px * 3)
    squeezed = b"".join(squeezer.compress(row) for _ in range(64)) + squeezer.flush()
    picture = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 " % (
        side_px,
        side_px,
    )
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] %s >>"
    return pdf(path, [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R 4 0 R 5 0 R] /Count 3 >>",
        page % b"",
        page % b"/Contents 6 0 R /Resources << /XObject << /I 7 0 R >> >>",
        page % b"",
        stream(b"q 200 0 0 100 0 0 cm /I Do Q"),
        stream(squeezed, picture + b"/Filter /FlateDecode"),
    ])  # fmt: skip


def office(path: Path) -> Path:
    """The least that is taken for an office document with this ending."""
    inside = {".docx": "word/document.xml", ".xlsx": "xl/workbook.xml", ".ofd": "OFD.xml"}
    if path.suffix in inside:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("[Content_Types].xml", "<Types/>")
            packed.writestr(inside[path.suffix], "<a/>")
    else:
        path.write_bytes(rb"{\rtf1 a}" if path.suffix == ".rtf" else bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600))
    return path


def page_of_paper(text: str, *, askew: float = 1.0, noise: float = 12.0, seed: int = 1) -> Image.Image:
    """Half a page of small print at 300 dots an inch as a scanner sees it: askew by so many degrees, grey and noisy."""
    page = Image.new("L", (1240, 880), 240)
    font = ImageFont.truetype(str(sans_path()), 32)
    for number, line in enumerate(text.splitlines()):
        ImageDraw.Draw(page).text((130, 90 + 80 * number), line, font=font, fill=30)
    turned = np.asarray(page.rotate(askew, fillcolor=240), dtype=float)
    grain = np.random.default_rng(seed).normal(0, noise, turned.shape)
    return Image.fromarray((turned + grain).clip(0, 255).astype(np.uint8))


def scanned(path: Path, *pages: Image.Image) -> Path:
    """The pages as one PDF or TIFF, which holds no text."""
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=300)
    return path
