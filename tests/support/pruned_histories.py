"""A model of the content that a prune must leave, and long histories to prune."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings

from oddsschema import IngestOptions
from oddsschema.models.sides import BETPAWA, COMPETITORS, Side
from tests.support.histories import REFERENCES, START, Model, capture, read_model_states

ROUNDS = 20 if settings.get_current_profile_name() == "nightly" else 2

#: Two bookmakers with reference events, and a competitor.
PLATFORMS = (*REFERENCES, "bet9ja")


def side_of(platform: str) -> Side:
    """Return the side of the tables that hold a platform's odds."""
    return BETPAWA if platform in REFERENCES else COMPETITORS


def at(minutes: float) -> datetime:
    """Return the instant of a minute."""
    return START + timedelta(minutes=minutes)


class History(Model):
    """Every capture of events with one kickoff, as plain values."""

    def __init__(self, kickoff: float = 10_000) -> None:
        super().__init__()
        self.kickoff = at(kickoff)

    def captured(
        self, platform: str, event: str, minute: float, markets: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Build a platform's capture of an event at a minute, and add it."""
        captured = capture(platform, at(minute), markets, event, self.kickoff)
        self.take(captured)
        return captured

    def prune(self, cutoff: datetime) -> None:
        """Remove ended events. The model keeps everything else, more than the database needs."""
        for side in (BETPAWA, COMPETITORS):
            for event in {event for _, event in self.instants}:
                listings = [
                    listing
                    for listing in self.instants
                    if listing[1] == event and side_of(listing[0]) is side
                ]
                last = [max(self.instants[listing]) for listing in listings]
                if self.kickoff < cutoff and all(instant < cutoff for instant in last):
                    for listing in listings:
                        self.forget(listing)

    async def assert_stored(self, connection: Any, instants: Sequence[datetime]) -> None:
        """Compare the database with the model at these instants."""
        for (platform, event), found in (await stored_states(connection, self, instants)).items():
            wanted = [self.at(platform, instant, event) for instant in instants]
            assert found == wanted, (platform, event)


async def stored_states(
    connection: Any, model: History, instants: Sequence[datetime]
) -> dict[Any, Any]:
    """Read each of the model's histories from the database at each of the instants."""
    events = {
        BETPAWA: await connection.fetch("SELECT sportradar_id, id FROM events"),
        COMPETITORS: await connection.fetch("SELECT external_id, id FROM competitor_events"),
    }
    bookmakers = dict(await connection.fetch("SELECT slug, id FROM bookmakers"))
    found = {}
    for platform, event in model.instants:
        side = side_of(platform)
        event_id = dict(events[side]).get(event, 0)
        asked = [(event_id, instant) for instant in instants]
        found[platform, event] = await read_model_states(
            connection, side, asked, bookmakers.get(platform)
        )
    return found


def markets(versions: dict[int, int]) -> list[dict[str, Any]]:
    """Make six markets in version 1, except for the given versions.

    Version 0 is not on offer, version 2 is closed and has no prices.
    """
    return [
        {
            "betpawa_market_id": "0",
            "betpawa_market_name": "Total",
            "line": (None, 0.0, 2.5)[number // 2],
            "handicap_type": None,
            "handicap_home": None,
            "handicap_away": None,
            "specifiers": (None, "minute=15")[number % 2],
            "outcomes": [
                {
                    "name": name,
                    "odds": None if version == 2 else version + 0.5,
                    "is_active": version != 2,
                }
                for name in ("1", "2")
            ],
        }
        for number in range(6)
        if (version := versions.get(number, 1))
    ]


MANY_EVENTS = "01234567"
OVER = "14"
MINUTES = 60


def scraped(seed: int) -> tuple[History, History, list[dict[str, Any]]]:
    """Make long histories of small changes: running events, ended events, and all captures."""
    rng = random.Random(seed)
    going_on, over = History(), History(25)
    captures = []
    for event in MANY_EVENTS:
        model = over if event in OVER else going_on
        for platform in PLATFORMS:
            versions: dict[int, int] = {}
            for minute in range(29 if event in OVER else MINUTES):
                if rng.random() < 0.7:
                    versions[rng.randrange(6)] = rng.randrange(4)
                captures.append(model.captured(platform, event, minute, markets(versions)))
    captures.sort(key=lambda capture: capture["captured_at"])
    return going_on, over, captures


CHANGES = IngestOptions(keyframe_share=5.0, chunk_rows=150)
