"""Listed events, compared with the rows of the tables, and the cost of reading them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import ingest, queries
from oddsschema.queries import ListedEvent, Matching
from tests.support.histories import START
from tests.support.statements import explain, nodes

Run = Callable[..., Any]

FOOTBALL = {"slug": "football", "name": "Football"}
COUNTRIES = ("Nigeria", "Ghana")


@st.composite
def captures(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a capture without markets, of few events and tournaments that bookmakers share."""
    platform = draw(st.sampled_from(("betpawa", "mozzart", "bet9ja", "sportybet")))
    number = draw(st.integers(1, 4))
    event = {
        "sportradar_id": str(number),
        "name": f"{platform} {number}",
        "home_team": f"Home {number}",
        "away_team": f"Away {number}",
        "kickoff": START + timedelta(days=number),
        "event_url": draw(st.none() | st.just(f"https://{platform}.example/{number}")),
    }
    league = draw(st.sampled_from("78"))
    tournament = {
        "sport": FOOTBALL,
        "name": f"League {league}",
        "sportradar_id": draw(st.sampled_from((None, league))),
    }
    captured = {"captured_at": START + timedelta(seconds=draw(st.integers(0, 99))), "markets": []}
    if platform in ("betpawa", "mozzart"):
        tournament["country"] = draw(st.sampled_from(COUNTRIES))
        key = {"bookmaker": platform, "external_event_id": f"{platform} {number}"}
        return captured | {"event": event | key | {"tournament": tournament}}
    tournament |= {
        "name": f"{platform} {league}" if draw(st.booleans()) else tournament["name"],
        "external_id": league,
        "country_raw": draw(st.sampled_from((None, *COUNTRIES))),
    }
    own_id = f"{number} again" if draw(st.booleans()) else str(number)
    key = {"source": platform, "external_id": own_id}
    event["sportradar_id"] = draw(st.sampled_from((None, event["sportradar_id"])))
    return captured | {"competitor_event": event | key | {"tournament": tournament}}


#: Changes by other programs: soft deletions, and BetPawa's events without a listing.
CHANGES = (
    "UPDATE competitor_events SET deleted_at = now() WHERE external_id = '1'",
    "UPDATE competitor_tournaments SET deleted_at = now() WHERE external_id = '8'",
    "DELETE FROM event_bookmakers USING events AS e WHERE e.id = event_id AND sportradar_id = '2'",
)

#: The fields of a listing, in the order of `expected`.
LISTING = ("bookmaker", "competitor_event_id", "external_id", "event_url", "name")

OURS = """
SELECT e.id, e.sportradar_id, e.name, e.kickoff, t.country, t.name AS tournament, b.slug,
    l.external_event_id, l.event_url
FROM events AS e JOIN tournaments AS t ON t.id = e.tournament_id
LEFT JOIN event_bookmakers AS l ON l.event_id = e.id
LEFT JOIN bookmakers AS b ON b.id = l.bookmaker_id
"""
THEIRS = """
SELECT e.id, e.betpawa_event_id, e.source, e.external_id, e.sportradar_id, e.name, e.kickoff,
    e.event_url, t.country_raw, t.name AS tournament, t.sportradar_id AS tournament_id
FROM competitor_events AS e JOIN competitor_tournaments AS t ON t.id = e.tournament_id
WHERE e.deleted_at IS NULL AND t.deleted_at IS NULL ORDER BY e.id
"""
TOURNAMENTS = "SELECT sportradar_id, country, name FROM tournaments WHERE sportradar_id <> ''"


async def expected(connection: AsyncConnection) -> dict[tuple[Any, ...], set[tuple[Any, ...]]]:
    """Compute the listed events, each with its listings, from the rows of the tables."""
    known = {id_: names for id_, *names in await connection.execute(text(TOURNAMENTS))}
    found: dict[Any, tuple[Any, ...]] = {}
    listed: dict[Any, set[tuple[Any, ...]]] = defaultdict(set)
    for row in await connection.execute(text(OURS)):
        found[row.id] = (row.id, row.sportradar_id, row.name, row.kickoff)
        found[row.id] += (row.country, row.tournament)
        if row.slug is not None:
            listed[row.id].add((row.slug, None, row.external_event_id, row.event_url, row.name))
    for row in await connection.execute(text(THEIRS)):
        key = row.betpawa_event_id or row.sportradar_id
        names = known.get(row.tournament_id, [row.country_raw or "Unknown", row.tournament])
        found.setdefault(key, (None, row.sportradar_id, row.name, row.kickoff, *names))
        listed[key].add((row.source, row.id, row.external_id, row.event_url, row.name))
    return {found[key]: rows for key, rows in listed.items()}


