"""Validate the CHECKs of 0006: reads the tables, and blocks neither readers nor writers."""

from alembic import op

revision = "oddsschema_0007"
down_revision = "oddsschema_0006"
branch_labels = None
depends_on = None

CHECKS = {
    "odds_snapshots": ("last_confirmed_at", "confirmed_at"),
    "competitor_odds_snapshots": ("last_confirmed_at", "confirmed_at"),
    "market_odds": ("unavailable_at",),
    "competitor_market_odds": ("unavailable_at",),
}


def upgrade() -> None:
    for table, checks in CHECKS.items():
        each = ", ".join(f"VALIDATE CONSTRAINT ck_{table}_{what}" for what in checks)
        op.execute(f"ALTER TABLE {table} {each}")


def downgrade() -> None:
    """Nothing: that rows have been looked at does no harm."""
