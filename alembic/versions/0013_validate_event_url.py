"""Validate the CHECK of 0012. The table is read; no reader or writer is blocked."""

from alembic import op

revision = "oddsschema_0013"
down_revision = "oddsschema_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE competitor_events VALIDATE CONSTRAINT ck_competitor_events_event_url")


def downgrade() -> None:
    """Do nothing: a valid CHECK does no harm."""
