"""`oddsschema events` prints the events that bookmakers list, and counts them by tournament."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oddsschema import ingest
from oddsschema.queries.listing_reports import ListedEventList, ListedTournamentList
from tests.support.screens import program

Run = Callable[..., Any]

FOOTBALL = {"slug": "football", "name": "Football"}
CAPTURED = "2026-01-01T00:00:00Z"

#: The events: SportRadar id, kickoff, tournament, bookmakers.
EVENTS = [
    ("11", "2026-01-17T15:00:00Z", "La Liga", ["betpawa", "bet9ja", "sportybet"]),
    ("12", "2026-01-17T17:00:00Z", "La Liga", ["betpawa"]),
    ("13", "2026-01-18T09:00:00Z", "Superliga é", ["bet9ja", "sportybet"]),
    ("14", "2026-01-19T09:00:00Z", "La Liga", ["betpawa", "sportybet"]),
]
ALL = ("--from", "2026-01-01")


def capture(bookmaker: str, sportradar_id: str, kickoff: str, tournament: str) -> dict[str, Any]:
    """Make a capture without markets."""
    event = {
        "sportradar_id": sportradar_id,
        "name": f"Home {sportradar_id} - Away",
        "home_team": f"Home {sportradar_id}",
        "away_team": "Away",
        "kickoff": kickoff,
    }
    described = {"name": tournament, "sport": FOOTBALL}
    if bookmaker == "betpawa":
        event |= {"bookmaker": bookmaker, "external_event_id": sportradar_id}
        described |= {"country": "Spain"}
        return {"captured_at": CAPTURED, "event": {**event, "tournament": described}, "markets": []}
    event |= {"source": bookmaker, "external_id": sportradar_id}
    described |= {"external_id": tournament, "country_raw": "Spain"}
    return {
        "captured_at": CAPTURED,
        "competitor_event": {**event, "tournament": described},
        "markets": [],
    }


@pytest.fixture
def listed(database: str, run: Run) -> str:
    """Return the URL of a database with listings of four events."""
    captures = [
        capture(bookmaker, sportradar_id, kickoff, tournament)
        for sportradar_id, kickoff, tournament, bookmakers in EVENTS
        for bookmaker in bookmakers
    ]
    assert run(ingest(database, captures)).all_stored
    return database


def test_lines(listed: str) -> None:
    """Each event is a line with aligned columns, in the order of the kickoffs."""
    ended = program("events", *ALL, "--url", listed)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "2026-01-17 15:00  11  matched          bet9ja betpawa sportybet  Home 11 - Away  "
        "Spain, La Liga",
        "2026-01-17 17:00  12  betpawa only     betpawa                   Home 12 - Away  "
        "Spain, La Liga",
        "2026-01-18 09:00  13  competitor only  bet9ja sportybet          Home 13 - Away  "
        "Spain, Superliga é",
        "2026-01-19 09:00  14  matched          betpawa sportybet         Home 14 - Away  "
        "Spain, La Liga",
    ]


def test_tournaments(listed: str) -> None:
    """Each tournament is a line with its counts, the largest first."""
    ended = program("events", "--by-tournament", *ALL, "--url", listed)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "events  matched  betpawa only  competitor only  tournament",
        "     3        2             1                0  Spain, La Liga (football)",
        "     1        0             0                1  Spain, Superliga é (football)",
    ]
    options = ("events", "--by-tournament", "--least-bookmakers", "2", *ALL, "--json")
    ended = program(*options, "--url", listed)
    tournaments = ListedTournamentList.model_validate_json(ended.stdout).root
    assert [(each.tournament, each.events, each.matched) for each in tournaments] == [
        ("La Liga", 2, 2),
        ("Superliga é", 1, 0),
    ]


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), ["11", "12", "13", "14"]),
        (("-n", "2"), ["11", "12"]),
        (("--bookmaker", "bet9ja"), ["11", "13"]),
        (("--bookmaker", "betking"), []),
        (("--matching", "matched"), ["11", "14"]),
        (("--matching", "betpawa_only"), ["12"]),
        (("--matching", "competitor_only", "--matching", "betpawa_only"), ["12", "13"]),
        (("--least-bookmakers", "2"), ["11", "13", "14"]),
        (("--least-bookmakers", "3"), ["11"]),
        (("--from", "2026-01-17T17:00"), ["12", "13", "14"]),
        (("--to", "2026-01-17T17:00:00"), ["11"]),
        (("--from", "2026-01-18", "--to", "2026-01-19"), ["13"]),
        (("--least-bookmakers", "2", "--bookmaker", "betpawa", "-n", "1"), ["11"]),
        (("--unmatched",), ["12", "13"]),
        (("--sport", "football", "--tournament", "SUPERLIGA E spain"), ["13"]),
        (("--sport", "tennis"), []),
        (("home 12",), ["12"]),
        (("sr:match:14",), ["14"]),
        (("liga away", "--unmatched", "--bookmaker", "bet9ja"), ["13"]),
    ],
)
def test_conditions(listed: str, options: tuple[str, ...], ids: list[str]) -> None:
    """Events are listed under all conditions together."""
    ended = program("events", "--json", *ALL, *options, "--url", listed)
    assert (ended.code, ended.stderr) == (0, "")
    assert [event["sportradar_id"] for event in json.loads(ended.stdout)] == ids


def test_json(listed: str) -> None:
    """The JSON has all fields of the listed events, with their listings."""
    ended = program("events", "--json", *ALL, "--url", listed)
    first, *_ = ListedEventList.model_validate_json(ended.stdout).root
    assert (first.event_id, first.bookmaker_count, first.sport) == (1, 3, "football")
    assert [(listing.bookmaker, listing.external_id) for listing in first.listings] == [
        ("bet9ja", "11"),
        ("betpawa", "11"),
        ("sportybet", "11"),
    ]


def test_events_that_are_over(database: str, run: Run) -> None:
    """Without a time, the events are those that start from now on."""
    now = datetime.now(UTC)
    captures = [
        capture("bet9ja", str(number), (now + offset).isoformat(), "La Liga")
        for number, offset in ((1, timedelta(hours=-1)), (2, timedelta(hours=1)))
    ]
    run(ingest(database, captures))
    ended = program("events", "--json", "--url", database)
    assert [event["sportradar_id"] for event in json.loads(ended.stdout)] == ["2"]


def test_nothing_to_list(database: str, empty_database: str) -> None:
    """Without events nothing is printed; without tables the command fails."""
    for options in ((), ("--by-tournament",)):
        ended = program("events", *options, "--url", database)
        assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
        assert json.loads(program("events", *options, "--json", "--url", database).stdout) == []
        ended = program("events", *options, "--url", empty_database)
        assert (ended.code, ended.stdout) == (2, "")
        assert "oddsschema upgrade" in ended.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--bookmaker", "Bet 9ja"),
        ("--matching", "both"),
        ("--least-bookmakers", "0"),
        ("--from", "soon"),
        ("-n", "-1"),
    ],
)
def test_bad_options(database: str, option: str, value: str) -> None:
    """A value that an option cannot have is an error that names it."""
    ended = program("events", option, value, "--url", database)
    assert (ended.code, ended.stdout) == (2, "")
    assert value in ended.stderr


def test_past_events(listed: str) -> None:
    """A search without a time is of events from now on, and says so if it finds none."""
    ended = program("events", "home 12", "--url", listed)
    assert (ended.code, ended.stdout) == (0, "")
    assert "--from TIME finds earlier ones" in ended.stderr


def test_options_that_exclude_each_other(listed: str) -> None:
    """--unmatched is a choice of sides, as --matching is."""
    ended = program("events", "--unmatched", "--matching", "matched", "--url", listed)
    assert ended.code == 2
    assert "exclude each other" in ended.stderr
