"""Everything that a scraper, a pruner and a reader do."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg

from oddsschema import IngestOptions, ScrapeStatus, batch, ingest, prune, prune_ahead
from oddsschema.database.connections import open_connections
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS
from oddsschema.retention import size
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.stale import close_stale, stale_batches
from oddsschema.scrapes.summaries import newest_batches
from tests.support.scrapes import PLATFORMS, START, capture, scrapes


def changed(original: dict[str, Any], minute: int, **tournament_fields: Any) -> dict[str, Any]:
    """Change a capture's time to a later minute, and some values of its tournament."""
    later = capture("betpawa", 0, minute)
    kind = "event" if "event" in original else "competitor_event"
    tournament = original[kind]["tournament"] | tournament_fields
    return original | {
        "captured_at": later["captured_at"],
        kind: original[kind] | {"tournament": tournament},
    }


def deliveries() -> Iterator[list[Any]]:
    """List deliveries that make ingestion run each of its statements."""
    # Everything is new: BetPawa's events arrive before one competitor's, and after the other's.
    yield scrapes([0, 1], [0], ("sportybet", "betpawa", "bet9ja"), markets=3)
    # Other names, kick-offs, tournaments and listings.
    yield scrapes([0, 1], [6], PLATFORMS)
    # A market that was missing, and known captures.
    yield scrapes([0, 1], [0], PLATFORMS, markets=4)
    # A new bookmaker, sport, and tournament with an id, and then other names for them.
    tennis = {"slug": "tennis", "name": "Tennis"}
    other, ours, theirs = (capture(name, 7, 0) for name in ("pawa2", "betpawa", "bet9ja"))
    yield [changed(other, 1, sport=tennis), changed(theirs, 1, sport=tennis)]
    tennis = tennis | {"name": "Lawn tennis"}
    yield [changed(ours, 2, sport=tennis, sportradar_id="7")]
    yield [changed(ours, 3, sport=tennis, sportradar_id="7", name="Another", country="Other")]
    yield [changed(theirs, 3, sport=tennis, sportradar_id="7", name="Another")]
    yield [{"captured_at": "never", "event": {"bookmaker": "betpawa"}, "markets": []}]
    # A keyframe with a refused market, which is corrected later.
    for platform in ("betpawa", "bet9ja"):
        first, *later = (capture(platform, 8, minute, markets=6) for minute in range(3))
        yield [first]
        for scraped in later:
            refused = scraped["markets"][0] | {"outcomes": [{"name": "1", "odds": 0.5}]}
            yield [scraped | {"markets": [refused, *scraped["markets"][1:]]}]
        yield [later[-1]]
    # An event whose SportRadar id follows later.
    event = capture("bet9ja", 9, 0)
    unidentified = {**event["competitor_event"], "sportradar_id": None}
    yield [event | {"competitor_event": unidentified}]
    yield [changed(event, 1)]


