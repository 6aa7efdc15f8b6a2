"""The markets that a scraper could not map: summed up in the process, and in their table."""

import asyncio
import json
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import oddsschema
from oddsschema import IngestOptions, Run
from oddsschema.errors import RunEndedError
from oddsschema.ingestion.storage.unmapped_markets import MOST_EXAMPLE_BYTES, MOST_UNMAPPED
from tests.support.hostile_texts import HOSTILE
from tests.support.proxy import Proxy
from tests.support.scrapes import capture
from tests.support.sessions import execute, fetch, holding, rolled_back, waiting

MARKETS = """
SELECT source, market_id, name, times_seen, example::text FROM unmapped_markets
ORDER BY source, market_id
"""
TIMES = "SELECT market_id, times_seen FROM unmapped_markets ORDER BY id"
ERRORS = "SELECT error_type, error_message FROM scrape_errors"


class Report(NamedTuple):
    """A call of `Run.unmapped`."""

    market_id: str
    name: str | None = None
    outcomes: Any = None


#: The steps of a run: reports, captures and commits.
steps = st.lists(
    st.builds(
        Report,
        st.sampled_from(["1", "a", "B", "é", "sr:2"]),
        st.none() | st.sampled_from(["Corners", "Cards"]),
        st.none() | st.sampled_from([[{"1": 1.5}], [{"X": 3}, {"2": 2.5}], {"odds": [1]}]),
    )
    | st.sampled_from(["capture", "flush"]),
    max_size=12,
)


@given(
    runs=st.lists(st.tuples(st.sampled_from(["bet9ja", "betpawa"]), steps), max_size=4),
    chunk_rows=st.sampled_from((1, 10_000)),
)
def test_sums(
    runs: list[tuple[str, list[Any]]], chunk_rows: int, connection: Any, run: Callable[..., Any]
) -> None:
    """A row has the number of reports of its market, the newest name, and one of the examples."""

    async def body() -> None:
        expected: dict[tuple[str, str], list[Report]] = {}
        number = 0
        for platform, steps_of_run in runs:
            options = IngestOptions(chunk_rows=chunk_rows)
            async with (
                oddsschema.batch(connection, options=options) as batch,
                batch.run(platform) as scrape,
            ):
                for step in steps_of_run:
                    if isinstance(step, Report):
                        scrape.unmapped(*step)
                        expected.setdefault((platform, step.market_id), []).append(step)
                    elif step == "capture":
                        await scrape.ingest([capture(platform, number, 0)])
                        number += 1
                    else:
                        await scrape.flush()
            assert scrape.error is None
        rows = {tuple(row)[:2]: row for row in await connection.fetch(MARKETS)}
        assert rows.keys() == expected.keys()
        for key, reports in expected.items():
            names = [None, *(report.name for report in reports if report.name is not None)]
            examples = [report.outcomes for report in reports if report.outcomes is not None]
            assert rows[key]["times_seen"] == len(reports)
            assert rows[key]["name"] == names[-1]
            example = rows[key]["example"]
            assert (json.loads(example) in examples) if examples else (example is None)

    run(rolled_back(connection, body()))


async def report_all(url: str, reports: list[Report], **options: Any) -> Run:
    """Make reports in a run of bet9ja."""
    async with (
        oddsschema.batch(url, options=IngestOptions(**options)) as batch,
        batch.run("bet9ja") as scrape,
    ):
        for report in reports:
            scrape.unmapped(*report)
    return scrape


def test_times(database: str, run: Callable[..., Any]) -> None:
    """The first time of a market stays, and the last one is that of the last report."""
    times = "SELECT first_seen_at, last_seen_at, now() FROM unmapped_markets"
    run(report_all(database, [Report("1")]))
    ((first, last, now),) = run(fetch(database, times))
    assert first == last < now
    run(report_all(database, [Report("1")]))
    ((same, newest, later),) = run(fetch(database, times))
    assert same == first
    assert now < newest < later


@pytest.mark.parametrize("market_id", ["", " ", None, 1.5, True, "x" * 101, "\0", "\ud800"])
def test_bad_market_id(database: str, run: Callable[..., Any], market_id: Any) -> None:
    """A bad id is an error of the call that names the field, and the run goes on."""

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as scrape:
            with pytest.raises(ValidationError, match="market_id"):
                scrape.unmapped(market_id)
            scrape.unmapped(7)
        with pytest.raises(RunEndedError):
            scrape.unmapped("8")

    run(scrape())
    assert run(fetch(database, TIMES)) == [("7", 1)]


