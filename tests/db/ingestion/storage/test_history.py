"""An event's history in the database, compared with a model that keeps everything.

Captures arrive late, repeated, in part, in chunks of any size and under any policy of storage. For
each instant, and for instants between them, the database and the model give the same offer.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oddsschema
from oddsschema import IngestOptions, IngestReport, batch, ingest, migrations
from oddsschema.ingestion.storage import history
from oddsschema.ingestion.storage.state import read_states
from oddsschema.models.sides import BETPAWA, COMPETITORS
from tests.support.histories import START, STORAGE, Model, captured, read_model_states
from tests.support.scrapes import capture as scraped
from tests.support.sessions import rolled_back

Run = Callable[..., Any]


async def stored_states(
    connection: Any, instants: list[datetime], event: str = "1"
) -> dict[str, list[dict[Any, Any]]]:
    """Read an event from the database at each platform and each instant."""
    event_id, competitor_event_id = [
        await connection.fetchval(f"SELECT id FROM {table} WHERE sportradar_id = $1", event)
        for table in ("events", "competitor_events")
    ]
    bookmaker_id = await connection.fetchval("SELECT id FROM bookmakers WHERE slug = 'betpawa'")
    found = {}
    for platform, side, asked in (
        ("betpawa", BETPAWA, event_id),
        ("bet9ja", COMPETITORS, competitor_event_id),
    ):
        found[platform] = await read_model_states(
            connection, side, [(asked or 0, at) for at in instants], bookmaker_id
        )
    return found


#: A delivery: captures, the options of their storage, and the numbers of those that are followed
#: by a flush.
Part = tuple[list[dict[str, Any]], IngestOptions, set[int]]

#: Often each capture is a chunk of its own.
FLUSHES = st.sets(st.integers(0, 9)) | st.just(set(range(10)))


async def deliver(connection: Any, part: Part) -> IngestReport:
    """Ingest captures, with flushes between them."""
    captures, options, flushes = part
    async with batch(connection, options=options) as opened, AsyncExitStack() as stack:
        runs: dict[str, oddsschema.Run] = {}
        for number, capture in enumerate(captures):
            event = capture.get("event") or capture["competitor_event"]
            platform = event.get("bookmaker") or event["source"]
            if platform not in runs:
                runs[platform] = await stack.enter_async_context(opened.run(platform))
            await runs[platform].ingest([capture])
            if number in flushes:
                for each in runs.values():
                    await each.flush()
    return opened.report()


@given(
    parts=st.lists(st.tuples(captured(refusals=True), STORAGE, FLUSHES), min_size=1, max_size=4),
)
def test_every_instant(parts: list[Part], connection: Any, run: Run) -> None:
    """Every instant has the offer of the captures until then, wherever the flushes fall."""
    run(rolled_back(connection, assert_every_instant(connection, parts, ["1"])))


@given(
    parts=st.lists(
        st.tuples(captured(events="123", refusals=True), STORAGE, FLUSHES), min_size=1, max_size=4
    ),
)
def test_every_instant_of_uncompared_events(parts: list[Part], connection: Any, run: Run) -> None:
    """This holds as well for events that are stored complete because others have changed."""
    with patch.object(history, "_SAMPLE", 1):
        run(rolled_back(connection, assert_every_instant(connection, parts, "123")))


#: Markets of complete snapshots with more than one row on offer, or with a row that is older than
#: the market's absence. Reads use a keyframe's rows unchanged.
UNCLEAR = """
SELECT m.snapshot_id, m.betpawa_market_id, m.line
FROM {snapshots} AS s
JOIN {markets} AS m ON m.{event} = s.{event} AND m.snapshot_id = s.id
WHERE s.is_complete
GROUP BY m.snapshot_id, {market_key}
HAVING count(*) FILTER (WHERE m.unavailable_at IS NULL) > 1
    OR max(m.id) FILTER (WHERE m.unavailable_at IS NOT NULL)
        > max(m.id) FILTER (WHERE m.unavailable_at IS NULL)
