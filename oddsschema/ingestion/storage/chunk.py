"""A chunk: captures of one platform that are written and committed together."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import to_builtins
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from oddsschema.capture import Capture
from oddsschema.contracts.scalars import SportradarEventId
from oddsschema.database.connections import Connection
from oddsschema.ingestion.item import Item, RawCapture
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import CaptureRecord
from oddsschema.ingestion.report import MOST_LISTED, Doubt, FetchFailure, Problem, Refusal
from oddsschema.ingestion.storage.competitor_events import write_competitor_events
from oddsschema.ingestion.storage.event_changes import EventChanges, Written
from oddsschema.ingestion.storage.history import WriteCounts
from oddsschema.ingestion.storage.known_rows import find_competitor_rows, find_reference_rows
from oddsschema.ingestion.storage.matching import Match, contradictions
from oddsschema.ingestion.storage.reference_events import write_reference_events
from oddsschema.ingestion.storage.sports import StoredSport, add_sports
from oddsschema.ingestion.storage.unmapped_markets import UnmappedReports, add_unmapped_markets
from oddsschema.models import UnmappedMarketType
from oddsschema.scrapes import bookkeeping
from oddsschema.scrapes.bookkeeping import NOT_FETCHED, REFUSED, ErrorRow

_SPORTRADAR_ID: TypeAdapter[str] = TypeAdapter(
    SportradarEventId, config=ConfigDict(defer_build=True)
)


@dataclass(slots=True)
class ChunkResult:
    """The result of writing a chunk."""

    written: WriteCounts = field(default_factory=WriteCounts)
    changes: EventChanges = field(default_factory=EventChanges)
    #: Captures that were refused while writing: only the database knows which names are taken.
    refusals: list[Refusal] = field(default_factory=list)
    #: Doubts about the matches that were made or changed.
    doubts: list[Doubt] = field(default_factory=list)
    #: SportRadar ids of new events: another transaction may be writing the other side.
    new_events: list[str] = field(default_factory=list)
    #: The numbers of refusals and of fetch failures that were listed in scrape_errors.
    listed: Counter[str] = field(default_factory=Counter)
    #: The run's counter with this chunk included; set just before the commit.
    counted: int | None = None


#: The number of bytes of text after which a chunk is full, however few rows it has: the text of
#: its captures, the raw_response that it stores, and its refusals.
_MOST_TEXT_BYTES = 16 * 2**20


@dataclass(slots=True)
class Chunk:
    """Captures that were accepted, and refusals, since the last chunk."""

    captures: list[tuple[Item, CaptureRecord]] = field(default_factory=list)
    #: The first refusals: a run lists no more.
    refusals: list[Refusal] = field(default_factory=list)
    #: The first fetch failures.
    failures: list[FetchFailure] = field(default_factory=list)
    #: The reports of unmapped markets, by the market's id. They are no rows: the run's counters
    #: could not show the commit of a chunk that has nothing else.
    unmapped: dict[str, UnmappedReports] = field(default_factory=dict)
    #: The number of captures that were refused as a whole, or never made.
    captures_failed: int = 0
    #: The number of snapshots, markets and errors: about the number of rows.
    rows: int = 0
    #: The size of the text, in bytes.
    text_bytes: int = 0
    #: The positions of the first and the last capture.
    first: str = ""
    last: str = ""

    def accept(self, item: Item, capture: CaptureRecord) -> None:
        """Add a validated capture."""
        if isinstance(item.payload, bytes | str):
            self.text_bytes += len(item.payload)
        else:
            # A Python object belongs to the caller, who may need its memory.
            item = Item(item.file, item.line, None)
        self.text_bytes += len(capture.raw_response or b"")
        self.captures.append((item, capture))
        self.rows += 1 + len(capture.markets)
        self.first = self.first or str(item)
        self.last = str(item)

    def refuse(self, refusal: Refusal) -> None:
        """Add a refusal, without the capture that it refuses."""
        self.captures_failed += refusal.markets is None
        self.rows += 1
        if len(self.refusals) < MOST_LISTED:
            self.refusals.append(refusal.model_copy(update={"capture": None}))
            self.text_bytes += len(str(refusal))

    def fail(self, failure: FetchFailure) -> None:
        """Add a fetch failure."""
        self.captures_failed += 1
        self.rows += 1
        if len(self.failures) < MOST_LISTED:
            self.failures.append(failure)
            self.text_bytes += len(failure.error)

    def add_unmapped(self, market: UnmappedMarketType, outcomes: Any) -> None:
        """Add a report of an unmapped market."""
        reports = self.unmapped.get(market.market_id)
        if reports is None:
            reports = UnmappedReports(market.source, market.market_id)
        self.unmapped[market.market_id] = reports.added(market.name, outcomes)

    def errors(self) -> list[ErrorRow]:
        """List the refusals and the fetch failures for scrape_errors."""
        return error_rows(self.refusals, self.failures)

    def halves(self) -> "list[Chunk]":
        """Split the chunk into two: its first captures with everything else, and the others."""
        middle = len(self.captures) // 2
        first = Chunk(
            refusals=self.refusals,
            failures=self.failures,
            captures_failed=self.captures_failed,
            unmapped=self.unmapped,
        )
        second = Chunk()
        for half, captures in (
            (first, self.captures[:middle]),
            (second, self.captures[middle:]),
        ):
            for item, capture in captures:
                half.accept(item, capture)
        return [first, second]

    def is_full(self, rows: int) -> bool:
        """Return whether the chunk has `rows` rows, or too much text, and must be written."""
        return self.rows >= rows or self.text_bytes >= _MOST_TEXT_BYTES


def error_rows(
    refusals: Iterable[Refusal], failures: Iterable[FetchFailure] = ()
) -> list[ErrorRow]:
    """Phrase refusals and fetch failures for scrape_errors."""
    return [
        *(ErrorRow(REFUSED, str(refusal)) for refusal in refusals),
        *(ErrorRow(NOT_FETCHED, str(failure), _stored_id(failure)) for failure in failures),
    ]


def _stored_id(failure: FetchFailure) -> str | None:
    """Convert the SportRadar id of a failure to the form that is stored; None if it is no id."""
    try:
        return _SPORTRADAR_ID.validate_python(failure.sportradar_id)
    except ValidationError:
        return None


async def write_chunk(
    connection: Connection,
    run_id: int,
    chunk: Chunk,
    result: ChunkResult,
    *,
    storage: StorageOptions,
    strict: bool,
    most_listed: int,
    before_markets: Callable[[], None],
) -> None:
    """Write a chunk in the caller's transaction; fill in its result.

    The run's counters and errors are part of the transaction: they count committed captures only.
    Errors beyond `most_listed` are counted, and not listed in scrape_errors.
    `before_markets` is called after the many small statements, before the large COPY. With
    `strict`, captures that give a sport another name, or make a doubtful match, are refused.
    """
    captures = chunk.captures
    refused: list[Refusal] = []
    is_checked = not strict
    while True:
        stored = _Stored()
        # A savepoint: the captures of a doubtful match are taken back, together with the match.
        savepoint = nullcontext() if is_checked else connection.transaction()
        try:
            async with savepoint:
                await _write_captures(
                    connection, run_id, captures, stored, storage, strict, before_markets
                )
                if not is_checked and any(match.contradiction for match in stored.matches):
                    raise _DoubtfulMatchError
            break
        except _DoubtfulMatchError:
            captures, more = without_contradictions(captures, stored.matches)
            refused += more
            is_checked = not more
    result.written = stored.written
    result.changes = stored.changes
    result.refusals = [*stored.refusals, *refused]
    result.new_events = stored.new_events
    result.doubts = [*stored.doubts, *match_doubts(captures, stored.matches)]
    listed = [*chunk.errors(), *error_rows(result.refusals)][:most_listed]
    # Late: until the commit, other runs of the platform wait for the rows.
    await add_unmapped_markets(connection, chunk.unmapped.values())
    await bookkeeping.record_errors(connection, run_id, listed)
    result.listed = Counter(error.kind for error in listed)
    failed = chunk.captures_failed + sum(refusal.markets is None for refusal in result.refusals)
    result.counted = await bookkeeping.add_counts(
        connection, run_id, scraped=stored.written.stored + stored.written.known, failed=failed
    )


class _DoubtfulMatchError(Exception):
    """The error that rolls back captures with a doubtful match."""


@dataclass(slots=True)
class _Stored:
    """The captures that a transaction has stored."""

    written: WriteCounts = field(default_factory=WriteCounts)
    changes: EventChanges = field(default_factory=EventChanges)
    refusals: Sequence[Refusal] = ()
    #: Doubts about the names of sports.
    doubts: Sequence[Doubt] = ()
    new_events: list[str] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)

    def add(self, written: Written) -> None:
        """Add the captures of one side."""
        self.written.add(written.counts)
        self.changes.add(written.changes)
        self.new_events += written.new_ids
        self.matches += written.matches


async def _write_captures(
    connection: Connection,
    run_id: int,
    captures: Sequence[tuple[Item, CaptureRecord]],
    stored: _Stored,
    storage: StorageOptions,
    strict: bool,
    before_markets: Callable[[], None],
) -> None:
    """Write captures of one platform; note in `stored` the counts, refusals, doubts and matches."""
    competitor_events = [
        capture.competitor_event for _, capture in captures if capture.competitor_event is not None
    ]
    reference_events = [capture.event for _, capture in captures if capture.event is not None]
    known_competitors = known_reference = None
    known_sports: dict[str, StoredSport] = {}
    if competitor_events:
        known_competitors = await find_competitor_rows(connection, competitor_events)
        known_sports |= known_competitors.sports
    if reference_events:
        known_reference = await find_reference_rows(connection, reference_events)
        known_sports |= known_reference.sports
    sports = await add_sports(connection, captured_sports(captures), known_sports)
    pairs, stored.refusals, stored.doubts = with_sports(captures, sports, strict)
    accepted = [capture for _, capture in pairs]
    sport_ids = {slug: sport.id for slug, sport in sports.items()}
    competitors = [
        (capture.competitor_event, capture)
        for capture in accepted
        if capture.competitor_event is not None
    ]
    reference = [(capture.event, capture) for capture in accepted if capture.event is not None]
    if competitors and known_competitors is not None:
        stored.add(
            await write_competitor_events(
                connection,
                run_id,
                competitors,
                sport_ids,
                known_competitors,
                storage=storage,
                before_markets=before_markets,
            )
        )
    if reference and known_reference is not None:
        stored.add(
            await write_reference_events(
                connection,
                run_id,
                reference,
                sport_ids,
                known_reference,
                storage=storage,
                before_markets=before_markets,
            )
        )
    stored.written.known = len(accepted) - stored.written.stored


# -- matches ---------------------------------------------------------------------------------------


def match_doubts(
    captures: Sequence[tuple[Item, CaptureRecord]], matches: Iterable[Match]
) -> list[Doubt]:
    """Doubt the matches that contradict themselves, at the newest capture of their event."""
    doubts = []
    for match in matches:
        if (reason := match.contradiction) is not None:
            own = [(item, capture) for item, capture in captures if _is_of(capture, match)]
            item, capture = max(own or captures, key=lambda pair: pair[1].captured_at)
            doubts.append(item.doubted(_match_problem(capture, reason)))
    return doubts


def without_contradictions(
    captures: Sequence[tuple[Item, CaptureRecord]], matches: Iterable[Match]
) -> tuple[list[tuple[Item, CaptureRecord]], list[Refusal]]:
    """Refuse the captures that contradict the other side of their match, and return the others.

    If no capture of such a match does so itself, all captures of its event are refused.
    """
    problems: dict[int, Problem] = {}  # by position
    for match in matches:
        if (reason := match.contradiction) is None:
            continue
        own = [at for at, (_, capture) in enumerate(captures) if _is_of(capture, match)]
        guilty = [at for at in own if _contradicts(captures[at][1], match)]
        for at in guilty or own:
            problems[at] = _match_problem(captures[at][1], reason)
    refused = [
        item.refused(problems[at], capture=_as_delivered(item, capture))
        for at, (item, capture) in enumerate(captures)
        if at in problems
    ]
    return [pair for at, pair in enumerate(captures) if at not in problems], refused


def _is_of(capture: CaptureRecord, match: Match) -> bool:
    """Return whether a capture is of the event of either side of a match."""
    event = capture.competitor_event
    is_competitors = event is not None and event.external_id == match.external_id
    return is_competitors or capture.any_event.sportradar_id == match.sportradar_id


def _contradicts(capture: CaptureRecord, match: Match) -> bool:
    """Return whether a capture contradicts the other side of its match."""
    if capture.competitor_event is not None:
        return any(contradictions(capture.competitor_event, match.reference))
    return capture.event is not None and any(contradictions(match.competitor, capture.event))


def _match_problem(capture: CaptureRecord, reason: str) -> Problem:
    side = "event" if capture.competitor_event is None else "competitor_event"
    return Problem(path=f"$.{side}.sportradar_id", reason=reason)


# -- sports ----------------------------------------------------------------------------------------


def captured_sports(captures: Sequence[tuple[Item, CaptureRecord]]) -> dict[str, str]:
    """Map the slugs of the sports of captures to their names; of several names, the first."""
    names: dict[str, str] = {}
    for _, capture in captures:
        sport = capture.any_event.tournament.sport
        names.setdefault(sport.slug, sport.name)
    return names


def with_sports(
    captures: Sequence[tuple[Item, CaptureRecord]], sports: Mapping[str, StoredSport], strict: bool
) -> tuple[list[tuple[Item, CaptureRecord]], list[Refusal], list[Doubt]]:
    """Split captures by their sports: accepted ones, refusals, and doubts about accepted ones.

    A capture whose sport has no row is refused. A capture that gives its sport another name is
    doubted, and with `strict` refused.
    """
    accepted, refused, doubts = [], [], []
    for item, capture in captures:
        sport = capture.any_event.tournament.sport
        stored = sports.get(sport.slug)
        if stored is not None and stored.name == sport.name:
            accepted.append((item, capture))  # nearly always
            continue
        side = "event" if capture.competitor_event is None else "competitor_event"
        problem = Problem(
            path=f"$.{side}.tournament.sport.name",
            reason=f"{sport.name!r} is the name of another sport than {sport.slug!r}"
            if stored is None
            else f"the sport {sport.slug!r} is stored as {stored.name!r}, and keeps this name: "
            f"{sport.name!r} is not stored",
        )
        if stored is None or strict:
            refused.append(item.refused(problem, capture=_as_delivered(item, capture)))
        else:
            accepted.append((item, capture))
            doubts.append(item.doubted(problem))
    return accepted, refused, doubts


def _as_delivered(item: Item, capture: CaptureRecord) -> RawCapture:
    """Return the text of a capture; of a capture that was no text, the validated values."""
    if item.payload is not None:
        return item.payload
    fields = to_builtins(capture, builtin_types=(datetime,))
    raw = capture.raw_response
    fields["raw_response"] = None if raw is None else from_json(raw)
    return {name: fields[name] for name in Capture.model_fields}
