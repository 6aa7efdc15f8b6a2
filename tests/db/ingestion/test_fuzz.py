"""Any input of `ingest` is stored according to the contract, or refused with place and reason.

Nothing crashes or hangs, and PostgreSQL accepts everything that the contract accepts. More than
5,000 inputs, and 100,000 in the nightly profile.
"""

import faulthandler
import gzip
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from oddsschema import Capture, IngestOptions, Market, Refusal, ScrapeError, ingest
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.ingestion import Limits, read_files
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies import damaged_captures
from tests.support.corpus import cases
from tests.support.corpus_files import files
from tests.support.mutations import (
    AS_THE_CONTRACT_SAYS,
    BYTES,
    STRUCTURES,
    Input,
    damaged,
    good_capture,
    mutants,
    set_apart,
)
from tests.support.stored_captures import errors, keyed, read_back

T = TypeVar("T")
Run = Callable[..., Any]

#: The inputs of an ingestion, and its seconds at most.
_BATCH, _PATIENCE = 250, 120


def inputs_in_all() -> int:
    """Return the number of mutants: 5,000, or 100,000 in the nightly profile."""
    return max(5_000, 100 * settings().max_examples)


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """Open a connection for all ingestions of a test. Each ingestion is rolled back."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())


@contextmanager
def no_hang() -> Iterator[None]:
    """End the process with a traceback after too long a time, since C code may hang."""
    faulthandler.dump_traceback_later(_PATIENCE, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def parsed(payload: Any) -> Any:
    """Parse a payload; None when it is no JSON."""
    if isinstance(payload, str):
        payload = payload.encode(errors="surrogatepass")
    if not isinstance(payload, bytes):
        return payload
    try:
        return from_json(payload)
    except ValueError:
        return None


def document_of(payload: Any) -> Any:
    """Return the capture of a payload, or the capture in a line of a rejects file."""
    document = parsed(payload)
    is_reject = isinstance(document, dict) and document.keys() == {"refused", "capture"}
    return parsed(document["capture"]) if is_reject else document


def validated(document: Any) -> Capture | None:
    """Return a document's capture, or None when it breaks the contract."""
    try:
        return Capture.model_validate(document)
    except ValidationError:
        return None


def without_bad_markets(document: Any) -> tuple[Capture | None, int]:
    """Return a capture without its bad markets, and the number of these."""
    if not isinstance(document, dict) or not isinstance(document.get("markets"), list):
        return None, 0
    left: dict[Any, Any] = {}
    for market in document["markets"]:
        with suppress(ValidationError):
            values = Market.model_validate(market)
            left.setdefault(tuple(getattr(values, name) for name in MARKET_KEY), market)
    bad = len(document["markets"]) - len(left)
    return (
        (validated({**document, "markets": list(left.values())}), bad)
        if left and bad
        else (None, 0)
    )


class Expected(NamedTuple):
    """The expected result of an input."""

    stored: Capture | None
    #: The number of refused markets; None when the capture is refused whole.
    bad: int | None


def expected_of(case: Input) -> Expected:
    """Return the result that follows from the contract, and from a case's limits."""
    document = document_of(case.payload)
    whole = validated(document)
    rest, bad = (whole, 0) if whole is not None else without_bad_markets(document)
    exceeds_limits = whole is not None and case.refused_at not in (AS_THE_CONTRACT_SAYS, None)
    if rest is None or exceeds_limits or levels(rest.raw_response) > Limits().depth:
        return Expected(None, None)
    return Expected(rest, bad)


