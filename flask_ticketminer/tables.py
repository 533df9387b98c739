"""The ledger's tables, ``ticketminer_*``, as SQLAlchemy Core.

:func:`define_tables` puts them on a MetaData: a host's own, so that its migrations create them, or one of ours. Every constraint
is named, and named with ``conv``, so that a host's naming convention leaves it alone. Keys are binary of fixed length
(bytes noted below). ``issued`` and ``spent`` live long and therefore hold no time, no sequence and no link to a share or a payment;
what links (``share``, ``payment``, ``payment_input``, ``payment_output``, ``upstream_share``) is short-lived.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, fields

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import conv
from sqlalchemy.types import TypeEngine

SCHEMA_VERSION = 2
"""Changes with the tables; the database is checked against it."""

PREFIX = "ticketminer_"
_OUTGOING_KEY = ("share_id",)

COUNTERS = ("issued_share", "issued_change", "issued_exchange", "spent_payment", "spent_exchange")
"""What is counted for each key, in tickets (not in value)."""

FATES = ("accepted", "refused", "stale", "block", "unknown")
"""How a share that went upstream ends; each is also a sum in ``coin_total``."""
BLOCK_STATES = ("found", "confirmed", "orphaned")
"""What is known of a block that a node took."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables; each attribute is the table ``ticketminer_<name>``."""

    schema: Table
    """version | pruned_at: the database's time at the last prune, so that a clock jump is noticed."""
    key: Table
    """A (denomination, epoch) and its wrapped private key; all times are Unix seconds."""
    retired_key: Table
    """The tombstone of a key with its closing totals; it is never deleted."""
    issued: Table
    """key_id (32), blinded_hash (32, SHA-256 of the blinded message) → blind_signature (256)."""
    spent: Table
    """key_id (32), nonce (32)."""
    share: Table
    """A paid share, kept so that a repeat gets the same answer."""
    payment: Table
    """A payment's state, kept so that a repeat gets the same answer; `payment_id` digests the whole credential."""
    payment_input: Table
    """The spent rows that a reserved payment holds; deleted when it is settled or released."""
    payment_output: Table
    """The issued rows that a reserved payment holds; nobody may learn them before it is settled."""
    counter: Table
    """Tickets issued and spent of each key, spread over slots so that no row is hot."""
    totals: Table
    """Sums over the whole site by name, spread over slots."""
    fund_total: Table
    """Donated tickets by fund, spread over slots."""
    upstream: Table
    """What one coin's work comes from: the lease of the bridge that talks to it, and the template that jobs are cut from."""
    template: Table
    """Work of a pool or node; `next_counter` is the first extranonce that no process has leased, `voided` 0 or Unix seconds."""
    upstream_share: Table
    """The outbox: shares that are good enough for upstream, each with its fate (:mod:`flask_ticketminer.work.outbox`)."""
    block: Table
    """Blocks that a coin's own node has taken; block_hash is 32 bytes as explorers write them."""
    coin_total: Table
    """Sums by coin and name, spread over slots: what the site paid, what upstream took."""

    @property
    def all(self) -> tuple[Table, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


def define_tables(metadata: MetaData) -> Tables:
    """Return the tables on `metadata`, defining them there the first time."""
    if f"{PREFIX}schema" in metadata.tables:
        return Tables(**{field.name: metadata.tables[PREFIX + field.name] for field in fields(Tables)})

    def table(name: str, primary: tuple[str, ...], *parts: t.Any, rowid: bool = True) -> Table:
        key = PrimaryKeyConstraint(*primary, name=conv(f"pk_{PREFIX}{name}"))
        # Without a rowid SQLite keeps the rows in the order of their key: the order of insertion is nowhere stored.
        return Table(
            PREFIX + name,
            metadata,
            *parts,
            key,
            sqlite_with_rowid=rowid,
            mysql_engine="InnoDB",
            mariadb_engine="InnoDB",
        )

    def unique(name: str, *columns: str) -> UniqueConstraint:
        return UniqueConstraint(*columns, name=conv(f"uq_{PREFIX}{name}"))

    return Tables(
        schema=table("schema", ("version",), _integer("version"), _big("pruned_at")),
        key=table(
            "key",
            ("key_id",),
            _binary("key_id", 32),
            _integer("value"),
            _big("starts"),
            _big("ends"),
            _big("signs_until"),
            _big("redeem_until"),
            _text("issuer_name", 255),
            _binary("challenge_digest", 32),
            Column("spki", LargeBinary(512), nullable=False),
            Column("wrapped_private", LargeBinary(4096), nullable=False),
            Column("last_byte", SmallInteger, nullable=False),
            unique("key_value_starts", "value", "starts"),
            unique("key_last_byte", "last_byte"),
        ),
        retired_key=table(
            "retired_key",
            ("key_id",),
            _binary("key_id", 32),
            _integer("value"),
            _big("starts"),
            _big("ends"),
            _big("redeem_until"),
            _text("issuer_name", 255),
            *(_big(name) for name in COUNTERS),
        ),
        issued=table(
            "issued",
            ("key_id", "blinded_hash"),
            _binary("key_id", 32),
            _binary("blinded_hash", 32),
            _binary("blind_signature", 256),
            rowid=False,
        ),
        spent=table("spent", ("key_id", "nonce"), _binary("key_id", 32), _binary("nonce", 32), rowid=False),
        share=table(
            "share",
            ("share_id",),
            _binary("share_id", 32),
            _binary("request_digest", 32),
            _binary("key_id", 32, nullable=True),
            _binary("blinded_hash", 32, nullable=True),
            _integer("value"),
            _text("fund", 64, nullable=True),
            _big("created"),
        ),
        payment=table(
            "payment",
            ("payment_id",),
            _binary("payment_id", 32),
            _text("kind", 16),
            _text("state", 16),
            _integer("fence"),
            _big("lease_until"),
            _big("price"),
            _big("input_value"),
            _big("change_value"),
            Column("change", LargeBinary(65535), nullable=False),
            _binary("binding", 32, nullable=True),
            _text("fund", 64, nullable=True),
            _big("created"),
            Column("settled_at", BigInteger),
        ),
        payment_input=table(
            "payment_input",
            ("key_id", "nonce"),
            _binary("key_id", 32),
            _binary("nonce", 32),
            _binary("payment_id", 32),
            Index(conv(f"ix_{PREFIX}payment_input_payment"), "payment_id"),
        ),
        payment_output=table(
            "payment_output",
            ("payment_id", "position"),
            _binary("payment_id", 32),
            _integer("position"),
            _binary("key_id", 32),
            _binary("blinded_hash", 32),
            unique("payment_output_blinded", "key_id", "blinded_hash"),
        ),
        counter=table(
            "counter",
            ("key_id", "slot", "kind"),
            _binary("key_id", 32),
            _integer("slot"),
            _text("kind", 32),
            _big("total"),
        ),
        totals=table(
            "totals",
            ("name", "slot"),
            _text("name", 32),
            _integer("slot"),
            _big("total"),
        ),
        fund_total=table(
            "fund_total",
            ("fund", "slot"),
            _text("fund", 64),
            _integer("slot"),
            _big("total"),
        ),
        upstream=table(
            "upstream",
            ("coin",),
            _text("coin", 32),
            _text("holder", 64),
            _integer("fence"),
            _big("lease_until"),
            _binary("template_id", 16, nullable=True),
            _text("state", 16),
            _text("detail", 255),
            _big("changed"),
        ),
        template=table(
            "template",
            ("template_id",),
            _binary("template_id", 16),
            _text("coin", 32),
            _text("talk", 32),
            _text("algorithm", 32),
            _text("tip_id", 32),
            _big("effort"),
            Column("document", LargeBinary(1 << 20), nullable=False),
            Column("body", LargeBinary(1 << 25)),
            _big("next_counter"),
            _big("created"),
            _big("voided"),
            Index(conv(f"ix_{PREFIX}template_coin"), "coin", "voided"),
        ),
        upstream_share=table(
            "upstream_share",
            _OUTGOING_KEY,
            _binary("share_id", 32),
            _text("coin", 32),
            _text("talk", 32),
            _binary("template_id", 16),
            Column("solution", LargeBinary(1024), nullable=False),
            Column("is_block", SmallInteger, nullable=False),
            _text("state", 16),
            _text("reason", 255),
            _integer("fence"),
            _big("created"),
            _big("changed"),
            Index(conv(f"ix_{PREFIX}upstream_share_state"), "coin", "state"),
        ),
        block=table(
            "block",
            ("block_hash",),
            _binary("block_hash", 32),
            _text("coin", 32),
            _big("height"),
            _big("reward"),
            _text("state", 16),
            _big("created"),
            _big("changed"),
        ),
        coin_total=table(
            "coin_total",
            ("coin", "name", "slot"),
            _text("coin", 32),
            _text("name", 32),
            _integer("slot"),
            _big("total"),
        ),
    )


def _binary(name: str, size: int, *, nullable: bool = False) -> Column[bytes]:
    # MariaDB indexes only binary columns of a stated length, and its BINARY ends at 255 bytes.
    stated = mysql.BINARY(size) if size <= 255 else mysql.VARBINARY(size)
    kind: TypeEngine[bytes] = LargeBinary(size).with_variant(stated, "mysql", "mariadb")
    return Column(name, kind, nullable=nullable)


def _text(name: str, size: int, *, nullable: bool = False) -> Column[str]:
    # MariaDB's other collations take 'a' for 'A', 'ä' or 'a ', and a unique key then does too.
    exact = mysql.VARCHAR(size, charset="utf8mb4", collation="utf8mb4_nopad_bin")
    kind: TypeEngine[str] = String(size).with_variant(exact, "mysql", "mariadb")
    return Column(name, kind, nullable=nullable)


def _integer(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, autoincrement=False)


def _big(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False)
