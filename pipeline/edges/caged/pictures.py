"""Still pictures, read upright: the functions here run in the cage, for every picture is hostile until read.

Covered: what Pillow and pi_heif decode (JPEG, PNG, GIF, BMP, TIFF, WebP, JPEG 2000, AVIF, HEIC, ICO, Photoshop), what
FFmpeg's libraries decode where those refuse (stills.py), and of camera raw formats the JPEG preview inside them. Not
covered: developing raw sensor data, vector graphics, page formats, the brighter light of gain maps.
Source: Exif 2.32, tag 0x0112 (orientation); DCF 2.0, interoperability index; ICC.1:2022; ISO/IEC 23008-12 (nclx).
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import struct
import warnings
from pathlib import Path
from typing import Any, Final

from pipeline.edges.caged import colours, stills
from pipeline.errors import Unreadable

# Twice the largest common phone picture (200 Mpx) would not fit the memory limit; bombs lie far above.
PIXELS_MAX: Final = 210_000_000
# Never formats that call other programs or draw by instruction (EPS, PDF, WMF).
FORMATS: Final = (
    "JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "JPEG2000", "AVIF", "HEIF", "ICO", "PSD",
)  # fmt: skip
PREVIEWS_TRIED: Final = 16
ORIENTATION: Final = 0x0112
# TIFF 6.0.
PHOTOMETRIC, WHITE_IS_ZERO = 0x0106, 0
SAMPLE_FORMAT, UNSIGNED = 0x0153, 1
# Exif: what a camera sets for Adobe RGB where it writes no profile.
INTEROPERABILITY, INTEROPERABILITY_INDEX, ADOBE_RGB_INDEX = 0xA005, 0x0001, "R03"
# A panorama is made no thinner than this, as long as browsers still draw it.
THIN_PX, LONG_PX = 512, 16_384
# The boxes of an AVIF lie before its pictures.
NCLX_WITHIN_BYTES: Final = 64 << 10
# Formats in which several pictures are one that moves.
MOVING: Final = ("GIF", "PNG", "WEBP", "AVIF")


def draw_views(
    source: str, view: str, view_px: int, poster: str, poster_px: int, orientation: int | None
) -> dict[str, Any]:
    """Two upright sRGB JPEG files were written, no side longer than asked and none enlarged.

    A view that would become thinner than THIN_PX, as of a panorama, may be up to LONG_PX long.
    orientation: the EXIF value read elsewhere, used where the picture opened does not say its own.
    Returns {"format": as decoded, "from_preview", "cut_off", "frames": of a moving picture, else 1, "hdr"}.
    Raises Unreadable where there is no picture to show.
    """
    picture, about = _upright(Path(source), orientation, view_px)
    for path, side_px in ((view, _side_for(picture.size, view_px)), (poster, poster_px)):
        picture = _no_larger(picture, side_px)
        picture.save(path, "JPEG", quality=85, optimize=True)
    return about


def grey_square(source: str, side_px: int, orientation: int | None) -> str:
    """The upright picture in grey, squeezed to side_px x side_px: its bytes row by row, as base64."""
    picture, _ = _upright(Path(source), orientation, side_px * 4)
    from PIL import Image

    grey = picture.convert("L").resize((side_px, side_px), Image.Resampling.BOX)
    return base64.b64encode(grey.tobytes()).decode()


def pages_in_tiff(source: Path) -> int:
    """How many pictures a TIFF holds. Raises Unreadable where it is none."""
    from PIL import Image

    _prepare()
    try:
        with Image.open(source, formats=("TIFF",)) as opened:
            return int(getattr(opened, "n_frames", 1))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise Unreadable(f"The TIFF cannot be read: {error}"[:300], zh=f"无法读取 TIFF：{error}") from error


def page_of_tiff(source: Path, number: int, side_px: int) -> Any:
    """Its picture of this number, from 1: upright, in sRGB, no side longer than asked. Raises Unreadable."""
    from PIL import Image

    _prepare()
    try:
        picture, _ = _decoded(source, side_px, number - 1)
        return _no_larger(_in_srgb(_turned(picture, None), _meaning_of(picture, source), side_px), side_px)
    except (
        *stills.FAULTS, Image.DecompressionBombWarning, Image.DecompressionBombError,
    ) as error:  # fmt: skip
        raise Unreadable(f"The page cannot be read: {error}"[:300], zh=f"无法读取该页：{error}") from error


def upright(source: Path, orientation: int | None, wanted_px: int) -> Any:
    """The picture upright, in sRGB, no side longer than asked unless it would become too thin. Raises Unreadable."""
    return _upright(source, orientation, wanted_px)[0]


def _upright(source: Path, orientation: int | None, wanted_px: int) -> tuple[Any, dict[str, Any]]:
    from PIL import Image

    _prepare()
    try:
        picture, cut_off = _decoded(source, wanted_px)
        from_preview = picture.format == "TIFF" and _is_small_beside(picture, source)
        preview = _largest_preview(source) if from_preview else None
        if preview is not None and max(preview.size) > max(picture.size):
            picture = preview
        else:
            from_preview = False
        has_own = not from_preview
    except (*stills.FAULTS, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        picture, cut_off, from_preview, has_own = stills.decoded(source), False, False, False
        if picture is None:
            picture, from_preview = _largest_preview(source), True
        if picture is None:
            raise _unreadable(error) from error
    read_as = picture.format or ""
    frames = _frames_of(picture) if read_as in MOVING else 1
    meaning = _meaning_of(picture, source)
    picture = _turned(picture, None if has_own else orientation)
    about = {
        "format": read_as, "from_preview": from_preview, "cut_off": cut_off, "frames": frames, "hdr": meaning.is_hdr,
    }  # fmt: skip
    return _in_srgb(picture, meaning, _side_for(picture.size, wanted_px)), about


def _frames_of(picture: Any) -> int:
    """1 where they cannot be counted."""
    try:
        return int(getattr(picture, "n_frames", 1))
    except stills.FAULTS:
        return 1


def _unreadable(error: Exception) -> Unreadable:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return Unreadable(
            "The picture cannot be read: its data are of a kind that no reader here knows",
            zh="无法读取图片：其数据不属于任何可识别的格式",
        )
    said = str(error)[:200]
    return Unreadable(
        f"The picture cannot be read: its data are damaged, or coded in a way that no reader here knows ({said})",
        zh=f"无法读取图片：数据已损坏，或编码方式不受支持（{said}）",
    )


def _side_for(size: tuple[int, int], side_px: int) -> int:
    """The longest side of a picture of this shape: longer than asked where it would become too thin."""
    longest, shortest = max(size), max(1, min(size))
    return min(LONG_PX, max(side_px, THIN_PX * longest // shortest))


def _prepare() -> None:
    import pi_heif
    from PIL import Image

    Image.init()  # all readers, for `formats` may name only those already there
    pi_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _decoded(source: Path, wanted_px: int, frame: int = 0) -> tuple[Any, bool]:
    """The frame in full, or what there is of it: then True."""
    from PIL import ImageFile

    try:
        picture = _loaded(source, wanted_px, frame)
        return picture, False
    except (OSError, SyntaxError) as error:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            picture = _loaded(source, wanted_px, frame)
        except (OSError, SyntaxError):
            raise error from None
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        if picture.convert("L").getextrema()[0] == picture.convert("L").getextrema()[1]:
            raise OSError(f"nothing of it is left ({error})") from error
        return picture, True


def _loaded(source: Path, wanted_px: int, frame: int) -> Any:
    from PIL import Image

    picture = Image.open(source, formats=[name for name in FORMATS if name in Image.OPEN])
    if frame:
        picture.seek(frame)
    # JPEG only: decodes straight to a half, quarter or eighth, still no smaller than wanted.
    picture.draft(None, (wanted_px, wanted_px))
    picture.load()
    return picture


def _is_small_beside(picture: Any, source: Path) -> bool:
    """Whether a TIFF's first picture is so small for its file that it must be a raw format's thumbnail."""
    return bool(max(picture.size) < 1200 and source.stat().st_size > 8 * picture.size[0] * picture.size[1])


def _largest_preview(source: Path) -> Any | None:
    """The largest JPEG that lies inside the file and decodes; raw formats keep one for the camera's display."""
    from PIL import Image

    data = source.read_bytes()
    found = []
    for start in (match.start() for match in re.finditer(rb"\xff\xd8\xff[\xc0-\xfe]", data)):
        if start == 0 and data[:2] == b"\xff\xd8":
            continue
        try:
            preview = Image.open(io.BytesIO(data[start:]), formats=("JPEG",))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError):
            continue
        found.append((preview.size[0] * preview.size[1], start, preview))
        if len(found) >= PREVIEWS_TRIED:
            break
    for _, _, preview in sorted(found, key=lambda one: (-one[0], one[1])):
        try:
            preview.load()
        except (OSError, ValueError, SyntaxError):
            continue
        return preview
    return None