def levels(value: Any) -> int:
    """Count the levels of nested arrays and objects."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(levels, value.values() if isinstance(value, dict) else value), default=0)


def described(capture: Capture) -> Iterator[tuple[Any, Any]]:
    """List the facts about which captures can contradict each other: (subject, value)."""
    event = capture.event or capture.competitor_event
    assert event is not None
    sport = event.tournament.sport
    yield ("sport", sport.slug), sport
    yield ("sport's name", sport.name), sport
    if capture.competitor_event is not None:
        event = capture.competitor_event
        yield (event.source, event.external_id), event
        yield ("tournament", event.source, event.tournament.external_id), event.tournament
        yield (event.source, event.external_id, capture.captured_at), capture
    else:
        assert capture.event is not None
        event = capture.event
        tournament = event.tournament
        yield event.sportradar_id, event
        yield ("tournament", sport.slug, tournament.name, tournament.country), tournament
        if tournament.sportradar_id is not None:
            yield ("tournament", tournament.sportradar_id), tournament
        yield (event.sportradar_id, event.bookmaker, capture.captured_at), capture


def undisputed(captures: Sequence[Capture]) -> list[Capture]:
    """List captures that no other capture contradicts: a mutation can repeat another id."""
    reports: dict[Any, list[Any]] = {}
    for capture in captures:
        for subject, description in described(capture):
            known = reports.setdefault(subject, [])
            if description not in known:
                known.append(description)
    return [
        capture
        for capture in captures
        if all(len(reports[subject]) == 1 for subject, _ in described(capture))
    ]


async def ingested(
    connection: AsyncConnection, source: Any, inputs: Mapping[int, Input]
) -> tuple[int, int]:
    """Ingest a source, and compare stored and refused captures with the expected ones.

    The inputs are the source's lines. Returns the numbers of captures stored and refused whole.
    """
    reports: list[Refusal] = []
    # The contract allows times until 2200.
    options = IngestOptions(
        keep_raw=True, chunk_rows=500, on_refusal=reports.append, max_ahead=None
    )
    report = await ingest(connection, source, options=options)
    assert errors(report) == []
    refusals = {}
    for refusal in reports:
        # First the capture's markets, then its sport: only the database knows the sport's names.
        assert refusal.line not in refusals or is_of_sport(refusal)
        refusals[refusal.line] = refusal
    stored = []
    for line, case in inputs.items():
        expected = expected_of(case)
        refusal = refusals.get(line)
        assert_explained(case, refusal)
        if refusal is not None and is_of_sport(refusal):
            expected = Expected(None, None)
        if expected.stored is not None:
            stored.append(expected.stored)
        assert (refusal is None) == (expected.bad == 0), f"{case.name}: {refusal}"
        assert refusal is None or refusal.markets == expected.bad, f"{case.name}: {refusal}"
    # Every input is stored, known or refused, and every refusal belongs to an input.
    assert report.total.captures_stored + report.total.captures_known == len(stored)
    assert report.total.captures_refused == len(inputs) - len(stored)
    assert refusals.keys() <= inputs.keys()
    recorded = await connection.execute(
        select(func.count())
        .select_from(ScrapeError)
        .where(col(ScrapeError.error_type) == "refused")
    )
    assert recorded.scalar_one() == len(reports)

    captures = await read_back(connection)
    assert len(captures) == report.total.captures_stored
    found = keyed(captures)
    for capture in undisputed(stored):
        ((key, values),) = keyed([capture]).items()
        assert found.get(key) == values
    return len(stored), report.total.captures_refused


def is_of_sport(refusal: Refusal) -> bool:
    """Check whether a refusal is about a sport's name."""
    return "is the name of another sport" in refusal.problems[0].reason


def assert_explained(case: Input, refusal: Refusal | None) -> None:
    """Check that a refusal has places and reasons, at the expected places."""
    for problem in refusal.problems if refusal is not None else ():
        assert problem.path.startswith("$")
        assert problem.reason.strip()
        assert str(problem).isprintable()
    if case.refused_at is None:
        assert refusal is None, f"{case.name}: {refusal}"
    elif case.refused_at != AS_THE_CONTRACT_SAYS:
        assert refusal is not None, case.name
        path, star, _ = case.refused_at.partition("*")
        found = refusal.problems[0].path
        assert found == path or (star and found.startswith(path)), f"{case.name}: {refusal}"


def assert_ingested(run: Run, connection: AsyncConnection, inputs: Sequence[Input]) -> None:
    """Ingest inputs together; on a failure, find the input that causes it."""

    async def attempt(some: Sequence[Input]) -> None:
        by_line = dict(enumerate(some, start=1))
        with no_hang():
            await ingested(connection, [case.payload for case in some], by_line)

    try:
        run(rolled_back(connection, attempt(inputs)))
    except Exception as error:
        found = culprits(inputs, lambda some: run(rolled_back(connection, attempt(some))))
        raise AssertionError(f"not as it should be: {found}") from error


def culprits(inputs: Sequence[Input], attempt: Callable[[Sequence[Input]], None]) -> list[str]:
    """Halve failing inputs as long as a half still fails."""
    half = len(inputs) // 2
    for some in (inputs[:half], inputs[half:]) if half else ():
        try:
            attempt(some)
        except Exception:
            return culprits(some, attempt)
    return [f"{case.name}: {str(case.payload)[:5000]}" for case in inputs[:10]]


