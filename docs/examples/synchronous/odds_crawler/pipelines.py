"""The item pipeline: a crawl is a batch with one run, and each item a capture of it."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from scrapy.crawler import Crawler

from oddsschema import sync

_log = logging.getLogger(__name__)


@dataclass
class NotFetched:
    """An item for an event that the site did not deliver."""

    event_id: str
    error: str


class OddsPipeline:
    """The storage of captures. The spider's name is the platform."""

    def __init__(self, url: str, platform: str) -> None:
        self._url = url
        self._platform = platform
        self._opened = ExitStack()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> "OddsPipeline":
        """Read the settings."""
        return cls(crawler.settings["ODDSSCHEMA_URL"], crawler.spider.name)

    def open_spider(self) -> None:
        """Open the batch and the run."""
        self._batch = self._opened.enter_context(sync.batch(self._url, trigger="scrapy"))
        self._run = self._opened.enter_context(self._batch.run(self._platform))

    def process_item(self, item: Any) -> Any:
        """Hand over a capture. It is committed soon, together with others."""
        if isinstance(item, NotFetched):
            self._run.failed(item.error, external_id=item.event_id)
        else:
            self._run.ingest([item])
        return item

    def close_spider(self) -> None:
        """Commit the rest, and close the run and the batch."""
        self._opened.close()
        _log.info("%s", self._batch.report().total)
