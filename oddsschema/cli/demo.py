"""The demonstration: two simulated batches, stored, and read back from PostgreSQL by SQL.

It happens in a database of its own, `oddsschema_demo`, on the user's own embedded server. Each run
drops what the last one left there, and touches nothing else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import click
from click import style

from oddsschema.database.connections import Connection
from oddsschema.embedded import EmbeddedPostgres
from oddsschema.ingestion import batch
from oddsschema.scrapes.summaries import newest_batches
from oddsschema.simulate import Scrape, simulate

#: The database, as its name goes into SQL.
DATABASE = "oddsschema_demo"

TITLES = {"betpawa": "BetPawa", "sportybet": "SportyBet", "bet9ja": "Bet9ja"}

INTERVAL = timedelta(minutes=5)

#: A row a price that was new: BetPawa's own, and the competitors' of the events that were matched.
PRICES = """
CREATE TEMPORARY VIEW prices AS
SELECT event_id, markets.platform, batch_id, captured_at, market, line, outcome.position,
    -- SportyBet says Home where others say 1.
    concat_ws(' ', coalesce('{"Home": "1", "Draw": "X", "Away": "2", "Yes": "Both teams score",
        "No": "Not both score"}'::jsonb ->> (value ->> 'name'), value ->> 'name'), line) AS label,
    (value ->> 'odds')::float8 AS odds,
    (value ->> 'is_active')::boolean AND unavailable_at IS NULL AS is_active
FROM (
    SELECT s.event_id, b.slug AS platform, s.scrape_run_id, s.captured_at,
        m.betpawa_market_id AS market, m.line, m.outcomes, m.unavailable_at
    FROM odds_snapshots AS s
    JOIN bookmakers AS b ON b.id = s.bookmaker_id
    JOIN market_odds AS m ON m.event_id = s.event_id AND m.snapshot_id = s.id
    UNION ALL
    SELECT e.betpawa_event_id, e.source, s.scrape_run_id, s.captured_at,
        m.betpawa_market_id, m.line, m.outcomes, m.unavailable_at
    FROM competitor_events AS e
    JOIN competitor_odds_snapshots AS s ON s.competitor_event_id = e.id
    JOIN competitor_market_odds AS m
        ON m.competitor_event_id = s.competitor_event_id AND m.snapshot_id = s.id
    WHERE e.betpawa_event_id IS NOT NULL
) AS markets
JOIN scrape_runs AS r ON r.id = scrape_run_id
CROSS JOIN jsonb_array_elements(outcomes) WITH ORDINALITY AS outcome (value, position)
-- 1X2, Over/Under 2.5, Both Teams To Score
WHERE market IN ('3743', '3795') OR market = '5000' AND line = 2.5
"""

#: Of the events that every bookmaker offers, the one whose prices move most.
EVENT = """
SELECT e.id, e.name, t.name || ', ' || t.country AS tournament,
    e.kickoff - max(captured_at) AS kickoff_in,
    ARRAY(SELECT c.name FROM competitor_events AS c WHERE c.betpawa_event_id = e.id ORDER BY c.id)
        AS competitors_names
FROM prices
JOIN events AS e ON e.id = event_id
JOIN tournaments AS t ON t.id = e.tournament_id
GROUP BY e.id, t.id
HAVING count(DISTINCT platform) = 3
ORDER BY count(DISTINCT (platform, label, odds, is_active)) DESC, e.id
LIMIT 1
"""

#: An event's newest prices at each bookmaker, and what their inverses add up to, over 1.
NEWEST = """
SELECT market, label, platform, odds, is_active,
    max(batch_id) OVER (PARTITION BY platform) AS batch_id,
    sum(1 / odds) OVER (PARTITION BY platform, market) - 1 AS overround,
    CASE WHEN is_active AND odds = max(odds) FILTER (WHERE is_active) OVER (PARTITION BY label)
        THEN '*' ELSE '' END AS mark
FROM (
    SELECT DISTINCT ON (platform, label) * FROM prices WHERE event_id = $1
    ORDER BY platform, label, captured_at DESC
) AS newest
ORDER BY market = '3795', market, position, platform
"""

#: What is not as it was at the bookmaker's last scrape.
MOVES = """
SELECT * FROM (
    SELECT *, lag(odds) OVER earlier AS was, lag(is_active) OVER earlier AS was_active
    FROM prices
    WINDOW earlier AS (PARTITION BY event_id, platform, label ORDER BY captured_at)
) AS moves
WHERE odds != was OR is_active != was_active
ORDER BY market = '3795', market, position, platform
"""

NEXT = (
    ("oddsschema upgrade", "tables of your own"),
    ("oddsschema ingest FILE.ndjson", "your scrapers' odds"),
    ("oddsschema simulate --scrapes 9 | oddsschema ingest -", "or made-up ones"),
    ("oddsschema batches", "what came of it"),
)


@click.command()
def demo() -> None:
    """Show it all in a few seconds, in a database of its own."""
    # Lines have at most 80 columns, and may be styled (ANSI).
    say = click.echo
    say(style("Three bookmakers' odds in a PostgreSQL of your own", bold=True))
    say("Starting the server, which takes a few seconds the first time ...")
    with EmbeddedPostgres() as server, _tracebacks_kept_off():
        asyncio.run(_demo(server, say))


async def _demo(server: EmbeddedPostgres, say: Callable[[str], object]) -> None:
    import asyncpg

    from oddsschema import migrations

    async with _new_database(server.url):
        url = server.url_for(DATABASE)
        await migrations.upgrade(url)
        say(f"Created the tables in the new database {DATABASE}.")
        # On the hour, so that kickoffs are as far away each time.
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - INTERVAL
        first, second = simulate(seed=1202, scrapes=2, start=start, interval=INTERVAL)
        await _store(url, first)
        await _store(url, second, unreachable="bet9ja")
        say(_heading("Two scrapes of made-up odds, five minutes apart; one run fails"))
        for summary in reversed(await newest_batches(url, limit=2)):
            # A line of `oddsschema batches`, folded.
            runs = "\n           ".join(map(str, summary.runs))
            say(f"  Batch {summary.batch_id}  {runs}")
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(PRICES)
            await _compare(connection, say)
        finally:
            await connection.close()
    say(_heading("Your turn"))
    for command, purpose in NEXT:
        say(f"  {command:<55}{_dim(purpose)}")
    say("  They use this server too, or the one of --url or DATABASE_URL.")


async def _store(url: str, scrape: Scrape, unreachable: str | None = None) -> None:
    async with batch(url, trigger="demo") as opened:
        for platform, captures in scrape.items():
            async with opened.run(platform) as run:
                if platform == unreachable:
                    raise ConnectionError(f"{platform}.com did not answer within 30 s")
                await run.ingest(captures)


async def _compare(connection: Connection, say: Callable[[str], object]) -> None:
    """One event's prices side by side, and what became of them since the batch before."""
    event = await connection.fetchrow(EVENT)
    newest = await connection.fetch(NEWEST, event["id"])
    moves = await connection.fetch(MOVES)

    say(_heading(f"{event['name']}, side by side"))
    hours, seconds = divmod(round(event["kickoff_in"].total_seconds()), 3600)
    say(f"  {event['tournament']}, kickoff in {hours} h {seconds // 60} min")
    say(f"  matched with {' and '.join(event['competitors_names'])}")
    say("")
    say(_row("", TITLES))
    say(_dim(_row("as of", {row["platform"]: f"batch {row['batch_id']}" for row in newest})))
    for _, market in groupby(newest, key=itemgetter("market")):
        overrounds = {}
        for label, prices in groupby(market, key=itemgetter("label")):
            cells = {}
            for row in prices:
                cells[row["platform"]] = _odds(row["odds"], row["is_active"]) + row["mark"]
                if row["is_active"]:
                    overrounds[row["platform"]] = f"{row['overround']:.1%}"
            say(_row(label, cells))
        say(_dim(_row("overround", overrounds)) + "\n")
    say("  * the best price   overround: the bookmaker's margin, the sum of 1/odds - 1")

    say(_heading("What moved there between the two batches"))
    for move in moves:
        if move["event_id"] == event["id"]:
            was = _odds(move["was"], move["was_active"])
            now = _odds(move["odds"], move["is_active"])
            say(f"  {move['label']:<20}{TITLES[move['platform']]:<11}{was:>6} → {now}")
    others = [move["event_id"] for move in moves if move["event_id"] != event["id"]]
    say(f"  and {len(others)} prices of {len(set(others))} other events")


def _heading(text: str) -> str:
    return f"\n{style(text, bold=True)}"


def _dim(text: str) -> str:
    return style(text, dim=True)


def _row(label: str, cells: Mapping[str, str]) -> str:
    """A line of the table, a column for each bookmaker. A cell may end with a mark."""
    padded = (cells.get(platform, "-") for platform in TITLES)
    return (
        f"  {label:<20}"
        + "".join(
            f"{cell:>13}" if cell.endswith("*") else f"{cell:>12} " for cell in padded
        ).rstrip()
    )


def _odds(odds: float, is_active: bool) -> str:
    return f"{odds:.2f}" if is_active else "closed"


@asynccontextmanager
async def _new_database(server_url: str) -> AsyncIterator[None]:
    """The database, empty. Nobody else makes it anew meanwhile."""
    import asyncpg

    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock(hashtext('{DATABASE}'))")
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {DATABASE}")
        yield
    finally:
        await connection.close()


@contextmanager
def _tracebacks_kept_off() -> Iterator[None]:
    """Without a handler, logging would print the traceback of the run that is meant to fail."""
    logger, handler = logging.getLogger("oddsschema"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
