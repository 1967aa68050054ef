"""What lets an outsider check a package: event lines with their proofs, the signed head, the key, the means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from config.settings import Settings
from indexer.exporting.listing import Held
from indexer.exporting.selection import Part
from pipeline.custody import notes
from pipeline.edges.catalog import Catalog
from pipeline.edges.log import countersigning, keys, tokens
from pipeline.edges.log.attested import Attested, SecondParties
from pipeline.edges.log.checkpoints import Checkpoints
from pipeline.edges.log.keys import Signer
from pipeline.errors import CustodyBroken, TryAgain
from pipeline.records import Known

MEANS: Final = ("verify.sh", "verify.py", "VERIFY.zh.txt", "VERIFY.en.txt")
SM2_KEY: Final = "verify/keys/log-sm2.pem"
_TRIES: Final = 5


def signing_key(settings: Settings) -> Signer:
    """The key that signs the log signs the package too."""
    return keys.signer(settings)


@dataclass(frozen=True)
class Proved:
    """note: the signed head; proofs: name -> tlog-proof; growth: size of an older head -> that the log began so."""

    note: str
    proofs: dict[str, str]
    growth: dict[int, str]


def prove(checkpoints: Checkpoints, lines: Mapping[str, str], heads: Sequence[Attested]) -> Proved:
    """These lines of the log, and the older heads, proved under one and the same checkpoint.

    Raises TryAgain where others sign newer heads faster than the proofs can be read.
    """
    for _ in range(_TRIES):
        signed = checkpoints.sign_head()
        if signed is None:
            raise CustodyBroken(
                "The log has no entries, and so nothing can be proved by it", zh="日志没有条目，无法据以证明"
            )
        told = {name: checkpoints.proof(json.loads(line)["seq"]) for name, line in lines.items()}
        growth = {head.size: checkpoints.growth(head.size) for head in heads}
        if all(proof.endswith(f"\n\n{signed.note}") for proof in (*told.values(), *growth.values())):
            return Proved(signed.note, told, growth)
    raise TryAgain(
        "The log's head moves too fast for proofs of one state of it: export again in a quieter moment",
        zh="日志增长过快，无法为同一状态出具证明：请在空闲时重新导出",
    )


def heads_over(
    checkpoints: Checkpoints, catalog: Catalog, settings: Settings, lines: Mapping[str, str]
) -> list[Attested]:
    """The earliest heads over these lines of the log that each second party stands for."""
    told = [countersigning.of_event(json.loads(line)) for line in catalog.events_of_type([countersigning.EVENT])]
    parties = SecondParties(checkpoints, told, tokens.roots_of(settings))
    return parties.heads_over(json.loads(line)["seq"] for line in lines.values())


def head_files(heads: Sequence[Attested], growth: Mapping[int, str], settings: Settings) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of what shows that second parties stand for these heads, and that the log grew from them."""
    witnesses = {one.key.id: one.key for head in heads for one in head.cosigned}
    for head in heads:
        yield f"verify/heads/{head.size}.note", head.checkpoint.note.encode()
        yield f"verify/heads/{head.size}.consistency", growth[head.size].encode()
        if head.cosigned:
            yield f"verify/heads/{head.size}.cosigned.note", head.cosigned_note.encode()
        if head.stamp:
            yield f"verify/heads/{head.size}.note.tsr", head.stamp.response
    for id, key in sorted(witnesses.items()):
        yield f"verify/keys/witness-{id.hex()}.pem", keys.pem_of(key).encode()
    roots = tokens.roots_of(settings)
    if roots is not None and any(head.stamp for head in heads):
        yield "verify/keys/timestamp-ca.pem", roots.read_bytes()


def sm2_files(settings: Settings, note: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the SM2 key that the head names and its signature over it; nothing where it names none."""
    named = notes.read_head(notes.read_note(note.encode()).text).extension("sm2")
    if named is None:
        return
    from pipeline.edges.log import sm2

    folder = keys.keys_folder(settings)
    public = sm2.public_of(folder)
    if sm2.fingerprint(public) != named:
        raise TryAgain(
            "The SM2 key changed while the package was made: export again", zh="制作导出包期间 SM2 密钥有变：请重新导出"
        )
    yield SM2_KEY, sm2.public_pem(public)
    yield f"verify/checkpoint.note{sm2.SUFFIX}", sm2.sign(folder, note.encode())


def sm2_signature(settings: Settings, data: bytes) -> bytes:
    """The SM2 key's signature over the data, as DER."""
    from pipeline.edges.log import sm2

    return sm2.sign(keys.keys_folder(settings), data)


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
