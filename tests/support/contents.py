"""The content of a database, and the content that captures must leave."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from tests.support.scrapes import PLATFORMS, Capture

#: The rows of each table without ids and times of writing. Repeated rows count repeatedly.
Content = dict[str, Counter[Any]]

# Tournaments without an event are left out: a late capture writes its tournament, and a capture
# that a newer capture of the same chunk supersedes may write none.
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


def expected(captures: Iterable[Capture]) -> Content:
    """Return the content after these captures, for any order and number of deliveries."""
    distinct = {_key(capture): capture for capture in captures}
    newest: dict[Any, Capture] = {}
    for (platform, event, _), capture in sorted(distinct.items(), key=lambda item: item[0][2]):
        newest[platform, event] = capture
    content: Content = {table: Counter() for table in QUERIES}
    content["sports"]["football", "Football"] = 1
    content["bookmakers"].update((slug,) for slug in {*PLATFORMS, *(p for p, _ in newest if p)})
    ours = {event for (platform, event), capture in newest.items() if "event" in capture}
    for (platform, sportradar_id), capture in newest.items():
        event_fields = _event_of(capture)
        tournament = event_fields["tournament"]
        teams = event_fields["name"], event_fields["home_team"], event_fields["away_team"]
        kickoff = datetime.fromisoformat(event_fields["kickoff"])
        if "event" in capture:
            place = tournament["name"], tournament["country"]
            content["tournaments"]["football", *place] = 1
            content["events"][sportradar_id, *teams, kickoff, *place] = 1
            content["event_bookmakers"][
                platform, sportradar_id, event_fields["external_event_id"]
            ] = 1
        else:
            external_id = tournament["external_id"]
            row = platform, external_id, tournament["name"], "football"
            content["competitor_tournaments"][row] = 1
            linked = sportradar_id if sportradar_id in ours else None
            key = platform, event_fields["external_id"], sportradar_id
            content["competitor_events"][*key, *teams, kickoff, external_id, linked] = 1
    for key, capture in distinct.items():
        content["snapshots"][key] += 1
        for market in capture["markets"]:
            *head, outcomes = market.values()
            content["markets"][*key, *head, json.dumps(outcomes)] += 1
    return content


def _event_of(capture: Capture) -> dict[str, Any]:
    event_fields: dict[str, Any] = capture.get("event") or capture["competitor_event"]
    return event_fields


def _key(capture: Capture) -> tuple[str, str, datetime]:
    event_fields = _event_of(capture)
    platform = event_fields.get("bookmaker") or event_fields["source"]
    return platform, event_fields["sportradar_id"], datetime.fromisoformat(capture["captured_at"])


async def content(url: str) -> Content:
    """Read the content of a database."""
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetch(query) for name, query in QUERIES.items()}
    finally:
        await connection.close()
    rows = {name: Counter(map(tuple, records)) for name, records in found.items()}
    rows["markets"] = Counter(
        # JSONB has its own order of keys.
        (*row[:-1], json.dumps([_ordered(outcome) for outcome in json.loads(row[-1])]))
        for row in rows["markets"].elements()
    )
    return rows


def _ordered(outcome: dict[str, Any]) -> dict[str, Any]:
    return {key: outcome[key] for key in ("name", "odds", "is_active")}


def stored_of(captures: Iterable[Capture], found: Content) -> list[Capture]:
    """List those captures that a database holds."""
    return [capture for capture in captures if _key(capture) in found["snapshots"]]


async def assert_whole(url: str, captures: Sequence[Capture]) -> list[Capture]:
    """Check that an interrupted delivery left whole captures, the first ones of each platform.

    Returns the stored captures.
    """
    found = await content(url)
    stored = stored_of(captures, found)
    wanted = expected(stored)
    # An event may not be linked to the other side's event yet.
    assert found | {"competitor_events": None} == wanted | {"competitor_events": None}
    for platform in PLATFORMS:
        delivered = [capture for capture in captures if _key(capture)[0] == platform]
        there = [capture in stored for capture in delivered]
        assert there == sorted(there, reverse=True), f"{platform} has gaps"
    return stored
