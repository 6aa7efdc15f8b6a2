"""Batches and runs of synchronous programs.

>>> with sync.batch(url, trigger="scheduled") as batch:
...     with batch.run("sportybet") as run:
...         run.ingest(captures)
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

from oddsschema import ingestion
from oddsschema.contracts.scalars import ScrapeStatus
from oddsschema.ingestion import (
    Doubt,
    IngestProgress,
    IngestReport,
    Refusal,
    RunReport,
)
from oddsschema.ingestion.options import IngestOptions
from oddsschema.signals import sigterm_as_sigint
from oddsschema.sync.background_loop import BackgroundLoop, loop_of_process
from oddsschema.sync.sources import Source, check_source, handed_over
from oddsschema.sync.targets import Target, require_own


class Run:
    """One platform's part of a batch, as `oddsschema.Run`."""

    def __init__(self, loop: BackgroundLoop, run: ingestion.Run) -> None:
        self._loop = loop
        self._run = run

    def ingest(self, source: Source) -> None:
        """Validate captures of this run's platform and store the good ones.

        The calling thread reads the source. Otherwise as `oddsschema.Run.ingest`.
        """
        self._loop.call(self._run.ingest, handed_over(source, self._run.options.limits))

    def failed(
        self,
        error: BaseException | str,
        *,
        sportradar_id: str | int | None = None,
        external_id: str | int | None = None,
    ) -> None:
        """Record that an event could not be fetched, as `oddsschema.Run.failed`."""
        self._loop.call(
            self._run.failed, error, sportradar_id=sportradar_id, external_id=external_id
        )

    def unmapped(self, market_id: str | int, name: str | None = None, outcomes: Any = None) -> None:
        """Record a market of the site without a BetPawa market, as `oddsschema.Run.unmapped`."""

        async def record() -> None:
            self._run.unmapped(market_id, name, outcomes)

        self._loop.call(record)

    def progress(self, *, every: timedelta = timedelta(seconds=1)) -> Iterator[IngestProgress]:
        """Yield the counts of the run when they have changed, once in `every`, until the run ends.

        It waits for changes, and belongs into another thread than the one that ingests.
        """
        counts = self._run.progress(every=every)
        while (changed := self._loop.call(anext, counts, None)) is not None:
            yield changed

    def flush(self) -> RunReport:
        """Commit all captures that were taken so far, as `oddsschema.Run.flush`."""
        return self._loop.call(self._run.flush)

    def close(self, error: BaseException | None = None) -> None:
        """Commit the rest and end the run, as `oddsschema.Run.close`."""
        self._loop.call(self._run.close, error)

    def report(self) -> RunReport:
        """Report the run so far."""
        return self._run.report()

    @property
    def id(self) -> int:
        """The id of the run's row."""
        return self._run.id

    @property
    def platform(self) -> str | None:
        """The platform of the run's captures."""
        return self._run.platform

    @property
    def status(self) -> ScrapeStatus:
        """The status of the run."""
        return self._run.status

    @property
    def error(self) -> str | None:
        """The error that has ended the run."""
        return self._run.error

    @property
    def is_open(self) -> bool:
        """Whether the run takes captures."""
        return self._run.is_open

    @property
    def counts(self) -> IngestProgress:
        """The counts of the run so far."""
        return self._run.counts

    @property
    def timings(self) -> dict[str, Any]:
        """The durations of the scraper's steps: `run.timings["fetch"] = 1.5`."""
        return self._run.timings

    @timings.setter
    def timings(self, timings: dict[str, Any]) -> None:
        self._run.timings = timings

    @property
    def refusals(self) -> list[Refusal]:
        """The first refusals of the run."""
        return self._run.refusals

    @property
    def doubts(self) -> list[Doubt]:
        """The first doubts of the run."""
        return self._run.doubts


