"""Create the reference tables: sports, tournaments, bookmakers, events, odds, scrape runs."""

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql

revision = "oddsschema_0001"
down_revision = None
branch_labels = ("oddsschema",)
depends_on = None


def reject_second_owner() -> None:
    """Raise CommandError if the tables exist and have their revision in oddsschema_version.

    Another project's alembic, which looks for the revision in its own version table, would create
    them again.
    """
    context = op.get_context()
    if context.as_sql or context.version_table == "oddsschema_version":
        return
    connection = op.get_bind()
    find = sa.text("SELECT to_regclass('oddsschema_version') IS NOT NULL")
    read = sa.text("SELECT max(version_num) FROM oddsschema_version")
    recorded = connection.scalar(read) if connection.scalar(find) else None
    if recorded is not None:
        names = (context.version_table_schema, context.version_table)
        table = ".".join(filter(None, names))
        raise CommandError(
            f"oddsschema's tables are at {recorded}, recorded in oddsschema_version, not in the "
            f"version table of this project: run 'oddsschema hand-over {table}', which moves the "
            "revision there, then this command again"
        )


def upgrade() -> None:
    reject_second_owner()
    op.create_table(
        "sports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("slug", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sports"),
        sa.UniqueConstraint("name", name="uq_sports_name"),
        sa.UniqueConstraint("slug", name="uq_sports_slug"),
    )
    op.create_table(
        "tournaments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sport_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("country", sa.String(100), server_default="Unknown", nullable=False),
        sa.Column("sportradar_id", sa.String(100), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tournaments"),
        sa.ForeignKeyConstraint(["sport_id"], ["sports.id"], name="fk_tournaments_sport_id_sports"),
        sa.UniqueConstraint("sportradar_id", name="uq_tournaments_sportradar_id"),
        sa.UniqueConstraint(
            "sport_id", "name", "country", name="uq_tournaments_sport_id_name_country"
        ),
    )
    op.create_table(
        "bookmakers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("slug", sa.String(100), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=True),
        sa.Column("logo_url", sa.String(500), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bookmakers"),
        sa.UniqueConstraint("name", name="uq_bookmakers_name"),
        sa.UniqueConstraint("slug", name="uq_bookmakers_slug"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tournament_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("home_team", sa.String(255), nullable=False),
        sa.Column("away_team", sa.String(255), nullable=False),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sportradar_id", sa.String(100), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(
            ["tournament_id"],
            ["tournaments.id"],
            name="fk_events_tournament_id_tournaments",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("sportradar_id", name="uq_events_sportradar_id"),
    )
    op.create_table(
        "event_bookmakers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=False),
        sa.Column("external_event_id", sa.String(100), nullable=False),
        sa.Column("event_url", sa.String(1000), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_event_bookmakers"),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_event_bookmakers_event_id_events",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"],
            ["bookmakers.id"],
            name="fk_event_bookmakers_bookmaker_id_bookmakers",
        ),
        sa.UniqueConstraint(
            "event_id", "bookmaker_id", name="uq_event_bookmakers_event_id_bookmaker_id"
        ),
    )
    op.create_table(
        "scrape_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("events_scraped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("events_failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("trigger", sa.String(50), nullable=True),
        sa.Column("platform_timings", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_scrape_runs"),
    )
    op.create_index("idx_scrape_runs_status", "scrape_runs", ["status"])
    op.create_index("idx_scrape_runs_started", "scrape_runs", ["started_at"])
    op.create_table(
        "scrape_errors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scrape_run_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=True),
        sa.Column("event_id", sa.Integer(), nullable=True),
        sa.Column("error_type", sa.String(50), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_scrape_errors"),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name="fk_scrape_errors_scrape_run_id_scrape_runs",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"],
            ["bookmakers.id"],
            name="fk_scrape_errors_bookmaker_id_bookmakers",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_scrape_errors_event_id_events",
            ondelete="SET NULL",
        ),
    )
    op.create_index("idx_scrape_errors_run", "scrape_errors", ["scrape_run_id"])
    op.create_index("idx_scrape_errors_bookmaker", "scrape_errors", ["bookmaker_id"])
    op.create_table(
        "odds_snapshots",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("bookmaker_id", sa.Integer(), nullable=False),
        sa.Column(
            "captured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("scrape_run_id", sa.Integer(), nullable=True),
        sa.Column("raw_response", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_odds_snapshots"),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name="fk_odds_snapshots_event_id_events",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["bookmaker_id"],
            ["bookmakers.id"],
            name="fk_odds_snapshots_bookmaker_id_bookmakers",
        ),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name="fk_odds_snapshots_scrape_run_id_scrape_runs",
            ondelete="SET NULL",
        ),
        sa.UniqueConstraint(
            "event_id",
            "bookmaker_id",
            "captured_at",
            name="uq_odds_snapshots_event_id_bookmaker_id_captured_at",
        ),
        sa.UniqueConstraint("event_id", "id", name="uq_odds_snapshots_event_id_id"),
    )
    op.create_index("idx_snapshots_event", "odds_snapshots", ["event_id"])
    op.create_index("idx_snapshots_bookmaker", "odds_snapshots", ["bookmaker_id"])
    op.create_index(
        "idx_snapshots_event_time", "odds_snapshots", ["event_id", sa.text("captured_at DESC")]
    )
    op.create_index("idx_snapshots_run", "odds_snapshots", ["scrape_run_id"])
    op.create_table(
        "market_odds",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("betpawa_market_id", sa.String(50), nullable=False),
        sa.Column("betpawa_market_name", sa.String(255), nullable=False),
        sa.Column("line", sa.Double(), nullable=True),
        sa.Column("handicap_type", sa.String(50), nullable=True),
        sa.Column("handicap_home", sa.Double(), nullable=True),
        sa.Column("handicap_away", sa.Double(), nullable=True),
        sa.Column("outcomes", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_market_odds"),
        sa.ForeignKeyConstraint(
            ["event_id", "snapshot_id"],
            ["odds_snapshots.event_id", "odds_snapshots.id"],
            name="fk_market_odds_snapshot_id_odds_snapshots",
            ondelete="CASCADE",
        ),
    )
    op.create_index("idx_market_odds_snapshot", "market_odds", ["snapshot_id"])
    op.create_index("idx_market_odds_market", "market_odds", ["betpawa_market_id"])


def downgrade() -> None:
    op.lock_tables(
        "sports",
        "bookmakers",
        "tournaments",
        "events",
        "event_bookmakers",
        "scrape_runs",
        "scrape_errors",
        "odds_snapshots",
        "market_odds",
    )
    op.drop_table("market_odds")
    op.drop_table("odds_snapshots")
    op.drop_table("scrape_errors")
    op.drop_table("scrape_runs")
    op.drop_table("event_bookmakers")
    op.drop_table("events")
    op.drop_table("bookmakers")
    op.drop_table("tournaments")
    op.drop_table("sports")
