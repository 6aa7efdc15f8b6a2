"""Leave room on the pages of snapshots, so that confirmations update no index.

The setting applies to pages that are written later. Neither readers nor writers are blocked.
"""

from alembic import op

revision = "oddsschema_0014"
down_revision = "oddsschema_0013"
branch_labels = None
depends_on = None

TABLES = "odds_snapshots", "competitor_odds_snapshots"


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 60)")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
