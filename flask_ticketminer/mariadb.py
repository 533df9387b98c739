"""MariaDB, alone or as a Galera cluster: how its connections are opened, prepared and left.

A cluster's nodes are named in the URL, as ``mariadb+pymysql://user:password@/database?host=node1:3306&host=node2:3306``; every node
takes writes, and a process stays with one as long as it answers.
"""

from __future__ import annotations

import os
import typing as t

from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine import ExceptionContext

DIALECTS = {"mysql", "mariadb"}
"""What SQLAlchemy calls it, by the beginning of the URL."""
LOCK_WAIT = 5
"""Seconds that a statement waits for another transaction's row."""
NOT_READY = 1047
"""A Galera node without quorum, joining or leaving refuses every statement with this number."""
LEAVE = {NOT_READY, 1180, 1053}
"""Numbers after which the connection is worth nothing: no quorum (1180: noticed at COMMIT), the server is stopping."""

_TIMEOUTS = {"connect_timeout": 3, "read_timeout": 60, "write_timeout": 60}
"""Seconds; without them a node that vanished would be waited for without end."""


def attach(engine: Engine) -> None:
    """Make `engine` open connections that are strict, bounded in time and at a node that is ready.

    Timeouts and the list of nodes have no effect on the engine of a host's database, whose pool the host has set up.
    """
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "handle_error", _note_lost_node)


def number(error: BaseException | None) -> int | None:
    """Return the number that MySQL's drivers put first in an error, or None."""
    found = error.args[0] if error is not None and error.args else None
    return found if isinstance(found, int) else None


def _connect(dialect: Dialect, _: t.Any, args: t.Any, parameters: dict[str, t.Any]) -> t.Any:
    given = parameters.get("host", "localhost")
    nodes = [given] if isinstance(given, str) else list(given)
    first = os.getpid() % len(nodes)
    errors = t.cast("t.Any", dialect).loaded_dbapi
    defaults = _TIMEOUTS | ({"binary_prefix": True} if dialect.driver == "pymysql" else {})
    failure = None
    for node in nodes[first:] + nodes[:first]:
        try:
            connection: t.Any = dialect.connect(*args, **defaults | parameters | _address(node))
            if _is_ready(connection):
                return connection
            connection.close()
            failure = errors.OperationalError(NOT_READY, f"The Galera node {node} is not ready for queries.")
        except errors.OperationalError as error:
            failure = error
    raise t.cast(BaseException, failure)


def _address(node: str) -> dict[str, t.Any]:
    """Split ``name:port``; a name without port, or an IPv6 address, leaves the port as it is."""
    name, colon, port = node.rpartition(":")
    return {"host": name, "port": int(port)} if colon and ":" not in name else {"host": node}


def _is_ready(connection: t.Any) -> bool:
    if not _is_galera(connection):
        return True
    drained = _shown(connection, "VARIABLES", "wsrep_reject_queries") != "NONE"
    return not drained and _shown(connection, "STATUS", "wsrep_ready") == "ON"


def _is_galera(connection: t.Any) -> bool:
    return _shown(connection, "VARIABLES", "wsrep_on") == "ON"


def _shown(connection: t.Any, kind: str, name: str) -> str | None:
    # SHOW is answered by a node without quorum too, which refuses to read any table.
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {kind} LIKE '{name}'")
        row = cursor.fetchone()
    return None if row is None else str(row[1])


def _prepare(connection: t.Any, _: t.Any) -> None:
    # Without a strict mode the server cuts what is too long and stores the rest.
    settings = ["sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION')"]
    settings.append(f"innodb_lock_wait_timeout = {LOCK_WAIT}")
    if _is_galera(connection):
        # A read sees what was committed on another node before it.
        settings.append("wsrep_sync_wait = 1")
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION " + ", ".join(settings))


def _note_lost_node(context: ExceptionContext) -> None:
    # SQLAlchemy would put a connection to such a node back in the pool.
    if number(context.original_exception) in LEAVE:
        context.is_disconnect = True
