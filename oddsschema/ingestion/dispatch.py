"""One stream of captures of several platforms: one batch, with a run for each platform."""

from contextlib import suppress

from oddsschema.database.connections import Target
from oddsschema.errors import ChunkError
from oddsschema.ingestion.batches import Batch, batch
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestReport
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Item, Source, items
from oddsschema.ingestion.validation.validator import Checked, validate


async def ingest(
    target: Target,
    source: Source,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    options: IngestOptions = IngestOptions(),
) -> IngestReport:
    """Validate captures and store the good ones as one batch with a run for each platform.

    `source` is the path of an NDJSON file (plain or .gz), NDJSON as bytes, an open file or stream,
    or an iterable or async iterable of captures: `Capture` objects, dicts, or JSON objects as text.
    It is asked for more only as fast as PostgreSQL takes it.

    Each capture is held to the contract. A market that breaks it is refused and the rest of its
    capture stored; anything else refuses the capture. What is refused is in the report and in
    `scrape_errors`, the rest in the database, committed in chunks of `options.chunk_rows`. What had
    been stored before is counted and left alone.

    `target` is a URL, or an open connection: an asyncpg connection commits as it does (at once,
    unless the caller opened a transaction); of an SQLAlchemy connection, the caller commits.
    `trigger` and `notes` describe the batch.

    Raises DatabaseUnavailableError and NotMigratedError before anything is read, and what the
    source raises. A run that the database breaks off is reported as failed and does not touch the
    others; its committed chunks stay.
    """
    async with batch(target, trigger=trigger, notes=notes, options=options) as opened:
        try:
            await _deal_out(source, opened)
            for run in opened.runs:
                await run.close()
        except BaseException as error:
            for run in opened.runs:
                await run.close(error)
            raise
    return opened.report()


#: How many bytes of lines that do not say whose they are wait for one that does.
_UNCLAIMED = 16 * 2**20


async def _deal_out(source: Source, batch: Batch) -> None:
    """Validate every capture, and give it to its platform's run."""
    strict, limits = batch.options.strict, batch.options.limits
    runs: dict[str | None, Run] = {}

    async def give(platform: str | None, item: Item, checked: Checked) -> None:
        run = runs.get(platform)
        if run is None:
            run = runs[platform] = await batch.open_run(platform)
        # What the database refuses ends this run alone; it tells of it when it is closed.
        with suppress(ChunkError):
            await run.take(item, checked)

    unclaimed: list[Item] = []
    size = 0
    file, platform = "", None
    async for item in items(source, limits):
        if item.file != file:
            file, platform = item.file, None
        checked = validate(item, strict=strict, limits=limits)
        # A line that does not say whose it is belongs to the one before it.
        platform = checked.platform or platform
        if platform is None and size < _UNCLAIMED:
            unclaimed.append(item)
            size += 1000 + len(item.payload) if isinstance(item.payload, bytes | str) else 1000
        else:
            await give(platform, item, checked)
    only = next(iter(runs)) if len(runs) == 1 else None
    for item in unclaimed:
        await give(only, item, validate(item, strict=strict, limits=limits))
