"""Add the time of the last sign of life to scrape_runs."""

import sqlalchemy as sa
from alembic import op

revision = "oddsschema_0010"
down_revision = "oddsschema_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.lock_tables("scrape_runs")
    op.add_column(
        "scrape_runs", sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_check_constraint(
        op.f("ck_scrape_runs_heartbeat_at"),
        "scrape_runs",
        "heartbeat_at >= '1970-01-01 00:00:00+00:00' "
        "AND heartbeat_at < '2201-01-01 00:00:00+00:00'",
    )


def downgrade() -> None:
    op.lock_tables("scrape_runs")
    op.drop_column("scrape_runs", "heartbeat_at")
