"""Tables that people keep in spreadsheets, read as rows of text: CSV, XLSX, XLS, ODS, and JSON lists of objects.

Runs in the cage, for a register is a file from outside like any other. Not covered: files behind a password, formulas
that were never computed (they read as empty), and tables that do not begin on a sheet's first rows.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from pipeline.errors import Unreadable

# Of one sheet; a bureau's ledger of ten years has fewer.
ROWS_MAX: Final = 200_000
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def rows_in(path: str) -> list[list[str]]:
    """The rows of the file's first sheet that holds any, every cell as text; empty rows too, for they are counted.

    Instants come as `2021-08-03T10:10:10`, days as `2021-08-03`, whole numbers without a point. Raises Unreadable.
    """
    data = Path(path).read_bytes()
    if data.startswith(_WORKBOOKS):
        return _of_workbook(data)
    text = _decoded(data)
    if text.lstrip()[:1] in ("[", "{"):
        return _of_json(text)
    return _of_csv(text)


def _of_workbook(data: bytes) -> list[list[str]]:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            if rows:
                return [[text_of_cell(cell) for cell in row] for row in rows[:ROWS_MAX]]
    except python_calamine.PasswordError as error:
        raise Unreadable("The workbook is locked with a password", zh="工作簿设有密码") from error
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise Unreadable(f"The workbook cannot be read: {error}", zh=f"无法读取工作簿：{error}") from error
    raise Unreadable("The workbook is empty", zh="工作簿是空的")


def text_of_cell(cell: Any) -> str:
    """As a person reads it: whole numbers without a point, days without midnight."""
    match cell:
        case bool():
            return "1" if cell else "0"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
    return str(cell).strip()


def _of_csv(text: str) -> list[list[str]]:
    first = "\n".join(text.splitlines()[:20])
    delimiter = max(",;\t|", key=first.count)
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise Unreadable(f"The table cannot be read: {error}", zh=f"无法读取表格：{error}") from error
    return rows[:ROWS_MAX]


def _of_json(text: str) -> list[list[str]]:
    """A header row of all keys, then a row an object; lists within are joined as people write them."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The JSON cannot be read: {error}", zh=f"无法读取 JSON：{error}") from error
    listed = said if isinstance(said, list) else next((one for one in said.values() if isinstance(one, list)), [said])
    if not all(isinstance(one, dict) for one in listed):
        raise Unreadable("The JSON is no list of objects", zh="JSON 内容不是对象列表")
    names = list(dict.fromkeys(str(name) for one in listed for name in one))
    return [names, *([_joined(one.get(name)) for name in names] for one in listed[:ROWS_MAX])]


def _joined(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "；".join(_joined(one) for one in value)
    if isinstance(value, dict):
        return " | ".join(_joined(one) for one in value.values())
    return text_of_cell(value)


def _decoded(data: bytes) -> str:
    """UTF-8 or UTF-16 where it is that, else GB 18030, the habit of Chinese spreadsheets."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("The file is neither a workbook nor text", zh="文件既不是工作簿，也不是文本")
