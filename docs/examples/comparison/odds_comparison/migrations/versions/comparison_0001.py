"""Followed events."""

import sqlalchemy as sa
from alembic import op

revision = "comparison_0001"
down_revision = None
branch_labels = ("comparison",)
depends_on = "oddsschema_0001"


def upgrade() -> None:
    op.create_table(
        "followed_events",
        sa.Column("event_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name=op.f("fk_followed_events_event_id_events"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_followed_events")),
    )


def downgrade() -> None:
    op.drop_table("followed_events")
