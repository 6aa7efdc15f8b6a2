"""The site to scrape; put yours here. This one has simulated odds, and an event without a page."""

from collections.abc import Iterator
from typing import Any

from oddsschema.simulate import simulate


class SiteError(Exception):
    """The site did not deliver an event."""


def fetch_events(platform: str) -> Iterator[tuple[str, dict[str, Any] | SiteError]]:
    """Fetch a platform's events: their ids, and the captures or what went wrong."""
    [scrape] = simulate(platforms=[platform], scrapes=1)
    for capture in scrape[platform]:
        yield capture["competitor_event"]["external_id"], capture
    yield "missing", SiteError("404: the event has no page")
