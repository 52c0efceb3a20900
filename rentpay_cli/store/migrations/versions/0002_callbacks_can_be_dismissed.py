"""Callbacks can be dismissed."""

from alembic import op

from rentpay_cli.store.migrations.words import widen

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    widen(op.get_bind(), "inbox", "inbox_state", "state", ("new", "read", "held", "dismissed"))
