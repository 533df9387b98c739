"""Options that commands share, and the command class that reads defaults from the configuration file."""

from __future__ import annotations

import functools
import ipaddress
import pathlib
import typing as t
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from miner.cli import config
from miner.cli.output import Output
from miner.errors import MinerError
from miner.transport import origin_of

F = t.TypeVar("F", bound=Callable[..., t.Any])


@dataclass(frozen=True, slots=True)
class Options:
    """What most commands are told: where the wallet is, how to reach sites, and how to print."""

    output: Output
    wallet: pathlib.Path | None
    proxy: str | None
    allow_http: bool


class Command(click.Command):
    """A command whose options take their defaults from the configuration file."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: t.Any
    ) -> click.Context:
        extra.setdefault("default_map", config.load())
        return super().make_context(info_name, args, parent, **extra)


def _use_file(ctx: click.Context, _: click.Parameter, value: pathlib.Path | None) -> None:
    if value is not None:
        ctx.default_map = {**(ctx.default_map or {}), **config.load(value)}


_WALLET = click.option(
    "--wallet", type=click.Path(path_type=pathlib.Path), metavar="PATH", help="Use this wallet file."
)
_NETWORK = (
    click.option(
        "-x",
        "--proxy",
        metavar="URL",
        help="Proxy, e.g. socks5h://127.0.0.1:9050; mining and spending go apart.",
    ),
    click.option("--allow-http", is_flag=True, help="Allow plain http to sites that are not this machine."),
)
_OUTPUT = (
    click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
    click.option("-q", "--quiet", is_flag=True, help="Print results only."),
    click.option("--no-color", is_flag=True, help="Plain text without colours."),
    click.option(
        "-c",
        "--config",
        "config_file",
        type=click.Path(path_type=pathlib.Path),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_use_file,
        help="Take defaults from this JSON file.",
    ),
)


def shared(*, network: bool = True) -> Callable[[F], F]:
    """Add the shared options; the function receives them as its first argument, an :class:`Options`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(**values: t.Any) -> t.Any:
            output = Output(
                as_json=values.pop("as_json"), quiet=values.pop("quiet"), color=not values.pop("no_color")
            )
            options = Options(
                output,
                wallet=values.pop("wallet"),
                proxy=values.pop("proxy", None),
                allow_http=values.pop("allow_http", False),
            )
            return function(options, **values)

        decorated: t.Any = run
        for option in reversed((_WALLET, *(_NETWORK if network else ()), *_OUTPUT)):
            decorated = option(decorated)
        return t.cast(F, decorated)

    return decorate


if t.TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older releases have it without a parameter


class Address(_Text):
    """A web address; without a scheme https is meant, or http for this very machine."""

    name = "url"

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        if "://" not in text:
            text = f"{'http' if _is_local(text) else 'https'}://{text}"
        try:
            origin_of(text)
        except (MinerError, UnicodeError):
            text = ""
        if not text or not text.isprintable() or " " in text:
            self.fail(f"{value!r} is not a web address; write it as https://host/.", param, ctx)
        return text


def _is_local(text: str) -> bool:
    host = urlsplit(f"//{text}").hostname or ""
    if host == "localhost" or host.endswith((".localhost", ".onion")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


ADDRESS = Address()