"""


async def assert_every_instant(connection: Any, parts: list[Part], events: Iterable[str]) -> None:
    """Ingest the parts, and compare the database with the model after each."""
    model = Model()
    instants = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]
    for captures, options, flushes in parts:
        for capture in captures:
            model.take(capture)
        report = await deliver(connection, (captures, options, flushes))
        assert (report.total.captures_refused, report.total.captures_lost) == (0, 0), report
        for event in events:
            for platform, at_each in (await stored_states(connection, instants, event)).items():
                assert at_each == [model.at(platform, at, event) for at in instants], platform
        assert await carried_markets(connection, model) == {
            listing_and_instant: keys for listing_and_instant, keys in model.carried.items() if keys
        }
        for side in (BETPAWA, COMPETITORS):
            assert await connection.fetch(side.sql(UNCLEAR)) == []
        # Nothing is stored twice: a second delivery writes nothing.
        again = await ingest(connection, captures, options=options)
        assert (again.total.captures_stored, again.total.captures_confirmed) == (0, 0)
        assert again.total.markets_stored == 0


#: The whole keys of the refused markets of each snapshot.
CARRIED = """
SELECT 'betpawa' AS platform, e.sportradar_id AS event, s.captured_at, key::text
FROM odds_snapshots AS s JOIN events AS e ON e.id = s.event_id
CROSS JOIN jsonb_array_elements(s.unknown_markets) AS key
UNION ALL
SELECT e.source, e.sportradar_id, s.captured_at, key::text
FROM competitor_odds_snapshots AS s JOIN competitor_events AS e ON e.id = s.competitor_event_id
CROSS JOIN jsonb_array_elements(s.unknown_markets) AS key
"""


async def carried_markets(connection: Any, model: Model) -> dict[Any, set[Any]]:
    """Read the markets that keep an older state because they were refused, at each instant."""
    carried: defaultdict[Any, set[Any]] = defaultdict(set)
    for platform, event, at, document in await connection.fetch(CARRIED):
        key = tuple(json.loads(document))
        if key in model.at(platform, at, event):
            carried[(platform, event), at].add(key)
    return dict(carried)


@settings(max_examples=max(1, settings().max_examples // 3))
@given(captures=captured(older=True))
def test_older_release_reads_the_same(
    captures: list[dict[str, Any]], new_database: Callable[..., Any], template: str, run: Run
) -> None:
    """After a downgrade to complete snapshots and an upgrade, every instant is unchanged."""
    instants = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]

    async def told_in(url: str) -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await stored_states(connection, instants)
        finally:
            await connection.close()

    with new_database(template) as url:
        run(ingest(url, captures, options=IngestOptions(keyframe_share=10.0)))
        before = run(told_in(url))
        run(migrations.downgrade(url, "oddsschema_0005"))
        run(migrations.upgrade(url))
        assert run(told_in(url)) == before


@settings(max_examples=max(1, settings().max_examples // 3))
@given(captures=captured(refusals=True), options=STORAGE)
def test_two_writers_make_one_history(
    captures: list[dict[str, Any]],
    options: IngestOptions,
    new_database: Callable[..., Any],
    template: str,
    run: Run,
) -> None:
    """Two concurrent writers of the same events leave the history of a single writer."""
    instants = [START + timedelta(seconds=30 * at) for at in range(-1, 20)]
    model = Model()
    for capture in captures:
        model.take(capture)
    # The order of two deliveries of one instant is undefined.
    parts = [
        [capture for capture in captures if capture["captured_at"].minute % 2 == odd]
        for odd in (False, True)
    ]

    async def body(url: str) -> None:
        reports = await asyncio.gather(*(ingest(url, part, options=options) for part in parts))
        assert not any(report.total.captures_lost for report in reports), reports
        connection = await asyncpg.connect(url)
        try:
            found = await stored_states(connection, instants)
        finally:
            await connection.close()
        for platform, at_each in found.items():
            assert at_each == [model.at(platform, at) for at in instants], platform

    with new_database(template) as url:
        run(body(url))


WRITTEN = """
SELECT s.captured_at, s.is_complete, s.confirmed_at,
    count(m.id) AS rows, count(m.unavailable_at) AS gone
FROM competitor_odds_snapshots AS s
LEFT JOIN competitor_market_odds AS m
    ON m.competitor_event_id = s.competitor_event_id AND m.snapshot_id = s.id
