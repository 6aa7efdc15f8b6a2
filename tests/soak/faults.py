"""Faults and other work beside the writers of a round, until the writers are done."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from oddsschema import OddsSchemaError, PruneOptions, migrations, prune
from oddsschema.errors import MigrationError
from oddsschema.scrapes.stale import close_stale
from tests.soak.comparison import differences
from tests.soak.figures import Figures
from tests.soak.hangs import Hangs
from tests.soak.plain_writer import PlainWriter
from tests.soak.scenario import MINUTES, OVER, PAST, Instant, Kind
from tests.soak.writer import ANSWER_WITHIN, Answer, Writer
from tests.support.crashing_server import Server
from tests.support.histories import Model
from tests.support.pruned_histories import at

#: Errors of sessions whose connection was cut, or whose schema was changed.
SESSION_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    OddsSchemaError,
)

#: The downgrades of a round, each with an upgrade. Writers start again after each of them.
_MIGRATIONS = 6

#: The most upgrades of which each waits too long for a lock, or is part of a deadlock.
_ATTEMPTS = 100

#: Revisions without the tables of the competitors, or without any table.
LOSING_REVISIONS = ("base", "oddsschema_0001", "oddsschema_0002")


def _is_beginning(error: str) -> bool:
    """Return whether work could not begin: only work that has begun waits for a server."""
    return error.startswith("DatabaseUnavailableError: cannot connect")


class Deliveries:
    """The deliveries that writers have acknowledged, and the instants that are therefore stored."""

    def __init__(self, needed: dict[Instant, set[tuple[int, int]]]) -> None:
        self._needed = needed
        self._by_listing: dict[tuple[str, str], list[Instant]] = {}
        for instant in sorted(needed, key=lambda each: each.minute):
            self._by_listing.setdefault(instant[:2], []).append(instant)
        self._acknowledged: set[tuple[int, int]] = set()
        #: How often everything was lost by a downgrade.
        self.losses = 0

    def acknowledge(self, writer: int, delivery: int) -> None:
        """Add a delivery."""
        self._acknowledged.add((writer, delivery))

    def forget(self) -> None:
        """Forget all deliveries: a downgrade has dropped their tables."""
        self._acknowledged.clear()
        self.losses += 1

    def is_stored(self, instant: Instant) -> bool:
        """Return whether every delivery of an instant is acknowledged."""
        return self._needed[instant] <= self._acknowledged

    def span(self, listing: tuple[str, str]) -> tuple[float, float]:
        """Return the minutes of a listing, without the end, that no delivery can change."""
        instants = self._by_listing.get(listing, ())
        end = next((each.minute for each in instants if not self.is_stored(each)), MINUTES.stop)
        # Nobody delivers the past again after its tables were dropped.
        if self.losses:
            return (instants[0].minute if instants else end), end
        return PAST.start, end


class Faults:
    """Everything that happens beside the writers of a round."""

    def __init__(
        self,
        server: Server,
        url: str,
        kind: Kind,
        rng: random.Random,
        model: Model,
        deliveries: Deliveries,
        figures: Figures,
    ) -> None:
        self._server = server
        self._url = url
        self._kind = kind
        self._rng = rng
        self._model = model
        self._deliveries = deliveries
        self._figures = figures
        #: The newest cutoff of a prune that has begun.
        self.cutoff: datetime = at(PAST.start)
        #: The batches whose counts are known, with the stored and the known captures.
        self.counted: dict[int, tuple[int, int, int]] = {}
        self.plain = PlainWriter(rng)
        self._over = asyncio.Event()

    def end(self) -> None:
        """Let all work end."""
        self._over.set()

    async def _pause(self, least: float, most: float) -> bool:
        """Wait for a random time; return whether the writers are still at work."""
        try:
            async with asyncio.timeout(self._rng.uniform(least, most)):
                await self._over.wait()
        except TimeoutError:
            return True
        return False

    def beside(self, writers: Sequence[Writer]) -> list[Any]:
        """List the coroutines of all work beside the writers."""
        kind = self._kind
        work = [self._prune(), self._prune(), self._read(), self._read(), self._close_stale()]
        if kind.kills:
            work.append(self._kill(writers))
        if kind.cuts:
            work.append(self._cut())
        if kind.crashes:
            work.append(self._crash())
        if kind.hangs:
            hangs = Hangs(
                self._server, self._url, self._rng, self._figures, self._pause, self._in_session
            )
            work += [hangs.stop_backends(), hangs.change_server()]
        if kind.migrations:
            work += [self._migrate(), self._write_plainly(), self._write_plainly()]
        return work

    # -- writers -----------------------------------------------------------------------------------

    async def write(self, number: int, writer: Writer) -> None:
        """Run a writer until it has delivered its whole script."""
        while True:
            losses = self._deliveries.losses

            def take(answer: Answer, losses: int = losses) -> None:
                self._take(number, answer, losses)

            error = await writer.deliver(take)
            if error is None:
                return
            if error != "killed":
                is_explained = self._kind.migrations or _is_beginning(error)
                assert is_explained, f"writer {number} failed: {error}"
                self._figures.errors[" ".join(["ingest", *re.findall(r"\w+Error", error)])] += 1
                await self._pause(0.3, 1)

    def _take(self, writer: int, answer: Answer, losses: int) -> None:
        self._figures.retries += answer.retries
        if answer.batch_id:
            self.counted[answer.batch_id] = answer.stored, answer.known, answer.refused
        if answer.error is None:
            self._figures.captures += answer.stored + answer.known + answer.refused
            if losses == self._deliveries.losses:
                self._deliveries.acknowledge(writer, answer.delivery)

    # -- kills and cuts ----------------------------------------------------------------------------

    async def _kill(self, writers: Sequence[Writer]) -> None:
        for _ in range(2 * len(writers)):
            if not await self._pause(0.1, 1):
                return
            self._figures.kills += self._rng.choice(writers).kill()

    async def _cut(self) -> None:
        async def cut(session: Any) -> None:
            pids = await session.fetch(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid"
            )
            if pids:
                pid = self._rng.choice(pids)[0]
                self._figures.cuts += await session.fetchval("SELECT pg_terminate_backend($1)", pid)

        while await self._pause(0.05, 0.5):
            await self._in_session(cut)

    async def _crash(self) -> None:
        for _ in range(2):
            if not await self._pause(0.5, 3):
                return
            self._server.kill()
            await asyncio.sleep(self._rng.uniform(0, 0.7))
            await asyncio.to_thread(self._server.start)
            self._figures.crashes += 1

    # -- other work --------------------------------------------------------------------------------

    async def _in_session(self, work: Callable[[Any], Awaitable[None]]) -> None:
        """Run work in a session that a fault of this kind of round may end."""
        try:
            connection = await asyncpg.connect(self._url)
            try:
                await work(connection)
            finally:
                connection.terminate()
        except SESSION_ERRORS as error:
            self._explained("session", error)

    def _explained(self, who: str, error: Exception) -> None:
        kind = self._kind
        assert kind.migrations or kind.cuts or kind.crashes or kind.hangs, repr(error)
        self._figures.errors[f"{who} {type(error).__name__}"] += 1

    async def _prune(self) -> None:
        rng = self._rng
        while await self._pause(0.05, 0.7):
            cutoff = at(rng.uniform(PAST.start, self._kind.last_cutoff))
            self.cutoff = max(self.cutoff, cutoff)
            options = PruneOptions(
                chunk_rows=rng.randint(5, 500),
                patience=timedelta(seconds=rng.uniform(0.1, 5)),
                answer_within=ANSWER_WITHIN,
            )
            try:
                report = await prune(self._url, cutoff, options=options)
            except SESSION_ERRORS as error:
                text = f"{type(error).__name__}: {error}"
                assert self._kind.migrations or _is_beginning(text), text
                self._explained("prune", error)
                continue
            self._figures.prunes += 1
            self._figures.pruned_rows += report.total.rows

    async def _close_stale(self) -> None:
        while await self._pause(0.5, 2):
            try:
                await close_stale(self._url, timedelta(0))
            except SESSION_ERRORS as error:
                self._explained("close_stale", error)

    async def _read(self) -> None:
        while await self._pause(0.01, 0.1):
            await self._in_session(self._read_some)

    async def _read_some(self, session: Any) -> None:
        """Compare some instants that nothing changes any more."""
        platform, event = self._rng.choice(
            sorted(listing for listing in self._model.instants if listing[1] != OVER)
        )
        losses = self._deliveries.losses
        first, end = self._deliveries.span((platform, event))
        minutes = [
            minute + half
            for minute in (*PAST, *MINUTES)
            for half in (0, 0.5)
            if self.cutoff <= at(minute + half) and first <= minute + half < end
        ]
        instants = [
            Instant(platform, event, minute)
            for minute in self._rng.sample(minutes, min(5, len(minutes)))
        ]
        by_offers = self._rng.random() < 0.3
        async with session.transaction(isolation="repeatable_read", readonly=True):
            wrong = await differences(session, self._model, instants, by_offers)
        # A prune or a downgrade that began meanwhile may have deleted them.
        if losses == self._deliveries.losses and all(
            at(instant.minute) >= self.cutoff for instant in instants
        ):
            self._figures.instants_meanwhile += len(instants)
            assert not wrong, "beside the writers:\n" + "\n".join(wrong)

    # -- migrations --------------------------------------------------------------------------------

    async def _migrate(self) -> None:
        revisions = ["base", *migrations.scripts.known_revisions()]
        for _ in range(_MIGRATIONS):
            if not await self._pause(0.2, 2):
                return
            # Most downgrades keep the tables, and many of these expand the snapshots of changes.
            kept = revisions[len(LOSING_REVISIONS) :]
            revision = self._rng.choice(self._rng.choice([revisions, kept, kept[:3], kept[:3]]))
            if revision in LOSING_REVISIONS:
                self._forget()
            await self._attempt(migrations.downgrade, revision)
            if revision in LOSING_REVISIONS:
                self._forget()
            await self._pause(0, 0.5)
            await self.upgrade()

    def _forget(self) -> None:
        self._deliveries.forget()
        self.plain.forget()

    async def _write_plainly(self) -> None:
        while await self._pause(0, 0.2):
            await self._in_session(self.plain.write)

    async def _attempt(self, migrate: Callable[..., Any], revision: str) -> bool:
        try:
            await migrate(self._url, revision, lock_timeout=timedelta(seconds=2))
        except MigrationError as error:
            self._figures.errors[f"migrate {type(error).__name__}"] += 1
            return False
        self._figures.migrations += 1
        return True

    async def upgrade(self) -> None:
        """Upgrade to the newest revision, although locks may be in the way several times."""
        for _ in range(_ATTEMPTS):
            if await self._attempt(migrations.upgrade, "head"):
                return
        raise AssertionError(f"no upgrade in {_ATTEMPTS} attempts: {self._figures}")
