"""Keys derived from the application's secrets, one for each purpose.

Nothing here is used for two things: HKDF-SHA256 gives every purpose its own key under a distinct label. Values made under
an older ``SECRET_KEY`` still verify while that key stands in ``SECRET_KEY_FALLBACKS``.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import typing as t

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Flask
from itsdangerous import Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from flask_ticketminer.config import PREFIX, Settings
from flask_ticketminer.errors import ConfigurationError

_LABEL = b"flask-ticketminer v1 "
_MIN_SECRET = 16
"""Characters: what people write for the time being is shorter."""
_PUBLISHED_SECRETS = frozenset(
    {
        b"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        b'_5#y2L"F4Q8z\n\xec]/',
        b"A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
        b"hard to guess string",
        b"you-will-never-guess",
    }
)
"""Long enough, but printed in Flask's documentation or in the tutorials that everybody copies from."""


class Secrets:
    """The keys of one application, newest first.

    :raises ConfigurationError: the application has no ``SECRET_KEY``.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        if not app.config.get("SECRET_KEY"):
            raise ConfigurationError(
                "Flask-TicketMiner signs jobs and challenges: set app.config['SECRET_KEY'], for example to the output of "
                "python -c 'import secrets; print(secrets.token_hex())'."
            )
        fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or ()
        self._secrets = [_as_bytes(secret) for secret in (app.config["SECRET_KEY"], *fallbacks)]
        own = [] if settings.key_secret is None else [_as_bytes(settings.key_secret)]
        self._wrapping = own + self._secrets

    @functools.cached_property
    def wrapping_keys(self) -> list[bytes]:
        """32-byte keys that wrap the mint's private keys: the first wraps, all are tried to unwrap.

        From ``TICKETMINER_KEY_SECRET`` when it is set, then from ``SECRET_KEY`` and its fallbacks, so that a site can
        move from one to the other with ``flask ticketminer keys rewrap``.
        """
        return [_derive(secret, "wrap mint keys") for secret in self._wrapping]

    @functools.cache  # noqa: B019 - one small object an application, as long-lived as the application
    def mac_keys(self, purpose: str) -> list[bytes]:
        """Return the 32-byte MAC keys for `purpose`, newest first."""
        return [_derive(secret, purpose) for secret in self._secrets]

    @functools.cache  # noqa: B019
    def serializer(self, purpose: str) -> URLSafeSerializer:
        """Return a signer of small JSON values for `purpose`; itsdangerous wants the newest key last."""
        keys = self.mac_keys(purpose)[::-1]
        # The keys are derived for this purpose alone, so that the signer need not derive others from them.
        options = {"digest_method": hashlib.sha256, "key_derivation": "none"}
        return _Serializer(keys, salt=purpose, signer_kwargs=options)

    def mac(self, purpose: str, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of `message` under the newest key for `purpose`."""
        return hmac.digest(self.mac_keys(purpose)[0], message, "sha256")

    def mac_matches(self, purpose: str, message: bytes, tag: bytes) -> bool:
        """Return whether `tag` is the MAC of `message` under any key for `purpose`, in constant time."""
        matches = [
            hmac.compare_digest(hmac.digest(key, message, "sha256"), tag) for key in self.mac_keys(purpose)
        ]
        return any(matches)


class _Json:
    """Compact JSON by an encoder that is made once."""

    dumps = staticmethod(json.JSONEncoder(separators=(",", ":")).encode)
    loads = staticmethod(json.loads)


class _Serializer(URLSafeSerializer):
    """Small values only: looking whether zlib makes them smaller takes longer than all the rest."""

    default_serializer = _Json

    def dump_payload(self, obj: t.Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


def weak_secrets(app: Flask, settings: Settings) -> list[str]:
    """Return the names of secrets that are short or well-known; production refuses to run with them."""
    candidates = {"SECRET_KEY": app.config.get("SECRET_KEY"), f"{PREFIX}KEY_SECRET": settings.key_secret}
    return [
        key
        for key, value in candidates.items()
        if value is not None and (len(value) < _MIN_SECRET or _as_bytes(value) in _PUBLISHED_SECRETS)
    ]


def _as_bytes(secret: t.Any) -> bytes:
    return secret if isinstance(secret, bytes) else str(secret).encode()


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=_LABEL + purpose.encode()).derive(secret)
