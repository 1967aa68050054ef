"""What lets an outsider check a package: event lines with their proofs, the signed head, the key, the means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from config.settings import Settings
from indexer.exporting.listing import Held
from indexer.exporting.selection import Part
from pipeline.edges import keys
from pipeline.edges.checkpoints import Checkpoints
from pipeline.edges.keys import Signer
from pipeline.errors import CustodyBroken, TryAgain
from pipeline.records import Known

MEANS: Final = ("verify.sh", "verify.py", "VERIFY.zh.txt", "VERIFY.en.txt")
_TRIES: Final = 5


def signing_key(settings: Settings) -> Signer:
    """The key that signs the log signs the package too."""
    return keys.signer(settings)


def prove(checkpoints: Checkpoints, lines: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """(checkpoint, name -> proof) of these lines of the log, all under the one checkpoint.

    Raises TryAgain where others sign newer heads faster than the proofs can be read.
    """
    for _ in range(_TRIES):
        signed = checkpoints.sign_head()
        if signed is None:
            raise CustodyBroken("The log has no entries, and so nothing can be proved by it")
        told = {name: checkpoints.proof(json.loads(line)["seq"]) for name, line in lines.items()}
        if all(proof.endswith(f"\n\n{signed.note}") for proof in told.values()):
            return signed.note, told
    raise TryAgain("The log's head moves too fast for proofs of one state of it: export again in a quieter moment")


def sm3_sums(parts: Sequence[Held]) -> bytes:
    """The SM3 digests of the originals, where they were computed at intake, as a list like SHA256SUMS."""
    return "".join(
        f"{held.part.known.original.sm3}  data/{held.part.name}\n" for held in parts if held.part.known.original.sm3
    ).encode()


def means() -> dict[str, bytes]:
    """The files that travel with every package, by their names in `verify/`."""
    folder = files("indexer.exporting") / "package"
    return {name: (folder / name).read_bytes() for name in MEANS}


def facts_of(part: Part, *, original_place: str) -> bytes:
    """What was found out about a file since it was taken in: times with their sources, links, caveats, arrivals."""
    known = part.known
    told = {
        "number": part.number,
        "file": original_place,
        "sidecar_of": part.of,
        "original": asdict(known.original),
        "arrivals": [{**asdict(one), "name_raw": one.name_raw.hex()} for one in known.arrivals],
        "time": asdict(known.time) if known.time else None,
        "time_claims": [asdict(one) for one in known.time_claims],
        "properties": {name: asdict(one) for name, one in sorted(known.properties.items())},
        "link": asdict(part.link) if part.link else None,
        "caveats": [asdict(one) for one in known.caveats],
        "derivatives": _derivatives(known),
    }
    return as_json(told)


def as_json(told: Any) -> bytes:
    """The data as JSON for people and programs, ASCII only."""
    return (json.dumps(told, sort_keys=True, indent=1, default=_plain) + "\n").encode()


def _derivatives(known: Known) -> list[dict[str, Any]]:
    names = ("role", "mime", "sha256", "size_bytes", "tool", "finder")
    return [{name: getattr(one, name) for name in names} for one in known.derivatives]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
