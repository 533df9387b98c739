"""Whether an answer is one that the OpenAPI document announces, or that HTTP itself allows."""

from __future__ import annotations

import json
import re
import typing as t

from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from visitor import PREFIX
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect
from werkzeug.test import TestResponse

Document = dict[str, t.Any]

_GATED = f"{PREFIX}/donate"


class Announced:
    """The answers that the document of `app` announces.

    The application's own gated routes are not in the document; a gate refuses there as it does at the donation route.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._document: Document = t.cast(
            "Document", app.test_client().get(f"{PREFIX}/openapi.json").get_json()
        )
        resource = Resource.from_contents(self._document, default_specification=DRAFT202012)
        self._registry: Registry[t.Any] = Registry().with_resource("urn:document", resource)
        self._validators: dict[tuple[str, ...], Draft202012Validator] = {}

    def template(self, environ: dict[str, t.Any]) -> str | None:
        """Return the documented (or the application's) path that `environ` asks for; None where nothing is."""
        adapter = self._app.url_map.bind_to_environ(environ)
        try:
            rule, _ = adapter.match(return_rule=True)
        except RequestRedirect:
            return None
        except MethodNotAllowed as error:
            methods = error.valid_methods or ["GET"]
            try:
                rule, _ = adapter.match(method=next(iter(methods)), return_rule=True)
            except HTTPException:
                return None
        except HTTPException:
            return None
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)

    def faults(self, template: str | None, method: str, reply: TestResponse) -> list[str]:
        """Return what is wrong with `reply` to a request of `method`, in sentences."""
        status = reply.status_code
        if method == "HEAD" and reply.data:
            return ["HEAD was answered with a body"]
        if template is None:
            return [] if status in (308, 404, 405) else [f"{status} where nothing is"]
        item = self._document["paths"].get(template)
        described = ("get" if method == "HEAD" else method.lower()) if item else None
        if item is not None and described not in item:
            return self._unasked(method, reply)
        if item is None and (method not in ("GET", "HEAD", "POST")):
            return self._unasked(method, reply)
        if item is None:
            item, described = self._document["paths"][_GATED], "get"
            if status < 400 or status == 404 or (status == 413 and method == "POST"):
                return []  # the view's own answer, or the application's
        responses = item[described]["responses"]
        if str(status) not in responses:
            return [f"{status} is not announced ({reply.data[:200]!r})"]
        return self._shape((template, method), responses[str(status)], reply)

    def _unasked(self, method: str, reply: TestResponse) -> list[str]:
        """Check the answer to a method that a path does not have: Flask gives it, before any endpoint is chosen."""
        if method == "OPTIONS":
            return (
                [] if reply.status_code == 200 and reply.headers.get("Allow") else ["OPTIONS says no Allow"]
            )
        if reply.status_code != 405 or not reply.headers.get("Allow"):
            return [f"{reply.status_code} to a method that is not there"]
        return []

    def _shape(self, place: tuple[str, ...], response: Document, reply: TestResponse) -> list[str]:
        missing = [
            f"{reply.status_code} lacks {name}"
            for name, header in response.get("headers", {}).items()
            if header.get("required") and name not in reply.headers
        ]
        if reply.status_code == 503 and "Retry-After" not in reply.headers:
            missing.append("503 lacks Retry-After")
        if not reply.data:
            return missing
        content = response.get("content", {})
        if reply.mimetype not in content:
            return [*missing, f"{reply.status_code} as {reply.mimetype}"]
        if (
            not reply.mimetype.endswith("json")
            and reply.mimetype != "application/private-token-issuer-directory"
        ):
            return missing
        validator = self._validator((*place, str(reply.status_code), reply.mimetype), content[reply.mimetype])
        errors = validator.iter_errors(reply.get_json(force=True))
        return missing + [f"{reply.status_code}: {error.json_path} {error.message[:200]}" for error in errors]

    def _validator(self, name: tuple[str, ...], media: Document) -> Draft202012Validator:
        if name not in self._validators:
            schema = json.loads(json.dumps(media["schema"]).replace('"#/', '"urn:document#/'))
            self._validators[name] = Draft202012Validator(
                schema, registry=self._registry, format_checker=FormatChecker()
            )
        return self._validators[name]