def _turned(picture: Any, orientation: int | None) -> Any:
    from PIL import Image, ImageOps

    own = picture.getexif().get(ORIENTATION)
    if own in range(2, 9):
        return ImageOps.exif_transpose(picture)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }  # fmt: skip
    turn = turns.get(orientation or 1) if own is None else None
    return picture.transpose(turn) if turn is not None else picture


def _meaning_of(picture: Any, source: Path) -> colours.Meaning:
    """What HEIF and AVIF say of their colours by number; the usual ones where they say nothing or hold a profile."""
    usual = colours.Meaning(1, 13)
    if picture.info.get("icc_profile"):
        return usual
    if picture.format == "HEIF" and (said := picture.info.get("nclx_profile")):
        return colours.Meaning(int(said["color_primaries"]), int(said["transfer_characteristics"]))
    if picture.format == "AVIF":
        with source.open("rb") as stream:
            found = re.search(rb"colrnclx(..)(..)", stream.read(NCLX_WITHIN_BYTES), re.DOTALL)
        if found:
            return colours.Meaning(*(int.from_bytes(number, "big") for number in found.groups()))
    return usual


def _profile_of(picture: Any, meaning: colours.Meaning) -> bytes | None:
    """The profile that it holds, or one of the colours that it says it has; None for usual ones."""
    profile: bytes | None = picture.info.get("icc_profile")
    if profile:
        return profile
    if not meaning.is_usual:
        return colours.profile_of(colours.PRIMARIES[meaning.primaries])
    is_adobe = False
    with contextlib.suppress(OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):  # a damaged Exif
        is_adobe = picture.getexif().get_ifd(INTEROPERABILITY).get(INTEROPERABILITY_INDEX) == ADOBE_RGB_INDEX
    return colours.profile_of(colours.ADOBE_RGB, colours.ADOBE_GAMMA) if is_adobe else None


