"""Our pages, and what we put on the host's: rendered in the visitor's language, with the headers that go with it."""

from __future__ import annotations

import typing as t

from flask import Flask, Response, g, has_request_context, make_response, render_template, request
from markupsafe import Markup

from flask_ticketminer.errors import ConfigurationError
from flask_ticketminer.messages import depends_on_browser, messages
from flask_ticketminer.policy import protect
from flask_ticketminer.site import current_site

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers

SERVICE_HEADER = "X-TicketMiner-Service"


def page(template: str, *, into: Response | None = None, **context: t.Any) -> Response:
    """Return a page of ours; every template knows `message`, the sentences of :func:`~flask_ticketminer.messages.messages`.

    :param into: an answer that the page is to be the body of.
    """
    response = make_response() if into is None else into
    response.data = render_template(template, message=messages(), **context)
    response.mimetype = "text/html"
    return protect(response, template)


def part(template: str, *, lang: str | None = None, **context: t.Any) -> Markup:
    """Return a piece of a page of the host, which will then point to the service document.

    :param lang: the language of the piece, if it is not the visitor's.
    :raises ConfigurationError: the page is on a subdomain, where nothing of ours would answer.
    """
    site = current_site()
    if request.url_rule is not None and not site.stands_beside(request.url_rule):
        raise ConfigurationError(
            f"The page of {request.endpoint!r} stands on a subdomain, where {site.settings.url_prefix}/… does not exist, so "
            "nobody could mine or give there. Put the widget and the banners on pages of the main host."
        )
    g._ticketminer_embedded = True
    return Markup(render_template(template, message=messages(lang), **context))  # noqa: S704 - our own, autoescaped


def cacheable(response: Response, seconds: int) -> Response:
    """Let caches keep a page of ours; only the visitor's where a function of the host chooses the language by who knows what."""
    scope = "public" if current_site().extension.language_callback is None else "private"
    response.headers["Cache-Control"] = f"{scope}, max-age={seconds}"
    return response


def register_pages(app: Flask) -> None:
    """Let answers with something of ours say so, and what they vary by."""
    app.after_request(_mark)


def _mark(response: Response) -> Response:
    if g.get("_ticketminer_embedded"):
        response.headers[SERVICE_HEADER] = current_site().url()
    if has_request_context() and depends_on_browser():
        response.vary.add("Accept-Language")
    if has_request_context() and request.blueprints[-1:] == ["ticketminer"] and response.cache_control.public:
        _keep_cookies_apart(response)
    return response


def _keep_cookies_apart(response: Response) -> None:
    """Let no shared cache hand on a cookie: the host's session may join any answer, after all that can be registered."""
    finish = response.get_wsgi_headers

    def headers(environ: WSGIEnvironment) -> Headers:
        found = finish(environ)
        if "Set-Cookie" in found:
            found["Cache-Control"] = found["Cache-Control"].replace("public", "private")
        return found

    response.get_wsgi_headers = headers  # type: ignore[method-assign]
