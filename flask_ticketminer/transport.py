"""Where tickets may travel: TLS, loopback or an onion service; elsewhere only by explicit setting."""

from __future__ import annotations

import functools
import ipaddress

from flask import Flask, request

from flask_ticketminer.config import Settings
from flask_ticketminer.errors import ConfigurationError, InsecureTransport
from flask_ticketminer.secrets import weak_secrets

_FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")


@functools.lru_cache(256)
def is_local_name(host: str) -> bool:
    """Return whether `host` (a ``Host`` header) names this machine: localhost or a loopback address."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_onion(host: str) -> bool:
    """Return whether `host` names an onion service, whose transport is encrypted and authenticated by Tor."""
    return host.rsplit(":", 1)[0].rstrip(".").lower().endswith(".onion")


def check_transport(settings: Settings) -> None:
    """Refuse the current request when tickets in it could be read on the way.

    :raises InsecureTransport: plain http on a name that is neither loopback nor ``.onion``.
    """
    host = request.host
    if request.is_secure or settings.allow_http or is_local_name(host) or is_onion(host):
        return
    raise InsecureTransport(
        "Tickets are not sent over plain http: use https. (Behind a proxy the site's owner needs Werkzeug's ProxyFix; "
        "TICKETMINER_ALLOW_HTTP = True allows it on a trusted network.)"
    )


def check_production(app: Flask, settings: Settings) -> None:
    """Refuse to serve the world with a short or well-known secret.

    Production is any request that comes for another name than this machine's, or through a proxy, unless the
    application is in debug or testing mode.

    :raises ConfigurationError: names the key to change.
    """
    if app.debug or app.testing:
        return
    weak = weak_secrets(app, settings)
    if not weak:
        return
    proxied = any(header in request.headers for header in _FORWARDING_HEADERS)
    if proxied or not is_local_name(request.host):
        raise ConfigurationError(
            f"{' and '.join(weak)}: short or a well-known default, so anyone could forge jobs and passes. Use at least 16 "
            "random characters, for example the output of python -c 'import secrets; print(secrets.token_hex())'."
        )
