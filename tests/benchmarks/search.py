"""Measure a search for events among many: python tests/benchmarks/search.py [--events 100000].

Eight of ten events are BetPawa's, and two competitors list most of them. The time is the median of
five reads, and the processor time that of the server's process, which other load on the machine
changes less.
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path

import asyncpg

from oddsschema import migrations, queries
from oddsschema.embedded import ephemeral
from tests.support.statements import compiled

FILL = """
INSERT INTO tournaments (sport_id, name, country)
SELECT s.id, CASE WHEN n % 10 = 0 THEN 'Série ' ELSE 'League ' END || n, 'Country ' || n % 40
FROM sports AS s, generate_series(1, 500) AS n WHERE s.slug = 'football';

CREATE TEMP TABLE fixtures AS
SELECT n, 'FC Club ' || n % 900 || CASE WHEN n % 100 = 0 THEN ' é' ELSE '' END AS home,
    'Sporting ' || n * 7 % 900 AS away, 1 + n % 500 AS tournament_id,
    '2024-01-01Z'::timestamptz + n / 100 * interval '1 day' AS kickoff
FROM generate_series(0, {events} - 1) AS n;

INSERT INTO events (tournament_id, name, home_team, away_team, kickoff, sportradar_id)
SELECT tournament_id, home || ' - ' || away, home, away, kickoff, (1000000 + n)::text
FROM fixtures WHERE n % 10 NOT IN (1, 2);

INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
SELECT e.id, b.id, e.id::text FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';

INSERT INTO competitor_tournaments (source, sport_id, name, external_id, country_raw)
SELECT source, sport_id, name, id::text, country
FROM tournaments, unnest('{{sportybet,bet9ja}}'::text[]) AS source;

INSERT INTO competitor_events (source, tournament_id, betpawa_event_id, name, home_team, away_team,
    kickoff, external_id, sportradar_id)
SELECT t.source, t.id, e.id, home || ' vs ' || away, home, away, f.kickoff, n::text,
    (1000000 + n)::text
FROM fixtures AS f
JOIN competitor_tournaments AS t ON t.external_id = f.tournament_id::text
LEFT JOIN events AS e ON e.sportradar_id = (1000000 + n)::text
WHERE n % 10 <> 0 AND (n % 10 <> 1 OR t.source = 'bet9ja');

VACUUM ANALYZE;
"""

SEARCHES = ["club 777 sporting 39", "lagos", "sr:match:1099999", "SÉRIE 100 club 99"]


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process (Linux)."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15])) / 100


async def measure(url: str, events: int) -> None:
    """Fill a database, search, and print the times."""
    await migrations.upgrade(url)
    connection = await asyncpg.connect(url)
    for statement in FILL.format(events=events).split(";\n"):
        if statement.strip():
            await connection.execute(statement)
    pid = connection.get_server_pid()
    rows = await connection.fetchval(
        "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM competitor_events)"
    )
    print(f"{events:,} events, {rows:,} rows")
    for text in SEARCHES:
        sql, arguments = compiled(queries.events(text))
        found = await connection.fetch(sql, *arguments)
        times, before = [], processor_seconds(pid)
        for _ in range(5):
            started = time.perf_counter()
            await connection.fetch(sql, *arguments)
            times.append(time.perf_counter() - started)
        processor = (processor_seconds(pid) - before) / 5
        print(
            f"{text!r}: {len(found)} found, {statistics.median(times):.2f} s, "
            f"{processor:.2f} s of the server's processor"
        )
    await connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    count = parser.parse_args().events
    with ephemeral() as server:
        asyncio.run(measure(server.url, count))
