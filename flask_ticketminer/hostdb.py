"""Whether the host's own session holds a lock that the tickets would wait for.

On a SQLite file shared by host and tickets only one transaction writes at a time. A request that waited for its own
uncommitted writes would wait for ever.
"""

from __future__ import annotations

import typing as t

from flask_ticketminer.errors import UncommittedWrites

if t.TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

    from flask_ticketminer.site import Site


def refuse_open_writes(site: Site, endpoint: str | None) -> None:
    """Roll back and complain when the host's session has uncommitted writes on the shared SQLite file.

    :raises UncommittedWrites: names the view and both remedies.
    """
    if discard_open_writes(site):
        raise UncommittedWrites(
            f"The paid view {endpoint!r} left uncommitted writes in db.session, and on SQLite they lock out the tickets "
            "that share the file. The tickets were given back. Commit (or roll back) before returning, or give the tickets "
            "a database of their own: TicketMiner() without db=, or TICKETMINER_DATABASE_URI."
        )


def discard_open_writes(site: Site) -> bool:
    """Roll back the host's uncommitted writes on the shared SQLite file; return whether there were any.

    A view that failed does not commit them any more, and giving its tickets back needs the lock that they hold.
    """
    db = site.extension.db
    if db is None or not site.database.is_sqlite or not _writes_open(db, site.extension.bind_key):
        return False
    db.session.rollback()
    return True


def _writes_open(db: SQLAlchemy, bind_key: str | None) -> bool:
    if not db.session.registry.has() or not db.session().in_transaction():
        return False
    engine = db.engines[bind_key]
    if engine.url.database in (None, "", ":memory:"):
        return False  # the tickets then have a database of their own
    connection = db.session.connection(bind_arguments={"bind": engine})
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", False))
