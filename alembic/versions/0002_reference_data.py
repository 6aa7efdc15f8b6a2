"""Insert the sport and the bookmakers that every database needs.

Upgrade and downgrade are idempotent: existing rows stay, and rows that others refer to stay.
"""

from alembic import op

revision = "oddsschema_0002"
down_revision = "oddsschema_0001"
branch_labels = None
depends_on = None


# Insert a row that is missing. (ON CONFLICT without a target would pass over an id that is taken.)
INSERT = """
INSERT INTO {table} (name, slug)
SELECT '{name}', '{slug}'
WHERE NOT EXISTS (SELECT FROM {table} WHERE name = '{name}' OR slug = '{slug}')
"""

ROWS = (
    ("sports", "Football", "football"),
    ("bookmakers", "BetPawa", "betpawa"),
    ("bookmakers", "SportyBet", "sportybet"),
    ("bookmakers", "Bet9ja", "bet9ja"),
)


def _lock() -> None:
    # Keep writers away, also those that refer to a row: the rows are read before they are changed.
    op.lock_tables("sports", "bookmakers", mode="EXCLUSIVE")


def upgrade() -> None:
    _lock()
    for table, name, slug in ROWS:
        op.execute(INSERT.format(table=table, name=name, slug=slug))


def downgrade() -> None:
    _lock()
    op.execute(
        """
        DELETE FROM bookmakers AS b
        WHERE b.slug IN ('betpawa', 'sportybet', 'bet9ja')
          AND NOT EXISTS (SELECT FROM event_bookmakers AS e WHERE e.bookmaker_id = b.id)
          AND NOT EXISTS (SELECT FROM odds_snapshots AS s WHERE s.bookmaker_id = b.id)
          AND NOT EXISTS (SELECT FROM scrape_errors AS s WHERE s.bookmaker_id = b.id)
        """
    )
    op.execute(
        """
        DELETE FROM sports AS s
        WHERE s.slug = 'football'
          AND NOT EXISTS (SELECT FROM tournaments AS t WHERE t.sport_id = s.id)
        """
    )
