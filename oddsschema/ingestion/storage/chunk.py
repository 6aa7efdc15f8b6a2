"""A chunk of one platform's captures: the unit that is written, and committed, as a whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import to_builtins
from pydantic_core import from_json

from oddsschema.database.connections import Connection
from oddsschema.ingestion.options import StorageOptions
from oddsschema.ingestion.records import PlainCapture, event_of
from oddsschema.ingestion.report import Problem, Refusal
from oddsschema.ingestion.sources import Item
from oddsschema.ingestion.storage.competitor_events import write_competitors
from oddsschema.ingestion.storage.history import Written
from oddsschema.ingestion.storage.reference_events import write_betpawa
from oddsschema.ingestion.storage.sports import upsert_sports
from oddsschema.scrapes import bookkeeping


@dataclass(slots=True)
class ChunkResult:
    """What became of a chunk."""

    written: Written = field(default_factory=Written)
    #: What was refused on the way: only the database knows which names are taken.
    refusals: list[Refusal] = field(default_factory=list)
    #: SportRadar ids whose other side may just be on its way in another transaction.
    new_events: list[str] = field(default_factory=list)
    #: What the run has counted with this chunk, from just before its commit.
    counted: int | None = None


#: How many bytes of text a chunk takes, however few rows they are: its captures' own, and what it
#: has to write of raw_response and of refusals.
_TEXT = 16 * 2**20


@dataclass(slots=True)
class Chunk:
    """Captures that were accepted, and refusals, since the last chunk.

    A capture's raw_response is its JSON text here, or None when it is not to be stored.
    """

    captures: list[tuple[Item, PlainCapture]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    #: Snapshots, markets and refusals: about how many rows it will be.
    size: int = 0
    #: In bytes.
    text: int = 0
    #: Where the first and the last of it stood.
    first: str = ""
    last: str = ""

    def accept(self, item: Item, capture: PlainCapture) -> None:
        """Take in a validated capture."""
        if isinstance(item.payload, bytes | str):
            self.text += len(item.payload)
        else:
            # An object's memory is its owner's, and may be needed.
            item = Item(item.file, item.line, None)
        self.text += len(capture["raw_response"] or b"")
        self.captures.append((item, capture))
        self.size += 1 + len(capture["markets"])
        self.first = self.first or str(item)
        self.last = str(item)

    def refuse(self, refusal: Refusal) -> None:
        """Take in a refusal; what was refused is not needed any more."""
        self.refusals.append(refusal.model_copy(update={"capture": None}))
        self.text += len(str(refusal))
        self.size += 1

    def is_full(self, rows: int) -> bool:
        """Whether it is time to write it."""
        return self.size >= rows or self.text >= _TEXT


async def write_chunk(
    connection: Connection,
    run_id: int,
    platform: str | None,
    chunk: Chunk,
    result: ChunkResult,
    *,
    storage: StorageOptions,
    before_markets: Callable[[], None],
) -> None:
    """Write a chunk, in the caller's transaction, and put down in `result` what became of it.

    The run's counters and its errors are part of it: they tell what is committed, no more.
    `before_markets` is called when the many small statements are over and the large COPY begins.
    """
    accepted, result.refusals, sports = await _with_sports(connection, chunk.captures)
    competitors = [one for one in accepted if one["competitor_event"] is not None]
    betpawa = [one for one in accepted if one["event"] is not None]
    for write, captures in ((write_competitors, competitors), (write_betpawa, betpawa)):
        if captures:
            written, new = await write(
                connection,
                str(platform),
                run_id,
                captures,
                sports,
                storage=storage,
                before_markets=before_markets,
            )
            result.written.add(written)
            result.new_events.extend(new)
    result.written.known = len(accepted) - result.written.stored
    refusals = [*chunk.refusals, *result.refusals]
    await bookkeeping.record_errors(connection, run_id, "refused", [str(r) for r in refusals])
    failed = sum(refusal.markets is None for refusal in refusals)
    result.counted = await bookkeeping.count(
        connection, run_id, scraped=len(accepted), failed=failed
    )


async def _with_sports(
    connection: Connection, captures: Sequence[tuple[Item, PlainCapture]]
) -> tuple[list[PlainCapture], list[Refusal], dict[str, int]]:
    """The captures whose sport has an id, refusals of the others, the ids by slug."""
    names = {
        sport["slug"]: sport["name"]
        for sport in (
            event_of(capture)["tournament"]["sport"]
            for _, capture in sorted(captures, key=lambda pair: pair[1]["captured_at"])
        )
    }
    sports = await upsert_sports(connection, names) if names else {}
    accepted, refused = [], []
    for item, capture in captures:
        sport = event_of(capture)["tournament"]["sport"]
        if sport["slug"] in sports:
            accepted.append(capture)
        else:
            kind = "event" if capture["competitor_event"] is None else "competitor_event"
            problem = Problem(
                path=f"$.{kind}.tournament.sport.name",
                reason=f"{sport['name']!r} is the name of another sport than {sport['slug']!r}",
            )
            refused.append(
                Refusal(
                    file=item.file,
                    line=item.line,
                    markets=None,
                    problems=(problem,),
                    capture=_delivered(item, capture),
                )
            )
    return accepted, refused, sports


def _delivered(item: Item, capture: PlainCapture) -> Any:
    """A capture as it came; of one that was no text, as it was validated."""
    if item.payload is not None:
        return item.payload
    raw = capture["raw_response"]
    return {
        **capture,
        "markets": to_builtins(capture["markets"]),
        "raw_response": None if raw is None else from_json(raw),
    }
