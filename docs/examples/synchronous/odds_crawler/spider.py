"""The spider: the site's JSON becomes captures."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import scrapy
from scrapy.http import Response
from twisted.python.failure import Failure

from odds_crawler.pipelines import NotFetched


class SportyBet(scrapy.Spider):
    """The events of a site: `/events` lists their ids, `/events/<id>` has one."""

    name = "sportybet"

    def __init__(self, site: str) -> None:
        super().__init__()
        self.site = site

    async def start(self) -> AsyncIterator[Any]:
        """Request the list."""
        yield scrapy.Request(f"{self.site}/events", self.parse_list)

    def parse_list(self, response: Response) -> Iterator[scrapy.Request]:
        """Request each event."""
        for event_id in response.json():
            yield scrapy.Request(
                f"{self.site}/events/{event_id}",
                self.parse_event,
                errback=self.report,
                cb_kwargs={"event_id": event_id},
            )

    def parse_event(self, response: Response, event_id: str) -> Iterator[dict[str, Any]]:
        """Convert an event to a capture."""
        event = response.json()
        yield {
            "captured_at": datetime.now(UTC).isoformat(),
            "competitor_event": {
                "source": self.name,
                "external_id": event_id,
                "sportradar_id": event["sportradar"],
                "name": f"{event['home']} - {event['away']}",
                "home_team": event["home"],
                "away_team": event["away"],
                "kickoff": event["start"],
                "tournament": {
                    "external_id": event["league"],
                    "name": event["league"],
                    "sport": {"slug": "football", "name": "Football"},
                },
            },
            "markets": [
                {
                    "betpawa_market_id": "3743",
                    "betpawa_market_name": "1X2 - Full Time",
                    "outcomes": [
                        {"name": name, "odds": odds} for name, odds in event["prices"].items()
                    ],
                }
            ],
        }

    def report(self, failure: Failure) -> Iterator[NotFetched]:
        """Report an event that the site did not deliver."""
        yield NotFetched(failure.request.cb_kwargs["event_id"], failure.getErrorMessage())
