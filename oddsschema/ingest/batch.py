"""A batch and its runs: what a scraper holds while it works.

>>> async with oddsschema.batch(url, trigger="scheduled") as batch:
...     async with batch.run("sportybet") as run:
...         await run.ingest(captures)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database import Connections, open_connections, require_migrated
from oddsschema.errors import OddsSchemaError
from oddsschema.ingest import bookkeeping
from oddsschema.ingest.chunk import Chunk, write_chunk
from oddsschema.ingest.history import Written
from oddsschema.ingest.read import Captures, Item, items
from oddsschema.ingest.report import IngestReport, Problem, Refusal, RunReport
from oddsschema.ingest.validate import PlainCapture, platform_of, validate
from oddsschema.types import ScrapeStatus

if TYPE_CHECKING:
    import asyncpg

_log = logging.getLogger(__name__)

#: How many rows (markets, mostly) are committed at a time. Small enough to start writing soon and
#: to keep memory flat, large enough that a commit costs little beside it.
CHUNK_ROWS = 10_000

#: How many refusals a report holds. All are counted, and all are in `scrape_errors`.
_REFUSALS_KEPT = 1000


@asynccontextmanager
async def batch(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    *,
    trigger: str | None = None,
    notes: str | None = None,
    batch_id: int | None = None,
    keep_raw: bool = False,
    chunk_rows: int = CHUNK_ROWS,
    on_refusal: Callable[[Refusal], None] | None = None,
) -> AsyncIterator["Batch"]:
    """Open a batch, or join the one of `batch_id`; it ends with the last of its runs.

    `target` is a URL: each run then has a connection of its own. Or it is an open connection: an
    asyncpg connection commits as it does (at once, unless the caller opened a transaction); of an
    SQLAlchemy connection, the caller commits.

    `trigger` and `notes` describe the batch; `keep_raw` stores each capture's raw_response.

    Raises DatabaseUnavailableError and NotMigratedError.
    """
    async with open_connections(target) as connections:
        async with connections.acquire() as connection:
            await require_migrated(connection)
            if batch_id is None:
                batch_id = await bookkeeping.open_batch(connection, trigger, notes)
            elif not await bookkeeping.join_batch(connection, batch_id):
                raise OddsSchemaError(f"there is no batch {batch_id} to join")
        opened = Batch(connections, batch_id, keep_raw, chunk_rows, on_refusal)
        try:
            yield opened
        finally:
            async with connections.acquire() as connection:
                opened.status = await bookkeeping.close_batch(connection, batch_id)


class Batch:
    """A batch that is open. Its runs may go on at the same time."""

    def __init__(
        self,
        connections: Connections,
        batch_id: int,
        keep_raw: bool,
        chunk_rows: int,
        on_refusal: Callable[[Refusal], None] | None,
    ) -> None:
        self.id = batch_id
        self.status = ScrapeStatus.RUNNING
        self.runs: list[Run] = []
        self._connections = connections
        self._keep_raw = keep_raw
        self._chunk_rows = chunk_rows
        self._on_refusal = on_refusal

    @asynccontextmanager
    async def run(self, platform: str) -> AsyncIterator["Run"]:
        """One platform's run. What is raised inside ends the run as failed, and stays inside.

        It is on record in `scrape_errors`, logged, and in the run's report; the batch's other runs
        go on. Being cancelled (Ctrl-C) ends the run likewise, and goes on to the caller.
        """
        run = await self.open_run(platform)
        try:
            yield run
        except Exception as error:
            _log.exception("run %d (%s) failed", run.id, platform)
            await run.close(error)
        except BaseException as error:
            await run.close(error)
            raise
        else:
            await run.close()

    async def open_run(self, platform: str | None) -> "Run":
        """A run that the caller closes."""
        async with self._connections.acquire() as connection:
            run_id = await bookkeeping.open_run(connection, self.id, platform)
        run = Run(self._connections, run_id, platform, self._keep_raw, self._chunk_rows)
        run.on_refusal = self._on_refusal
        self.runs.append(run)
        return run

    def report(self) -> IngestReport:
        """What came of it so far."""
        return IngestReport(
            batch_id=self.id,
            status=self.status,
            runs=tuple(run.report() for run in self.runs),
            refusals=tuple(refusal for run in self.runs for refusal in run.refusals),
        )


class Run:
    """One platform's part of a batch: validates captures and writes them, a chunk at a time.

    While one chunk is on its way to PostgreSQL, the next one is validated; the source is not asked
    for more than that.
    """

    def __init__(
        self,
        connections: Connections,
        run_id: int,
        platform: str | None,
        keep_raw: bool,
        chunk_rows: int,
    ) -> None:
        self.id = run_id
        self.platform = platform
        self.status = ScrapeStatus.RUNNING
        self.error: str | None = None
        self.refusals: list[Refusal] = []
        self.on_refusal: Callable[[Refusal], None] | None = None
        self._connections = connections
        self._keep_raw = keep_raw
        self._chunk_rows = chunk_rows
        self._written = Written()
        self._refused = 0
        self._chunk = Chunk()
        self._writing: asyncio.Task[None] | None = None
        # Clear while small statements go back and forth, which validation would only delay.
        self._at_leisure = asyncio.Event()

    async def ingest(self, captures: Captures) -> None:
        """Validate captures of this run's platform and store the good ones.

        Can be called again and again; what is left of a chunk is written when the run ends. Raises
        what the source raises, and asyncpg.PostgresError when the database refuses a chunk.
        """
        async for item in items(captures):
            checked = validate(item)
            if not isinstance(checked, Refusal) and platform_of(checked) != self.platform:
                reason = f"a capture of {platform_of(checked)}, in a run of {self.platform}"
                problem = Problem(path="$", reason=reason)
                checked = Refusal(file=item.file, line=item.line, problems=(problem,))
            if isinstance(checked, Refusal):
                await self.refuse(checked)
            else:
                await self.accept(item, checked)

    async def accept(self, item: Item, capture: PlainCapture) -> None:
        """Take in a validated capture of this platform; write a chunk when it is full."""
        self._chunk.accept(item, capture)
        await self._go_on()

    async def refuse(self, refusal: Refusal) -> None:
        """Take in a refusal."""
        self._note(refusal)
        self._chunk.refuse(refusal)
        await self._go_on()

    async def close(self, error: BaseException | None = None) -> None:
        """Write what is left and end the run; with an error, leave it out and end it as failed."""
        if error is None:
            try:
                await self._flush()
                await self._written_out()
            except Exception as failure:
                _log.exception("run %d (%s) failed", self.id, self.platform)
                error = failure
        elif self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        accepted = self._written.stored + self._written.known
        if error is not None:
            self.status = ScrapeStatus.FAILED
            self.error = f"{type(error).__name__}: {error}".removesuffix(": ")
        elif self._refused:
            self.status = ScrapeStatus.PARTIAL if accepted else ScrapeStatus.FAILED
        else:
            self.status = ScrapeStatus.COMPLETED
        async with self._connections.acquire() as connection, connection.transaction():
            if error is not None:
                kind = type(error).__name__[:50]
                await bookkeeping.record_errors(connection, self.id, kind, [str(self.error)])
            await bookkeeping.close_run(connection, self.id, self.status)

    def report(self) -> RunReport:
        """What came of it so far."""
        return RunReport(
            run_id=self.id,
            platform=self.platform,
            status=self.status,
            captures_stored=self._written.stored,
            captures_known=self._written.known,
            captures_refused=self._refused,
            markets_stored=self._written.markets,
            error=self.error,
        )

    def _note(self, refusal: Refusal) -> None:
        self._refused += 1
        if len(self.refusals) < _REFUSALS_KEPT:
            self.refusals.append(refusal)
        if self.on_refusal is not None:
            self.on_refusal(refusal)

    async def _go_on(self) -> None:
        """Write a full chunk; leave the event loop to the connection when that needs it."""
        if self._chunk.size >= self._chunk_rows:
            await self._flush()
        if self._writing is not None:
            await asyncio.sleep(0)
            await self._at_leisure.wait()

    async def _flush(self) -> None:
        """Hand the chunk over to be written, as soon as the last one is."""
        await self._written_out()
        if self._chunk.size:
            self._at_leisure.clear()
            self._writing = asyncio.create_task(self._write(self._chunk))
            self._chunk = Chunk()

    async def _written_out(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _write(self, chunk: Chunk) -> None:
        try:
            async with self._connections.acquire() as connection:
                written, refused = await write_chunk(
                    connection,
                    self.id,
                    self.platform,
                    chunk,
                    keep_raw=self._keep_raw,
                    before_markets=self._at_leisure.set,
                )
        finally:
            self._at_leisure.set()
        self._written.add(written)
        for refusal in refused:
            self._note(refusal)
