"""SportRadar ids: numbers, URNs and missing ids match events, or match nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import CompetitorEvent, Event, Tournament, ingest
from oddsschema.capture import placeholder_id
from tests.support.histories import START, capture
from tests.support.sessions import rolled_back

Run = Callable[..., Any]

FORMS = ["66457014", "sr:match:66457014", 66457014]
TOURNAMENTS = ["17", "sr:tournament:17", 17]


def identified(platform: str, sportradar_id: Any, minute: int = 0, **fields: Any) -> dict[str, Any]:
    """Build a capture without markets whose event has a SportRadar id, or none (...)."""
    captured = capture(platform, START.replace(minute=minute), [])
    kind = "event" if "event" in captured else "competitor_event"
    event = captured[kind] | fields
    del event["sportradar_id"]
    if sportradar_id is not ...:
        event["sportradar_id"] = sportradar_id
    return captured | {kind: event}


EVENTS = "SELECT sportradar_id FROM events"
COMPETITORS = """
SELECT c.source, c.external_id, c.sportradar_id, e.sportradar_id
FROM competitor_events AS c LEFT JOIN events AS e ON e.id = c.betpawa_event_id
ORDER BY c.source, c.external_id
"""


async def stored(connection: Any, *deliveries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Ingest deliveries; return the competitors' events with the ids of their matches."""
    for delivery in deliveries:
        report = await ingest(connection, delivery)
        assert report.all_stored, report
    return [tuple(row) for row in await connection.fetch(COMPETITORS)]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("ours", FORMS)
@pytest.mark.parametrize("theirs", FORMS)
@pytest.mark.parametrize("is_first", [True, False])
def test_forms_of_one_id_match(
    ours: Any, theirs: Any, is_first: bool, connection: Any, run: Run
) -> None:
    """An event with an id in one form matches an event with the id in another form."""
    deliveries = [[identified("betpawa", ours)], [identified("bet9ja", theirs)]]

    async def body() -> None:
        found = await stored(connection, *(deliveries if is_first else deliveries[::-1]))
        assert found == [("bet9ja", "1", "66457014", "66457014")]
        assert [row[0] for row in await connection.fetch(EVENTS)] == ["66457014"]

    run(rolled_back(connection, body()))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("first", TOURNAMENTS)
@pytest.mark.parametrize("second", TOURNAMENTS)
def test_forms_of_one_tournament(first: Any, second: Any, connection: Any, run: Run) -> None:
    """A tournament is found by its id in any form, on both sides."""

    def tournament(sportradar_id: Any, name: str, **fields: Any) -> dict[str, Any]:
        sport = {"slug": "football", "name": "Football"}
        return {"name": name, "sportradar_id": sportradar_id, "sport": sport, **fields}

    async def body() -> None:
        await stored(
            connection,
            [identified("betpawa", "1", tournament=tournament(first, "Cup", country="X"))],
            [identified("betpawa", "2", 1, tournament=tournament(second, "Cup 2", country="X"))],
            [identified("bet9ja", "1", tournament=tournament(first, "Cup", external_id="7"))],
            [identified("bet9ja", "1", 1, tournament=tournament(second, "Cup", external_id="7"))],
        )
        for table in ("tournaments", "competitor_tournaments"):
            assert await connection.fetchval(f"SELECT array_agg(sportradar_id) FROM {table}") == [
                "17"
            ]

    run(rolled_back(connection, body()))


@pytest.mark.parametrize("in_one_delivery", [True, False])
def test_tournament_keeps_its_id(in_one_delivery: bool, connection: Any, run: Run) -> None:
    """A capture without the tournament's id leaves the id of another capture."""
    captures = [
        identified(
            "bet9ja",
            "1",
            minute,
            tournament={
                "external_id": "7",
                "name": "Cup",
                "sportradar_id": sportradar_id,
                "sport": {"slug": "football", "name": "Football"},
            },
        )
        for minute, sportradar_id in enumerate(["sr:tournament:17", None])
    ]

    async def body() -> None:
        await stored(connection, *([captures] if in_one_delivery else [[one] for one in captures]))
        query = "SELECT sportradar_id FROM competitor_tournaments"
        assert await connection.fetchval(query) == "17"

    run(rolled_back(connection, body()))


