"""The log: events, orders, signed orders, sources and documents."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="meta_pk"),
        sqlite_strict=True,
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("incarnation", whole, nullable=False),
        sa.PrimaryKeyConstraint("name", name="sources_pk"),
        sqlite_strict=True,
    )
    op.create_table(
        "events",
        sa.Column("seq", whole, nullable=False, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("agent_id", sa.Text),
        sa.Column("incarnation", whole, nullable=False),
        sa.Column("timestamp", whole, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="events_pk"),
        sa.UniqueConstraint("id", name="events_id_key"),
        sqlite_strict=True,
    )
    op.create_index("events_agent_id_type_seq_index", "events", ["agent_id", "type", "seq"])
    op.create_index("events_agent_id_seq_index", "events", ["agent_id", "seq"])
    op.create_index("events_type_seq_index", "events", ["type", "seq"])
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("wallet", sa.Text, nullable=False),
        sa.Column("agent_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created", whole, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="orders_pk"),
        sqlite_strict=True,
    )
    op.create_index("orders_agent_id_seq_index", "orders", ["agent_id", "seq"])
    op.create_index("orders_seq_index", "orders", ["seq"])
    op.create_index("orders_wallet_status_index", "orders", ["wallet", "status"])
    op.create_table(
        "signed",
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("order_id", name="signed_pk"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.order_id"], name="signed_order_id_fk"),
        sqlite_strict=True,
    )
    op.create_table(
        "documents",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="documents_pk"),
        sqlite_strict=True,
    )
