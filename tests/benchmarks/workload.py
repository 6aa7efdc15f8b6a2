"""The benchmark's scrape: captures as JSON bytes, from a seed."""

import json
import random
from datetime import UTC, datetime, timedelta

MARKETS = 170
CAPTURED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def captures(rows: int, seed: int = 1, *, mixed: bool = False) -> list[bytes]:
    """Make a competitor's scrape of `rows` markets: 170 an event, 3 outcomes each.

    With `mixed`, ids are integers, 40 % of the markets have specifiers, and 5 % of the outcomes are
    closed without a price.
    """
    rng = random.Random(seed)
    kinds = [_kind(number, mixed) for number in range(MARKETS)]
    lines = []
    for event in range(-(-rows // MARKETS)):
        offered = kinds[: min(MARKETS, rows - event * MARKETS)]
        lines.append(_capture(event, offered, rng, mixed))
    return lines


def _kind(number: int, mixed: bool) -> dict[str, object]:
    """Return a market without prices: a third have a line, a third a handicap."""
    european = number % 3 == 2
    goals = number / 4 - 20
    market_id = 3743 + number // 9
    without_line = number % 3 == 0 and number % 9 == 0
    kind: dict[str, object] = {
        "betpawa_market_id": market_id if mixed else str(market_id),
        "betpawa_market_name": f"Market {number // 9} - Full Time",
        "line": goals if european else None if without_line else float(number),
        "handicap_type": "european" if european else None,
        "handicap_home": goals if european else None,
        "handicap_away": -goals if european else None,
    }
    if mixed and number % 5 < 2:
        kind["specifiers"] = f"player=sr:player:{38000 + number}"
    return kind


def _outcomes(rng: random.Random, mixed: bool) -> list[dict[str, object]]:
    """Make the outcomes of a book with an overround of about 7 %."""
    weights = [rng.uniform(0.05, 1) for _ in range(3)]
    return [
        {"name": name, "odds": None, "is_active": False}
        if mixed and rng.random() < 0.05
        else {"name": name, "odds": round(sum(weights) / weight / 1.07 + 0.1, 2), "is_active": True}
        for name, weight in zip(("Home", "Draw", "Away"), weights, strict=True)
    ]


def _capture(event: int, kinds: list[dict[str, object]], rng: random.Random, mixed: bool) -> bytes:
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
        "markets": [kind | {"outcomes": _outcomes(rng, mixed)} for kind in kinds],
    }
    return json.dumps(document, separators=(",", ":")).encode()
