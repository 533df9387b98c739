"""The functions that the host's templates call."""

from __future__ import annotations

import typing as t

from flask import Flask

from flask_ticketminer.donations import donate_banner, donated
from flask_ticketminer.widget import widget

FUNCTIONS: t.Mapping[str, t.Callable[..., t.Any]] = {
    "ticketminer_widget": widget,
    "ticketminer_donate": donate_banner,
    "ticketminer_donated": donated,
}


def register_functions(app: Flask) -> None:
    """Make the functions known to templates of `app`, at once, without touching ``app.jinja_env``.

    That would freeze the host's Jinja options while it is still being set up.
    """
    app.context_processor(lambda: dict(FUNCTIONS))


def register_globals(app: Flask) -> None:
    """Make them known to imported macros too, which see no context; called when the application is complete."""
    for name, function in FUNCTIONS.items():
        app.jinja_env.globals.setdefault(name, function)