@pytest.mark.parametrize("missing", [..., None, "", "  "])
def test_events_without_an_id_match_nothing(missing: Any, connection: Any, run: Run) -> None:
    """Two competitors' events of one id of their own, without a SportRadar id, stay apart."""

    async def body() -> None:
        found = await stored(
            connection,
            [identified("bet9ja", missing)],
            [identified("sportybet", missing)],
            # An event of BetPawa whose id is a placeholder matches nothing either.
            [identified("betpawa", "bet9ja:1")],
        )
        assert found == [
            ("bet9ja", "1", "bet9ja:1", None),
            ("sportybet", "1", "sportybet:1", None),
        ]

    run(rolled_back(connection, body()))


def test_id_comes_and_goes(connection: Any, run: Run) -> None:
    """A match stays when a later capture lacks the id, in the same delivery or in another."""

    async def body() -> None:
        matched = ("bet9ja", "1", "5", "5")
        reference = [identified("betpawa", "5")]
        with_id, without = identified("bet9ja", "5", 1), identified("bet9ja", ..., 2)
        assert await stored(connection, reference, [with_id, without]) == [matched]
        assert await stored(connection, [identified("bet9ja", None, 3)]) == [matched]
        assert await stored(connection, [identified("bet9ja", "sr:match:5", 4)]) == [matched]
        # Another name of the event is an update, which keeps the match.
        renamed = identified("bet9ja", None, 5, name="B - A")
        assert await stored(connection, [renamed]) == [matched]

    run(rolled_back(connection, body()))


def test_late_capture_with_an_older_id(connection: Any, run: Run) -> None:
    """A late capture changes no SportRadar id that a newer capture has given."""

    async def body() -> None:
        first = [identified("betpawa", "5"), identified("bet9ja", "5")]
        assert await stored(connection, first) == [("bet9ja", "1", "5", "5")]
        changed = [("bet9ja", "1", "6", None)]
        assert await stored(connection, [identified("bet9ja", "6", 2)]) == changed
        assert await stored(connection, [identified("bet9ja", "5", 1)]) == changed

    run(rolled_back(connection, body()))


@pytest.mark.parametrize("minute", [0, 9])
def test_id_replaces_the_placeholder(minute: int, connection: Any, run: Run) -> None:
    """The first capture with an id identifies and links the event, also when it is late."""

    async def body() -> None:
        first = [identified("betpawa", "5"), identified("bet9ja", None, 5, name="New")]
        assert await stored(connection, first) == [("bet9ja", "1", "bet9ja:1", None)]
        late = [identified("bet9ja", 5, minute, name="Old")]
        assert await stored(connection, late) == [("bet9ja", "1", "5", "5")]
        name = await connection.fetchval("SELECT name FROM competitor_events")
        assert name == ("New" if minute < 5 else "Old")

    run(rolled_back(connection, body()))


@pytest.mark.parametrize("urn", ["vf:match:7", "sr:stage:5", "sr:season:5", "sr:match:"])
def test_other_ids_stay_whole(urn: str, connection: Any, run: Run) -> None:
    """An id with another prefix is an id like any other."""

    async def body() -> None:
        found = await stored(connection, [identified("betpawa", urn)], [identified("bet9ja", urn)])
        assert found == [("bet9ja", "1", urn, urn)]

    run(rolled_back(connection, body()))


@given(external_id=st.text("a\u00e9\U0001f3b2", min_size=1, max_size=100))
def test_long_placeholders(external_id: str, connection: Any, run: Run) -> None:
    """PostgreSQL passes over a placeholder of any length: it computes the same as Python."""
    placeholder = placeholder_id("sportybet", external_id)
    assert len(placeholder) <= 100

    async def body() -> None:
        delivery = [
            identified("betpawa", placeholder),
            identified("sportybet", None, external_id=external_id),
        ]
        assert await stored(connection, delivery) == [("sportybet", external_id, placeholder, None)]

    run(rolled_back(connection, body()))


def test_table_classes_convert_ids() -> None:
    """Table classes convert URNs and integers as captures do, also by assignment."""
    fixture = {
        "name": "A - B",
        "home_team": "A",
        "away_team": "B",
        "kickoff": START,
    }
    event = Event(sportradar_id="sr:match:5", **fixture)
    assert event.sportradar_id == "5"
    event.sportradar_id = "sr:match:6"
    assert event.sportradar_id == "6"
    competitor_event = CompetitorEvent(source="bet9ja", external_id=7, sportradar_id=5, **fixture)
    assert (competitor_event.external_id, competitor_event.sportradar_id) == ("7", "5")
    assert Tournament(name="Cup", sportradar_id="sr:tournament:17").sportradar_id == "17"
