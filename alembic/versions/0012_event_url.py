"""Add the URL of the event's page to competitor_events."""

import sqlalchemy as sa
from alembic import op

revision = "oddsschema_0012"
down_revision = "oddsschema_0011"
branch_labels = None
depends_on = None

WHITE_SPACE = """
9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
8202, 8232, 8233, 8239, 8287, 12288
"""
NO_WHITE_SPACE = f"NOT IN ({' '.join(WHITE_SPACE.split())})"


def upgrade() -> None:
    op.lock_tables("competitor_events")
    op.add_column("competitor_events", sa.Column("event_url", sa.String(1000), nullable=True))
    # With NOT VALID, no row is read while the table is locked. 0013 validates.
    op.create_check_constraint(
        op.f("ck_competitor_events_event_url"),
        "competitor_events",
        f"ascii(event_url) {NO_WHITE_SPACE} AND ascii(right(event_url, 1)) {NO_WHITE_SPACE}",
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.lock_tables("competitor_events")
    op.drop_column("competitor_events", "event_url")
