"""The Chinese catalog of the pages after their sentences changed: new ones are added empty, those nobody says go.

python scripts/_words.py
"""

from __future__ import annotations

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from indexer.web.words import CATALOG, HERE

KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "say": None}


def sentences() -> set[str | tuple[str, ...]]:
    """Every sentence that templates and pages say, in English."""
    found = extract_from_dir(
        HERE, method_map=[("**.py", "python"), ("**.html", "jinja2")], options_map={"**.html": {"trimmed": "true"}},
        keywords=KEYWORDS,
    )  # fmt: skip
    return {message for _, _, message, _, _ in found}


def main() -> None:
    with CATALOG.open("rb") as stream:
        old = read_po(stream, locale="zh")
    new = Catalog(locale="zh", project="Casereel", version="1", fuzzy=False, header_comment="# The pages in Chinese.",
                  msgid_bugs_address="", last_translator="", language_team="")  # fmt: skip
    for sentence in sorted(sentences(), key=str):
        key = sentence if isinstance(sentence, str) else sentence[0]
        kept = old.get(key)
        new.add(sentence, kept.string if kept else ("" if isinstance(sentence, str) else ("",)))
    new.revision_date = new.creation_date = old.creation_date
    with CATALOG.open("wb") as stream:
        write_po(stream, new, width=0, omit_header=False)
    empty = [one.id for one in new if one.id and not any([one.string] if isinstance(one.string, str) else one.string)]
    print("without Chinese:", *empty, sep="\n  ") if empty else print("every sentence has its Chinese")


if __name__ == "__main__":
    main()
