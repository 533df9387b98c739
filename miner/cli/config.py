"""``ticketminer config`` and the file of defaults behind every command."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import typing as t
from collections.abc import Callable, Mapping

import click

from miner.errors import ConfigError
from miner.pow import ALGORITHMS


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a number from {low} to {high}")
        return int(text)

    return parse


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError("true or false")
    return text.lower() in ("true", "yes", "on")


def _text(text: str) -> str:
    if not text:
        raise ValueError("some text")
    return text


def _texts(text: str) -> list[str]:
    return [_text(part.strip()) for part in text.split(",")]


def _algorithms(text: str) -> list[str]:
    names = _texts(text)
    if not all(name in ALGORITHMS for name in names):
        raise ValueError(f"one or more of {', '.join(sorted(ALGORITHMS))}, separated by commas")
    return names


SETTINGS: Mapping[str, tuple[Callable[[str], t.Any], str]] = {
    "url": (_texts, "sites to mine at when none is named, separated by commas"),
    "algo": (_algorithms, "algorithms in order of preference, separated by commas"),
    "threads": (_number(1, 256), "hashing threads"),
    "duty": (_number(1, 100), "percent of the time each thread hashes"),
    "proxy": (_text, "proxy for all requests, for example socks5h://127.0.0.1:9050"),
    "budget": (_number(0, 2**31 - 1), "tickets that one get may cost"),
    "wallet": (_text, "path of the wallet"),
    "pause_on_battery": (_flag, "pause while on battery"),
    "no_color": (_flag, "plain text without colours"),
    "quiet": (_flag, "print results only"),
}
"""Names of the settings, equal to the options they stand for: how each is read, and what it means."""


def default_path() -> pathlib.Path:
    """Return ``$XDG_CONFIG_HOME/ticketminer/config.json``, in ``~/.config`` when that is not set."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    root = pathlib.Path(base) if base.startswith("/") else pathlib.Path.home() / ".config"
    return root / "ticketminer" / "config.json"


def load(path: pathlib.Path | None = None) -> dict[str, t.Any]:
    """Return the settings in the file; those of the default file are empty while it does not exist.

    :raises ConfigError: the file is missing, is not a JSON object, or names an unknown setting.
    """
    file = path or default_path()
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if path is None:
            return {}
        raise ConfigError(f"There is no configuration file {file}; check the name after -c.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON ({error}); repair or remove it.") from error
    if not isinstance(settings, dict):
        raise ConfigError(f'{file} must hold one JSON object, for example {{"duty": 50}}.')
    return {name: _checked(name, value, file) for name, value in settings.items()}


def parse(name: str, text: str) -> t.Any:
    """Return the value that `text` spells for the setting `name`.

    :raises ConfigError: there is no such setting, or it cannot have this value.
    """
    if name not in SETTINGS:
        raise ConfigError(f"There is no setting {name!r}; settings are {', '.join(SETTINGS)}.")
    try:
        return SETTINGS[name][0](text)
    except ValueError as error:
        raise ConfigError(f"{name} must be {error}, not {text!r}.") from error


def _checked(name: str, value: t.Any, file: pathlib.Path) -> t.Any:
    """Return the value from a file, held to the same rules as one that is typed."""
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        return parse(name, text)
    except ConfigError as error:
        raise ConfigError(f"In {file}: {error}") from error


def save(settings: Mapping[str, t.Any], path: pathlib.Path) -> None:
    """Replace the file in one step, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".config-", delete=False, encoding="utf-8"
        ) as file:
            file.write(json.dumps(settings, indent=2) + "\n")
        os.replace(file.name, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}); check its folder.") from error


@click.command("config")
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Forget the setting NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def config_command(name: str | None, value: str | None, unset: bool, as_json: bool) -> None:
    """Show or set defaults: all of them, one NAME, or NAME to VALUE.

    Options on the command line come first, then the file named by -c, then these.
    """
    path, settings = default_path(), load()
    if name is None:
        if unset or value is not None:
            raise click.UsageError("Name the setting to unset.")
        _show_all(settings, path, as_json=as_json)
        return
    if name not in SETTINGS:
        parse(name, "")
    if unset:
        settings.pop(name, None)
        save(settings, path)
    elif value is not None:
        settings[name] = parse(name, value)
        save(settings, path)
    if as_json:
        click.echo(json.dumps({name: settings.get(name)}))
    elif value is None and not unset:
        click.echo(_shown(settings.get(name)))


def _show_all(settings: Mapping[str, t.Any], path: pathlib.Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": str(path), "settings": dict(settings)}))
        return
    click.echo(f"Defaults in {path}:")
    for setting, (_, meaning) in SETTINGS.items():
        click.echo(f"  {setting:<17} {_shown(settings.get(setting)):<12} {meaning}")


def _shown(value: t.Any) -> str:
    if value is None:
        return "(not set)"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)
