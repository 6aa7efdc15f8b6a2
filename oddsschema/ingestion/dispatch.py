"""The dispatch of mixed captures: each goes to the run of its platform."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from oddsschema.errors import ChunkError
from oddsschema.ingestion.item import Item
from oddsschema.ingestion.options import IngestOptions
from oddsschema.ingestion.run import Run
from oddsschema.ingestion.sources import Source, items
from oddsschema.ingestion.validation.horizon import Horizon
from oddsschema.ingestion.validation.names import ScrapeNames
from oddsschema.ingestion.validation.validator import Validated, validate

#: The number of bytes of lines without a platform that wait for a line with one.
_MOST_WAITING_BYTES = 16 * 2**20


class Dispatch:
    """The runs of a batch by their platforms. `run_of` returns or opens that of a platform."""

    def __init__(
        self,
        options: IngestOptions,
        horizon: Callable[[], Horizon],
        run_of: Callable[[str | None], Awaitable[Run]],
    ) -> None:
        self._options = options
        self._horizon = horizon
        self._run_of = run_of
        self._names = ScrapeNames()

    async def ingest(self, source: Source) -> None:
        """Validate every capture, and hand it to the run of its platform.

        A chunk that the database refuses ends its run alone. Raises the source's errors.
        """
        platforms: set[str | None] = set()
        without_platform: list[Item] = []
        size = 0
        file, platform = "", None
        try:
            async for item in items(source, self._options.limits):
                if item.file != file:
                    file, platform = item.file, None
                result = self._validated(item)
                # A line without a platform belongs to the platform of the line before.
                platform = result.platform or platform
                if platform is None and size < _MOST_WAITING_BYTES:
                    without_platform.append(item)
                    text = item.payload if isinstance(item.payload, bytes | str) else b""
                    size += 1000 + len(text)
                else:
                    platforms.add(platform)
                    await self._take(platform, item, result)
        finally:
            only = next(iter(platforms)) if len(platforms) == 1 else None
            for item in without_platform:
                await self._take(only, item, self._validated(item))

    def _validated(self, item: Item) -> Validated:
        return validate(
            item,
            strict=self._options.strict,
            limits=self._options.limits,
            keep_raw=self._options.keep_raw,
            names=self._names,
            horizon=self._horizon(),
        )

    async def _take(self, platform: str | None, item: Item, result: Validated) -> None:
        run = await self._run_of(platform)
        # The end of the run reports the error.
        with suppress(ChunkError):
            await run.take(item, result)
