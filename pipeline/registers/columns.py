"""Which header of a bureau's table means which field, from `registers.toml`. The only reader of that file.

Shipped with the program; a file of that name in the home names other headers for the fields that it lists.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from config.settings import SHIPPED
from pipeline.errors import BadInput

NAME: Final = "registers.toml"
Register = Literal["devices", "persons", "ledger", "cases", "activities"]
ReadAs = Literal["text", "list", "time", "day", "word", "parties"]
# A title or two may stand above the headers.
HEADER_WITHIN: Final = 20
_KEYS: Final = {"headers", "required", "as", "words"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field of a register. headers: folded; words: folded cell -> what it means."""

    field: str
    headers: tuple[str, ...]
    required: bool
    read_as: ReadAs
    words: Mapping[str, str]


@dataclass(frozen=True)
class Header:
    """Where a table's headers stand. at: the row's place; columns: place in the row -> field; unknown: the others."""

    at: int
    columns: Mapping[int, Column]
    unknown: tuple[str, ...]


def columns_of(home: Path, register: Register) -> tuple[Column, ...]:
    """The columns of a register in this home. Raises BadInput naming a bad rule."""
    own = home / NAME
    shipped = _read(SHIPPED / NAME)[register]
    said = {**shipped, **(_read(own).get(register, {}) if own.exists() else {})}
    unknown = sorted(said.keys() - shipped.keys())
    if unknown:
        raise BadInput(
            f"{own}: {register} has no field '{unknown[0]}'; it has {', '.join(shipped)}",
            zh=f"{own}：{register} 没有字段“{unknown[0]}”", found=unknown, expected=sorted(shipped),
        )  # fmt: skip
    return tuple(_column(register, name, rule) for name, rule in said.items())


def header_in(rows: Sequence[Sequence[str]], columns: Sequence[Column]) -> Header:
    """The first row that names every required field. Raises BadInput naming what no header was found for."""
    heads = [_matched(at, row, columns) for at, row in enumerate(rows[:HEADER_WITHIN])]
    required = {column.field for column in columns if column.required}
    for head in heads:
        if required <= {column.field for column in head.columns.values()}:
            return head
    nearest = max(heads, key=lambda head: len(head.columns), default=Header(0, {}, ()))
    missing = [column for column in columns if column.required and column not in nearest.columns.values()]
    named = "; ".join(f"{one.field} ({', '.join(one.headers[:4])})" for one in missing)
    found = [cell for cell in (rows[nearest.at] if rows else []) if cell]
    raise BadInput(
        f"No header row names {named}; found: {', '.join(found) or 'nothing'}",
        zh=f"表头缺少 {named}；现有：{'、'.join(found) or '无'}", expected=[one.field for one in missing], found=found,
    )  # fmt: skip


def register_of(home: Path, rows: Sequence[Sequence[str]], among: Iterable[Register]) -> Register:
    """The register that the table's headers fit best. Raises BadInput where they fit none."""
    fits: list[tuple[int, Register]] = []
    for register in among:
        try:
            head = header_in(rows, columns_of(home, register))
        except BadInput:
            continue
        fits.append((len(head.columns), register))
    if not fits:
        known = ", ".join(among)
        raise BadInput(f"The headers fit none of {known}; say which with --register, or name them in {NAME}",
                       zh=f"表头不符合任何登记表（{known}）；请用 --register 指明，或在 {NAME} 中写明表头")  # fmt: skip
    return max(fits, key=lambda fit: fit[0])[1]


def folded(text: str) -> str:
    """A header or word without what people vary: width, case, spaces, brackets with what they hold, stars."""
    plain = re.sub(r"[(\[〔【][^)\]〕】]*[)\]〕】]", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"[\s*:：_\-]+", "", plain).casefold()


def _matched(at: int, row: Sequence[str], columns: Sequence[Column]) -> Header:
    """A field counts once, in the column whose header stands first in its rule."""
    ranks = {head: (rank, column) for column in reversed(columns) for rank, head in enumerate(column.headers)}
    best: dict[str, tuple[int, int]] = {}
    for place, cell in enumerate(row):
        if hit := ranks.get(folded(cell)):
            rank, column = hit
            if column.field not in best or rank < best[column.field][0]:
                best[column.field] = (rank, place)
    by_field = {column.field: column for column in columns}
    known = {place: by_field[name] for name, (_, place) in best.items()}
    return Header(at, known, tuple(cell for place, cell in enumerate(row) if cell and place not in known))


def _column(register: str, name: str, rule: Mapping[str, Any]) -> Column:
    place = f"{NAME}, [{register}.{name}]"
    if not isinstance(rule, dict) or rule.keys() - _KEYS or not rule.get("headers"):
        raise BadInput(
            f"{place}: write headers, and at most required, as and words", zh=f"{place}：写法有误", found=rule
        )
    read_as = rule.get("as", "text")
    if read_as not in get_args(ReadAs):
        raise BadInput(
            f"{place}: as is one of {', '.join(get_args(ReadAs))}", zh=f"{place}：as 的取值有误", found=read_as
        )
    words = {folded(word): meaning for meaning, listed in rule.get("words", {}).items() for word in listed}
    return Column(
        field=name, headers=tuple(folded(one) for one in rule["headers"]), required=bool(rule.get("required")),
        read_as=read_as, words=words,
    )  # fmt: skip


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}", zh=f"无法读取 {path}：{error}", path=str(path)) from error
