"""Validate the CHECKs of 0006. The tables are read; no reader or writer is blocked."""

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
        actions = ", ".join(f"VALIDATE CONSTRAINT ck_{table}_{name}" for name in checks)
        op.execute(f"ALTER TABLE {table} {actions}")


def downgrade() -> None:
    """Do nothing: a valid CHECK does no harm."""
