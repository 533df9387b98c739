"""The content security policy of our own pages. Scripts of workers have another (:mod:`flask_ticketminer.blueprints.assets`)."""

from __future__ import annotations

import os

from flask import Response, current_app

from flask_ticketminer.site import current_site

_EVERYWHERE = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
"""Files of this site only, nothing inline. Frames of the site itself may show a 402 page."""
PAGE_POLICY = f"{_EVERYWHERE}; form-action 'self'"
PAYMENT_POLICY = _EVERYWHERE
"""For the 402 page, whose form leads on to what was paid for: where that is a redirect to another origin, Chromium would stop it under
``form-action``, after the payment."""
HEADER = "Content-Security-Policy"
PAYMENT_PAGE = "ticketminer/402.html"

_OURS = os.path.join(os.path.dirname(__file__), "templates", "ticketminer")


def protect(response: Response, template: str) -> Response:
    """Put the policy on a page of `template`, unless the site has turned that off or draws the page itself.

    A template of the host under our name may need what the policy forbids, so it gets none. Functions that the host registered
    with ``after_request`` run later, and what they set stands. Where that says nothing of frames, the older header still keeps
    others from laying our buttons under their own.
    """
    if not current_site().settings.page_policy:
        return response
    response.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
    if _is_ours(template) and _is_ours("ticketminer/base.html"):
        response.headers.setdefault(HEADER, PAYMENT_POLICY if template == PAYMENT_PAGE else PAGE_POLICY)
    return response


def _is_ours(template: str) -> bool:
    file = current_app.jinja_env.get_template(template).filename
    return file is not None and os.path.dirname(os.path.normpath(file)) == _OURS
