"""A chunk of one platform's captures: the unit that is written, and committed, as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oddsschema.ingest import bookkeeping
from oddsschema.ingest.betpawa import write_betpawa
from oddsschema.ingest.competitor import write_competitors
from oddsschema.ingest.history import Written
from oddsschema.ingest.read import Item
from oddsschema.ingest.reference import link_events, upsert_sports
from oddsschema.ingest.report import Problem, Refusal
from oddsschema.ingest.validate import PlainCapture, event_of

if TYPE_CHECKING:
    import asyncpg


@dataclass(slots=True)
class Chunk:
    """Captures that were accepted, and refusals, since the last chunk."""

    captures: list[tuple[Item, PlainCapture]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    #: Snapshots, markets and refusals: about how many rows it will be.
    size: int = 0

    def accept(self, item: Item, capture: PlainCapture) -> None:
        """Take in a validated capture."""
        self.captures.append((item, capture))
        self.size += 1 + len(capture["markets"])

    def refuse(self, refusal: Refusal) -> None:
        """Take in a refusal."""
        self.refusals.append(refusal)
        self.size += 1


async def write_chunk(
    connection: "asyncpg.Connection[Any]",
    run_id: int,
    platform: str | None,
    chunk: Chunk,
    *,
    keep_raw: bool,
) -> tuple[Written, list[Refusal]]:
    """Write a chunk in one transaction: what was written, and what was refused on the way.

    The run's counters and its errors are part of it: they tell what is committed, no more.
    """
    async with connection.transaction():
        sports, refused = await _sports(connection, chunk.captures)
        competitors: list[PlainCapture] = []
        betpawa: list[PlainCapture] = []
        for _, capture in chunk.captures:
            if event_of(capture)["tournament"]["sport"]["slug"] in sports:
                (betpawa if capture["competitor_event"] is None else competitors).append(capture)
        written = Written()
        if competitors:
            written.add(
                await write_competitors(
                    connection, str(platform), run_id, competitors, sports, keep_raw=keep_raw
                )
            )
        if betpawa:
            written.add(
                await write_betpawa(
                    connection, str(platform), run_id, betpawa, sports, keep_raw=keep_raw
                )
            )
        refusals = [*chunk.refusals, *refused]
        await bookkeeping.record_errors(connection, run_id, "refused", [str(r) for r in refusals])
        await bookkeeping.count(
            connection, run_id, scraped=written.stored + written.known, failed=len(refusals)
        )
    async with connection.transaction():
        # Once more, after the commit: of two that bring the two sides of a match at once, neither
        # sees the other's event before, and the later one does now.
        await link_events(connection, _sportradar_ids(chunk.captures))
    return written, refused


async def _sports(
    connection: "asyncpg.Connection[Any]", captures: Sequence[tuple[Item, PlainCapture]]
) -> tuple[dict[str, int], list[Refusal]]:
    """The ids of the chunk's sports by slug; refusals of captures whose sport has none."""
    newest_last = sorted(captures, key=lambda pair: pair[1]["captured_at"])
    named = [event_of(capture)["tournament"]["sport"] for _, capture in newest_last]
    sports = await upsert_sports(connection, {sport["slug"]: sport["name"] for sport in named})
    refused = []
    for item, capture in captures:
        sport = event_of(capture)["tournament"]["sport"]
        if sport["slug"] not in sports:
            kind = "event" if capture["competitor_event"] is None else "competitor_event"
            problem = Problem(
                path=f"$.{kind}.tournament.sport.name",
                reason=f"{sport['name']!r} is the name of another sport than {sport['slug']!r}",
            )
            refused.append(Refusal(file=item.file, line=item.line, problems=(problem,)))
    return sports, refused


def _sportradar_ids(captures: Iterable[tuple[Item, PlainCapture]]) -> list[str]:
    return list({event_of(capture)["sportradar_id"] for _, capture in captures})
