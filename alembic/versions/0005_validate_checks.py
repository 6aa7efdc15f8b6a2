"""Validate the CHECKs of 0004. Every table is read once; no reader or writer is blocked.

This is a separate revision because 0004 holds its locks until its transaction ends.
"""

from alembic import op

revision = "oddsschema_0005"
down_revision = "oddsschema_0004"
branch_labels = None
depends_on = None

CHECKS = """
bookmakers: name slug base_url logo_url created_at updated_at
scrape_batches: started_at completed_at status trigger notes
sports: name slug
competitor_tournaments: name sportradar_id source external_id country_raw country_iso created_at \
    deleted_at
scrape_runs: status started_at completed_at events_scraped events_failed trigger platform_timings \
    platform
tournaments: name sportradar_id country
events: sportradar_id name home_team away_team kickoff created_at
competitor_events: sportradar_id name home_team away_team kickoff source external_id created_at \
    updated_at deleted_at
event_bookmakers: external_event_id event_url created_at
odds_snapshots: captured_at raw_response
scrape_errors: error_type error_message occurred_at
competitor_odds_snapshots: captured_at raw_response
market_odds: betpawa_market_id betpawa_market_name line handicap_type handicap_home handicap_away \
    outcomes handicap
competitor_market_odds: betpawa_market_id betpawa_market_name line handicap_type handicap_home \
    handicap_away outcomes handicap
"""


def upgrade() -> None:
    for line in CHECKS.strip().splitlines():
        table, checks = line.split(": ")
        actions = ", ".join(f"VALIDATE CONSTRAINT ck_{table}_{name}" for name in checks.split())
        op.execute(f"ALTER TABLE {table} {actions}")


def downgrade() -> None:
    """Do nothing: a valid CHECK does no harm."""
