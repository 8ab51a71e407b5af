"""The tables of the log. Every integer is 64 bits wide, times are wall epoch milliseconds, JSON is stored as text.

What stands here must equal what the migrations make; a test compares the two.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    }
)

#: SQLite's strict tables know one integer type, which is 64 bits wide.
Whole = BigInteger().with_variant(Integer(), "sqlite")

#: Facts about the database itself.
meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)

#: The newest life of every source that has written.
sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("incarnation", Whole, nullable=False),
    sqlite_strict=True,
)

#: The log. `seq` counts 1, 2, 3, ... without a gap.
events = Table(
    "events",
    metadata,
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("agent_id", Text),
    Column("incarnation", Whole, nullable=False),
    Column("timestamp", Whole, nullable=False),
    Column("data", Text, nullable=False),
    Index(None, "agent_id", "type", "seq"),
    Index(None, "agent_id", "seq"),
    Index(None, "type", "seq"),
    sqlite_strict=True,
)

#: The latest state of every order; `created` and `seq` are those of its first event, `updated` is the time of its latest.
orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("agent_id", Text),
    Column("status", Text, nullable=False),
    Column("created", Whole, nullable=False),
    Column("seq", Whole, nullable=False),
    Column("data", Text, nullable=False),
    Column("updated", Whole, nullable=False, server_default="0"),
    Index(None, "agent_id", "seq"),
    Index(None, "seq"),
    Index(None, "wallet", "status"),
    Index(None, "updated"),
    sqlite_strict=True,
)

#: The signed bytes of orders, stored before they are sent.
signed = Table(
    "signed",
    metadata,
    Column("order_id", Text, ForeignKey("orders.order_id"), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    sqlite_strict=True,
)

#: The folded state up to a seq as JSON text, and how many events there were until then by agent and type.
snapshots = Table(
    "snapshots",
    metadata,
    Column("seq", Whole, primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("counts", Text, nullable=False),
    sqlite_strict=True,
)

#: Fills whose events have left the log, as far as the venue may still report them.
fills = Table(
    "fills",
    metadata,
    Column("key", Text, primary_key=True),
    Column("wallet", Text, nullable=False),
    Column("timestamp", Whole, nullable=False),
    Index(None, "wallet", "timestamp"),
    sqlite_strict=True,
)

#: Settings and the like, by name.
documents = Table(
    "documents",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", Text, nullable=False),
    sqlite_strict=True,
)
