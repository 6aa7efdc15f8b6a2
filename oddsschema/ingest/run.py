"""An ingestion from end to end: captures in, one batch out."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database import connect, require_migrated
from oddsschema.ingest import batch as rows
from oddsschema.ingest.betpawa import write_betpawa
from oddsschema.ingest.competitor import write_competitors
from oddsschema.ingest.history import Written
from oddsschema.ingest.read import Item, RawCapture, items
from oddsschema.ingest.reference import link_events, upsert_sports
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.validate import PlainCapture, claimed_platform, platform_of, validate
from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

async def ingest(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    captures: Iterable[RawCapture | Item] | AsyncIterable[RawCapture | Item],
    *,
    trigger: str | None = None,
    notes: str | None = None,
    keep_raw: bool = False,
) -> IngestReport:
    """Validate captures and store the good ones as one batch with a run for each platform.

    `captures` are `Capture` objects, dicts, or JSON objects as text. Each is held to the contract;
    the refused ones are in the report and in `scrape_errors`, the others in the database, each
    run's in one transaction. A capture that had been stored before is counted and left alone.

    `target` is a URL, or an open connection. An asyncpg connection commits as it does (at once,
    unless the caller opened a transaction); of an SQLAlchemy connection, the caller commits.

    `trigger` and `notes` describe the batch; `keep_raw` stores each capture's raw_response.

    Raises DatabaseUnavailableError and NotMigratedError before anything is read. A run that the
    database breaks off is rolled back, reported as failed, and does not touch the others.
    """
    async with _connection(target) as connection:
        await require_migrated(connection)
        batch = _Batch(connection, trigger=trigger, notes=notes, keep_raw=keep_raw)
        return await batch.ingest(items(captures))


@asynccontextmanager
async def _connection(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
) -> AsyncIterator["asyncpg.Connection[Any]"]:
    if isinstance(target, str):
        async with connect(target) as connection:
            yield connection
    elif isinstance(target, AsyncConnection):
        # SQLAlchemy sends its BEGIN with the first statement: without one, COPY would run outside
        # the caller's transaction and survive its rollback.
        await target.exec_driver_sql("SELECT 1")
        yield (await target.get_raw_connection()).driver_connection
    else:
        yield target


@dataclass
class _Run:
    """One platform's captures of this delivery, and what was found wrong among them."""

    id: int
    platform: str | None
    captures: list[tuple[Item, PlainCapture]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


class _Batch:
    """One call of `ingest`: validates and sorts everything, then writes run after run."""

    def __init__(
        self,
        connection: "asyncpg.Connection[Any]",
        *,
        trigger: str | None,
        notes: str | None,
        keep_raw: bool,
    ) -> None:
        self._connection = connection
        self._trigger = trigger
        self._notes = notes
        self._keep_raw = keep_raw
        self._id = 0
        self._runs: dict[str | None, _Run] = {}

    async def ingest(self, offered: AsyncIterator[Item]) -> IngestReport:
        self._id = await rows.open_batch(self._connection, self._trigger, self._notes)
        reports: list[RunReport] = []
        try:
            await self._sort(offered)
            for run in self._runs.values():
                reports.append(await self._write(run))
        except BaseException as error:
            # The source raised, the connection broke, or somebody pressed Ctrl-C.
            if not self._connection.is_closed():
                await self._abandon(list(self._runs.values())[len(reports) :], error)
            raise
        status = rows.status_of_batch(report.status for report in reports)
        await rows.close_batch(self._connection, self._id, status)
        refusals = [refusal for run in self._runs.values() for refusal in run.refusals]
        return IngestReport(
            batch_id=self._id, status=status, runs=tuple(reports), refusals=tuple(refusals)
        )

    async def _abandon(self, runs: Sequence[_Run], error: BaseException) -> None:
        """Put on record that the batch came to no end."""
        message = str(error) or "interrupted"
        for run in runs:
            await rows.record_errors(self._connection, run.id, type(error).__name__, [message])
            await rows.close_run(
                self._connection, run.id, ScrapeStatus.FAILED, scraped=0, failed=len(run.refusals)
            )
        await rows.close_batch(self._connection, self._id, ScrapeStatus.FAILED)

    async def _sort(self, offered: AsyncIterator[Item]) -> None:
        """Validate all, and give each capture to its platform's run."""
        unclaimed: list[Refusal] = []
        file, platform = "", None
        async for item in offered:
            if item.file != file:
                file, platform = item.file, None
            checked = validate(item)
            if isinstance(checked, Refusal):
                # A line that does not say whose it is belongs to the one before it.
                claimed = claimed_platform(item) or platform
                if claimed is None:
                    unclaimed.append(checked)
                else:
                    (await self._run(claimed)).refusals.append(checked)
            else:
                platform = platform_of(checked)
                (await self._run(platform)).captures.append((item, checked))
        if unclaimed:
            only = next(iter(self._runs)) if len(self._runs) == 1 else None
            (await self._run(only)).refusals.extend(unclaimed)

    async def _run(self, platform: str | None) -> _Run:
        if platform not in self._runs:
            run_id = await rows.open_run(self._connection, self._id, platform, self._trigger)
            self._runs[platform] = _Run(run_id, platform)
        return self._runs[platform]

    async def _write(self, run: _Run) -> RunReport:
        """Store a run's captures in one transaction, and end the run."""
        import asyncpg

        connection = self._connection
        written = Written()
        error = None
        try:
            async with connection.transaction():
                written = await self._store(run)
        except asyncpg.PostgresError as failure:
            if connection.is_closed():
                raise
            error = f"{type(failure).__name__}: {failure}"
            await rows.record_errors(connection, run.id, type(failure).__name__, [error])
        if error is None:
            # Whoever commits last sees the other's event: the link is found by one of the two.
            await link_events(connection, _sportradar_ids(run.captures))
        accepted = written.stored + written.known
        refused = len(run.refusals)
        status = (
            ScrapeStatus.FAILED
            if error is not None
            else rows.status_of_run(accepted=accepted, refused=refused)
        )
        await rows.record_errors(connection, run.id, "refused", map(str, run.refusals))
        await rows.close_run(connection, run.id, status, scraped=accepted, failed=refused)
        return RunReport(
            run_id=run.id,
            platform=run.platform,
            status=status,
            captures_stored=written.stored,
            captures_known=written.known,
            captures_refused=refused,
            markets_stored=written.markets,
            error=error,
        )

    async def _store(self, run: _Run) -> Written:
        by_time = sorted(run.captures, key=lambda pair: pair[1]["captured_at"])
        names = {sport["slug"]: sport["name"] for sport in (_sport(one) for _, one in by_time)}
        sports = await upsert_sports(self._connection, names)
        competitors, betpawa = [], []
        for item, capture in run.captures:
            sport = _sport(capture)
            if sport["slug"] not in sports:
                run.refusals.append(_name_taken(item, sport))
            elif capture["event"] is None:
                competitors.append(capture)
            else:
                betpawa.append(capture)
        written = Written()
        for write, captures in ((write_competitors, competitors), (write_betpawa, betpawa)):
            if captures:
                part = await write(
                    self._connection,
                    str(run.platform),
                    run.id,
                    captures,
                    sports,
                    keep_raw=self._keep_raw,
                )
                written.add(part)
        return written


def _sport(capture: PlainCapture) -> dict[str, str]:
    sport: dict[str, str] = _event(capture)["tournament"]["sport"]
    return sport


def _event(capture: PlainCapture) -> dict[str, Any]:
    event: dict[str, Any] = capture["event"] or capture["competitor_event"]
    return event


def _sportradar_ids(captures: Iterable[tuple[Item, PlainCapture]]) -> list[str]:
    return list({_event(capture)["sportradar_id"] for _, capture in captures})


def _name_taken(item: Item, sport: dict[str, str]) -> Refusal:
    problem = Problem(
        path="$.*.tournament.sport",
        reason=f"the name {sport['name']!r} belongs to a sport with another slug "
        f"than {sport['slug']!r}: names of sports are unique",
    )
    return Refusal(file=item.file, line=item.line, problems=(problem,))