class Batch:
    """An open batch, as `oddsschema.Batch`. Its runs may work in several threads."""

    def __init__(self, loop: BackgroundLoop, batch: ingestion.Batch) -> None:
        self._loop = loop
        self._batch = batch

    def ingest(self, source: Source) -> None:
        """Validate captures of several platforms, and store the good ones in a run for each.

        The calling thread reads the source. Otherwise as `oddsschema.Batch.ingest`.
        """
        self._loop.call(self._batch.ingest, handed_over(source, self._batch.options.limits))

    def flush(self) -> None:
        """Commit all captures that were taken so far, as `oddsschema.Batch.flush`."""
        self._loop.call(self._batch.flush)

    @contextmanager
    def run(self, platform: str) -> Iterator[Run]:
        """Open the run of one platform, as `oddsschema.Batch.run`.

        An exception inside ends the run as failed, and is not raised further. Runs that are open in
        one another belong together if the same thread has opened them.
        """
        with self._loop.opened(self._batch.run(platform)) as run:
            yield Run(self._loop, run)

    def open_run(self, platform: str | None) -> Run:
        """Open a run that the caller closes, or the end of the batch. Raises BatchEndedError."""
        return Run(self._loop, self._loop.call(self._batch.open_run, platform))

    def run_of(self, platform: str | None) -> Run:
        """Return the open run of a platform, or open one."""
        return Run(self._loop, self._loop.call(self._batch.run_of, platform))

    def report(self) -> IngestReport:
        """Report the batch so far."""
        return self._batch.report()

    @property
    def id(self) -> int:
        """The id of the batch's row."""
        return self._batch.id

    @property
    def status(self) -> ScrapeStatus:
        """The status of the batch."""
        return self._batch.status

    @property
    def runs(self) -> list[Run]:
        """The runs of the batch."""
        return [Run(self._loop, run) for run in self._batch.runs]


@contextmanager
def batch(
    target: Target,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    batch_id: int | None = None,
    options: IngestOptions = IngestOptions(),
) -> Iterator[Batch]:
    """Open a batch, or join the batch of `batch_id`; it ends with the last of its runs.

    It may be used in several threads. The callbacks of the options run on the background thread,
    and cannot call this module. A batch that is still open when the program ends is closed as
    interrupted, and its captures are committed. Otherwise as `oddsschema.batch`.
    """
    require_own(target)
    loop = loop_of_process()
    opening = ingestion.batch(
        target,
        trigger=trigger,
        notes=notes,
        batch_id=batch_id,
        options=replace(options, sigterm_as_sigint=False),
    )
    with _signals(options), loop.opened(opening) as opened:
        yield Batch(loop, opened)


def ingest(
    target: Target,
    source: Source,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    options: IngestOptions = IngestOptions(),
) -> IngestReport:
    """Validate captures and store the good ones as one batch with a run for each platform.

    The calling thread reads the source. Otherwise as `oddsschema.ingest`.
    """
    check_source(source)
    with batch(target, trigger=trigger, notes=notes, options=options) as opened:
        opened.ingest(source)
    return opened.report()


class Ingester:
    """Opens batches on kept connections, as `oddsschema.Ingester`, also in several threads."""

    def __init__(
        self, loop: BackgroundLoop, ingester: ingestion.Ingester, options: IngestOptions
    ) -> None:
        self._loop = loop
        self._ingester = ingester
        self.options = options

    @contextmanager
    def batch(
        self,
        *,
        trigger: str | None = None,
        notes: str | None = None,
        batch_id: int | None = None,
    ) -> Iterator[Batch]:
        """Open a batch, or join the batch of `batch_id`, as `batch`."""
        opening = self._ingester.batch(trigger=trigger, notes=notes, batch_id=batch_id)
        with _signals(self.options), self._loop.opened(opening) as opened:
            yield Batch(self._loop, opened)

    def ingest(
        self, source: Source, *, trigger: str | None = None, notes: str | None = None
    ) -> IngestReport:
        """Validate captures and store the good ones as one batch, as `ingest`."""
        check_source(source)
        with self.batch(trigger=trigger, notes=notes) as opened:
            opened.ingest(source)
        return opened.report()


@contextmanager
def connect(target: Target, *, options: IngestOptions = IngestOptions()) -> Iterator[Ingester]:
    """Connect to a database, for batches that follow one another, as `oddsschema.connect`."""
    require_own(target)
    loop = loop_of_process()
    opening = ingestion.connect(target, options=replace(options, sigterm_as_sigint=False))
    with loop.opened(opening) as ingester:
        yield Ingester(loop, ingester, options)


def _signals(options: IngestOptions) -> AbstractContextManager[None]:
    """Return the context that handles signals, on the caller's thread: it may be the main one."""
    return sigterm_as_sigint() if options.sigterm_as_sigint else nullcontext()
