"""Scrapes whose result is known: captures, what a database must hold of them, what one holds."""

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

PLATFORMS = ("betpawa", "sportybet", "bet9ja")

Capture = dict[str, Any]

#: By table, its rows without ids and times of writing. A row that is there twice counts twice.
Content = dict[str, Counter[Any]]

START = datetime(2026, 1, 17, 9, tzinfo=UTC)

# Tournaments that no event is in (any more) are left out: what is captured late has its tournament,
# and what a newer capture of the same chunk has superseded may have none.
QUERIES = {
    "sports": "SELECT slug, name FROM sports",
    "bookmakers": "SELECT slug FROM bookmakers",
    "tournaments": """
        SELECT s.slug, t.name, t.country FROM tournaments AS t JOIN sports AS s ON s.id = t.sport_id
        WHERE EXISTS (SELECT FROM events AS e WHERE e.tournament_id = t.id)""",
    "events": """
        SELECT e.sportradar_id, e.name, e.home_team, e.away_team, e.kickoff, t.name, t.country
        FROM events AS e JOIN tournaments AS t ON t.id = e.tournament_id""",
    "event_bookmakers": """
        SELECT b.slug, e.sportradar_id, l.external_event_id
        FROM event_bookmakers AS l JOIN events AS e ON e.id = l.event_id
        JOIN bookmakers AS b ON b.id = l.bookmaker_id""",
    "competitor_tournaments": """
        SELECT t.source, t.external_id, t.name, s.slug
        FROM competitor_tournaments AS t JOIN sports AS s ON s.id = t.sport_id
        WHERE EXISTS (SELECT FROM competitor_events AS e WHERE e.tournament_id = t.id)""",
    "competitor_events": """
        SELECT c.source, c.external_id, c.sportradar_id, c.name, c.home_team, c.away_team,
            c.kickoff, t.external_id, e.sportradar_id AS linked
        FROM competitor_events AS c JOIN competitor_tournaments AS t ON t.id = c.tournament_id
        LEFT JOIN events AS e ON e.id = c.betpawa_event_id""",
    "snapshots": """
        SELECT b.slug, e.sportradar_id, s.captured_at
        FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
        JOIN bookmakers AS b ON b.id = s.bookmaker_id
        UNION ALL
        SELECT e.source, e.sportradar_id, s.captured_at
        FROM competitor_odds_snapshots AS s
        JOIN competitor_events AS e ON e.id = s.competitor_event_id""",
    "markets": """
        SELECT b.slug, e.sportradar_id, s.captured_at, m.betpawa_market_id, m.betpawa_market_name,
            m.line, m.handicap_type, m.handicap_home, m.handicap_away, m.outcomes::text
        FROM market_odds AS m JOIN odds_snapshots AS s ON s.id = m.snapshot_id
        JOIN events AS e ON e.id = s.event_id JOIN bookmakers AS b ON b.id = s.bookmaker_id
        UNION ALL
        SELECT e.source, e.sportradar_id, s.captured_at, m.betpawa_market_id,
            m.betpawa_market_name, m.line, m.handicap_type, m.handicap_home, m.handicap_away,
            m.outcomes::text
        FROM competitor_market_odds AS m
        JOIN competitor_odds_snapshots AS s ON s.id = m.snapshot_id
        JOIN competitor_events AS e ON e.id = s.competitor_event_id""",
}


def capture(platform: str, event: int, minute: int, *, markets: int = 4) -> Capture:
    """What a platform says of an event at a minute: names, kick-off and tournament change too."""
    version = minute // 3
    teams = f"Home {event}", f"Away {event}.{version}"
    told: dict[str, Any] = {
        "sportradar_id": f"{40_000_000 + event}",
        "name": f"{teams[0]} - {teams[1]}",
        "home_team": teams[0],
        "away_team": teams[1],
        "kickoff": (START + timedelta(days=event, minutes=15 * version)).isoformat(),
    }
    sport = {"slug": "football", "name": "Football"}
    if platform in ("sportybet", "bet9ja"):
        # One's own tournament, which changes its name, or one that is shared, from time to time
        # another.
        if event % 2:
            tournament = {"external_id": f"t{event}", "name": f"Cup {event}, round {version}"}
        else:
            place = (event + version) % 3
            tournament = {"external_id": f"league{place}", "name": f"League {place}"}
        told |= {"source": platform, "external_id": f"{platform}:{event}"}
        kind = "competitor_event"
    else:
        tournament = {"name": f"League {(event + version) % 3}", "country": f"Land {event % 2}"}
        told |= {"bookmaker": platform, "external_event_id": f"{event}.{version}"}
        kind = "event"
    return {
        "captured_at": (START + timedelta(minutes=minute)).isoformat(),
        kind: told | {"tournament": tournament | {"sport": sport}},
        "markets": [_market(f"{platform}/{event}/{minute}", number) for number in range(markets)],
    }


