"""`check` on a hot standby, which makes no temporary tables: it compares names."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.errors import ReadOnlyDatabaseError
from oddsschema.migrations import CheckState
from oddsschema.migrations.part_names import NOTE
from oddsschema.models import metadata
from tests.support.crashing_server import Server
from tests.support.drift import without_repair
from tests.support.sessions import execute
from tests.support.views import under_views

Run = Callable[..., Any]

#: Alterations of names, each with the difference on a standby.
ALTERATIONS = {
    "DROP TABLE scrape_errors": ("table", "scrape_errors", "table", None),
    "ALTER TABLE bookmakers DROP COLUMN is_active": (
        *("column", "bookmakers.is_active", "column", None),
    ),
    "ALTER TABLE events ADD venue text UNIQUE": ("column", "events.venue", None, "text"),
    "ALTER TABLE events DROP CONSTRAINT uq_events_sportradar_id": (
        *("unique constraint", "events.uq_events_sportradar_id", "unique constraint", None),
    ),
    "ALTER TABLE sports ADD CONSTRAINT short CHECK (length(name) < 9)": (
        *("check constraint", "sports.short", None, "CHECK ((length((name)::text) < 9))"),
    ),
    "DROP INDEX idx_scrape_runs_status": (
        *("index", "scrape_runs.idx_scrape_runs_status", "index", None),
    ),
    "CREATE TABLE old_odds () INHERITS (market_odds)": (
        *("inheriting table", "market_odds.old_odds", None, "INHERITS (market_odds)"),
    ),
    # Nothing but names is compared.
    under_views("ALTER TABLE events ALTER name TYPE text"): None,
    "DROP VIEW odds_offers": ("view", "odds_offers", "view", None),
    "CREATE INDEX quick ON events (home_team)": None,
}


def test_standby(server: Server, run: Run) -> None:
    """A standby's revision and names are compared, and a note says that the rest is not."""

    async def check_all() -> None:
        names = [server.new_database() for _ in range(4)]
        clean, altered, older, empty = [await name for name in names]
        await execute(altered, *ALTERATIONS)
        await execute(older, "UPDATE oddsschema_version SET version_num = 'oddsschema_0007'")
        await execute(empty, f"DROP TABLE oddsschema_version, {', '.join(metadata.tables)} CASCADE")
        async with server.hot_standby():
            report = await migrations.check(clean)
            assert (report.state, report.revision, report.notes) == (
                *(CheckState.CLEAN, HEAD, (NOTE,)),
            )
            assert (await migrations.check(older)).state is CheckState.OLDER
            assert (await migrations.check(empty)).state is CheckState.EMPTY

            report = await migrations.check(altered)
            differences = [without_repair(difference) for difference in report.differences]
            expected = [difference for difference in ALTERATIONS.values() if difference is not None]
            assert sorted(differences, key=str) == sorted(expected, key=str)
            assert {difference.repair for difference in report.differences} == {
                "-- check the primary server, which prints the SQL"
            }
            report = await migrations.check(altered, known=["events.venue", "sports.short"])
            assert {difference.location for difference in report.differences} == {
                *(
                    where
                    for _, where, *_ in expected
                    if where not in ("events.venue", "sports.short")
                ),
                "events.events_venue_key",
            }
            # The connection of a caller, in a transaction.
            async with sqlalchemy_connect(clean) as connection:
                await connection.exec_driver_sql("SELECT 1")
                assert (await migrations.check(connection)).state is CheckState.CLEAN
            with pytest.raises(ReadOnlyDatabaseError):
                await migrations.upgrade(older, retry_for=timedelta(0))
        assert NOTE not in (await migrations.check(clean)).notes

    run(check_all())
