"""What the numbers of a picture's pixels mean, where no ICC profile says it, and their turning into sRGB.

Covered: the primaries and transfer curves that HEIF and AVIF name by number, Adobe RGB as cameras mark it in Exif.
Sources: ITU-T H.273 (numbers), ITU-R BT.2100 (PQ and HLG), ITU-R BT.2408 (203 cd/m2 for white), ICC.1:2022 (profiles),
Adobe RGB (1998), DCF 2.0 (interoperability index R03).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]

# H.273 table 2: where red, green and blue lie (x, y); white is D65 in all of them.
PRIMARIES: Final[dict[int, tuple[tuple[float, float], ...]]] = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
ADOBE_RGB: Final = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_GAMMA: Final = 563 / 256
D65, D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
LINEAR, PQ, HLG = 8, 16, 18
WHITE_NITS, PEAK_NITS = 203.0, 1000.0


@dataclass(frozen=True)
class Meaning:
    """primaries, transfer: numbers of H.273."""

    primaries: int
    transfer: int

    @property
    def is_hdr(self) -> bool:
        """Whether its light goes beyond what a usual screen shows."""
        return self.transfer in (PQ, HLG)

    @property
    def is_usual(self) -> bool:
        """Whether its numbers can be shown as they are."""
        return self.primaries not in (9, 12) and not self.is_hdr


def profile_of(primaries: tuple[tuple[float, float], ...], gamma: float | None = None) -> bytes:
    """An ICC profile of these primaries under D65. gamma: of its curve, None for that of sRGB."""
    curve = _srgb_curve() if gamma is None else struct.pack(">4sIIHxx", b"curv", 0, 1, round(gamma * 256))
    columns = (_adapted_to_d50() @ _to_xyz(primaries)).T
    elements = [
        (b"desc", struct.pack(">4s4xI8s84x", b"desc", 8, b"colours\0")),
        (b"cprt", struct.pack(">4s4x4s4x", b"text", b"none")),
        (b"wtpt", _xyz(D50)),
        *((name, _xyz(tuple(column))) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)),
        *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    place, table, body = 128 + 4 + 12 * len(elements), b"", b""
    for name, data in elements:
        table += struct.pack(">4sII", name, place + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x12s48x", place + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", _xyz(D50)[8:]
    )
    return head + struct.pack(">I", len(elements)) + table + body


def _srgb_curve() -> bytes:
    values = _from_srgb(np.linspace(0, 1, 1024, dtype=np.float32))
    return struct.pack(">4sII", b"curv", 0, 1024) + (values * 65535).round().astype(">u2").tobytes()


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """The matrix from linear light to CIE XYZ, white having Y = 1."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    return columns * np.linalg.solve(columns, _white())


def _white() -> NDArray[np.float64]:
    return np.array((D65[0] / D65[1], 1.0, (1 - D65[0] - D65[1]) / D65[1]))


def _adapted_to_d50() -> NDArray[np.float64]:
    shares = (BRADFORD @ np.array(D50)) / (BRADFORD @ _white())
    adapted: NDArray[np.float64] = np.linalg.solve(BRADFORD, shares[:, None] * BRADFORD)
    return adapted


def _from_srgb(values: Numbers) -> Numbers:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _in_srgb_curve(light: Numbers) -> Numbers:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def converted(picture: Any, profile: bytes) -> Any:
    """The picture in sRGB, its transparency kept. Raises ValueError where the profile does not fit it."""
    from PIL import ImageCms

    alpha = picture.getchannel("A") if "A" in picture.getbands() and picture.mode != "LAB" else None
    plain = picture if alpha is None else picture.convert("L" if picture.mode == "LA" else "RGB")
    try:
        turned = ImageCms.profileToProfile(
            plain, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(f"the colour profile does not fit: {error}") from error
    if turned is not None and alpha is not None:
        turned.putalpha(alpha)
    return turned


def shown_as_usual(picture: Any, meaning: Meaning) -> Any:
    """An RGB picture of HDR light as a usual screen can show it, in sRGB; the brightest parts are pressed together.

    Paper white, 203 cd/m2, becomes 191 of 255; 1,000 cd/m2 becomes white.
    """
    from PIL import Image

    signal: Numbers = np.asarray(picture, dtype=np.float32) / np.float32(255)
    light = _from_pq(signal) if meaning.transfer == PQ else _from_hlg(signal)
    primaries = PRIMARIES.get(meaning.primaries, PRIMARIES[9])
    to_usual = np.linalg.solve(_to_xyz(PRIMARIES[1]), _to_xyz(primaries)).astype(np.float32)
    light = np.maximum(light @ to_usual.T, 0)
    # Reinhard's curve, extended so that the peak becomes 1 (Photographic tone reproduction, 2002, equation 4).
    peak = PEAK_NITS / WHITE_NITS
    brightest = light.max(axis=2, keepdims=True)
    pressed = light * (1 + brightest / peak**2) / (1 + brightest)
    return Image.fromarray((np.clip(_in_srgb_curve(pressed), 0, 1) * 255 + 0.5).astype(np.uint8), "RGB")


def _from_pq(signal: Numbers) -> Numbers:
    """Light, white being 1 (BT.2100 table 4)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return np.asarray(light * (10_000 / WHITE_NITS), dtype=np.float32)


def _from_hlg(signal: Numbers) -> Numbers:
    """Light of a screen of 1,000 cd/m2, white being 1 (BT.2100 table 5; system gamma 1.2)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
    luminance = scene @ np.array((0.2627, 0.6780, 0.0593), dtype=np.float32)
    return np.asarray(scene * np.maximum(luminance, 1e-6)[..., None] ** 0.2 * (PEAK_NITS / WHITE_NITS), np.float32)
