"""Doubts of an ingestion: counted, reported, and kept in the database; nothing is refused."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import Doubt, IngestOptions, IngestReport, Refusal, ScrapeStatus, ingest
from oddsschema.ingestion import reject
from oddsschema.scrapes.summaries import newest_batches
from tests.support.proxy import Proxy
from tests.support.scrapes import capture
from tests.support.sessions import fetch

Run = Callable[..., Any]

DOUBTS = "SELECT error_message FROM scrape_errors WHERE error_type = 'doubt' ORDER BY id"
LINKS = "SELECT count(betpawa_event_id), count(*) FROM competitor_events"
STRICT = IngestOptions(strict=True)


def swapped(given_: dict[str, Any]) -> dict[str, Any]:
    """Swap home and away of a capture, in other letters and with white space around."""
    (side,) = given_.keys() & {"event", "competitor_event"}
    event = given_[side]
    teams = {"home_team": f" {event['away_team'].upper()}", "away_team": event["home_team"].lower()}
    return given_ | {side: event | teams}


def moved(given_: dict[str, Any], by: timedelta) -> dict[str, Any]:
    """Move the kickoff of a capture."""
    (side,) = given_.keys() & {"event", "competitor_event"}
    kickoff = datetime.fromisoformat(given_[side]["kickoff"]) + by
    return given_ | {side: given_[side] | {"kickoff": kickoff.isoformat()}}


def paths(report: IngestReport) -> list[str]:
    """List the JSON paths of a report's doubts."""
    return [doubt.problem.path for doubt in report.doubts]


DAYS = timedelta(days=3)
SPOILS: dict[str, Any] = {
    "swapped": swapped,
    "kickoff": lambda given_: moved(given_, DAYS),
    "both": lambda given_: moved(swapped(given_), -DAYS),
}


