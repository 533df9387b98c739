"""How a visitor's requests travel: calls and replies without the wire, and the httpx client that carries them.

The dialogue with a site is written as generators that yield :class:`Call` and receive :class:`Reply`, so that the same
code runs over httpx, inside an httpx auth flow (sync or async) and over Flask's test client.
"""

from __future__ import annotations

import http.cookiejar
import ipaddress
import secrets
import time
import typing as t
import urllib.request
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from miner.deadline import HeadDeadline
from miner.errors import InsecureTransport, MinerError, SiteProtocolError, SiteUnreachable

Purpose = t.Literal["mining", "spending"]

USER_AGENT = "ticketminer"
"""The same for everyone: no version, no platform."""
MAX_REPLY = 1024 * 1024
"""Bytes of an ordinary answer."""
MAX_SPENT_FILE = 64 * 1024 * 1024
"""Bytes of a file of spent nonces (8 each)."""
DEADLINE = 60.0
"""Seconds for one whole answer, however slowly it drips."""
_BACKOFF_LIMIT = 86_400


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a site: absolute URL, JSON body or none."""

    method: str
    url: str
    body: bytes | None = None
    headers: t.Mapping[str, str] = field(default_factory=dict)
    limit: int = MAX_REPLY


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete answer. Header names are lower-case; repeated headers are kept in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    @property
    def media_type(self) -> str:
        return (self.get("content-type") or "").partition(";")[0].strip().lower()

    @property
    def retry_after(self) -> int | None:
        """Seconds of ``Retry-After`` in its numeric form."""
        text = (self.get("retry-after") or "").strip()
        return (
            min(int(text), _BACKOFF_LIMIT) if text.isascii() and text.isdigit() and len(text) < 10 else None
        )

    @property
    def date(self) -> int | None:
        """The site's clock, Unix seconds; unknown for an answer out of a cache."""
        text = self.get("date")
        if text is None or self.get("age") is not None:
            return None
        try:
            return int(parsedate_to_datetime(text).timestamp())
        except (ValueError, TypeError, OverflowError):
            return None


T_co = t.TypeVar("T_co", covariant=True)
Steps: t.TypeAlias = t.Generator[Call, Reply, T_co]
"""A piece of dialogue that ends with a value."""

_T = t.TypeVar("_T")


def run(steps: Steps[_T], send: t.Callable[[Call], Reply]) -> _T:
    """Carry `steps` out with `send`; what `send` raises is raised inside the steps first."""
    try:
        call = next(steps)
        while True:
            try:
                reply = send(call)
            except Exception as error:
                call = steps.throw(error)
            else:
                call = steps.send(reply)
    except StopIteration as stop:
        return t.cast(_T, stop.value)


def origin_of(url: str) -> str:
    """Return the web origin of `url`: scheme, host and, when it is not the default, port, all lower-case.

    :raises SiteProtocolError: `url` is not an absolute http(s) URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host and not host.isascii():
            host = host.encode("idna").decode("ascii")
    except ValueError as error:
        raise SiteProtocolError(f"{url!r} is not a web address; write it as https://host/.") from error
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https") or not host:
        raise SiteProtocolError(f"{url!r} is not a web address; write it as https://host/.")
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host.lower()}" + (f":{port}" if port not in (None, default) else "")


def check_transport(origin: str, *, allow_http: bool = False) -> None:
    """Let `origin` pass when it is https, or http to this very machine or to an onion service.

    :raises InsecureTransport: anything else, unless `allow_http`.
    """
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    if parts.scheme == "https" or allow_http or host.endswith(".onion") or is_loopback(host):
        return
    raise InsecureTransport(
        f"{origin} uses plain http, where anyone on the way can take the tickets. Use its https address, or allow "
        "http explicitly (--allow-http) if you trust the whole network between you and the site."
    )


def is_loopback(host: str) -> bool:
    """Return whether `host` can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def open_http(
    proxy: str | None = None, purpose: Purpose = "mining", *, timeout: float = 20.0
) -> httpx.Client:
    """Return a client that follows no redirect, keeps no cookie and looks like every other visitor's.

    :param proxy: ``socks5h://host:port``, ``socks5://…`` or ``http://…``. A SOCKS proxy without credentials gets random
        ones for each client, so that Tor builds separate circuits for mining and for spending (``IsolateSOCKSAuth``).
        Without a proxy the environment's settings hold, except for this machine itself.
    :param timeout: seconds for connecting and between bytes.
    :raises MinerError: `proxy` is not one, or SOCKS support is not installed.
    """
    jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    options: dict[str, t.Any] = {
        "timeout": timeout,
        "follow_redirects": False,
        "cookies": jar,
        "headers": {"User-Agent": USER_AGENT, "Accept": "*/*"},
    }
    if proxy is None:
        direct = ("all://localhost", "all://*.localhost", "all://127.0.0.1", "all://[::1]")
        mounts: dict[str, httpx.BaseTransport | None] = dict.fromkeys(direct)
        outside = urllib.request.getproxies()
        for scheme in ("http", "https"):
            if not outside.keys() & {scheme, "all"}:
                mounts[f"{scheme}://*.onion"] = _NoTor()
        return httpx.Client(mounts=mounts, **options)
    # The environment could name another way out; a visitor who asked for a proxy gets that one only.
    try:
        return httpx.Client(
            proxy=_isolated(proxy, purpose), trust_env=False, verify=httpx.create_ssl_context(), **options
        )
    except (ValueError, httpx.InvalidURL) as error:
        raise MinerError("That is not a proxy's address; write it like socks5h://127.0.0.1:9050.") from error
    except ImportError as error:
        raise MinerError("SOCKS needs one more package: pip install 'Flask-TicketMiner[socks]'.") from error


