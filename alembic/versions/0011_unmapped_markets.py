"""Add the table of markets that scrapers could not map to markets of BetPawa's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "oddsschema_0011"
down_revision = "oddsschema_0010"
branch_labels = None
depends_on = None

# In the conditions, {} is the column.
WHITE_SPACE = """
9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
8202, 8232, 8233, 8239, 8287, 12288
"""
NO_WHITE_SPACE = f"NOT IN ({' '.join(WHITE_SPACE.split())})"
TRIMMED = f"ascii({{}}) {NO_WHITE_SPACE} AND ascii(right({{}}, 1)) {NO_WHITE_SPACE}"
FLOAT_MAX = 2**1024 - 2**971  # the greatest float64
FINITE_JSON = f"NOT jsonb_path_exists({{}}, 'strict $.** ? (@ < -{FLOAT_MAX} || @ > {FLOAT_MAX})')"
TIME = "{} >= '1970-01-01 00:00:00+00:00' AND {} < '2201-01-01 00:00:00+00:00'"

CHECKS = {
    "source": "{} ~ '^[a-z0-9][a-z0-9_-]{0,19}$'",
    "market_id": f"{{}} <> '' AND {TRIMMED}",
    "name": TRIMMED,
    "example": FINITE_JSON,
    "first_seen_at": TIME,
    "last_seen_at": TIME,
    "times_seen": "{} >= 0",
}


def upgrade() -> None:
    op.create_table(
        "unmapped_markets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("market_id", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        _server_time("first_seen_at"),
        _server_time("last_seen_at"),
        sa.Column("times_seen", sa.BigInteger(), nullable=False),
        sa.Column("example", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmapped_markets")),
        sa.UniqueConstraint(
            "source", "market_id", name=op.f("uq_unmapped_markets_source_market_id")
        ),
        *(
            sa.CheckConstraint(
                condition.replace("{}", column), name=op.f(f"ck_unmapped_markets_{column}")
            )
            for column, condition in CHECKS.items()
        ),
    )


def _server_time(name: str) -> sa.Column:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def downgrade() -> None:
    op.lock_tables("unmapped_markets")
    op.drop_table("unmapped_markets")
