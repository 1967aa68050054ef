"""Compares what the vault holds with what catalog and log tell of it; what `verify` shows of originals.

Found are: objects that are damaged or gone, whose record is not what the log tells, that nobody recorded; tombstones
without a disposal, disposals whose bytes are still there; and whatever lies in the vault and belongs to no object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from pipeline.custody.fixity import DISPOSED, Fixity
from pipeline.edges.catalog import Catalog
from pipeline.edges.vault import Vault
from pipeline.errors import CustodyBroken

HANDS: Final = 2
# What the record beside the bytes and the log's line must say alike.
TOLD_TWICE: Final = ("id", "sha256", "path_b64", "name_b64", "source", "size_bytes", "mtime_ns", "taken_at")
ACCEPTED: Final = "arrival.accepted"


@dataclass(frozen=True)
class Inspection:
    """What does not hold. broken, missing: digest -> sentences. strays: sentences. unrecorded: digests of objects."""

    checked: int
    broken: Mapping[str, list[str]]
    missing: Mapping[str, list[str]]
    strays: tuple[str, ...]
    unrecorded: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong; an object that waits to be recorded is not."""
        return not (self.broken or self.missing or self.strays)


def inspect(
    vault: Vault, catalog: Catalog, fixity: Fixity, wanted: Mapping[str, str], *, everything: bool,
    moved: Callable[[int], None] = lambda _: None,
) -> Inspection:  # fmt: skip
    """What was found of these originals. wanted: digest -> original. everything: the rest of the vault too."""
    told = _told(catalog)
    disposed = set(_originals_of(catalog, DISPOSED))

    def look(sha256: str) -> list[str]:
        original = wanted[sha256]
        found = fixity.faults(original, sha256, moved=moved)
        if not found and vault.has(sha256):
            found = _record_faults(vault, sha256, told.get(original))
            if original in disposed:
                found.append(f"The log tells that {sha256} was disposed of, and its bytes are still there")
        return found

    with ThreadPoolExecutor(HANDS) as pool:
        faults = {sha256: found for sha256, found in zip(wanted, pool.map(look, wanted), strict=True) if found}
    return Inspection(
        checked=len(wanted),
        broken={sha256: found for sha256, found in faults.items() if vault.holds(sha256)},
        missing={sha256: found for sha256, found in faults.items() if not vault.holds(sha256)},
        strays=tuple(vault.strays()) if everything else (),
        unrecorded=tuple(_unrecorded(vault, catalog)) if everything else (),
    )


def _record_faults(vault: Vault, sha256: str, told: Mapping[str, Any] | None) -> list[str]:
    """The record beside the bytes, against the line of the log that tells of their arrival."""
    if told is None:
        return [f"The log tells of no arrival of {sha256}"]
    try:
        record = vault.record(sha256)
        said = {name: record["arrival"].get(name) for name in TOLD_TWICE}
    except (CustodyBroken, KeyError, AttributeError) as error:
        return [f"The record of {sha256} cannot be read: {error}"]
    return [
        f"The record of {sha256} says another {name} than the log"
        for name in TOLD_TWICE
        if said[name] != told.get(name)
    ]


def _told(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Original -> what the log tells of its first arrival."""
    found: dict[str, dict[str, Any]] = {}
    for line in catalog.events_of_type([ACCEPTED]):
        event = json.loads(line)
        arrival = event["facts"]["arrival"]
        found.setdefault(event["original"], {name: arrival.get(name) for name in TOLD_TWICE})
    return found


def _originals_of(catalog: Catalog, type: str) -> Iterator[str]:
    return (json.loads(line)["original"] for line in catalog.events_of_type([type]))


def _unrecorded(vault: Vault, catalog: Catalog) -> list[str]:
    known = catalog.digests()
    return [one for one in (*vault.digests(), *vault.tombstones()) if one not in known]
