"""Still pictures, read upright: the functions here run in the cage, for every picture is hostile until read.

Covered: what Pillow and pi_heif decode (JPEG, PNG, GIF, BMP, TIFF, WebP, JPEG 2000, AVIF, HEIC, ICO), and of camera
raw formats the JPEG preview inside them. Not covered: developing raw sensor data, vector graphics, page formats.
Source: Exif 2.32, tag 0x0112 (orientation); ICC.1:2022.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from pathlib import Path
from typing import Any, Final

from pipeline.errors import Unreadable

# Twice the largest common phone picture (200 Mpx) would not fit the memory limit; bombs lie far above.
PIXELS_MAX: Final = 210_000_000
# Never formats that call other programs or draw by instruction (EPS, PDF, WMF).
FORMATS: Final = (
    "JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "JPEG2000", "AVIF", "HEIF", "ICO",
)  # fmt: skip
PREVIEWS_TRIED: Final = 16
ORIENTATION: Final = 0x0112


def draw_views(
    source: str, view: str, view_px: int, poster: str, poster_px: int, orientation: int | None
) -> dict[str, Any]:
    """Two upright sRGB JPEG files were written, no side longer than asked and none enlarged.

    orientation: the EXIF value read elsewhere, used where the picture opened does not say its own.
    Returns {"format": as decoded, "from_preview", "cut_off"}.
    Raises Unreadable where there is no picture to show.
    """
    picture, about = _upright(Path(source), orientation, view_px)
    for path, side_px in ((view, view_px), (poster, poster_px)):
        picture = _no_larger(picture, side_px)
        picture.save(path, "JPEG", quality=85, optimize=True)
    return about


def grey_square(source: str, side_px: int, orientation: int | None) -> str:
    """The upright picture in grey, squeezed to side_px x side_px: its bytes row by row, as base64."""
    picture, _ = _upright(Path(source), orientation, side_px * 4)
    from PIL import Image

    grey = picture.convert("L").resize((side_px, side_px), Image.Resampling.BOX)
    return base64.b64encode(grey.tobytes()).decode()


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
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        preview = _largest_preview(source)
        if preview is None:
            raise Unreadable(f"The picture cannot be read: {error}"[:300]) from error
        picture, cut_off, from_preview = preview, False, True
    read_as = picture.format or ""
    picture = _turned(picture, orientation if from_preview else None)
    about = {"format": read_as, "from_preview": from_preview, "cut_off": cut_off}
    return _in_srgb(picture, wanted_px), about


def _prepare() -> None:
    import pi_heif
    from PIL import Image

    Image.init()  # all readers, for `formats` may name only those already there
    pi_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _decoded(source: Path, wanted_px: int) -> tuple[Any, bool]:
    """The first frame in full, or what there is of it: then True."""
    from PIL import ImageFile

    try:
        picture = _loaded(source, wanted_px)
        return picture, False
    except (OSError, SyntaxError) as error:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            picture = _loaded(source, wanted_px)
        except (OSError, SyntaxError):
            raise error from None
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        if picture.convert("L").getextrema()[0] == picture.convert("L").getextrema()[1]:
            raise OSError(f"nothing of it is left ({error})") from error
        return picture, True


def _loaded(source: Path, wanted_px: int) -> Any:
    from PIL import Image

    picture = Image.open(source, formats=[name for name in FORMATS if name in Image.OPEN])
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


def _in_srgb(picture: Any, side_px: int) -> Any:
    """The same as 8-bit RGB in sRGB, no side longer than side_px, what is transparent laid on white."""
    from PIL import Image, ImageCms

    profile = picture.info.get("icc_profile")
    picture = _in_eight_bits(picture)
    if picture.mode in ("1", "P", "PA"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    # Smaller first: turning the colours of twelve million pixels takes seconds.
    picture = _no_larger(picture, side_px)
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            picture = ImageCms.profileToProfile(
                picture, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile: its numbers taken as they are
            picture = picture.convert("RGB")
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
    from PIL import Image

    if not picture.mode.startswith(("I", "F")):
        return picture
    import numpy as np

    values = np.asarray(picture, dtype=np.float64)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if picture.mode.startswith("I;16") or (low >= 0 and 255 < high <= 65535):
        low, high = 0.0, 65535.0
    scaled = np.clip((values - low) * (255.0 / max(high - low, 1e-9)), 0, 255)
    return Image.fromarray(np.nan_to_num(scaled).astype(np.uint8), "L")