GROUP BY s.id ORDER BY s.captured_at
"""


def offer(after: timedelta, *odds: float) -> dict[str, Any]:
    """Build a capture of markets with these prices, some time after the first."""
    markets = [
        {
            "betpawa_market_id": f"{number}",
            "betpawa_market_name": "1X2",
            "outcomes": [{"name": "1", "odds": price}],
        }
        for number, price in enumerate(odds)
    ]
    return scraped("bet9ja", 1, 0) | {"captured_at": START + after, "markets": markets}


async def written(
    connection: Any, captures: list[dict[str, Any]]
) -> list[tuple[timedelta, bool, list[timedelta], int, int]]:
    """Deliver captures singly, return the stored rows, and roll back."""

    async def body() -> Any:
        for capture in captures:
            assert (await ingest(connection, [capture])).all_stored
        return [
            (at - START, is_complete, [instant - START for instant in confirmed], rows, gone)
            for at, is_complete, confirmed, rows, gone in await connection.fetch(WRITTEN)
        ]

    return await rolled_back(connection, body())


def test_stored_rows(connection: Any, run: Run) -> None:
    """The rows are those of the table in docs/explanation/history.md."""
    minutes = [timedelta(minutes=minute) for minute in (0, 5, 10, 15)]
    captures = [
        offer(minutes[0], 1.5, 2.5, 3.5),
        offer(minutes[1], 1.6, 2.5, 3.5),
        offer(minutes[2], 1.6, 2.5, 3.5),
        offer(minutes[3], 1.6, 2.5),
        offer(timedelta(days=1, minutes=1), 1.7, 2.5),
    ]
    assert run(written(connection, captures)) == [
        (minutes[0], True, [], 3, 0),
        (minutes[1], False, [minutes[2]], 1, 0),
        (minutes[3], False, [], 1, 1),
        (timedelta(days=1, minutes=1), True, [], 2, 0),
    ]


def test_share_of_changes(connection: Any, run: Run) -> None:
    """A keyframe is stored when more rows have changed since the last one than are on offer."""
    minutes = [timedelta(minutes=minute) for minute in range(5)]
    prices = ((1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 1, 1))
    captures = [offer(at, *odds) for at, odds in zip(minutes, prices, strict=True)]
    assert [(row[1], row[3]) for row in run(written(connection, captures))] == [
        (True, 3),
        (False, 1),
        (False, 1),
        (False, 1),
        (True, 3),
    ]


def moved(capture: dict[str, Any]) -> dict[str, Any]:
    """Change the prices of each market."""
    for market in capture["markets"]:
        market["outcomes"][0]["odds"] += 1
    return capture


def suspended(capture: dict[str, Any]) -> dict[str, Any]:
    """Remove all markets."""
    return capture | {"markets": []}


async def second_scrape(
    connection: Any, change: Callable[[dict[str, Any]], dict[str, Any]], events: Iterable[int]
) -> tuple[int, int]:
    """Ingest a second scrape of 64 events; return its confirmations and written rows.

    Some events have changed. The last event has not, and has as many markets as all others.
    """
    captures = [scraped("bet9ja", event, 0) for event in range(63)]
    captures.append(scraped("bet9ja", 63, 0, markets=4 * 63))
    assert (await ingest(connection, captures)).all_stored
    captures = [change(capture) if at in events else capture for at, capture in enumerate(captures)]
    at = scraped("bet9ja", 0, 5)["captured_at"]
    report = await ingest(connection, [capture | {"captured_at": at} for capture in captures])
    assert report.total.captures_stored == 64
    return report.total.captures_confirmed, report.total.markets_stored


def test_chunk_with_many_changes_is_stored_complete(connection: Any, run: Run) -> None:
    """When nearly all sampled events of a chunk have changed, the rest is stored complete."""
    confirmed, rows = run(rolled_back(connection, second_scrape(connection, moved, range(60))))
    assert confirmed < 4
    assert rows > 4 * 60


@pytest.mark.parametrize(
    ("change", "events", "rows"),
    [
        (moved, range(0, 64, 10), 4 * 7),
        (moved, range(0, 64, 2), 4 * 32),
        (moved, [63], 4 * 63),
        (suspended, range(0, 63, 2), 0),
        (suspended, range(60), 0),
    ],
)
def test_chunk_with_few_changes_is_compared(
    change: Callable[[Any], Any], events: Sequence[int], rows: int, connection: Any, run: Run
) -> None:
    """When fewer events or only a large one have changed, all events are compared."""
    found = run(rolled_back(connection, second_scrape(connection, change, events)))
    assert found == (64 - len(events), rows)


def test_error_in_a_group_that_is_not_used(connection: Any, run: Run) -> None:
    """An error while states are read is raised, also when nobody awaits the states."""
    asked = [(1, START)] * 24 + [(2**40, START)]  # no INTEGER

    async def body() -> None:
        found = read_states(connection, COMPETITORS, asked, None)
        await anext(found)
        with pytest.raises(asyncpg.DataError, match="out of int32 range"):
            await found.aclose()

    run(body())


def test_confirmations_of_one_snapshot_are_bounded(connection: Any, run: Run) -> None:
    """After a hundred confirmations of a snapshot, an empty snapshot follows."""
    minutes = [timedelta(minutes=minute) for minute in range(103)]
    assert run(written(connection, [offer(at, 1.5) for at in minutes])) == [
        (minutes[0], True, minutes[1:101], 1, 0),
        (minutes[101], False, [minutes[102]], 0, 0),
    ]


def test_rows_lie_anywhere(connection: Any, run: Run) -> None:
    """The newer of a market's two rows in a snapshot counts, wherever PostgreSQL stores it."""
    captures = [
        offer(timedelta(0), 1.5, 2.5, 3.5),
        offer(timedelta(minutes=5), 1.5, 2.5),
        # The same instant again, with the market that was missing.
        offer(timedelta(minutes=5), 1.5, 2.5, 3.5),
    ]

    async def body() -> None:
        for capture in captures:
            assert (await ingest(connection, [capture])).all_stored
        moved = await connection.execute("""
            WITH gone AS (
                DELETE FROM competitor_market_odds WHERE unavailable_at IS NOT NULL RETURNING *
            )
            INSERT INTO competitor_market_odds SELECT * FROM gone
        """)
        assert moved == "INSERT 0 1"
        again = await ingest(connection, [offer(timedelta(minutes=10), 1.5, 2.5, 3.5)])
        assert (again.total.captures_confirmed, again.total.markets_stored) == (1, 0)

    run(rolled_back(connection, body()))


