"""The program: `odds-crawler SITE`, on the database of DATABASE_URL."""

import os
import sys

from scrapy.crawler import CrawlerProcess

from odds_crawler.pipelines import OddsPipeline
from odds_crawler.spider import SportyBet


def main() -> None:
    """Crawl a site."""
    process = CrawlerProcess(
        {
            "ITEM_PIPELINES": {OddsPipeline: 300},
            "ODDSSCHEMA_URL": os.environ["DATABASE_URL"],
            "RETRY_ENABLED": False,
        }
    )
    process.crawl(SportyBet, site=sys.argv[1])
    process.start()
