"""The rule files: the shipped ones hold together, and bad ones are refused with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import SHIPPED
from pipeline.errors import BadInput
from pipeline.rules import FILENAMES, TIMESTAMPS, name_profiles, read_profiles, read_timestamp_rules, timestamp_rules

PROFILE = """
[[profile]]
name = "site"
pattern = '{pattern}'
zone = "{zone}"
marks = "start"
trust = {trust}
samples = []
"""


def profile_file(folder: Path, pattern: str = "^X{DATE}{TIME}", zone: str = "local", trust: object = 50) -> Path:
    path = folder / FILENAMES
    text = PROFILE.replace("{pattern}", pattern).replace("{zone}", zone).replace("{trust}", str(trust))
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_rules_can_be_read() -> None:
    assert timestamp_rules().source("exif.DateTimeOriginal").trust == 90
    assert len(name_profiles()) > 40


def test_what_a_person_types_is_trusted_less_than_what_a_device_names() -> None:
    typed = [profile for profile in name_profiles() if not profile.device]
    named = [profile for profile in name_profiles() if profile.device and profile.gives_time]
    assert max(profile.trust for profile in typed) < min(profile.trust for profile in named)


def test_a_site_describes_its_own_recorders_first(tmp_path: Path) -> None:
    profile_file(tmp_path)
    assert name_profiles(tmp_path)[0].name == "site"
    assert name_profiles(tmp_path)[1:] == name_profiles()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pattern": "^X("}, "unterminated subpattern"),
        ({"pattern": r"^(?P<colour>\d)"}, "a group 'colour' that means nothing"),
        ({"pattern": r"^{TIME}"}, "a time of day without a day"),
        ({"zone": "mars"}, "zone must be one of local, utc"),
        ({"trust": 101}, "trust must be a whole number"),
    ],
)
def test_a_bad_profile_is_refused_with_what_is_wrong(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    path = profile_file(tmp_path, **changed)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"site in .* is not a rule") as refused:
        read_profiles(path)
    assert said in refused.value.sentence


def test_a_profile_that_misses_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILENAMES
    path.write_text("[[profile]]\nname = 'site'\nzone = 'local'\nmarks = 'start'\ntrust = 1\nsamples = []\n")
    with pytest.raises(BadInput, match="pattern is missing"):
        read_profiles(path)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    path = profile_file(tmp_path)
    path.write_text(path.read_text() * 2)
    with pytest.raises(BadInput, match="two rules named 'site'"):
        read_profiles(path)


def test_a_section_that_means_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / TIMESTAMPS
    path.write_text((SHIPPED / TIMESTAMPS).read_text(encoding="utf-8") + "\n[[sauce]]\nname = 'x'\n", encoding="utf-8")
    with pytest.raises(BadInput, match="a section 'sauce'"):
        read_timestamp_rules(path)


def test_a_source_without_a_rule_is_named() -> None:
    with pytest.raises(BadInput, match="nothing of the source 'sundial'"):
        timestamp_rules().source("sundial")
