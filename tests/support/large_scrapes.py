"""The captures of the test of scale, made again from the seed."""

import os
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedTournament,
    Contract,
    Market,
    Outcome,
)
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies import field_values

NIGHTLY = settings.get_current_profile_name() == "nightly"
MARKETS = 1_000_000 if NIGHTLY else 20_000
#: The number of values to choose from for each field.
CHOICE = 400 if NIGHTLY else 60
SEED = int(os.environ.get("ODDSSCHEMA_SEED") or random.SystemRandom().randrange(2**32))


def drawn(strategy: SearchStrategy[Any]) -> list[Any]:
    """Draw values of a strategy from the seed."""
    found: list[Any] = []

    @seed(SEED)
    @settings(
        max_examples=CHOICE,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


class Scrape:
    """The captures that follow from the seed, as plain values without omissions.

    Matches are numbered, and each can be made again. Platforms share some of them.
    """

    def __init__(self) -> None:
        def choice(contract: type[Contract], name: str) -> list[Any]:
            return drawn(field_values(contract.model_fields[name]))

        event, theirs = CapturedEvent, CapturedCompetitorEvent
        self._texts = {
            name: choice(contract, name)
            for contract, names in (
                (event, ("sportradar_id", "name", "home_team", "event_url")),
                (CapturedTournament, ("country",)),
                (CapturedCompetitorTournament, ("country_raw", "country_iso")),
                (Market, ("betpawa_market_id", "betpawa_market_name")),
            )
            for name in names
        }
        self._outcome_names = list(dict.fromkeys(choice(Outcome, "name")))
        self._odds = [odds for odds in choice(Outcome, "odds") if odds is not None and odds >= 1]
        self._lines = choice(Market, "line")
        self._goals = [goals for goals in choice(Market, "handicap_home") if goals is not None]
        *self._times, self.last = sorted(set(choice(Capture, "captured_at")))
        self._raw = choice(Capture, "raw_response")
        slugs = sorted({slug[:18] for slug in choice(theirs, "source")} - {"betpawa"})
        self.platforms = ["betpawa", *random.Random(SEED).sample(slugs, 3)]

    def captures(self) -> Iterator[dict[str, Any]]:
        """Make all captures, with `MARKETS` markets in sum."""
        number = 0
        markets = 0
        while markets < MARKETS:
            for capture in self.match(number):
                capture["markets"] = capture["markets"][: MARKETS - markets]
                markets += len(capture["markets"])
                yield capture
            number += 1

    def match(self, number: int) -> Iterator[dict[str, Any]]:
        """Make the captures of a match, at several platforms and times."""
        rng = random.Random(f"{SEED}/{number}")
        sportradar_id = self._numbered(rng, "sportradar_id", 100, number)
        for platform in self.platforms:
            if rng.random() < 0.3:
                continue
            event = self._event(rng, platform, number) | {"sportradar_id": sportradar_id}
            side, other = "event", "competitor_event"
            if platform != "betpawa":
                side, other = other, side
            for moment in rng.sample(self._times, rng.randint(1, 3)):
                yield {
                    "captured_at": moment,
                    "raw_response": rng.choice(self._raw) if rng.random() < 0.1 else None,
                    side: event,
                    other: None,
                    "markets": self._markets(rng),
                }

    def _event(self, rng: random.Random, platform: str, number: int) -> dict[str, Any]:
        texts = self._texts
        event = {
            "name": rng.choice(texts["name"]),
            "home_team": rng.choice(texts["home_team"]),
            "away_team": rng.choice(texts["home_team"]),
            "kickoff": rng.choice(self._times),
            "event_url": rng.choice(texts["event_url"]),
            "tournament": self._tournament(platform, rng.randrange(40)),
        }
        own_id = self._numbered(rng, "sportradar_id", 100, number)
        if platform == "betpawa":
            return event | {"external_event_id": own_id, "bookmaker": platform}
        return event | {"external_id": own_id, "source": platform}

    def _tournament(self, platform: str, number: int) -> dict[str, Any]:
        rng = random.Random(f"{SEED}/{platform}/{number}")
        sport = random.Random(f"{SEED}/sport/{number % 5}")
        ids = (None, self._numbered(rng, "sportradar_id", 100, number))
        tournament = {
            "name": self._numbered(rng, "home_team", 255, number),
            "sportradar_id": rng.choice(ids),
            "sport": {
                "name": self._numbered(sport, "sportradar_id", 100, number % 5),
                "slug": self._numbered(sport, "sportradar_id", 100, number % 5),
            },
        }
        if platform == "betpawa":
            return tournament | {"country": rng.choice(self._texts["country"])}
        return tournament | {
            "source": platform,
            "external_id": self._numbered(rng, "sportradar_id", 100, number),
            "country_raw": rng.choice(self._texts["country_raw"]),
            "country_iso": rng.choice(self._texts["country_iso"]),
        }

    def _numbered(self, rng: random.Random, name: str, length: int, number: int) -> str:
        """Return a hard text that no other number has."""
        return f"{rng.choice(self._texts[name])[: length - 8]}{number}"

    def _markets(self, rng: random.Random) -> list[dict[str, Any]]:
        markets = {}
        for _ in range(rng.choice((0, 1, 40, 100, 200))):
            kind = rng.choice((None, None, "european", "asian"))
            line = rng.choice(self._goals if kind else self._lines)
            market: dict[str, Any] = {
                "betpawa_market_id": rng.choice(self._texts["betpawa_market_id"]),
                "betpawa_market_name": rng.choice(self._texts["betpawa_market_name"]),
                "line": line,
                "handicap_type": kind,
                "handicap_home": line if kind else None,
                "handicap_away": -line if kind else None,
                # A schema without specifiers and missing prices holds the scrape as well.
                "specifiers": None,
            }
            market["outcomes"] = self._outcomes(rng)
            markets[tuple(market[name] for name in MARKET_KEY)] = market
        return list(markets.values())

    def _outcomes(self, rng: random.Random) -> list[dict[str, Any]]:
        names = rng.sample(self._outcome_names, rng.choice((1, 2, 2, 2, 3, 3, 3, 4, 8)))
        if rng.random() < 0.0005:
            names = [f"{number}" for number in range(500)]
        return [
            {"name": name, "odds": rng.choice(self._odds), "is_active": rng.random() < 0.8}
            for name in names
        ]
