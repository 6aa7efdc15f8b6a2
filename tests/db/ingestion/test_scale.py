"""Very many hard markets survive ingestion, a dump and a migration; each value is compared.

20,000 markets, or 1,000,000 with the Hypothesis profile `nightly`. Their values are drawn from the
strategies once and then combined by a random generator. A failure names its seed:

    ODDSSCHEMA_SEED=7 python -m pytest tests/db/ingestion/test_scale.py

Nothing is kept in memory: the captures are made again for the comparison.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from oddsschema import IngestOptions, Market, ScrapeStatus, ingest, migrations
from oddsschema.embedded import EmbeddedPostgres
from tests.support.catalog import catalog
from tests.support.large_scrapes import MARKETS, SEED, Scrape
from tests.support.sessions import execute, fetch
from tests.support.stored_captures import comparable

Run = Callable[..., Any]

#: The number of captures that are read back at a time.
BLOCK = 50


def delivered(capture: dict[str, Any]) -> bytes:
    """Write a line of NDJSON. Every other capture omits the values with defaults."""
    if len(capture["markets"]) % 2:
        markets = [without_nulls(market) for market in capture["markets"]]
        capture = without_nulls(capture) | {"markets": markets}
    return json.dumps(capture, default=datetime.isoformat).encode()


def without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with a value."""
    return {name: value for name, value in fields.items() if value is not None}


Key = tuple[str, str, datetime]

EVENT = """
    s.id, s.captured_at, s.raw_response::text,
    e.name AS "event.name", e.home_team AS "event.home_team", e.away_team AS "event.away_team",
    e.kickoff AS "event.kickoff", e.sportradar_id AS "event.sportradar_id",
    t.name AS "event.tournament.name", t.sportradar_id AS "event.tournament.sportradar_id",
    sport.name AS "event.tournament.sport.name", sport.slug AS "event.tournament.sport.slug"
"""
SNAPSHOTS = {
    "event": f"""
        SELECT {EVENT}, b.slug AS "event.bookmaker",
            l.external_event_id AS "event.external_event_id", l.event_url AS "event.event_url",
            t.country AS "event.tournament.country"
        FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
        JOIN bookmakers AS b ON b.id = s.bookmaker_id
        JOIN event_bookmakers AS l ON (l.event_id, l.bookmaker_id) = (e.id, b.id)
        JOIN tournaments AS t ON t.id = e.tournament_id
        JOIN sports AS sport ON sport.id = t.sport_id
        WHERE (b.slug, l.external_event_id, s.captured_at) IN (
            SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]))""",
    "competitor_event": f"""
        SELECT {EVENT}, e.source AS "event.source", e.external_id AS "event.external_id",
            e.event_url AS "event.event_url",
            t.source AS "event.tournament.source", t.external_id AS "event.tournament.external_id",
            t.country_raw AS "event.tournament.country_raw",
            t.country_iso AS "event.tournament.country_iso"
        FROM competitor_odds_snapshots AS s
        JOIN competitor_events AS e ON e.id = s.competitor_event_id
        JOIN competitor_tournaments AS t ON t.id = e.tournament_id
        JOIN sports AS sport ON sport.id = t.sport_id
        WHERE (e.source, e.external_id, s.captured_at) IN (
            SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[]))""",
}
MARKETS_OF = """
SELECT snapshot_id, betpawa_market_id, betpawa_market_name, line, handicap_type, handicap_home,
    handicap_away, specifiers, outcomes::text
FROM {table} WHERE snapshot_id = ANY ($1) ORDER BY id
"""
TOTALS = """
SELECT (SELECT count(*) FROM odds_snapshots) + (SELECT count(*) FROM competitor_odds_snapshots),
    (SELECT count(*) FROM market_odds) + (SELECT count(*) FROM competitor_market_odds),
    -- The two sides of a match, where there are two, know of each other.
    (SELECT count(*) FROM competitor_events AS c LEFT JOIN events AS e USING (sportradar_id)
        WHERE c.betpawa_event_id IS DISTINCT FROM e.id)
"""


