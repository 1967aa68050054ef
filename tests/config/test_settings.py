from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.settings import CONFIG_NAME, SHIPPED, SettingsError, load


def test_every_default_has_a_line_on_its_effect() -> None:
    lines = (SHIPPED / "defaults.toml").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if "=" in line and not line.startswith("#")]
    assert settings
    assert [line for line in settings if "#" not in line] == []


def test_a_file_overrides_a_default_and_says_so(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("[settle]\nquiet_s = 7\n", encoding="utf-8")
    settings = load(tmp_path, {})
    assert settings.settle.quiet_s == 7.0
    assert {name: origin for name, _, origin in settings.items()}["settle.quiet_s"] == str(tmp_path / CONFIG_NAME)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("[settle]\nquiet_s = 7\n", encoding="utf-8")
    settings = load(tmp_path, {"CASEREEL_SETTLE_QUIET_S": "9", "CASEREEL_VAULT_SM3": "yes"})
    assert (settings.settle.quiet_s, settings.vault.sm3) == (9.0, True)
    assert settings.origins["settle.quiet_s"] == "environment"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[settle]\nquite_s = 7\n", "did you mean 'settle.quiet_s'"),
        ("[setle]\nquiet_s = 7\n", "did you mean 'settle.quiet_s'"),
        ("[settle]\nquiet_s = 'long'\n", "must be a float"),
        ("[vault]\nsm3 = 1\n", "must be a bool"),
        ("quiet_s = 7\n", "outside a section"),
        ("[settle\n", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_nearest_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / CONFIG_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        load(tmp_path, {})


def test_a_word_that_is_no_choice_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="in environment must be one of full, key_frames, not 'keyframes'"):
        load(tmp_path, {"CASEREEL_MEDIA_ANALYSIS": "keyframes"})


def test_an_unknown_variable_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CASEREEL_WORK_HEAVY"):
        load(tmp_path, {"CASEREEL_WORK_HEAVI": "2"})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no settings file"):
        load(tmp_path, {}, tmp_path / "other.toml")


def test_the_shipped_rules_are_valid_toml() -> None:
    for path in SHIPPED.glob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))