def _market(seed: str, number: int) -> dict[str, Any]:
    asian = number % 3 == 2
    price = zlib.crc32(f"{seed}/{number}".encode()) % 900
    return {
        "betpawa_market_id": str(3743 + number // 2),
        "betpawa_market_name": f"Market {number // 2}",
        "line": number / 2 if number % 2 else None,
        "handicap_type": "asian" if asian else None,
        "handicap_home": number / 4 if asian else None,
        "handicap_away": -number / 4 if asian else None,
        "outcomes": [
            {"name": name, "odds": round(1.01 + (price + step) / 100, 2), "is_active": step != 2}
            for step, name in enumerate(("1", "X", "2"))
        ],
    }


def scrapes(
    events: Iterable[int],
    minutes: Iterable[int],
    platforms: Sequence[str] = PLATFORMS,
    *,
    markets: int = 4,
) -> list[Capture]:
    """Every platform's captures of each of these events at each of these minutes."""
    return [
        capture(platform, event, minute, markets=markets)
        for minute in minutes
        for platform in platforms
        for event in events
    ]


def ndjson(captures: Iterable[Capture]) -> bytes:
    """The captures as the lines of a file."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in captures)


def written(path: Path, captures: Iterable[Capture]) -> Path:
    """A file of these captures."""
    path.write_bytes(ndjson(captures))
    return path


def expected(captures: Iterable[Capture]) -> Content:
    """What a database holds after these captures, whatever their order and number of deliveries."""
    distinct = {_key(one): one for one in captures}
    newest: dict[Any, Capture] = {}
    for (platform, event, _), one in sorted(distinct.items(), key=lambda item: item[0][2]):
        newest[platform, event] = one
    content: Content = {table: Counter() for table in QUERIES}
    content["sports"]["football", "Football"] = 1
    content["bookmakers"].update((slug,) for slug in {*PLATFORMS, *(p for p, _ in newest if p)})
    ours = {event for (platform, event), one in newest.items() if "event" in one}
    for (platform, sportradar_id), one in newest.items():
        told = _told(one)
        tournament = told["tournament"]
        teams = told["name"], told["home_team"], told["away_team"]
        kickoff = datetime.fromisoformat(told["kickoff"])
        if "event" in one:
            place = tournament["name"], tournament["country"]
            content["tournaments"]["football", *place] = 1
            content["events"][sportradar_id, *teams, kickoff, *place] = 1
            content["event_bookmakers"][platform, sportradar_id, told["external_event_id"]] = 1
        else:
            external_id = tournament["external_id"]
            row = platform, external_id, tournament["name"], "football"
            content["competitor_tournaments"][row] = 1
            linked = sportradar_id if sportradar_id in ours else None
            key = platform, told["external_id"], sportradar_id
            content["competitor_events"][*key, *teams, kickoff, external_id, linked] = 1
    for key, one in distinct.items():
        content["snapshots"][key] += 1
        for market in one["markets"]:
            *head, outcomes = market.values()
            content["markets"][*key, *head, json.dumps(outcomes)] += 1
    return content


def _told(one: Capture) -> dict[str, Any]:
    told: dict[str, Any] = one.get("event") or one["competitor_event"]
    return told


def _key(one: Capture) -> tuple[str, str, datetime]:
    told = _told(one)
    platform = told.get("bookmaker") or told["source"]
    return platform, told["sportradar_id"], datetime.fromisoformat(one["captured_at"])


async def content(url: str) -> Content:
    """What the database holds."""
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetch(query) for name, query in QUERIES.items()}
    finally:
        await connection.close()
    rows = {name: Counter(map(tuple, records)) for name, records in found.items()}
    rows["markets"] = Counter(
        # JSONB orders keys in its own way.
        (*row[:-1], json.dumps([_ordered(outcome) for outcome in json.loads(row[-1])]))
        for row in rows["markets"].elements()
    )
    return rows


def _ordered(outcome: dict[str, Any]) -> dict[str, Any]:
    return {key: outcome[key] for key in ("name", "odds", "is_active")}


async def fetch(url: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """The rows of one query."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


def stored_of(captures: Iterable[Capture], found: Content) -> list[Capture]:
    """Those of the captures that a database holds."""
    return [one for one in captures if _key(one) in found["snapshots"]]


async def assert_whole(url: str, captures: Sequence[Capture]) -> list[Capture]:
    """Hold that a broken-off delivery left whole captures, the first of each platform; those."""
    found = await content(url)
    stored = stored_of(captures, found)
    wanted = expected(stored)
    # An event may still be waiting for its other side.
    assert found | {"competitor_events": None} == wanted | {"competitor_events": None}
    for platform in PLATFORMS:
        delivered = [one for one in captures if _key(one)[0] == platform]
        there = [one in stored for one in delivered]
        assert there == sorted(there, reverse=True), f"{platform} has gaps"
    return stored


async def settled(url: str) -> None:
    """Wait until nobody else is connected: a killed client can still have a commit on its way."""
    others = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'"""
    while await fetch(url, others) != [(0,)]:  # noqa: ASYNC110 - it is the server's news
        await asyncio.sleep(0.02)


@asynccontextmanager
async def holding(url: str, *statements: str) -> AsyncIterator[asyncpg.Connection]:
    """A session that has executed these in a transaction that is still open."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
            yield connection
    finally:
        await connection.close()


async def waiting(
    connection: asyncpg.Connection, sessions: int = 1, *, unless: asyncio.Task[Any] | None = None
) -> None:
    """Return when so many other sessions of this database wait for locks, or the task is done."""
    count = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    while unless is None or not unless.done():
        # In a transaction one would see the same sessions again and again.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        if await connection.fetchval(count) >= sessions:
            return
        await asyncio.sleep(0.01)
