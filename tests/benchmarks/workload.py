"""The benchmark's scrape: captures as JSON bytes, from a seed."""

import json
import random
from datetime import UTC, datetime, timedelta

MARKETS = 170
CAPTURED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def captures(rows: int, seed: int = 1) -> list[bytes]:
    """Make a competitor's scrape of `rows` markets: 170 an event, 3 outcomes each."""
    rng = random.Random(seed)
    kinds = [_kind(number) for number in range(MARKETS)]
    lines = []
    for event in range(-(-rows // MARKETS)):
        offered = kinds[: min(MARKETS, rows - event * MARKETS)]
        lines.append(_capture(event, offered, rng))
    return lines


def _kind(number: int) -> dict[str, object]:
    """Return a market without prices: a third have a line, a third a handicap."""
    european = number % 3 == 2
    goals = number / 4 - 20
    return {
        "betpawa_market_id": str(3743 + number // 9),
        "betpawa_market_name": f"Market {number // 9} - Full Time",
        "line": None if number % 3 == 0 and number % 9 == 0 else float(number),
        "handicap_type": "european" if european else None,
        "handicap_home": goals if european else None,
        "handicap_away": -goals if european else None,
    }


def _capture(event: int, kinds: list[dict[str, object]], rng: random.Random) -> bytes:
    tournament = event // 10
    document = {
        "captured_at": (CAPTURED_AT + timedelta(milliseconds=event)).isoformat(),
        "competitor_event": {
            "source": "sportybet",
            "external_id": f"sr:match:{event}",
            "sportradar_id": str(40_000_000 + event),
            "name": f"Home {event} vs Away {event}",
            "home_team": f"Home {event}",
            "away_team": f"Away {event}",
            "kickoff": (CAPTURED_AT + timedelta(minutes=event)).isoformat(),
            "tournament": {
                "external_id": f"sr:tournament:{tournament}",
                "name": f"League {tournament}",
                "country_raw": "Nigeria",
                "country_iso": "NGA",
                "sport": {"slug": "football", "name": "Football"},
            },
        },
        "markets": [
            kind
            | {
                "outcomes": [
                    {"name": name, "odds": round(rng.uniform(1.01, 30), 2), "is_active": True}
                    for name in ("Home", "Draw", "Away")
                ]
            }
            for kind in kinds
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()
