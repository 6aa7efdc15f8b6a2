"""Scrapes with known content: captures that depend on their numbers alone."""

import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PLATFORMS = ("betpawa", "sportybet", "bet9ja")

Capture = dict[str, Any]

START = datetime(2026, 1, 17, 9, tzinfo=UTC)


def capture(platform: str, event: int, minute: int, *, markets: int = 4) -> Capture:
    """Build a platform's capture of an event at a minute. Names, kick-off and tournament vary."""
    version = minute // 3
    teams = f"Home {event}", f"Away {event}.{version}"
    event_fields: dict[str, Any] = {
        "sportradar_id": f"{40_000_000 + event}",
        "name": f"{teams[0]} - {teams[1]}",
        "home_team": teams[0],
        "away_team": teams[1],
        "kickoff": (START + timedelta(days=event, minutes=15 * version)).isoformat(),
    }
    sport = {"slug": "football", "name": "Football"}
    if platform in ("sportybet", "bet9ja"):
        # A tournament of the event's own that changes its name, or a shared one that changes from
        # time to time.
        if event % 2:
            tournament = {"external_id": f"t{event}", "name": f"Cup {event}, round {version}"}
        else:
            place = (event + version) % 3
            tournament = {"external_id": f"league{place}", "name": f"League {place}"}
        event_fields |= {"source": platform, "external_id": f"{platform}:{event}"}
        kind = "competitor_event"
    else:
        tournament = {"name": f"League {(event + version) % 3}", "country": f"Land {event % 2}"}
        event_fields |= {"bookmaker": platform, "external_event_id": f"{event}.{version}"}
        kind = "event"
    return {
        "captured_at": (START + timedelta(minutes=minute)).isoformat(),
        kind: event_fields | {"tournament": tournament | {"sport": sport}},
        "markets": [_market(f"{platform}/{event}/{minute}", number) for number in range(markets)],
    }


def _market(seed: str, number: int) -> dict[str, Any]:
    asian = number % 3 == 2
    price = zlib.crc32(f"{seed}/{number}".encode()) % 900
    return {
        "betpawa_market_id": str(3743 + number // 2),
        "betpawa_market_name": f"Market {number // 2}",
        "line": number / 4 if asian else number / 2 if number % 2 else None,
        "handicap_type": "asian" if asian else None,
        "handicap_home": number / 4 if asian else None,
        "handicap_away": -number / 4 if asian else None,
        "outcomes": [
            {"name": name, "odds": round(1.01 + (price + step) / 100, 2), "is_active": step != 2}
            for step, name in enumerate(("1", "X", "2"))
        ],
    }


def scrapes(
    events: Iterable[int],
    minutes: Iterable[int],
    platforms: Sequence[str] = PLATFORMS,
    *,
    markets: int = 4,
) -> list[Capture]:
    """Build every platform's captures of these events at these minutes."""
    return [
        capture(platform, event, minute, markets=markets)
        for minute in minutes
        for platform in platforms
        for event in events
    ]


def ndjson(captures: Iterable[Capture]) -> bytes:
    """Write captures as lines of JSON."""
    return b"".join(json.dumps(capture).encode() + b"\n" for capture in captures)


def written(path: Path, captures: Iterable[Capture]) -> Path:
    """Write captures to a file and return its path."""
    path.write_bytes(ndjson(captures))
    return path
