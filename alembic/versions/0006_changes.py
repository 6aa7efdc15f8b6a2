"""Let snapshots hold only changes: add confirmation times, and times of unavailability."""

import sqlalchemy as sa
from alembic import op

revision = "oddsschema_0006"
down_revision = "oddsschema_0005"
branch_labels = None
depends_on = None

TIME = "{} >= '1970-01-01 00:00:00+00:00' AND {} < '2201-01-01 00:00:00+00:00'"
TIMES = (
    "array_position({}, NULL) IS NULL "
    "AND '1970-01-01 00:00:00+00:00' <= ALL ({}) AND '2201-01-01 00:00:00+00:00' > ALL ({})"
)


# In the order in which ingestion uses them.
TABLES = ("competitor_odds_snapshots", "competitor_market_odds", "odds_snapshots", "market_odds")


def upgrade() -> None:
    op.lock_tables(*TABLES)
    # Constant defaults rewrite no row. Existing snapshots are complete.
    for table in ("odds_snapshots", "competitor_odds_snapshots"):
        op.add_column(
            table,
            sa.Column("is_complete", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        )
        op.add_column(
            table, sa.Column("last_confirmed_at", sa.DateTime(timezone=True), nullable=True)
        )
        op.add_column(
            table,
            sa.Column(
                "confirmed_at",
                sa.ARRAY(sa.DateTime(timezone=True)),
                server_default=sa.text("'{}'"),
                nullable=False,
            ),
        )
        _check(table, "last_confirmed_at", TIME)
        _check(table, "confirmed_at", TIMES)
    for table in ("market_odds", "competitor_market_odds"):
        op.add_column(table, sa.Column("unavailable_at", sa.DateTime(timezone=True), nullable=True))
        _check(table, "unavailable_at", TIME)


def _check(table: str, column: str, condition: str) -> None:
    # With NOT VALID, no row is read while the table is locked. 0007 validates.
    op.create_check_constraint(
        op.f(f"ck_{table}_{column}"),
        table,
        condition.replace("{}", column),
        postgresql_not_valid=True,
    )


# Copy into each snapshot of changes the markets that are in effect at its time. The columns that
# mark such snapshots are dropped afterwards.
EXPAND = """
INSERT INTO {markets} ({event}, snapshot_id, betpawa_market_id, betpawa_market_name, line,
    handicap_type, handicap_home, handicap_away, outcomes)
SELECT {event}, to_snapshot, betpawa_market_id, betpawa_market_name, line,
    handicap_type, handicap_home, handicap_away, outcomes
FROM (
    SELECT DISTINCT ON (s.id, m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home,
        m.handicap_away) s.id AS to_snapshot, m.*
    FROM {snapshots} AS s
    CROSS JOIN LATERAL (
        SELECT k.captured_at FROM {snapshots} AS k
        WHERE k.{event} = s.{event} {same} AND k.captured_at <= s.captured_at AND k.is_complete
        ORDER BY k.captured_at DESC LIMIT 1
    ) AS keyframe
    JOIN {snapshots} AS k ON k.{event} = s.{event} {same}
        AND k.captured_at BETWEEN keyframe.captured_at AND s.captured_at
    JOIN {markets} AS m ON m.{event} = k.{event} AND m.snapshot_id = k.id
    WHERE NOT s.is_complete
    ORDER BY s.id, m.betpawa_market_id, m.line, m.handicap_type, m.handicap_home, m.handicap_away,
        k.captured_at DESC, m.id DESC
) AS state
WHERE snapshot_id <> to_snapshot AND unavailable_at IS NULL
"""

SIDES = (
    {
        "snapshots": "competitor_odds_snapshots",
        "markets": "competitor_market_odds",
        "event": "competitor_event_id",
        "same": "",
    },
    {
        "snapshots": "odds_snapshots",
        "markets": "market_odds",
        "event": "event_id",
        "same": "AND k.bookmaker_id = s.bookmaker_id",
    },
)


def downgrade() -> None:
    """Keep the markets of every instant; lose the times of captures without a change."""
    # Changes that others store meanwhile would not be expanded.
    op.lock_tables(*TABLES)
    for side in SIDES:
        op.execute(EXPAND.format(**side))
        op.execute(f"DELETE FROM {side['markets']} WHERE unavailable_at IS NOT NULL")
        for column in ("confirmed_at", "last_confirmed_at", "is_complete"):
            op.drop_column(side["snapshots"], column)
        op.drop_column(side["markets"], "unavailable_at")
