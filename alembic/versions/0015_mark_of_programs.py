"""Leave a mark of the programs that live with the tables: a comment of the table sports.

Each later revision replaces it. No reader or writer is blocked.
"""

from alembic import op

revision = "oddsschema_0015"
down_revision = "oddsschema_0014"
branch_labels = None
depends_on = None

# The oldest revision whose programs live with the tables.
programs_from = "oddsschema_0015"

MARK = f"{revision} serves programs from {programs_from}"


def upgrade() -> None:
    op.create_table_comment("sports", MARK)


def downgrade() -> None:
    op.drop_table_comment("sports", existing_comment=MARK)
