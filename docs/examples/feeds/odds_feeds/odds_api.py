"""A feed of many bookmakers: American prices, a point beside each outcome, player props."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from odds_feeds.errors import reason
from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedSport,
    Market,
    Outcome,
)
from oddsschema.feeds import decimal_odds, handicap, merge_rows, specifiers

log = logging.getLogger(__name__)

#: The feed's ids of markets: BetPawa's ids and names, and the meaning of an outcome's point. Player
#: props have none of BetPawa's ids: they have the feed's id after the name of the feed.
MARKETS = {
    "h2h": ("3743", "1X2 - Full Time", None),
    "spreads": ("3774", "Asian Handicap - Full Time", "hcp"),
    "totals": ("5000", "Over/Under - Full Time", "total"),
    "alternate_totals": ("5000", "Over/Under - Full Time", "total"),
    "player_shots_on_target": ("odds-api:player_shots_on_target", "Shots on Target", "total"),
}

#: The sports of the feed: the part of `sport_key` before the first underscore.
SPORTS = {
    "americanfootball": CapturedSport(slug="american-football", name="American Football"),
    "basketball": CapturedSport(slug="basketball", name="Basketball"),
    "soccer": CapturedSport(slug="football", name="Football"),
}


def captures(event: dict[str, Any], captured_at: datetime) -> Iterator[Capture]:
    """Yield a capture for each bookmaker of an event; `captured_at` is the time of the request."""
    for bookmaker in event["bookmakers"]:
        try:
            yield Capture(
                captured_at=captured_at,
                competitor_event=CapturedCompetitorEvent(
                    source=bookmaker["key"],
                    external_id=event["id"],
                    name=f"{event['home_team']} - {event['away_team']}",
                    home_team=event["home_team"],
                    away_team=event["away_team"],
                    kickoff=event["commence_time"],  # ISO 8601 with an offset
                    tournament=CapturedCompetitorTournament(
                        external_id=event["sport_key"],
                        name=event["sport_title"],
                        sport=SPORTS[event["sport_key"].partition("_")[0]],
                    ),
                ),
                markets=tuple(_markets(event, bookmaker)),
            )
        except (KeyError, ValueError) as error:
            log.warning("event %s at %s: %s", event["id"], bookmaker.get("key"), reason(error))


def _markets(event: dict[str, Any], bookmaker: dict[str, Any]) -> Iterator[Market]:
    """Yield the markets of a bookmaker. A market with an outcome that cannot be read is left out.

    A line can be in two lists, and the lines of a list are mixed. Therefore all rows of a market
    are collected first: no market is stored in part.
    """
    rows: dict[Any, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for offered in bookmaker["markets"]:
        key = offered["key"]
        if key not in MARKETS:
            continue
        for outcome in offered["outcomes"]:
            goals = abs(outcome.get("point") or 0)  # the teams of a handicap have opposite signs
            rows[MARKETS[key][0], outcome.get("description"), goals].append((key, outcome))
    for market, of_market in rows.items():
        try:
            yield from merge_rows(_row(event, key, outcome) for key, outcome in of_market)
        except (KeyError, ValueError) as error:
            log.warning("event %s, market %s: %s", event["id"], market, reason(error))


def _row(event: dict[str, Any], key: str, outcome: dict[str, Any]) -> Market:
    """Build the row of an outcome: its market, with this outcome alone."""
    market_id, market_name, meaning = MARKETS[key]
    distinction = {"player": outcome.get("description")}  # None for a market of the teams
    if meaning is not None:
        distinction[meaning] = outcome["point"]
    if meaning == "hcp":  # the feed gives each team its own goals
        of_home = outcome["name"] == event["home_team"]
        distinction["hcp"] = handicap(outcome["point"], of="home" if of_home else "away")
    names = {event["home_team"]: "1", event["away_team"]: "2", "Draw": "X"}
    return Market(
        betpawa_market_id=market_id,
        betpawa_market_name=market_name,
        **specifiers(distinction),
        outcomes=(
            Outcome(
                name=names.get(outcome["name"]) or outcome["name"],
                odds=decimal_odds(outcome["price"], format="american"),
            ),
        ),
    )
