"""The site's name in its tickets, and whether visitors' wallets find the site under it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask

from flask_ticketminer.config import PREFIX, Settings
from flask_ticketminer.transport import is_local_name

_PUBLIC = re.compile(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*")


def foreign_name(app: Flask, settings: Settings) -> str | None:
    """Return a warning if the site's name is certainly not the host that it is reached at, else None.

    Only ``SERVER_NAME`` tells: where it is a public name, the site's name must be that host, a subdomain of it, or one of
    ``TICKETMINER_ORIGINS``. Ports are left aside, since a proxy may change them. Of ``localhost`` other warnings speak.
    """
    server, name = _host(app.config.get("SERVER_NAME") or ""), _host(settings.site_name)
    if name == "localhost" or is_local_name(server) or not _PUBLIC.fullmatch(server):
        return None
    others = {_host(urlsplit(origin).netloc) for origin in settings.origins}
    if name == server or name.endswith(f".{server}") or name in others:
        return None
    return (
        f"{PREFIX}SITE_NAME is {settings.site_name!r}, and SERVER_NAME {app.config['SERVER_NAME']!r}: wallets take a name for the "
        "site's own only where it is the host in the address. Otherwise the secrets of your tickets follow from the address, "
        f"and twelve words alone do not find them after a move. Let {PREFIX}SITE_NAME be the public host."
    )


def _host(name: str) -> str:
    return name.lower().partition(":")[0].strip(".")