async def scrape(target: Any) -> None:
    """Do everything that a scraper does. Raises every error on the way."""
    for delivery in deliveries():
        report = await ingest(
            target, delivery, options=IngestOptions(keep_raw=True, retry_for=timedelta(0))
        )
        for platform_run in report.runs:
            assert platform_run.error is None, platform_run.error
    async with batch(
        target, trigger="scheduled", options=IngestOptions(retry_for=timedelta(0))
    ) as opened:
        async with opened.run("sportybet") as failing:
            raise ConnectionError("the site did not answer")
        # A run that is closed as stale commits again.
        async with opened.run("bet9ja") as living:
            living.unmapped("1", "Corners", [{"Over": 1.5}])
            await living.record_sign_of_life()
            assert await close_stale(target, timedelta(0)) == 1
            await living.ingest([capture("bet9ja", 0, 59)])
            await living.flush()
        assert await close_stale(target, timedelta(0)) == 0
    assert living.error is None, living.error
    assert living.status is ScrapeStatus.COMPLETED
    assert failing.status is ScrapeStatus.CONNECTION_FAILED
    async with batch(target, batch_id=opened.id) as joined, joined.run("betpawa") as last:
        await last.ingest([capture("betpawa", 0, 60), capture("sportybet", 0, 60)])
    assert last.error is None, last.error
    # A run that is closed as stale ends.
    async with batch(target) as other, other.run("bet9ja") as quiet:
        assert await close_stale(target, timedelta(0)) == 1
    assert quiet.error is None, quiet.error
    # The query after a connection that was lost at a commit.
    async with open_connections(target, retry_for=timedelta(0)) as connections:
        read_counts = partial(bookkeeping.read_counts, run_id=last.id)
        assert await connections.transact(read_counts) == 2
    # An unchanged capture, a changed price, and a late capture.
    for platform in ("betpawa", "sportybet"):
        same = capture(platform, 0, 60)
        moved = capture(platform, 0, 60)
        moved["markets"][0]["outcomes"][0]["odds"] += 1
        for minute, late in ((61, same), (65, moved), (63, same | {"markets": []})):
            report = await ingest(
                target, [changed(late, minute)], options=IngestOptions(retry_for=timedelta(0))
            )
            assert report.total.captures_stored == 1, report
    assert await newest_batches(target)


async def read(target: Any) -> None:
    """Do everything that a reader does."""
    await newest_batches(target)
    await stale_batches(target)
    await size(target)


async def read_tables(connection: "asyncpg.Connection[Any]") -> None:
    """Read every table, the position of its sequence, and every view."""
    for table in metadata.tables:
        await connection.fetch(f"SELECT * FROM {table}")
        await connection.fetch(f"SELECT last_value FROM {table}_id_seq")
    for view in VIEWS:
        await connection.fetch(f"SELECT * FROM {view}")


#: A minute of the far future.
FUTURE = 100 * 365 * 24 * 60

AGED = """
UPDATE scrape_batches SET started_at = '2020-01-01Z', completed_at = '2020-01-01Z';
UPDATE scrape_runs SET started_at = '2020-01-01Z', completed_at = '2020-01-01Z';
UPDATE scrape_errors SET occurred_at = '2020-01-01Z';
UPDATE unmapped_markets SET last_seen_at = '2020-01-01Z';
"""


async def prune_all(connection: "asyncpg.Connection[Any]") -> None:
    """Do everything that a pruner does, on histories that a superuser has made old."""
    role = await connection.fetchval("SELECT current_user")
    await connection.execute("RESET ROLE")
    histories: list[Any] = ["no capture"]
    for platform in PLATFORMS:
        # One event is over, and the other event's state at the cutoff is a change.
        first = capture(platform, 1, 0)
        less = changed(first, 1) | {"markets": first["markets"][1:]}
        histories += [capture(platform, 0, 0), first, less, changed(first, 20)]
        # Of the future: a confirmation, and a change.
        histories += [changed(first, FUTURE), changed(less, FUTURE + 1)]
    options = IngestOptions(store="changes", max_ahead=None)
    async with batch(connection, options=options) as opened:
        await opened.ingest(histories)
        (await opened.run_of("bet9ja")).unmapped("1")
    await connection.execute(AGED)
    await connection.execute(f"SET LOCAL ROLE {role}")
    future = await prune_ahead(connection)
    assert future.confirmations == len(PLATFORMS)
    assert future.tables["odds_snapshots"].rows and future.tables["competitor_odds_snapshots"].rows
    cutoff = START + timedelta(minutes=10)
    planned = await prune(connection, cutoff, dry_run=True)
    report = await prune(connection, cutoff)
    assert (report.tables, report.kept) == (planned.tables, ())
    assert report.keyframe_rows
    assert all(removed.rows for removed in report.tables.values())


ACTS = {"scraper": (scrape,), "pruner": (prune_all,), "reader": (read, read_tables)}
