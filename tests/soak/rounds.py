"""Rounds of a soak: each has a database of its own, and ends with a comparison of every instant."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from oddsschema import ingest, migrations, prune
from oddsschema.migrations import CheckState
from oddsschema.scrapes.stale import close_stale, stale_batches
from tests.soak.comparison import STORED_INSTANTS, differences, stored_instants
from tests.soak.faults import Deliveries, Faults
from tests.soak.figures import Figures
from tests.soak.hangs import silent_proxy
from tests.soak.scenario import KINDS, MINUTES, OVER, PAST, Instant, Scenario
from tests.soak.writer import Writer
from tests.support.crashing_server import Server, crashing_server
from tests.support.prune_checks import REPEATED_MARKETS, assert_pruned
from tests.support.pruned_histories import at
from tests.support.sessions import settled

#: The longest time of a round. Most take a fiftieth of it; a migration may wait a minute for locks.
PATIENCE = 900


class RoundError(AssertionError):
    """A round whose database differs from its model, or that did not end."""


def run_round(server: Server, seed: int, number: int, writers: int) -> Figures:
    """Run a round of a soak. Raises RoundError, which names the seed and the round."""
    current = Round(server, seed, number, writers)
    try:
        asyncio.run(current.run())
    except BaseExceptionGroup as group:
        raise RoundError(f"{current}: {_shown(_first(group))}") from group
    except (AssertionError, TimeoutError) as error:
        raise RoundError(f"{current}: {_shown(error)}") from error
    return current.figures


def _shown(error: BaseException) -> str:
    """Return the text of an error, not too long, with its class if it is no assertion."""
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    return text[:5000]


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Round:
    """A round: writers, faults beside them, and the comparison."""

    def __init__(self, server: Server, seed: int, number: int, writers: int) -> None:
        self._server = server
        self._seed = seed
        self._number = number
        self.kind = KINDS[number % len(KINDS)]
        self._rng = random.Random(f"{seed} {number} faults")
        self._scenario = Scenario(f"{seed} {number}", self.kind, writers)
        self._model = self._scenario.model(self._rng)
        self._url = ""
        self.figures = Figures(rounds=1)

    def __str__(self) -> str:
        return f"round {self._number} ({self.kind.name}) of seed {self._seed}"

    async def run(self) -> None:
        """Run the round, and drop its database."""
        async with asyncio.timeout(PATIENCE):
            self._url = await self._server.new_database()
            await self._run()
            await self._server.drop(self._url)

    async def _run(self) -> None:
        past = self._scenario.past
        report = await ingest(self._url, past.captures)
        assert report.total.captures_stored == len(past.captures), report
        deliveries = Deliveries(self._scenario.needed())
        faults = Faults(
            self._server,
            self._url,
            self.kind,
            self._rng,
            self._model,
            deliveries,
            self.figures,
        )
        async with self._writing_to() as url, asyncio.TaskGroup() as tasks:
            writers = [Writer(url, script) for script in self._scenario.scripts]
            for work in faults.beside(writers):
                tasks.create_task(work)
            async with asyncio.TaskGroup() as writing:
                for number, writer in enumerate(writers):
                    writing.create_task(faults.write(number, writer))
            faults.end()
        if self.kind.migrations:
            await self._compare_migrated(faults, deliveries)
        await settled(self._url)
        await self._compare(faults, deliveries, report.batch_id)

    @asynccontextmanager
    async def _writing_to(self) -> AsyncIterator[str]:
        """Yield the URL that writers connect to."""
        if not self.kind.hangs:
            yield self._url
            return
        async with silent_proxy(self._url, self._rng, self.figures) as url:
            yield url

    def _instants(self, cutoff: datetime, is_past_lost: bool) -> list[Instant]:
        """List all instants from a cutoff on, and instants between them."""
        return [
            Instant(platform, event, minute + half)
            for platform, event in sorted(self._model.instants)
            if event != OVER
            for minute in (*PAST, *MINUTES, MINUTES.stop)
            for half in (0, 0.5)
            if at(minute + half) >= cutoff
            if not is_past_lost or self._is_independent(platform, event, minute)
        ]

    def _is_independent(self, platform: str, event: str, minute: float) -> bool:
        """Return whether an instant has a capture that writers deliver at or before it."""
        return any(
            0 <= (when - at(0)) / timedelta(minutes=1) <= minute
            for when in self._model.instants[platform, event]
        )

    async def _compare_migrated(self, faults: Faults, deliveries: Deliveries) -> None:
        """Compare the stored captures after the migrations; then deliver everything again."""
        await faults.upgrade()
        await settled(self._url)
        connection = await asyncpg.connect(self._url)
        try:
            stored = await stored_instants(connection)
            asked = [
                instant
                for instant in self._scenario.needed()
                if at(instant.minute) >= faults.cutoff
                if instant in stored or deliveries.is_stored(instant)
            ]
            self.figures.instants += len(asked) + faults.plain.instants
            wrong = await differences(connection, self._model, asked)
            wrong += await faults.plain.differences(connection)
            self._assert_none(wrong, "after the migrations, before the redelivery")
        finally:
            await connection.close()
        for script in self._scenario.scripts:
            for delivery in script:
                report = await ingest(self._url, delivery.captures)
                assert report.total.captures_lost == report.total.captures_refused == 0, report

    async def _compare(self, faults: Faults, deliveries: Deliveries, past_batch_id: int) -> None:
        is_past_lost = deliveries.losses > 0
        connection = await asyncpg.connect(self._url)
        try:
            await self._compare_all(connection, faults.cutoff, is_past_lost)
            if not self.kind.migrations and self.kind.last_cutoff < 0:
                await self._compare_counts(connection, faults, past_batch_id)
            await self._assert_whole(connection)
        finally:
            await connection.close()
        report = await migrations.check(self._url)
        assert report.state is CheckState.CLEAN, str(report)
        await close_stale(self._url, timedelta(0))
        assert await stale_batches(self._url, timedelta(0)) == []

        cutoff = max(faults.cutoff, at(-1))
        pruned = await prune(self._url, cutoff)
        self.figures.prunes += 1
        self.figures.pruned_rows += pruned.total.rows
        connection = await asyncpg.connect(self._url)
        try:
            await self._compare_all(connection, cutoff, is_past_lost, by_offers=False)
            for table in ("events", "competitor_events"):
                left = await connection.fetchval(
                    f"SELECT count(*) FROM {table} WHERE sportradar_id = $1", OVER
                )
                assert left == 0, f"{table} still has the event that is over"
        finally:
            await connection.close()
        if not is_past_lost:
            await assert_pruned(self._url, cutoff)

    async def _compare_all(
        self, connection: Any, cutoff: datetime, is_past_lost: bool, *, by_offers: bool = True
    ) -> None:
        asked = self._instants(cutoff, is_past_lost)
        self.figures.instants += len(asked)
        wrong = await differences(connection, self._model, asked, by_offers)
        self._assert_none(wrong, "at the end")

    def _assert_none(self, wrong: list[str], when: str) -> None:
        self.figures.differences += len(wrong)
        shown = "\n".join(wrong[:5])
        assert not wrong, f"{len(wrong):,} of {self.figures.instants:,} differ {when}\n{shown}"

    async def _compare_counts(self, connection: Any, faults: Faults, past_batch_id: int) -> None:
        """Compare the counters of runs with the reports, and with the stored captures."""
        recorded = {
            batch_id: (scraped, failed)
            for batch_id, scraped, failed in await connection.fetch(
                "SELECT batch_id, sum(events_scraped), sum(events_failed) FROM scrape_runs "
                "WHERE batch_id <> $1 GROUP BY batch_id",
                past_batch_id,
            )
        }
        for batch_id, (stored, known, refused) in faults.counted.items():
            assert recorded.pop(batch_id) == (stored + known, refused), f"batch {batch_id}"
        present = await connection.fetchval(
            f"SELECT count(*) FROM ({STORED_INSTANTS}) AS stored (platform, event, instant) "
            "WHERE instant >= $1",
            at(MINUTES.start),
        )
        reported = sum(stored for stored, *_ in faults.counted.values())
        interrupted = sum(scraped for scraped, _ in recorded.values())
        assert reported <= present <= reported + interrupted, (
            f"{present:,} captures are stored; reports count {reported:,}, "
            f"and runs that were killed {interrupted:,}"
        )

    async def _assert_whole(self, connection: Any) -> None:
        assert await connection.fetch(REPEATED_MARKETS) == []
        unlinked = await connection.fetch("""
            SELECT c.source, c.sportradar_id FROM competitor_events AS c
            JOIN events AS e ON e.sportradar_id = c.sportradar_id
            WHERE c.betpawa_event_id IS DISTINCT FROM e.id
        """)
        assert unlinked == [], "events of both sides that are not linked"


def soak(
    seed: int, writers: int, rounds: int | None = None, minutes: float = 0, first: int = 0
) -> Iterator[tuple[int, str, Figures]]:
    """Run rounds until a number, or until a time, and yield the figures of each."""
    began = time.monotonic()
    with crashing_server() as server:
        number = first
        while (
            number < first + rounds
            if rounds is not None
            else time.monotonic() - began < 60 * minutes
        ):
            yield number, KINDS[number % len(KINDS)].name, run_round(server, seed, number, writers)
            number += 1