def _in_srgb(picture: Any, meaning: colours.Meaning, side_px: int) -> Any:
    """The same as 8-bit RGB in sRGB, no side longer than side_px, what is transparent laid on white."""
    from PIL import Image, ImageCms

    profile = _profile_of(picture, meaning)
    picture = _in_eight_bits(picture)
    if picture.mode in ("1", "P", "PA", "La", "RGBa"):
        picture = picture.convert("RGBA" if "A" in picture.mode.upper() or "transparency" in picture.info else "RGB")
    # Smaller first: turning the colours of twelve million pixels takes seconds.
    picture = _no_larger(picture, side_px)
    if picture.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if meaning.is_hdr:
        picture = colours.shown_as_usual(picture.convert("RGB"), meaning)
    elif profile:
        with contextlib.suppress(ValueError):  # a damaged profile: its numbers taken as they are
            picture = colours.converted(picture, profile)
    if "A" in picture.getbands() or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        picture = Image.new("RGBA", layered.size, "white")
        picture.alpha_composite(layered)
    return picture.convert("RGB")


def _no_larger(picture: Any, side_px: int) -> Any:
    share = side_px / max(picture.size)
    if share >= 1:
        return picture
    # Not thumbnail(): it drafts again, which pi_heif 1.4 answers with "tile cannot extend outside image".
    smaller = picture.resize([max(1, round(side * share)) for side in picture.size], reducing_gap=2.0)
    smaller.info = picture.info
    return smaller


def _in_eight_bits(picture: Any) -> Any:
    """Grey of more than 8 bits as 8. Numbers with a fraction are light from 0 to 1 where they all lie there."""
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    import numpy as np

    values = np.asarray(picture)
    if (
        picture.mode == "I"
        and picture.format == "TIFF"
        and picture.tag_v2.get(SAMPLE_FORMAT, (UNSIGNED,))[0] == UNSIGNED
    ):
        values = values.view(np.uint32)  # Pillow 13 takes them for signed
    values = values.astype(np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if picture.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif picture.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    scaled = np.clip((values - low) * (255.0 / max(high - low, 1e-9)), 0, 255)
    if _is_white_zero(picture):
        scaled = 255 - scaled
    return Image.fromarray(np.nan_to_num(scaled).astype(np.uint8), "L")


def _is_white_zero(picture: Any) -> bool:
    """Whether a TIFF of more than 8 bits counts from white; Pillow turns round only those of 8."""
    return bool(picture.format == "TIFF" and picture.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO)
