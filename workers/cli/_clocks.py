"""What `device measure` reads off recordings: a filmed clock card, satellites, a moment that two devices recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

    from pipeline.records import Around, ClockOffset, Known
    from workers.bootstrap import Home


def zone_of_device(built: Home, code: str) -> tzinfo:
    """The zone in which this device's digits stand: its own by the register, else the bureau's."""
    from pipeline.registers.keeping import Registers
    from pipeline.stages.timestamps import settings_for
    from pipeline.timing.claiming import zone_of

    device = Registers(built.catalog, built.audit).bureau().device(code)
    return zone_of(settings_for(device, built.settings))


def by_card(built: Home, code: str, original: str, actor: str) -> ClockOffset:
    """What the clock card in this original tells of the device's clock, as this person decides."""
    from pipeline.errors import BadInput
    from pipeline.records import ClockOffset
    from pipeline.stages.timestamps import filmed_offset

    known = built.catalog.known_of(built.find_original(original))
    found = filmed_offset(known, _around(built, known, code), known.time_claims, built.settings, by=actor)
    if isinstance(found, ClockOffset):
        return found
    if found is None:
        raise BadInput(f"No clock card was seen in {original}", zh=f"{original} 的画面中没有时钟卡", found=original)
    raise BadInput(f"The clock card in {original} tells nothing: {found.en}",
                   zh=f"{original} 中的时钟卡不能用于校时：{found.zh}", found=original)  # fmt: skip


def by_satellites(built: Home, code: str, original: str, actor: str) -> ClockOffset:
    """What the position in this original tells of the device's clock, as this person decides."""
    from pipeline.errors import BadInput
    from pipeline.records import ClockOffset
    from pipeline.stages.timestamps import offset_told

    known = built.catalog.known_of(built.find_original(original))
    found = offset_told(known, _around(built, known, code), known.time_claims, built.settings, by=actor)
    if isinstance(found, ClockOffset):
        return found
    if found is None:
        raise BadInput(f"{original} holds no position with its time", zh=f"{original} 中没有带时间的定位",
                       found=original)  # fmt: skip
    raise BadInput(f"The position in {original} tells nothing of the clock: {found.en}",
                   zh=f"{original} 中的定位不能用于校时：{found.zh}", found=original)  # fmt: skip


def by_other(built: Home, code: str, own: str, other: str, actor: str) -> ClockOffset:
    """What an original of another device tells of this device's clock, for both recorded the same moment."""
    from pipeline.errors import BadInput
    from pipeline.records import ClockOffset
    from pipeline.stages.timestamps import shown_when_begun
    from pipeline.timing.comparing import offset_beside

    mine, theirs = (built.catalog.known_of(built.find_original(said)) for said in (own, other))
    around = _around(built, mine, code)
    if theirs.value("register.device") == code:
        raise BadInput(f"{other} was made by {code} itself", zh=f"{other} 也是 {code} 录制的", found=other)
    shown = shown_when_begun(mine, around, mine.time_claims, built.settings)
    found = offset_beside(mine, shown, theirs, code, actor)
    if isinstance(found, ClockOffset):
        return found
    raise BadInput(f"{own} and {other} tell nothing of the clock: {found.en}",
                   zh=f"{own} 与 {other} 不能用于校时：{found.zh}", found=other)  # fmt: skip


def _around(built: Home, known: Known, code: str) -> Around:
    """What the registers say of it, as made by this device."""
    from pipeline.edges.log.cards import Cards
    from pipeline.registers.keeping import Registers

    registers = Registers(built.catalog, built.audit, Cards(built.settings))
    return replace(registers.around(known), device=registers.bureau().device(code))
