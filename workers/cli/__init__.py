"""The command line: parses, calls one function, prints. Results go to stdout, everything else to stderr.

Each command is a file here that exports COMMAND; it is imported only when it is called, so that `status` answers
at once. Global options may stand before or after the command's name.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from config.settings import Settings, SettingsError, load
from indexer.naming import Lang
from pipeline.errors import BadInput, CasereelError, CustodyBroken, NotAllowed, TryAgain

ALL_WELL, SOME_FAILED, WRONG_USE, NOT_FIT, CUSTODY_BROKEN, FORBIDDEN, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
EXIT_CODES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (CustodyBroken, CUSTODY_BROKEN),
    (NotAllowed, FORBIDDEN),
    (BadInput, WRONG_USE),
    (SettingsError, WRONG_USE),
    (TryAgain, NOT_FIT),
    (CasereelError, SOME_FAILED),
)
GLOBAL_OPTIONS: Final = (
    click.Option(["--home"], type=click.Path(path_type=Path), help="The home's folder (CASEREEL_HOME)."),
    click.Option(["--config"], type=click.Path(path_type=Path), help="A settings file instead of the home's own."),
    click.Option(["--json", "as_json"], is_flag=True, default=None, help="Print JSON."),
    click.Option(["--quiet"], is_flag=True, default=None, help="Print results only."),
    click.Option(["--no-progress"], is_flag=True, default=None, help="Show no progress bar."),
    click.Option(["--lang"], type=click.Choice(["zh", "en"]), help="The language of sentences."),
)


@dataclass
class App:
    """What every command may use: the settings, and the one way to print."""

    home: Path
    config: Path | None
    as_json: bool
    quiet: bool
    no_progress: bool
    lang: Lang
    failed: int = 0
    _settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the home, read once. Raises SettingsError."""
        if self._settings is None:
            self._settings = load(self.home, os.environ, self.config)
        return self._settings

    def emit(self, data: Any, text: str | Callable[[], str] = "") -> None:
        """One result: a JSON line with --json, else the text."""
        if self.as_json:
            click.echo(json.dumps(data, ensure_ascii=False, default=_plain))
        else:
            shown = text() if callable(text) else text
            if shown:
                click.echo(shown)

    def note(self, text: str) -> None:
        """Something beside the result, for a person."""
        if not self.quiet:
            click.echo(text, err=True)

    def in_words(self, zh: str, en: str) -> str:
        """The sentence in the language asked for."""
        return zh if self.lang == "zh" else en

    @contextmanager
    def progress(self, length: int, label: str) -> Iterator[Callable[[int], None]]:
        """Moves a bar on a terminal by so many steps; shows nothing when piped."""
        if self.quiet or self.no_progress or self.as_json or not sys.stderr.isatty():
            yield lambda _: None
            return
        with click.progressbar(length=max(length, 1), label=label, file=sys.stderr) as bar:
            yield bar.update


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


class _Group(click.Group):
    """Commands are the files of this folder, imported when they are called."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command; what goes wrong is told in the language asked for."""
        try:
            return super().invoke(context)
        except CasereelError as error:
            click.echo(f"casereel: {context.obj.in_words(error.zh or error.sentence, error.sentence)}", err=True)
            raise click.exceptions.Exit(_code_of(error)) from error

    def list_commands(self, context: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(name for _, name, _ in pkgutil.iter_modules(__path__) if not name.startswith("_"))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        found: click.Command = import_module(f"{__name__}.{name}").COMMAND
        _accept_global_options(found)
        return found


def _accept_global_options(command: click.Command) -> None:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            if below is not None:
                _accept_global_options(below)
        return
    have = {option for parameter in command.params for option in parameter.opts}
    command.params += [option for option in GLOBAL_OPTIONS if not have & set(option.opts)]
    inner = command.callback

    def outer(**values: Any) -> Any:
        _lay_over(click.get_current_context(), {name: values.pop(name) for name in _GLOBAL_NAMES if name in values})
        return inner(**values) if inner is not None else None

    if inner is not None and not getattr(inner, "takes_global", False):
        outer.takes_global = True  # type: ignore[attr-defined]
        command.callback = outer


_GLOBAL_NAMES: Final = ("home", "config", "as_json", "quiet", "no_progress", "lang")


def _lay_over(context: click.Context, given: dict[str, Any]) -> None:
    app: App = context.find_root().obj
    for name, value in given.items():
        if value is not None:
            setattr(app, name, value)


def app_of() -> App:
    """The running command's App."""
    found: App = click.get_current_context().find_root().obj
    return found


def _begin(
    home: Path | None, config: Path | None, as_json: bool | None, quiet: bool | None, no_progress: bool | None,
    lang: str | None,
) -> None:  # fmt: skip
    asked = lang or os.environ.get("CASEREEL_LANG") or os.environ.get("LANG", "")
    chosen = home or Path(os.environ.get("CASEREEL_HOME") or "casereel-home")
    variable = os.environ.get("CASEREEL_CONFIG")
    context = click.get_current_context()
    context.obj = App(
        home=chosen,
        config=config or (Path(variable) if variable else None),
        as_json=bool(as_json),
        quiet=bool(quiet),
        no_progress=bool(no_progress),
        lang="zh" if asked.startswith("zh") else "en",
    )


CASEREEL = _Group(
    name="casereel",
    callback=_begin,
    params=list(GLOBAL_OPTIONS),
    help="Takes in, keeps, times, links and finds media evidence.\n\nExample: casereel init && casereel up",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
CASEREEL.params.append(
    click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, help="Print the version.",
                 callback=lambda context, _, value: _print_version(context) if value else None)
)  # fmt: skip


def _print_version(context: click.Context) -> None:
    from importlib.metadata import version

    click.echo(f"casereel {version('casereel')}")
    context.exit()


def main(arguments: Iterable[str] | None = None) -> None:
    """Runs the command line and ends the process with the documented code."""
    sys.exit(run(arguments))


def run(arguments: Iterable[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    try:
        result = CASEREEL.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        return result if isinstance(result, int) else ALL_WELL
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return WRONG_USE
    except BrokenPipeError:
        return ALL_WELL
    except (CasereelError, SettingsError) as error:
        click.echo(f"casereel: {error}", err=True)
        return _code_of(error)


def _code_of(error: BaseException) -> int:
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def times(value: datetime | None, zone: str) -> str | None:
    """An instant as RFC 3339 with the offset of the zone."""
    from zoneinfo import ZoneInfo

    return None if value is None else value.astimezone(ZoneInfo(zone)).isoformat()
