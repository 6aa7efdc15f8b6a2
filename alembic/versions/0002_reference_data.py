"""Insert the sport and the bookmakers that every database needs.

Upgrade and downgrade are idempotent: existing rows stay, and rows that others refer to stay.
"""

from alembic import op

revision = "oddsschema_0002"
down_revision = "oddsschema_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO sports (name, slug) VALUES ('Football', 'football') ON CONFLICT DO NOTHING"
    )
    op.execute(
        """
        INSERT INTO bookmakers (name, slug)
        VALUES ('BetPawa', 'betpawa'), ('SportyBet', 'sportybet'), ('Bet9ja', 'bet9ja')
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
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