def matching(listings: set[tuple[Any, ...]]) -> Matching:
    """Return the sides that list an event."""
    sides = {competitor_event_id is None for _, competitor_event_id, *_ in listings}
    if len(sides) == 2:
        return Matching.MATCHED
    return Matching.BETPAWA_ONLY if True in sides else Matching.COMPETITOR_ONLY


@given(
    captures=st.lists(captures(), max_size=12),
    changes=st.lists(st.sampled_from(CHANGES), unique=True, max_size=2),
    day=st.integers(1, 5),
    least=st.integers(1, 3),
)
def test_listings(
    captures: list[Any], changes: list[str], day: int, least: int, connection: Any, run: Run
) -> None:
    """Each event that is listed is a row with all its listings; tournaments count these rows."""

    async def body() -> None:
        transaction = await connection.begin()
        try:
            report = await ingest(connection, captures)
            assert report.all_stored, report
            for change in changes:
                await connection.execute(text(change))
            await check(await expected(connection))
        finally:
            await transaction.rollback()

    async def check(events: dict[tuple[Any, ...], set[tuple[Any, ...]]]) -> None:
        session = AsyncSession(connection)
        rows = (await session.exec(queries.events())).all()
        assert len(rows) == len(events)
        for row in rows:
            names = (row.event_id, row.sportradar_id, row.name, row.kickoff)
            listings = events[(*names, row.country, row.tournament)]
            assert set(map(attrgetter(*LISTING), row.listings)) == listings
            assert len(row.listings) == len(listings)
            assert row.bookmakers == tuple(sorted({bookmaker for bookmaker, *_ in listings}))
            assert row.bookmaker_count == len(row.bookmakers)
            assert row.matching is matching(listings)
            assert (row.sport, row.home_team[:5]) == ("football", "Home ")

        before = queries.events().where(
            ListedEvent.kickoff < START + timedelta(days=day), ListedEvent.bookmaker_count >= least
        )
        some = [row for row in rows if row.kickoff < START + timedelta(days=day)]
        some = [row for row in some if row.bookmaker_count >= least]
        assert set((await session.exec(before)).all()) == set(some)
        for statement, counted in (
            (queries.events_by_tournament(), rows),
            (queries.events_by_tournament(before), some),
        ):
            counts = Counter((row.country, row.tournament, row.matching) for row in counted)
            found = (await session.exec(statement)).all()
            assert {
                (row.country, row.tournament, each): count
                for row in found
                for each in Matching
                if (count := getattr(row, each.value))
            } == counts
            assert sum(row.events for row in found) == len(counted)

    run(body())


EVENTS = 4_000

#: Events over 400 days: of ten, one is BetPawa's alone, one a competitor's, and one both
#: competitors' alone.
MANY = f"""
INSERT INTO tournaments (sport_id, name, country)
SELECT s.id, 'League ' || n, 'Nigeria' FROM sports AS s, generate_series(1, 50) AS n
WHERE s.slug = 'football';

INSERT INTO events (tournament_id, name, home_team, away_team, kickoff, sportradar_id)
SELECT t.id, 'A - B', 'A', 'B', '2024-01-01Z'::timestamptz + n / 10 * interval '1 day', n::text
FROM generate_series(0, {EVENTS} - 1) AS n JOIN tournaments AS t ON t.name = 'League ' || 1 + n % 50
WHERE n % 10 NOT IN (1, 2);

INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
SELECT e.id, b.id, e.id::text FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';

INSERT INTO competitor_tournaments (source, sport_id, name, external_id)
SELECT source, sport_id, name, id::text
FROM tournaments, unnest('{{sportybet,bet9ja}}'::text[]) AS source;

INSERT INTO competitor_events (source, tournament_id, betpawa_event_id, name, home_team, away_team,
    kickoff, external_id, sportradar_id)
SELECT t.source, t.id, e.id, 'A - B', 'A', 'B',
    '2024-01-01Z'::timestamptz + n / 10 * interval '1 day', n::text, n::text
FROM generate_series(0, {EVENTS} - 1) AS n
JOIN competitor_tournaments AS t ON t.name = 'League ' || 1 + n % 50
LEFT JOIN events AS e ON e.sportradar_id = n::text
WHERE n % 10 <> 0 AND (n % 10 <> 1 OR t.source = 'bet9ja');

ANALYZE;
"""


@pytest.fixture(scope="module")
def many(new_database: Callable[..., Any], template: str, run: Run) -> Iterator[Any]:
    """Fill a database with listings of many events; return a connection."""
    with new_database(template) as url:
        connection = run(asyncpg.connect(url))
        run(connection.execute(MANY))
        yield connection
        run(connection.close())


DAY = datetime.fromisoformat("2024-03-01T00:00:00Z")
A_DAY = queries.events().where(
    ListedEvent.kickoff >= DAY, ListedEvent.kickoff < DAY + timedelta(days=1)
)