@pytest.mark.parametrize("first", ["betpawa", "bet9ja"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_match_is_doubted_when_it_is_made(database: str, run: Run, spoil: str, first: str) -> None:
    """A doubtful match is made, and doubted at the capture that makes it, once."""
    second = "bet9ja" if first == "betpawa" else "betpawa"

    async def body() -> None:
        assert (await ingest(database, [capture(first, 1, 0)])).doubts == ()
        made = await ingest(database, [SPOILS[spoil](capture(second, 1, 0))])
        side = "event" if second == "betpawa" else "competitor_event"
        assert paths(made) == [f"$.{side}.sportradar_id"]
        assert (made.total.doubts, made.status) == (1, ScrapeStatus.COMPLETED)
        (doubt,) = made.doubts
        assert (doubt.file, doubt.line) == ("captures", 1)
        assert "'bet9ja:1'" in doubt.problem.reason
        assert ("swapped" in doubt.problem.reason) == (spoil != "kickoff")
        assert ("days apart" in doubt.problem.reason) == (spoil != "swapped")
        assert await fetch(database, LINKS) == [(1, 1)]
        assert await fetch(database, DOUBTS) == [(str(doubt),)]
        # Later captures of the same two events are not doubted again.
        again = [capture(first, 1, 1), SPOILS[spoil](capture(second, 1, 1))]
        assert (await ingest(database, again)).doubts == ()

    run(body())


@pytest.mark.parametrize("changed", ["betpawa", "bet9ja"])
def test_match_is_doubted_when_it_changes(database: str, run: Run, changed: str) -> None:
    """A match becomes doubtful at the capture that moves one of its events."""

    async def body() -> None:
        both = [capture(platform, 1, 0) for platform in ("betpawa", "bet9ja")]
        assert (await ingest(database, both)).doubts == ()
        assert (await ingest(database, [moved(capture(changed, 1, 1), DAYS / 2)])).doubts == ()
        report = await ingest(database, [moved(capture(changed, 1, 2), DAYS)])
        assert [path.rpartition(".")[2] for path in paths(report)] == ["sportradar_id"]
        # A late capture changes nothing.
        assert (await ingest(database, [moved(capture(changed, 1, 1), 2 * DAYS)])).doubts == ()

    run(body())


@given(hours=st.integers(-100, 100), swaps=st.booleans())
def test_matches_are_doubted_beyond_two_days(hours: int, swaps: bool) -> None:
    """Two events contradict each other by more than two days, or by swapped teams, alone."""
    from oddsschema.ingestion.storage.matching import MatchedFixture, contradictions

    kickoff = datetime.fromisoformat("2024-01-20T17:00:00+00:00")
    reference = MatchedFixture("Basel", "Zürich", kickoff)
    teams = ("ZÜRICH ", "basel") if swaps else ("BASEL", "Zurich")
    competitor = MatchedFixture(*teams, kickoff + timedelta(hours=hours))
    assert len(list(contradictions(competitor, reference))) == swaps + (abs(hours) > 48)


@pytest.mark.parametrize("second", ["betpawa", "bet9ja"])
def test_strict_refuses_the_capture_of_a_doubtful_match(
    database: str, run: Run, second: str
) -> None:
    """With `strict`, no doubtful match is made: the capture is refused, the others are stored."""
    first = "bet9ja" if second == "betpawa" else "betpawa"

    async def body() -> None:
        await ingest(database, [capture(first, event, 0) for event in (1, 2)])
        delivery = [
            capture(second, 2, 0),
            swapped(capture(second, 1, 1)),
            swapped(capture(second, 1, 0)),
        ]
        report = await ingest(database, delivery, options=STRICT)
        assert [refusal.line for refusal in report.refusals] == [2, 3]
        assert (report.total.captures_stored, report.total.doubts) == (1, 0)
        assert await fetch(database, LINKS) == [(1, 2 if first == "bet9ja" else 1)]
        events = "SELECT sportradar_id FROM events ORDER BY 1"
        assert len(await fetch(database, events)) == (2 if first == "betpawa" else 1)
        refused = "SELECT count(*) FROM scrape_errors WHERE error_type = 'refused'"
        assert await fetch(database, refused) == [(2,)]
        # A capture that agrees with the other side is stored, and makes the match.
        good = await ingest(database, [capture(second, 1, 2)], options=STRICT)
        assert good.total.captures_stored == 1
        assert (await fetch(database, LINKS))[0][0] == 2

    run(body())


def test_capture_of_a_doubtful_match_can_be_delivered_again(database: str, run: Run) -> None:
    """An object that is refused while it is written is in the refusal as a capture."""
    refusals: list[Refusal] = []
    strict = IngestOptions(strict=True, on_refusal=refusals.append)
    doubtful = swapped(capture("bet9ja", 1, 0))
    doubtful["markets"].append(doubtful["markets"][0] | {"line": 9.5, "outcomes": []})

    async def body() -> None:
        await ingest(database, [capture("betpawa", 1, 0)])
        await ingest(database, [doubtful], options=strict)
        (refusal,) = refusals
        again = await ingest(database, [reject(refusal)])
        assert again.total.captures_stored == 1
        stored = "SELECT count(*) FROM competitor_market_odds"
        assert await fetch(database, stored) == [(len(doubtful["markets"]) - 1,)]

    run(body())


ODD_PRICES = [{"name": name, "odds": 1500} for name in ("1", "2")]


@pytest.mark.parametrize("form", ["object", "text", "bytes"])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(swapped, id="match"),
        pytest.param(
            lambda good: {
                **good,
                "markets": [{**m, "outcomes": ODD_PRICES} for m in good["markets"]],
            },
            id="prices",
        ),
        pytest.param(lambda good: {**good, "captured_at": "never"}, id="contract"),
    ],
)
def test_rejects_that_are_refused_again(
    database: str, run: Run, fault: Callable[[Any], Any], form: str
) -> None:
    """A line of a rejects file keeps its form, however often it is refused."""
    refusals: list[Refusal] = []
    strict = IngestOptions(strict=True, on_refusal=refusals.append)
    bad = fault(capture("bet9ja", 1, 0))

    def encoded(line: Any) -> Any:
        text = json.dumps(line)
        return line if form == "object" else text if form == "text" else text.encode()

    async def body() -> None:
        await ingest(database, [capture("betpawa", 1, 0)])
        line: Any = bad
        for _ in range(3):
            await ingest(database, [encoded(line)], options=strict)
            line = reject(refusals.pop())
            assert line.keys() == {"refused", "capture"}
            delivered = line["capture"]
            if isinstance(delivered, str):
                delivered = json.loads(delivered)
            assert bad.keys() <= delivered.keys()
            line = json.loads(json.dumps(line, default=str))

    run(body())


