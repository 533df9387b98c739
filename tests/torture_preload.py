"""What every process of the torture uses, imported once in the process that they are forked from."""

from __future__ import annotations

import gunicorn.app.base
import gunicorn.arbiter
import gunicorn.workers.gthread
import httpx
import psycopg
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite
import torture_app
import torture_bridge
import torture_spenders
import torture_visitors

__all__ = [
    "gunicorn",
    "httpx",
    "psycopg",
    "sqlalchemy",
    "torture_app",
    "torture_bridge",
    "torture_spenders",
    "torture_visitors",
]