def side_of(capture: dict[str, Any]) -> str:
    """Return the name of the field that holds the event."""
    return "event" if capture["event"] else "competitor_event"


def key_of(capture: dict[str, Any]) -> Key:
    """Return platform, event and instant of a capture."""
    event = capture[side_of(capture)]
    if capture["event"]:
        return event["bookmaker"], event["external_event_id"], capture["captured_at"]
    return event["source"], event["external_id"], capture["captured_at"]


async def read_back(
    connection: "asyncpg.Connection[Any]", keys: list[Key], side: str
) -> dict[Key, dict[str, Any]]:
    """Read captures from the database in the form of the scrape."""
    found: dict[int, dict[str, Any]] = {}
    columns = [list(column) for column in zip(*keys, strict=True)] or [[], [], []]
    for row in await connection.fetch(SNAPSHOTS[side], *columns):
        capture: dict[str, Any] = {"event": None, "competitor_event": None, "markets": []}
        for name, value in list(row.items())[1:]:
            *path, last = name.split(".")
            part = capture
            for step in path:
                step = side if step == "event" else step
                part[step] = part.get(step) or {}
                part = part[step]
            part[last] = value
        if capture["raw_response"] is not None:
            capture["raw_response"] = json.loads(capture["raw_response"])
        found[row["id"]] = capture
    table = "market_odds" if side == "event" else "competitor_market_odds"
    for row in await connection.fetch(MARKETS_OF.format(table=table), list(found)):
        _, *values = row.values()
        market = dict(zip(Market.model_fields, values, strict=True))
        # JSONB's numbers are decimals.
        market["outcomes"] = json.loads(values[-1], parse_float=Decimal, parse_int=Decimal)
        found[row["snapshot_id"]]["markets"].append(market)
    return {key_of(capture): capture for capture in found.values()}


def as_stored(capture: dict[str, Any]) -> dict[str, Any]:
    """Return a capture with the numbers of its JSONB as decimals."""
    markets = [
        market
        | {
            "outcomes": [
                outcome | {"odds": Decimal(repr(outcome["odds"]))} for outcome in market["outcomes"]
            ]
        }
        for market in capture["markets"]
    ]
    return capture | {"markets": markets}


async def assert_all_there(url: str, scrape: Scrape) -> None:
    """Check that the database holds every capture unchanged, and no other."""
    connection = await asyncpg.connect(url)
    total = 0
    try:
        captures = scrape.captures()
        while block := list(islice(captures, BLOCK)):
            found: dict[Key, dict[str, Any]] = {}
            for side in SNAPSHOTS:
                keys = [key_of(capture) for capture in block if capture[side]]
                found |= await read_back(connection, keys, side)
            for capture in block:
                total += 1
                key = key_of(capture)
                name = f"seed {SEED}, capture {total}, of {key[0]}"
                assert key in found, f"{name}: is not there"
                expected, is_there = as_stored(capture), found[key]
                expected["raw_response"] = comparable(expected["raw_response"])
                is_there["raw_response"] = comparable(is_there["raw_response"])
                if expected != is_there:
                    pytest.fail(f"{name}: {difference(expected, is_there)}")
        counts = tuple(await connection.fetchrow(TOTALS))
        assert counts == (total, MARKETS, 0), f"seed {SEED}: captures, markets, unlinked events"
    finally:
        await connection.close()


