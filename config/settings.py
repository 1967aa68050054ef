"""The settings: frozen values read once from defaults, TOML and environment. Nothing else reads either.

`load` is the only reader. A key that does not exist is refused with the nearest one that does; every value
knows where it came from.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

CONFIG_NAME = "casereel.toml"
ENVIRONMENT_PREFIX = "CASEREEL_"
# Read by the command line, the scripts and the tests themselves, and no settings.
OTHER_VARIABLES = frozenset(
    f"CASEREEL_{name}" for name in ("HOME", "CONFIG", "LANG", "FAILPOINT", "TEST_COUNTS", "PYTHON", "VENV")
)
SHIPPED = Path(__file__).resolve().parent
# Settings that are one of a few words.
CHOICES = {
    "media.cage": ("best", "full"),
    "media.analysis": ("full", "key_frames"),
    "media.ocr": ("documents", "all", "none"),
    "media.proxy_mark": ("tag", "visible", "off"),
}


class SettingsError(ValueError):
    """A setting that does not exist or has the wrong type; one sentence for a person."""


@dataclass(frozen=True)
class CatalogSettings:
    url: str


@dataclass(frozen=True)
class VaultSettings:
    sm3: bool
    reserve_share: float


@dataclass(frozen=True)
class WatchSettings:
    folders: tuple[str, ...]
    rescan_s: float
    poll_s: float
    events: bool
    ignore: tuple[str, ...]
    sidecar_suffixes: tuple[str, ...]


@dataclass(frozen=True)
class IntakeSettings:
    hard_links: bool
    other_disks: bool


@dataclass(frozen=True)
class SettleSettings:
    quiet_s: float
    quiet_no_lease_s: float
    unfinished_s: float
    looks: int
    partial_after_h: float


@dataclass(frozen=True)
class DropsSettings:
    done: tuple[str, ...]
    patience_s: float
    receipts: str
    unpack_files: int
    unpack_gib: float
    unpack_ratio: float


@dataclass(frozen=True)
class WorkSettings:
    light: int
    heavy: int
    poll_s: float
    heartbeat_s: float
    lease_s: float
    attempts: int
    deaths: int
    keep_done_days: int


@dataclass(frozen=True)
class MediaSettings:
    ffmpeg: str
    proxy_height_px: int
    proxy_crf: int
    proxy_mark: str
    analysis: str
    ocr: str
    wall_factor: float
    memory_mb: int
    cage: str


@dataclass(frozen=True)
class TimeSettings:
    zone: str
    upload_deadline_h: float


@dataclass(frozen=True)
class IndexSettings:
    backend: str


@dataclass(frozen=True)
class AccessSettings:
    person: str
    roles: Mapping[str, str] = field(hash=False)
    units: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class OidcSettings:
    issuer: str
    client_id: str
    client_secret_file: str
    ca: str
    address: str
    scope: str
    name_claim: str
    role_claim: str
    roles: Mapping[str, str] = field(hash=False)
    unit_claim: str


@dataclass(frozen=True)
class WebSettings:
    idle_min: float
    session_h: float
    upload_max_gib: float
    upload_keep_h: float
    sign_ins_min: float
    uploads_min: float
    exports_min: float
    asks_min: float


@dataclass(frozen=True)
class ExportSettings:
    approval: bool


@dataclass(frozen=True)
class AuditSettings:
    keys: str
    sign_every_s: float
    sm2: bool
    timestamp_url: str
    timestamp_ca: str
    timestamp_digest: str


@dataclass(frozen=True)
class FixitySettings:
    every_days: float
    share: float


@dataclass(frozen=True)
class BackupSettings:
    target: str


@dataclass(frozen=True)
class LogSettings:
    level: str


@dataclass(frozen=True)
class Settings:
    """All settings. home: the folder everything lives in. origins: `section.name` -> where its value came from."""

    home: Path
    catalog: CatalogSettings
    vault: VaultSettings
    watch: WatchSettings
    intake: IntakeSettings
    settle: SettleSettings
    drops: DropsSettings
    work: WorkSettings
    media: MediaSettings
    time: TimeSettings
    index: IndexSettings
    access: AccessSettings
    oidc: OidcSettings
    web: WebSettings
    export: ExportSettings
    audit: AuditSettings
    fixity: FixitySettings
    backup: BackupSettings
    log: LogSettings
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def inbox(self) -> Path:
        """The folder clerks drop files into."""
        return self.home / "inbox"

    @property
    def watched(self) -> dict[str, Path]:
        """Source -> folder that is watched: the inbox, and those of the settings."""
        folders = {f"folder:{path}": Path(path) for path in self.watch.folders}
        return {source: path.absolute() for source, path in {"inbox": self.inbox, **folders}.items()}

    @property
    def catalog_url(self) -> str:
        """The database's address; the home's own SQLite file unless one is set."""
        return self.catalog.url or f"sqlite:///{self.home / 'catalog.sqlite3'}"

    @property
    def digest(self) -> str:
        """SHA-256 of every setting but the database's address: tells whether two records were made alike."""
        said = json.dumps({name: value for name, value, _ in self.items() if name != "catalog.url"}, sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def items(self) -> list[tuple[str, Any, str]]:
        """(section.name, value, origin) of every setting, in the order of defaults.toml."""
        return [
            (name, getattr(getattr(self, name.partition(".")[0]), name.partition(".")[2]), origin)
            for name, origin in self.origins.items()
        ]


def load(home: Path, environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings for this home: defaults, then the TOML file, then the environment.

    file: read instead of `casereel.toml` in the home; must exist when given.
    Raises SettingsError naming the key, its place and the nearest known name.
    """
    values, origins = _read_defaults()
    chosen = file or home / CONFIG_NAME
    if file is not None and not file.exists():
        raise SettingsError(f"There is no settings file at {file}")
    if chosen.exists():
        _lay_over(values, origins, _read_toml(chosen), str(chosen))
    _lay_over(values, origins, _from_environment(environ, values), "environment")
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise SettingsError(f"'{key}' in {origins[key]} must be one of {', '.join(choices)}, not '{values[key]}'")
    sections = {
        section.name: _section(section.name, values)
        for section in fields(Settings)
        if section.name not in ("home", "origins")
    }
    return Settings(home=home.absolute(), **sections, origins=origins)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _read_defaults() -> tuple[dict[str, Any], dict[str, str]]:
    values = {
        f"{section}.{name}": value
        for section, table in _read_toml(SHIPPED / "defaults.toml").items()
        for name, value in table.items()
    }
    return values, dict.fromkeys(values, "default")


def _lay_over(values: dict[str, Any], origins: dict[str, str], tables: Mapping[str, Any], origin: str) -> None:
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"'{section}' in {origin} stands outside a section; write it below [section]")
        for name, value in table.items():
            key = f"{section}.{name}"
            if key not in values:
                raise SettingsError(f"'{key}' in {origin} is not a setting{_nearest(key, values)}")
            values[key] = _typed(key, value, values[key], origin)
            origins[key] = origin


def _nearest(key: str, values: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, values, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def _from_environment(environ: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    by_variable = {ENVIRONMENT_PREFIX + key.replace(".", "_").upper(): key for key in values}
    tables: dict[str, dict[str, Any]] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in by_variable:
            raise SettingsError(
                f"The environment variable {variable} is not a setting{_nearest(variable, by_variable)}"
            )
        section, _, name = by_variable[variable].partition(".")
        tables.setdefault(section, {})[name] = _from_text(variable, text, values[by_variable[variable]])
    return tables


def _from_text(variable: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise SettingsError(f"{variable} must be true or false, not '{text}'")
        return text.lower() in ("true", "1", "yes")
    if isinstance(default, list):
        return [part for part in text.split(os.pathsep) if part]
    if isinstance(default, dict):
        pairs = [part.partition("=") for part in text.split(os.pathsep) if part]
        return {name.strip(): value.strip() for name, _, value in pairs}
    try:
        return type(default)(text)
    except ValueError as error:
        raise SettingsError(f"{variable} must be a {type(default).__name__}, not '{text}'") from error


def _typed(key: str, value: Any, default: Any, origin: str) -> Any:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, dict):
        if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return dict(value)
        raise SettingsError(f"'{key}' in {origin} must be a table of texts, not {value!r}")
    if isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool):
        return value
    if isinstance(default, tuple | list) and isinstance(value, list | tuple):
        return list(value)
    raise SettingsError(f"'{key}' in {origin} must be a {type(default).__name__}, not {value!r}")


def _section(name: str, values: Mapping[str, Any]) -> Any:
    kind = get_type_hints(Settings)[name]
    given = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
