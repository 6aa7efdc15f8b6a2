"""The coordinator: scrapes event by event, each at all sites at the same time."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

import oddsschema
from odds_comparison.models import FollowedEvent
from odds_comparison.sites import Listed, Site
from oddsschema import ChunkError, Event, IngestReport, Run

T = TypeVar("T")

#: The number of events that are fetched at the same time.
AT_ONCE = 10

#: An event at the sites that list it.
Everywhere = list[tuple[Site, Listed]]


class Coordinator:
    """The scrapes of some sites. One scrape runs at a time."""

    def __init__(self, engine: AsyncEngine, sites: Sequence[Site]) -> None:
        self._engine, self._sites = engine, sites
        #: Held by the scrape in progress.
        self.turn = asyncio.Lock()
        #: The runs of the scrape in progress, by platform.
        self.runs: Mapping[str, Run] = {}

    async def scrape(self, trigger: str) -> IngestReport:
        """Scrape all sites as one batch with a run for each."""
        async with self.turn, oddsschema.batch(self._engine, trigger=trigger) as batch:
            self.runs = {site.slug: await batch.open_run(site.slug) for site in self._sites}
            try:
                events = in_order(await self._list(), await self._followed())
                await batch.ingest(self._captures(events))
            finally:
                self.runs = {}
        return batch.report()

    async def _list(self) -> dict[str, Everywhere]:
        """Fetch all lists, and group them by SportRadar id. A site without a list is left out."""
        found: dict[str, Everywhere] = defaultdict(list)
        fetched = [self._timed(site, "list", site.events()) for site in self._sites]
        answers = await asyncio.gather(*fetched, return_exceptions=True)
        for site, answer in zip(self._sites, answers, strict=True):
            if isinstance(answer, BaseException):
                await self.runs[site.slug].close(answer)
            else:
                for listed in answer:
                    found[listed.sportradar_id].append((site, listed))
        return found

    async def _followed(self) -> set[str]:
        """Read the SportRadar ids of the followed events."""
        async with AsyncSession(self._engine) as session:
            followed = select(Event.sportradar_id).join(FollowedEvent)
            return set(await session.scalars(followed))

    async def _captures(self, events: Sequence[Everywhere]) -> AsyncIterator[dict[str, Any]]:
        """Yield the captures of the events. An event that a site does not show is recorded."""
        for start in range(0, len(events), AT_ONCE):
            wanted = [pair for event in events[start : start + AT_ONCE] for pair in event]
            fetched = [self._timed(site, "events", site.capture(listed)) for site, listed in wanted]
            answers = await asyncio.gather(*fetched, return_exceptions=True)
            for (site, listed), answer in zip(wanted, answers, strict=True):
                if not isinstance(answer, BaseException):
                    yield answer
                    continue
                with suppress(ChunkError):  # the end of the run reports it
                    await self.runs[site.slug].failed(
                        answer, sportradar_id=listed.sportradar_id, external_id=listed.id
                    )

    async def _timed(self, site: Site, step: str, work: Awaitable[T]) -> T:
        """Add the time of a request to the timings of the site's run, in seconds."""
        began = time.monotonic()
        try:
            return await work
        finally:
            timings = self.runs[site.slug].timings
            timings[step] = timings.get(step, 0) + time.monotonic() - began


def in_order(found: Mapping[str, Everywhere], followed: set[str]) -> list[Everywhere]:
    """Sort events by SportRadar id: the followed ones first, then by kickoff."""

    def place(sportradar_id: str) -> tuple[bool, int]:
        _, listed = found[sportradar_id][0]
        return sportradar_id not in followed, listed.kickoff

    return [found[key] for key in sorted(found, key=place)]