def test_hostile_reports(database: str, run: Callable[..., Any]) -> None:
    """Names and outcomes of any form are stored, or left out, and are no error."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    circular: list[Any] = []
    circular.append(circular)
    texts = [*HOSTILE, "x" * 300, "\0", "\ud800"]
    outcomes = (
        *(
            math.nan,
            10**400,
            Decimal("1.5"),
            object(),
            deep,
            circular,
            b"\xff",
            timedelta(1),
            set(),
        ),
        *({"a\0": 1}, {"a": "\ud800"}, {1: 2}, 1e308, [], "", "x" * 3000, ["x" * 3000, 1]),
    )
    reports = [
        *(Report(f"text {at}", text, [{"name": text}]) for at, text in enumerate(texts)),
        *(Report(f"value {at}", None, value) for at, value in enumerate(outcomes)),
        *(Report(f"list {at}", None, [1, value]) for at, value in enumerate(outcomes)),
    ]
    scrape = run(report_all(database, reports))
    assert scrape.error is None
    rows = run(fetch(database, MARKETS))
    assert len(rows) == len(reports)
    examples = {market_id: example for _, market_id, _, _, example in rows}
    assert [json.loads(examples[f"list {at}"])[0] for at in range(len(outcomes))] == [1] * len(
        outcomes
    )
    names = [name for _, market_id, name, _, _ in rows if market_id.startswith("text")]
    assert all(names)


@given(sizes=st.lists(st.integers(0, MOST_EXAMPLE_BYTES), max_size=8))
def test_size_of_an_example(sizes: list[int], connection: Any, run: Callable[..., Any]) -> None:
    """An example has the first outcomes that fit."""

    async def body() -> None:
        outcomes = ["x" * size for size in sizes]
        await report_all(connection, [Report("1", outcomes=outcomes)])
        text = await connection.fetchval("SELECT example::text FROM unmapped_markets")
        example = [] if text is None else json.loads(text)
        assert example == outcomes[: len(example)]
        assert len(json.dumps(example, separators=(",", ":"))) <= MOST_EXAMPLE_BYTES
        following = outcomes[: len(example) + 1]
        assert following == example or (
            # With the comma, which the last outcome does not have.
            len(json.dumps(following, separators=(",", ":"))) >= MOST_EXAMPLE_BYTES
        )

    run(rolled_back(connection, body()))


def test_many_ids(database: str, run: Callable[..., Any]) -> None:
    """A run records a limited number of ids, and counts the reports of others."""
    reports = [Report(str(number)) for number in range(MOST_UNMAPPED + 5)]
    run(report_all(database, [*reports, *reports[:3], *reports[-2:]]))
    assert run(fetch(database, "SELECT count(*), sum(times_seen) FROM unmapped_markets")) == [
        (MOST_UNMAPPED, MOST_UNMAPPED + 3)
    ]
    assert run(fetch(database, ERRORS)) == [
        ("unlisted", "7 more reports of unmapped markets are not listed")
    ]


@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("commit", range(1, 7))
def test_connection_cut_at_a_commit(
    database: str, run: Callable[..., Any], short_path: Path, commit: int, before: bool
) -> None:
    """A commit of captures and reports whose answer is lost counts once."""
    proxy = Proxy(database, short_path, commit, before=before)

    async def scrape() -> None:
        async with (
            proxy.serving() as url,
            oddsschema.batch(url, options=IngestOptions(chunk_rows=4)) as batch,
            batch.run("bet9ja") as scrape,
        ):
            for number in range(4):
                scrape.unmapped("1")
                scrape.unmapped(f"of {number}")
                await scrape.ingest([capture("bet9ja", number, 0)])
            scrape.unmapped("1")
            await scrape.flush()

    run(scrape())
    assert proxy.found >= commit
    assert run(fetch(database, TIMES)) == [("1", 5), *((f"of {number}", 1) for number in range(4))]


def test_chunk_in_halves(database: str, run: Callable[..., Any]) -> None:
    """A chunk that is written in parts, because of a time limit, counts its reports once."""
    slow = """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF (SELECT count(*) FROM added) > 2 THEN PERFORM pg_sleep(1); END IF;
            RETURN NULL;
        END $$"""
    trigger = """
        CREATE TRIGGER slow AFTER INSERT ON competitor_odds_snapshots
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION slow()"""
    run(execute(database, slow, trigger))

    async def scrape() -> None:
        async with (
            oddsschema.batch(f"{database}&statement_timeout=300") as batch,
            batch.run("bet9ja") as scrape,
        ):
            scrape.unmapped("1")
            await scrape.ingest([capture("bet9ja", number, 0) for number in range(5)])
        assert batch.report().total.captures_stored == 5

    run(scrape())
    assert run(fetch(database, TIMES)) == [("1", 1)]


def test_failed_chunk(database: str, run: Callable[..., Any]) -> None:
    """The reports of a chunk that is refused are lost with it; later ones are recorded."""
    refuse = "ALTER TABLE competitor_odds_snapshots ADD CONSTRAINT none CHECK (false) NOT VALID"
    run(execute(database, refuse))

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch, batch.run("bet9ja") as scrape:
            scrape.unmapped("1")
            await scrape.ingest([capture("bet9ja", 0, 0)])
            with pytest.raises(oddsschema.ChunkError):
                await scrape.flush()
            scrape.unmapped("2")

    run(scrape())
    assert run(fetch(database, TIMES)) == [("2", 1)]


def test_two_runs_at_once(database: str, run: Callable[..., Any]) -> None:
    """Runs with the same markets in opposite orders count all reports, without a deadlock."""
    ids = [str(number) for number in range(50)]

    async def scrape(order: list[str], events: range) -> int:
        # Nothing is repeated: a deadlock would end the run.
        options = IngestOptions(chunk_rows=1, retry_for=timedelta(0))
        async with (
            oddsschema.batch(database, options=options) as batch,
            batch.run("bet9ja") as scrape,
        ):
            for number in events:
                for market_id in order:
                    scrape.unmapped(market_id)
                await scrape.ingest([capture("bet9ja", number, 0)])
        assert scrape.error is None
        return batch.report().retries

    async def both() -> list[int]:
        return await asyncio.gather(scrape(ids, range(20)), scrape(ids[::-1], range(100, 120)))

    assert run(both()) == [0, 0]
    assert sorted(run(fetch(database, TIMES))) == sorted((market_id, 40) for market_id in ids)


def test_rows_are_locked_in_the_order_of_their_keys(database: str, run: Callable[..., Any]) -> None:
    """A run that waits for the lock of a row has no lock of a row with a greater key."""
    run(report_all(database, [Report("b"), Report("a"), Report("c")]))

    async def body() -> None:
        lock = "SELECT FROM unmapped_markets WHERE market_id = 'b' FOR UPDATE"
        async with holding(database, lock) as holder:
            reporting = asyncio.create_task(
                report_all(database, [Report("c"), Report("d"), Report("b"), Report("a")])
            )
            await waiting(holder, unless=reporting)
            free = "SELECT market_id FROM unmapped_markets FOR UPDATE SKIP LOCKED"
            other = await asyncpg.connect(database)
            assert [row[0] for row in await other.fetch(free)] == ["c"]
            await other.close()
        await reporting

    run(body())
    assert sorted(run(fetch(database, TIMES))) == [("a", 2), ("b", 2), ("c", 2), ("d", 1)]


def test_ids_of_known_markets(database: str, run: Callable[..., Any]) -> None:
    """A report of a known market uses up no id: a serial has two billion."""
    for _ in range(3):
        run(report_all(database, [Report("1"), Report("2")]))
    run(report_all(database, [Report("3")]))
    ids = "SELECT market_id, id FROM unmapped_markets ORDER BY id"
    assert run(fetch(database, ids)) == [("1", 1), ("2", 2), ("3", 3)]


def test_run_of_a_batch(database: str, run: Callable[..., Any]) -> None:
    """`Batch.run_of` is the run that takes the captures of its platform in `Batch.ingest`."""

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch:
            first, second = await asyncio.gather(batch.run_of("bet9ja"), batch.run_of("bet9ja"))
            assert first is second
            await batch.ingest([capture("bet9ja", 0, 0), capture("betpawa", 0, 0)])
            (await batch.run_of("betpawa")).unmapped("1")
            first.unmapped("2")
            await first.failed("no answer")
        assert [run.platform for run in batch.runs] == ["bet9ja", "betpawa"]

    run(scrape())
    counts = "SELECT platform, events_scraped, events_failed FROM scrape_runs ORDER BY id"
    assert run(fetch(database, counts)) == [("bet9ja", 1, 1), ("betpawa", 1, 0)]
    rows = run(fetch(database, MARKETS))
    assert [row[:2] for row in rows] == [("bet9ja", "2"), ("betpawa", "1")]
