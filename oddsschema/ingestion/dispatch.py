"""The dispatch of one stream of captures: one batch, with a run for each platform in the stream."""

from contextlib import suppress

from oddsschema.database.connections import Target
from oddsschema.errors import ChunkError
from oddsschema.ingestion.batches import Batch, batch
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.report import IngestReport
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Source, items
from oddsschema.ingestion.validation.names import ScrapeNames
from oddsschema.ingestion.validation.validator import Validated, validate


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
    It is read only as fast as PostgreSQL stores its captures.

    Each capture is validated by the contract. A market that breaks it is refused and the rest of
    its capture stored; any other error refuses the capture. A capture that is stored and most
    likely wrong has a doubt. The first 1,000 refusals and doubts of a run are in the report and in
    `scrape_errors`; all are counted. Good captures are committed in chunks of `options.chunk_rows`,
    or after `options.flush_after`. Captures that had been stored before are counted, and change
    nothing.

    Each run writes on a connection of its own, unless `target` is a connection: on one of asyncpg,
    each chunk is committed at once, unless the caller has opened a transaction; on one of
    SQLAlchemy, the caller commits. `trigger` and `notes` describe the batch.

    Raises DatabaseUnavailableError and NotMigratedError before anything is read, and the source's
    errors. A database error ends its run alone: the run is reported as failed, its committed chunks
    stay, and the other runs continue.
    """
    async with batch(target, trigger=trigger, notes=notes, options=options) as opened:
        await _dispatch(source, opened)
    return opened.report()


#: The number of bytes of lines without a platform that wait for a line with one.
_MOST_WAITING_BYTES = 16 * 2**20


async def _dispatch(source: Source, batch: Batch) -> None:
    """Validate every capture, and hand it to the run of its platform."""
    options = batch.options
    runs: dict[str | None, Run] = {}
    names = ScrapeNames()

    def validated(item: Item) -> Validated:
        return validate(
            item,
            strict=options.strict,
            limits=options.limits,
            keep_raw=options.keep_raw,
            names=names,
            horizon=batch.horizon,
        )

    async def take(platform: str | None, item: Item, result: Validated) -> None:
        run = runs.get(platform)
        if run is None:
            run = runs[platform] = await batch.open_run(platform)
        # A chunk that the database refuses ends this run alone; close() reports it.
        with suppress(ChunkError):
            await run.take(item, result)

    without_platform: list[Item] = []
    size = 0
    file, platform = "", None
    try:
        async for item in items(source, options.limits):
            if item.file != file:
                file, platform = item.file, None
            result = validated(item)
            # A line without a platform belongs to the platform of the line before.
            platform = result.platform or platform
            if platform is None and size < _MOST_WAITING_BYTES:
                without_platform.append(item)
                size += 1000 + len(item.payload) if isinstance(item.payload, bytes | str) else 1000
            else:
                await take(platform, item, result)
    finally:
        only = next(iter(runs)) if len(runs) == 1 else None
        for item in without_platform:
            await take(only, item, validated(item))