@pytest.mark.parametrize(
    ("statement", "rows", "most"),
    [
        # All pages of events, which has no index on kickoff, and ten events.
        pytest.param(A_DAY, 10, 300, id="a day"),
        pytest.param(queries.events_by_tournament(A_DAY), 10, 300, id="tournaments of a day"),
        pytest.param(queries.events().where(ListedEvent.event_id == 7), 1, 30, id="an event"),
        pytest.param(
            queries.events().where(col(ListedEvent.sportradar_id).in_(["15", "12", "11"])),
            3,
            60,
            id="events by SportRadar id",
        ),
    ],
)
def test_listings_use_indexes(statement: Any, rows: int, most: int, many: Any, run: Run) -> None:
    """Listings of few events are read through indexes."""
    plan = run(explain(many, statement))["Plan"]
    assert plan["Actual Rows"] == rows
    read_through = {
        node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"
    }
    assert not read_through & {"event_bookmakers", "competitor_events"}
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= most


#: Listings: bookmaker, SportRadar id, teams, tournament.
NAMED = [
    ("betpawa", "1", "Malmö FF", "Remo Stars", "Allsvenskan"),
    ("bet9ja", "1", "Malmoe", "Remo", "Sverige"),
    ("bet9ja", "2", "Inter", "Łódź", "Ekstraklasa"),
    ("sportybet", "2", "Internazionale", "Lodz 1860", "Poland 100%"),
    ("betpawa", "1860", "Inter", "Remo Stars", "Friendly_Cup"),
]


@pytest.mark.parametrize(
    ("text", "tournament", "found"),
    [
        ("", "", ["1", "1860", "2"]),
        ("malmo", "", ["1"]),
        # As a competitor writes it.
        ("MALMOE sverige", "", ["1"]),
        ("inter", "", ["1860", "2"]),
        ("internazionale", "", ["2"]),
        # The words are those of one bookmaker.
        ("internazionale ekstraklasa", "", []),
        ("LODZ", "", ["2"]),
        ("stars remo", "", ["1", "1860"]),
        ("1860", "", ["1860", "2"]),
        ("sr:match:1860", "", ["1860"]),
        ("stars", "cup", ["1860"]),
        ("", "SVERIGE", ["1"]),
        ("", "100%", ["2"]),
        ("", "y_c", ["1860"]),
        ("%", "", ["2"]),
        ("remo\\", "", []),
        ("'; DROP TABLE events; --", "", []),
    ],
)
def test_events_are_found(
    text: str, tournament: str, found: list[str], connection: AsyncConnection, run: Run
) -> None:
    """Events are found by words of their names at any bookmaker, by tournament and by id."""

    async def body() -> list[str]:
        transaction = await connection.begin()
        try:
            captures = [named(*row) for row in NAMED]
            assert (await ingest(connection, captures)).all_stored
            rows = await AsyncSession(connection).exec(queries.events(text, tournament=tournament))
            return sorted(row.sportradar_id for row in rows)
        finally:
            await transaction.rollback()

    assert run(body()) == found


def named(bookmaker: str, number: str, home: str, away: str, tournament: str) -> dict[str, Any]:
    """Make a capture without markets."""
    event = {"sportradar_id": number, "name": f"{home} - {away}", "home_team": home}
    event |= {"away_team": away, "kickoff": START + timedelta(days=1)}
    described = {"sport": FOOTBALL, "name": tournament}
    if bookmaker == "betpawa":
        described |= {"country": "Sweden"}
        event |= {"bookmaker": bookmaker, "external_event_id": number, "tournament": described}
        return {"captured_at": START, "markets": [], "event": event}
    described |= {"external_id": number}
    event |= {"source": bookmaker, "external_id": number, "tournament": described}
    return {"captured_at": START, "markets": [], "competitor_event": event}


@pytest.mark.parametrize("text", ["\0", "\ud800", "a" * 1001])
def test_impossible_texts(text: str) -> None:
    """A text that no name can have is refused before anything is read."""
    with pytest.raises(ValidationError):
        queries.events(text)
    with pytest.raises(ValidationError):
        queries.events(tournament=text)


def test_searches_read_each_event_once(many: Any, run: Run) -> None:
    """A search reads each row of events once, and the listings of the found events by indexes."""
    plan = run(explain(many, queries.events("b nigeria", tournament="league 50")))["Plan"]
    assert plan["Actual Rows"] == EVENTS // 50
    scans = [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    read = Counter(node["Relation Name"] for node in scans)
    assert read["events"] <= 2
    assert read["competitor_events"] <= 3
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= EVENTS


def test_all_listings_are_read_at_once(many: Any, run: Run) -> None:
    """Counting all events by tournament touches each listing a few times."""
    plan = run(explain(many, queries.events_by_tournament()))["Plan"]
    assert plan["Actual Rows"] == 50
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 20 * EVENTS