def difference(expected: Any, found: Any, path: str = "$") -> str:
    """Return the first place in which two values differ, and both values."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for key, value in expected.items():
            if value != found[key]:
                return difference(value, found[key], f"{path}.{key}")
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{path} had {len(expected)} elements and has {len(found)}"
        for index, (value, other) in enumerate(zip(expected, found, strict=True)):
            if value != other:
                return difference(value, other, f"{path}[{index}]")
    return f"{path} was {expected!a} and is {found!a}"


#: A number for a table's rows, in any order.
FINGERPRINT = """
SELECT '{table}', count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} AS t
"""


async def fingerprint(url: str) -> list[tuple[Any, ...]]:
    """Return a hash of every row of every table, with ids and times."""
    tables = await fetch(
        url,
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND "
        "relnamespace = 'public'::regnamespace AND relname <> 'oddsschema_version' ORDER BY 1",
    )
    query = " UNION ALL ".join(FINGERPRINT.format(table=table) for (table,) in tables)
    return sorted(await fetch(url, query))


async def without_checks(url: str) -> list[str]:
    """Return the catalog with only the names of CHECKs: a restored CHECK has another text.

    `migrations.check` compares the meaning of their texts.
    """
    text = re.compile(r"(CONSTRAINT \w+ CHECK) .*?(?=,\n    CONSTRAINT|\n\))", re.DOTALL)
    return [text.sub(r"\1", line) for line in await catalog(url)]


@pytest.fixture(scope="module")
def scrape() -> Scrape:
    """Return the scrape to deliver."""
    return Scrape()


@pytest.fixture(scope="module")
def stored(
    scrape: Scrape, new_database: Callable[..., Any], template: str, run: Run
) -> Iterator[str]:
    """Return the URL of a database with the ingested scrape."""

    async def body(url: str) -> None:
        lines = map(delivered, scrape.captures())
        report = await ingest(url, lines, options=IngestOptions(keep_raw=True, store="complete"))
        assert report.refusals == (), f"seed {SEED}: {report.refusals[0]}"
        assert report.status is ScrapeStatus.COMPLETED, f"seed {SEED}: {report.runs}"
        assert report.total.markets_stored == MARKETS

    with new_database(template) as url:
        run(body(url))
        yield url


def test_ingested(stored: str, scrape: Scrape, run: Run) -> None:
    """Every delivered market is stored with its values."""
    run(assert_all_there(stored, scrape))


def test_dumped_and_restored(
    stored: str, scrape: Scrape, new_database: Callable[..., Any], tmp_path: Path, run: Run
) -> None:
    """The database that `pg_dump | pg_restore` makes is the same."""
    programs = EmbeddedPostgres(tmp_path).bin
    with new_database() as url:
        dump = [programs / "pg_dump", "--format=custom", f"--dbname={stored}"]
        restore = [programs / "pg_restore", "--exit-on-error", f"--dbname={url}"]
        with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
            subprocess.run(restore, stdin=dumping.stdout, check=True)
        assert dumping.returncode == 0
        run(assert_all_there(url, scrape))
        assert run(fingerprint(url)) == run(fingerprint(stored))
        assert run(without_checks(url)) == run(without_checks(stored))
        assert run(migrations.check(url)) == run(migrations.check(stored))
        # Ingestion continues there: the sequences of ids are restored.
        again = list(islice(scrape.captures(), 20))
        later = [capture | {"captured_at": scrape.last} for capture in again[-1:]]
        report = run(ingest(url, [delivered(capture) for capture in (*again, *later)]))
        assert (report.total.captures_known, report.total.captures_stored) == (20, 1)


@pytest.mark.parametrize("revision", ["-1", "oddsschema_0003"])
def test_downgraded_and_upgraded(revision: str, stored: str, run: Run) -> None:
    """A downgrade and an upgrade of the last revision, or of all CHECKs, change no row."""
    # Downgrades drop the times of the last signs of life, and the pages of competitors' events.
    run(execute(stored, "UPDATE scrape_runs SET heartbeat_at = NULL"))
    run(execute(stored, "UPDATE competitor_events SET event_url = NULL"))
    before = run(catalog(stored)), run(fingerprint(stored))
    run(migrations.downgrade(stored, revision))
    run(migrations.upgrade(stored))
    assert run(fingerprint(stored)) == before[1], f"seed {SEED}"
    assert run(catalog(stored)) == before[0]