@pytest.mark.sampled(5)
@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 9))
def test_doubts_count_once_after_a_lost_connection(
    database: str, run: Run, short_path: Path, commit: int, before: bool
) -> None:
    """A doubt is reported and kept once, whichever commit gets no answer."""
    heard: list[Doubt] = []
    options = IngestOptions(chunk_rows=5, on_doubt=heard.append)

    async def body() -> None:
        await ingest(database, [capture("betpawa", event, 0) for event in range(3)])
        delivery = [swapped(capture("bet9ja", event, 0)) for event in range(3)]
        proxy = Proxy(database, short_path, commit, before=before)
        async with proxy.serving() as url:
            report = await ingest(url, delivery, options=options)
        assert paths(report) == ["$.competitor_event.sportradar_id"] * 3
        assert (report.total.doubts, report.status) == (3, ScrapeStatus.COMPLETED)
        assert heard == list(report.doubts)
        assert await fetch(database, DOUBTS) == [(str(doubt),) for doubt in report.doubts]

    run(body())


def without_country(event: int, minute: int = 0, country: str = "XX") -> dict[str, Any]:
    """Build a capture with a country that is none."""
    given_ = capture("bet9ja", event, minute)
    given_["competitor_event"]["tournament"]["country_iso"] = country
    return given_


def test_equal_doubts_are_one_row(database: str, run: Run) -> None:
    """Equal doubts are one row with their number; beyond 1,000 rows, the others are counted."""

    async def body() -> None:
        report = await ingest(database, [without_country(event) for event in range(7)])
        assert report.total.doubts == len(report.doubts) == 7
        ((message,),) = await fetch(database, DOUBTS)
        assert message == f"{report.doubts[0]} (7 times in this run)"
        many = [without_country(event, country=f"X{event}") for event in range(1030)]
        report = await ingest(database, [*many, *many[::-1]])
        assert report.total.doubts == 2060
        assert len(report.doubts) == 1000
        assert len(await fetch(database, DOUBTS)) == 1 + 1000
        unlisted = "SELECT error_message FROM scrape_errors WHERE error_type = 'unlisted'"
        assert await fetch(database, unlisted) == [("60 more doubts are not listed",)]
        stored = "SELECT count(*) FROM competitor_tournaments WHERE country_iso IS NULL"
        ((tournaments,),) = await fetch(database, stored)
        assert tournaments > 0

    run(body())


def test_names_are_doubted_within_a_run(database: str, run: Run) -> None:
    """A team that changes its name is doubted in the run that sees both names, no later."""

    async def body() -> None:
        first, later = capture("sportybet", 2, 0), capture("sportybet", 2, 3)
        changed = "$.competitor_event.away_team"
        assert changed in paths(await ingest(database, [first, later]))
        assert changed not in paths(await ingest(database, [capture("sportybet", 2, 6)]))
        async with oddsschema.batch(database) as batch, batch.run("sportybet") as opened:
            await opened.ingest([capture("sportybet", 4, 0)])
            await opened.ingest([capture("sportybet", 4, 3)])
        assert changed in paths(batch.report())

    run(body())


def test_doubt_is_no_error_of_a_run(database: str, run: Run) -> None:
    """A summary of a run shows its last error, not a later doubt."""

    async def body() -> None:
        await ingest(database, [without_country(1)])
        (batch,) = await newest_batches(database)
        assert [(run.status, run.error) for run in batch.runs] == [("completed", None)]
        await ingest(database, [without_country(1, 1), without_country(2) | {"markets": [{}]}])
        batch = (await newest_batches(database))[0]
        assert batch.runs[0].error is not None
        assert "Field required" in batch.runs[0].error

    run(body())