def assert_file_ingested(run: Run, connection: AsyncConnection, path: Path) -> tuple[int, int]:
    """Ingest a file, check each line's result, and count stored and refused captures."""

    async def attempt() -> tuple[int, int]:
        with no_hang():
            lines = {
                item.line: Input(f"{path.name}:{item.line}", item.payload)
                for item in read_files([str(path)])
            }
            return await ingested(connection, path, lines)

    counts: tuple[int, int] = run(rolled_back(connection, attempt()))
    return counts


async def rolled_back(connection: AsyncConnection, work: Coroutine[Any, Any, T]) -> T:
    """Await the coroutine, and roll back."""
    try:
        return await work
    finally:
        await connection.rollback()


def test_nasty_cases(connection: AsyncConnection, run: Run) -> None:
    """Each hostile capture is stored, or refused at its bad place."""
    inputs = list(cases())
    assert len({case.name for case in inputs}) == len(inputs)
    for start in range(0, len(inputs), 50):
        assert_ingested(run, connection, inputs[start : start + 50])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize(
    ("ways", "objects"),
    [(BYTES, False), (STRUCTURES, False), (STRUCTURES, True)],
    ids=["bytes", "structures", "objects"],
)
def test_damaged_captures(
    ways: Any, objects: bool, part: int, connection: AsyncConnection, run: Run
) -> None:
    """Captures with damaged bytes or structure are stored, or refused with a reason."""
    name = f"{'objects' if objects else 'text'} {ways[0].__name__} {part}"
    all_of_them = mutants(name, inputs_in_all() // 6, ways, objects=objects)
    while inputs := list(islice(all_of_them, _BATCH)):
        assert_ingested(run, connection, inputs)


@given(drawn=st.lists(damaged_captures(), min_size=1, max_size=10), seed=st.integers(0, 2**64))
def test_drawn_captures(
    drawn: list[dict[str, Any]], seed: int, connection: AsyncConnection, run: Run
) -> None:
    """So are captures of all of Unicode and every bound, with damage in one place."""
    random = Random(seed)
    for capture in drawn:
        set_apart(capture, random)
    assert_ingested(
        run, connection, [Input(f"drawn {at}", capture) for at, capture in enumerate(drawn)]
    )


def test_nasty_files(tmp_path: Path, connection: AsyncConnection, run: Run) -> None:
    """The readable part of each hostile file is ingested; the rest is refused with a reason."""
    path = tmp_path / "captures"
    for file in files():
        path.write_bytes(file.content)
        stored, refused = assert_file_ingested(run, connection, path)
        assert stored == file.stored, file.name
        assert refused == file.refused or (refused and file.refused is None), file.name


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_damaged_files(packed: bool, tmp_path: Path, connection: AsyncConnection, run: Run) -> None:
    """Files with damaged bytes, plain or packed, cause no error."""
    for number in range(settings().max_examples):
        random = Random(f"{packed} {number}")
        lines = [json.dumps(good_capture(random)).encode() for _ in range(8)]
        if packed:
            members = [gzip.compress(b"\n".join(part) + b"\n") for part in (lines[:3], lines[3:])]
            content = b"".join(members)
        else:
            content = b"\n".join(lines)
        path = tmp_path / str(number)
        path.write_bytes(damaged(content, random, BYTES[:-1]))
        assert_file_ingested(run, connection, path)
        path.unlink()


def test_negative_zero(connection: AsyncConnection, run: Run) -> None:
    """-0.0 equals 0 for the contract and the database, in any order."""
    capture = good_capture(Random(0))
    market = capture["markets"][0] | {"handicap_type": "asian", "handicap_away": 0.0}
    capture["markets"] = [
        market | {"betpawa_market_id": f"{number}", "line": line, "handicap_home": -0.0}
        for number, line in enumerate((-0.0, None))
    ]

    async def body() -> list[Any]:
        await ingest(connection, [capture])
        table = "market_odds" if capture.get("event") else "competitor_market_odds"
        found = await connection.execute(
            text(f"SELECT line::text, handicap_home::text, handicap_away::text FROM {table}")
        )
        return sorted(map(tuple, found))

    assert run(rolled_back(connection, body())) == [("0", "0", "0"), ("0", "0", "0")]