def test_equal_by_value(connection: Any, run: Run) -> None:
    """Another order, other digits or an additional key are no change."""
    spelled = """[
        {"name": "2", "odds": 2.50, "is_active": true, "mark": 1},
        {"name": "1", "odds": 1.5, "is_active": true}
    ]"""
    prices = [{"name": "1", "odds": 1.5}, {"name": "2", "odds": 2.5, "is_active": True}]
    captures = []
    for minute, odds in ((0, 1.5), (5, 1.5), (10, 1.6)):
        capture = offer(timedelta(minutes=minute), 1)
        capture["markets"][0]["outcomes"] = [{**prices[0], "odds": odds}, prices[1]]
        captures.append(capture)

    async def body() -> None:
        assert (await ingest(connection, captures[:1])).all_stored
        await connection.execute(f"UPDATE competitor_market_odds SET outcomes = '{spelled}'")
        same, other = [await ingest(connection, [capture]) for capture in captures[1:]]
        assert (same.total.captures_confirmed, same.total.markets_stored) == (1, 0)
        assert (other.total.captures_confirmed, other.total.markets_stored) == (0, 1)

    run(rolled_back(connection, body()))


@pytest.mark.parametrize(
    "damage",
    [
        {"handicap_type": None},
        {"handicap_home": None},
        {"handicap_home": None, "handicap_away": None},
        {"handicap_home": 0},  # as in "0:1"
    ],
)
def test_handicap_with_an_uncertain_line(damage: dict[str, Any], connection: Any, run: Run) -> None:
    """A market whose handicap is refused keeps its state, also if its line cannot be read."""
    first = offer(timedelta(0), 1.5, 2.5)
    handicap = {"handicap_type": "asian", "handicap_home": -1, "handicap_away": 1}
    first["markets"][1] |= handicap
    second = offer(timedelta(minutes=5), 1.5, 2.6)
    second["markets"][1] |= handicap | damage

    async def body() -> Any:
        await ingest(connection, [first])
        report = await ingest(connection, [second])
        assert report.total.markets_refused == 1
        return {document for *_, document in await connection.fetch(CARRIED)}

    assert run(rolled_back(connection, body())) == {'["1"]', '["1", -1.0, "asian", null]'}


def test_unknown_way_to_store() -> None:
    """An unknown policy of storage is refused at once, with the known ones."""
    with pytest.raises(ValueError, match="store must be one of changes, complete: 'change'"):
        IngestOptions(store="change")  # type: ignore[arg-type]  # which mypy finds, too


@pytest.mark.parametrize("store", ["changes", "complete"])
def test_empty_market_is_gone_beside_a_refused_one(store: str, connection: Any, run: Run) -> None:
    """A market that a capture lists as not offered is gone, whatever else was refused there."""
    first = scraped("bet9ja", 0, 0)
    good, other, *_ = first["markets"]
    refused = other | {"betpawa_market_id": ""}

    async def offered_after(*markets: Any) -> int:
        again = {"captured_at": scraped("bet9ja", 0, 1)["captured_at"], "markets": list(markets)}
        for capture in (first, first | again):
            report = await ingest(connection, [capture], options=IngestOptions(store=store))
            assert report.total.captures_stored == 1
        event = first["competitor_event"]["sportradar_id"]
        states = await stored_states(connection, [START.replace(year=2030)], event)
        return len(states["bet9ja"][0])

    everything = run(rolled_back(connection, offered_after(good, refused)))
    assert everything == len(first["markets"])
    rest = run(rolled_back(connection, offered_after(good | {"outcomes": []}, refused)))
    assert rest == len(first["markets"]) - 1
