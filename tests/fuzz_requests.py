"""One HTTP request as bytes and header fields, open to any alteration, and how it reaches an application."""

from __future__ import annotations

import dataclasses
import io
import json
import shlex
import typing as t
from urllib.parse import unquote_to_bytes

from flask import Flask
from werkzeug.test import TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Request

Fields = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Wire:
    """A request as it is sent; `path` begins with a slash and holds the query string.

    :ivar length: what ``Content-Length`` claims; None for the true length.
    :ivar chunked: sent without a length, as servers hand chunked bodies over.
    """

    method: str
    path: str
    fields: Fields = ()
    body: bytes = b""
    length: str | None = None
    chunked: bool = False

    @classmethod
    def json(cls, method: str, path: str, members: object, *fields: tuple[str, str]) -> Wire:
        body = json.dumps(members).encode()
        return cls(method, path, (("Content-Type", "application/json"), *fields), body)

    def change(self, **changes: t.Any) -> Wire:
        return dataclasses.replace(self, **changes)

    def field(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)

    def with_field(self, name: str, value: str) -> Wire:
        """Return it with the field `name` replaced, or added."""
        rest = tuple(field for field in self.fields if field[0] != name)
        return self.change(fields=(*rest, (name, value)))

    def without_field(self, name: str) -> Wire:
        return self.change(fields=tuple(field for field in self.fields if field[0] != name))

    def environ(self) -> dict[str, t.Any]:
        """Return the WSGI environment that a server makes of it: repeated fields are joined by commas."""
        path, _, query = self.path.partition("?")
        environ = create_environ("/", "http://localhost/")
        environ["REQUEST_METHOD"] = self.method
        environ["PATH_INFO"] = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
        environ["REQUEST_URI"] = environ["RAW_URI"] = self.path
        environ["QUERY_STRING"] = query
        for name, value in self.fields:
            key = name.upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            known = environ.get(key) if key != "HTTP_HOST" else None
            environ[key] = value if known is None else f"{known},{value}"
        environ["wsgi.input"] = io.BytesIO(self.body)
        environ.pop("CONTENT_LENGTH", None)
        if self.chunked:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            environ["wsgi.input_terminated"] = True
        elif self.length is not None:
            environ["CONTENT_LENGTH"] = self.length
        elif self.body:
            environ["CONTENT_LENGTH"] = str(len(self.body))
        return environ

    def send(self, app: Flask) -> TestResponse:
        """Return the answer of `app`, which gets the environment as it is: a test client would put some of it right."""
        environ = self.environ()
        body, status, headers = run_wsgi_app(app, environ, buffered=True)
        return TestResponse(body, status, headers, request=Request(environ))

    def __str__(self) -> str:
        words = [self.method, self.path]
        words += [f"{name}: {value}" for name, value in self.fields]
        words += [f"length={self.length}"] * (self.length is not None) + ["chunked"] * self.chunked
        return " ".join(shlex.quote(word[:300]) for word in words) + f" {self.body[:600]!r}"
