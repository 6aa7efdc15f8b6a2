"""Add competitor tables and scrape batches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "oddsschema_0003"
down_revision = "oddsschema_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Tables to which the foreign keys refer are locked against writers.
    op.lock_tables("sports", "events", "scrape_runs")
    op.create_table(
        "scrape_batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(20), server_default="pending", nullable=False),
        sa.Column("trigger", sa.String(50), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_scrape_batches"),
    )
    op.create_index("idx_scrape_batches_started", "scrape_batches", ["started_at"])

    op.add_column("scrape_runs", sa.Column("batch_id", sa.Integer(), nullable=True))
    op.add_column("scrape_runs", sa.Column("platform", sa.String(20), nullable=True))
    op.create_foreign_key(
        "fk_scrape_runs_batch_id_scrape_batches",
        "scrape_runs",
        "scrape_batches",
        ["batch_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index("idx_scrape_runs_batch", "scrape_runs", ["batch_id"])

    op.create_table(
        "competitor_tournaments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("sport_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("country_raw", sa.String(100), nullable=True),
        sa.Column("country_iso", sa.String(3), nullable=True),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.Column("sportradar_id", sa.String(100), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_competitor_tournaments"),
        sa.ForeignKeyConstraint(
            ["sport_id"], ["sports.id"], name="fk_competitor_tournaments_sport_id_sports"
        ),
        sa.UniqueConstraint(
            "source", "external_id", name="uq_competitor_tournaments_source_external"
        ),
    )
    op.create_index("idx_competitor_tournaments_source", "competitor_tournaments", ["source"])
    op.create_index("idx_competitor_tournaments_sport", "competitor_tournaments", ["sport_id"])
    op.create_index(
        "idx_competitor_tournaments_sr_id",
        "competitor_tournaments",
        ["sportradar_id"],
        postgresql_where=sa.text("sportradar_id IS NOT NULL"),
    )

    op.create_table(
        "competitor_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("tournament_id", sa.Integer(), nullable=False),
        sa.Column("betpawa_event_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("home_team", sa.String(255), nullable=False),
        sa.Column("away_team", sa.String(255), nullable=False),
        sa.Column("kickoff", sa.DateTime(timezone=True), nullable=False),
        sa.Column("external_id", sa.String(100), nullable=False),
        sa.Column("sportradar_id", sa.String(100), nullable=False),
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
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_competitor_events"),
        sa.ForeignKeyConstraint(
            ["tournament_id"],
            ["competitor_tournaments.id"],
            name="fk_competitor_events_tournament_id_competitor_tournaments",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["betpawa_event_id"],
            ["events.id"],
            name="fk_competitor_events_betpawa_event_id_events",
            ondelete="SET NULL",
        ),
        sa.UniqueConstraint("source", "external_id", name="uq_competitor_events_source_external"),
    )
    op.create_index("idx_competitor_events_source", "competitor_events", ["source"])
    op.create_index("idx_competitor_events_tournament", "competitor_events", ["tournament_id"])
    op.create_index("idx_competitor_events_sr_id", "competitor_events", ["sportradar_id"])
    op.create_index(
        "idx_competitor_events_betpawa",
        "competitor_events",
        ["betpawa_event_id"],
        postgresql_where=sa.text("betpawa_event_id IS NOT NULL"),
    )
    op.create_index("idx_competitor_events_kickoff", "competitor_events", ["kickoff"])

    op.create_table(
        "competitor_odds_snapshots",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("competitor_event_id", sa.Integer(), nullable=False),
        sa.Column(
            "captured_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("scrape_run_id", sa.Integer(), nullable=True),
        sa.Column("raw_response", postgresql.JSONB(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_competitor_odds_snapshots"),
        sa.ForeignKeyConstraint(
            ["competitor_event_id"],
            ["competitor_events.id"],
            name="fk_competitor_odds_snapshots_event_id_competitor_events",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["scrape_run_id"],
            ["scrape_runs.id"],
            name="fk_competitor_odds_snapshots_scrape_run_id_scrape_runs",
            ondelete="SET NULL",
        ),
        sa.UniqueConstraint(
            "competitor_event_id",
            "captured_at",
            name="uq_competitor_odds_snapshots_competitor_event_id_captured_at",
        ),
        sa.UniqueConstraint(
            "competitor_event_id", "id", name="uq_competitor_odds_snapshots_competitor_event_id_id"
        ),
    )
    op.create_index(
        "idx_competitor_odds_snapshots_event", "competitor_odds_snapshots", ["competitor_event_id"]
    )
    op.create_index(
        "idx_competitor_odds_snapshots_captured", "competitor_odds_snapshots", ["captured_at"]
    )
    op.create_index(
        "idx_competitor_odds_snapshots_run", "competitor_odds_snapshots", ["scrape_run_id"]
    )

    op.create_table(
        "competitor_market_odds",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger(), nullable=False),
        sa.Column("competitor_event_id", sa.Integer(), nullable=False),
        sa.Column("betpawa_market_id", sa.String(50), nullable=False),
        sa.Column("betpawa_market_name", sa.String(255), nullable=False),
        sa.Column("line", sa.Double(), nullable=True),
        sa.Column("handicap_type", sa.String(50), nullable=True),
        sa.Column("handicap_home", sa.Double(), nullable=True),
        sa.Column("handicap_away", sa.Double(), nullable=True),
        sa.Column("outcomes", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_competitor_market_odds"),
        sa.ForeignKeyConstraint(
            ["competitor_event_id", "snapshot_id"],
            ["competitor_odds_snapshots.competitor_event_id", "competitor_odds_snapshots.id"],
            name="fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "idx_competitor_market_odds_snapshot", "competitor_market_odds", ["snapshot_id"]
    )
    op.create_index(
        "idx_competitor_market_odds_market", "competitor_market_odds", ["betpawa_market_id"]
    )


def downgrade() -> None:
    op.lock_tables(
        "sports",
        "competitor_tournaments",
        "events",
        "competitor_events",
        "scrape_batches",
        "scrape_runs",
        "competitor_odds_snapshots",
        "competitor_market_odds",
    )
    op.drop_table("competitor_market_odds")
    op.drop_table("competitor_odds_snapshots")
    op.drop_table("competitor_events")
    op.drop_table("competitor_tournaments")
    op.drop_index("idx_scrape_runs_batch", "scrape_runs")
    op.drop_constraint("fk_scrape_runs_batch_id_scrape_batches", "scrape_runs")
    op.drop_column("scrape_runs", "platform")
    op.drop_column("scrape_runs", "batch_id")
    op.drop_table("scrape_batches")
