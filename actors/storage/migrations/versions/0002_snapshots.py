"""Snapshots of the folded state, fills that have left the log, and when orders last changed: what retention needs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "snapshots",
        sa.Column("seq", whole, nullable=False, autoincrement=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="snapshots_pk"),
        sqlite_strict=True,
    )
    op.create_table(
        "fills",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("wallet", sa.Text, nullable=False),
        sa.Column("timestamp", whole, nullable=False),
        sa.PrimaryKeyConstraint("key", name="fills_pk"),
        sqlite_strict=True,
    )
    op.create_index("fills_wallet_timestamp_index", "fills", ["wallet", "timestamp"])
    op.add_column("orders", sa.Column("updated", whole, nullable=False, server_default="0"))
    op.create_index("orders_updated_index", "orders", ["updated"])
    # When they last changed was not noted: not after the newest event.
    op.execute("update orders set updated = (select max(timestamp) from events)")
