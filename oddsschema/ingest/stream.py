"""One stream of captures of several platforms: one batch, with a run for each platform."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.ingest.batch import CHUNK_ROWS, Batch, Run, batch
from oddsschema.ingest.read import Captures, items
from oddsschema.ingest.report import IngestReport, Refusal
from oddsschema.ingest.validate import claimed_platform, platform_of, validate

if TYPE_CHECKING:
    import asyncpg


async def ingest(
    target: "str | asyncpg.Connection[Any] | AsyncConnection",
    captures: Captures,
    *,
    trigger: str | None = None,
    notes: str | None = None,
    keep_raw: bool = False,
    chunk_rows: int = CHUNK_ROWS,
    on_refusal: Callable[[Refusal], None] | None = None,
) -> IngestReport:
    """Validate captures and store the good ones as one batch with a run for each platform.

    `captures` are `Capture` objects, dicts, or JSON objects as text. Each is held to the contract;
    the refused ones are in the report and in `scrape_errors`, the others in the database, each
    run's in one transaction. A capture that had been stored before is counted and left alone.

    `target` is a URL, or an open connection. An asyncpg connection commits as it does (at once,
    unless the caller opened a transaction); of an SQLAlchemy connection, the caller commits.

    `trigger` and `notes` describe the batch; `keep_raw` stores each capture's raw_response;
    `on_refusal` is called with each refusal as it happens.

    Raises DatabaseUnavailableError and NotMigratedError before anything is read, and what the
    source raises. A run that the database breaks off is rolled back, reported as failed, and does
    not touch the others.
    """
    async with batch(
        target,
        trigger=trigger,
        notes=notes,
        keep_raw=keep_raw,
        chunk_rows=chunk_rows,
        on_refusal=on_refusal,
    ) as opened:
        try:
            await _deal_out(captures, opened)
        except BaseException as error:
            for run in opened.runs:
                await run.close(error)
            raise
        for run in opened.runs:
            await run.close()
    return opened.report()


async def _deal_out(captures: Captures, batch: Batch) -> None:
    """Validate every capture, and give it to its platform's run."""
    runs: dict[str | None, Run] = {}

    async def run_of(platform: str | None) -> Run:
        if platform not in runs:
            runs[platform] = await batch.open_run(platform)
        return runs[platform]

    unclaimed: list[Refusal] = []
    file, platform = "", None
    async for item in items(captures):
        if item.file != file:
            file, platform = item.file, None
        checked = validate(item)
        if not isinstance(checked, Refusal):
            platform = platform_of(checked)
            await (await run_of(platform)).accept(item, checked)
        # A line that does not say whose it is belongs to the one before it.
        elif claimed := claimed_platform(item) or platform:
            await (await run_of(claimed)).refuse(checked)
        else:
            unclaimed.append(checked)
    if unclaimed:
        run = await run_of(next(iter(runs)) if len(runs) == 1 else None)
        for refusal in unclaimed:
            await run.refuse(refusal)