class _NoTor(httpx.BaseTransport):
    """Refuses onion names (RFC 7686): asking the local network for one tells it, and its answer may be anybody."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no proxy was given", request=request)


def _isolated(proxy: str, purpose: Purpose) -> httpx.Proxy:
    url = httpx.URL(proxy)
    if url.scheme in ("socks5", "socks5h") and not url.userinfo:
        return httpx.Proxy(url, auth=(f"ticketminer-{purpose}", secrets.token_hex(16)))
    return httpx.Proxy(url)


def sender(http: httpx.Client, *, deadline: HeadDeadline | None = None) -> t.Callable[[Call], Reply]:
    """Return a function that carries a :class:`Call` over `http`, within its limit and :data:`DEADLINE`.

    :param deadline: for the heads of answers, instead of one of :data:`miner.deadline.SECONDS`.
    """
    deadline = deadline or HeadDeadline()

    def send(call: Call) -> Reply:
        headers = {"Accept-Encoding": "identity", **call.headers}
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with http.stream(
                call.method,
                call.url,
                content=call.body,
                headers=headers,
                follow_redirects=False,
                extensions={"trace": deadline},
            ) as response:
                check_coding(response)
                return Reply(
                    response.status_code, lower_headers(response), _bounded(response.iter_bytes(), call)
                )
        except httpx.HTTPError as error:
            raise unreachable(call.url, error) from error

    return send


def lower_headers(response: httpx.Response) -> tuple[tuple[str, str], ...]:
    """Return the response's headers as :class:`Reply` keeps them."""
    return tuple((name.lower(), value) for name, value in response.headers.multi_items())


def unreachable(url: str, error: Exception) -> SiteUnreachable:
    """Return the error for a request that got no complete answer."""
    hint = " An onion service needs a Tor proxy: -x socks5h://127.0.0.1:9050." if ".onion" in url else ""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return SiteUnreachable(
            f"{origin_of(url)} cannot be reached ({error}). Check the address and the connection, and try again; what was "
            f"under way will be repeated.{hint}"
        )
    return SiteUnreachable(
        f"{origin_of(url)} gave no complete answer ({type(error).__name__}: {error}). Whatever was sent is written "
        f"down and will be repeated; check the connection and try again.{hint}"
    )


def _bounded(chunks: t.Iterable[bytes], call: Call) -> bytes:
    end = time.monotonic() + DEADLINE
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > call.limit:
            raise too_large(call)
        if time.monotonic() > end:
            raise SiteUnreachable(
                f"{origin_of(call.url)} took more than {DEADLINE:.0f} s to answer. What was sent is written down and "
                "will be repeated; try again later."
            )
    return bytes(body)


def check_coding(response: httpx.Response) -> None:
    """Refuse a body that is compressed twice, or in a way that makes more than a thousand bytes of one.

    Bodies are counted as they are decoded, one network read (64 KiB) at a time.

    :raises SiteProtocolError: it is.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "deflate"):
        raise SiteProtocolError(
            f"{response.url} answered with strangely compressed data, which was not asked for. Check the address; if it "
            "is right, tell the site's operator."
        )


def too_large(call: Call) -> SiteProtocolError:
    """Return the error for an answer above the call's limit."""
    return SiteProtocolError(
        f"{call.url} answered more than {call.limit} bytes; that is not a ticket site's answer. Check the address."
    )
