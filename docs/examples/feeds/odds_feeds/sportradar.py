"""A feed in SportRadar's terms: market ids, outcome ids, specifiers, statuses."""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from odds_feeds.errors import reason
from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedSport,
    Market,
    Outcome,
)
from oddsschema.feeds import specifiers, utc

log = logging.getLogger(__name__)


class Mapped(NamedTuple):
    """BetPawa's market for one of the feed's, and BetPawa's names for the feed's outcome ids."""

    id: str
    name: str
    outcomes: dict[str, str]


# SportRadar's ids are those of its description of markets. BetPawa does not have the last market:
# its id is the feed's, after the name of the feed.
MARKETS = {
    1: Mapped("3743", "1X2 - Full Time", {"1": "1", "2": "X", "3": "2"}),
    10: Mapped("4693", "Double Chance - Full Time", {"9": "1X", "10": "12", "11": "X2"}),
    14: Mapped("4724", "3-Way Handicap - Full Time", {"1711": "1", "1712": "X", "1713": "2"}),
    16: Mapped("3774", "Asian Handicap - Full Time", {"1714": "1", "1715": "2"}),
    18: Mapped("5000", "Over/Under - Full Time", {"12": "Over", "13": "Under"}),
    8: Mapped("sportradar:8", "Next Goal", {"6": "1", "7": "None", "8": "2"}),
}

SPORTS = {
    "sr:sport:1": CapturedSport(slug="football", name="Football"),
    "sr:sport:5": CapturedSport(slug="tennis", name="Tennis"),
}

#: Whether the outcomes of a market with this status are open. Markets of other statuses (-4
#: cancelled, -3 settled, 0 deactivated) are no longer on offer.
OPEN = {1: True, -1: False, -2: False}  # active, suspended, handed over to live betting


def captures(answer: dict[str, Any], source: str) -> Iterator[Capture]:
    """Yield the events of an answer, each with its whole offer."""
    captured_at = utc(answer["generated"])
    for event in answer["events"]:
        try:
            yield _capture(event, source, captured_at)
        except (KeyError, ValueError) as error:
            log.warning("event %s: %s", event.get("id"), reason(error))


def _capture(event: dict[str, Any], source: str, captured_at: datetime) -> Capture:
    tournament = event["tournament"]
    return Capture(
        captured_at=captured_at,
        competitor_event=CapturedCompetitorEvent(
            source=source,
            external_id=event["id"],
            sportradar_id=event["id"],  # sr:match:90000001 is stored as 90000001
            name=f"{event['home']} - {event['away']}",
            home_team=event["home"],
            away_team=event["away"],
            kickoff=utc(event["start"]),
            tournament=CapturedCompetitorTournament(
                external_id=tournament["id"],
                sportradar_id=tournament["id"],
                name=tournament["name"],
                country_raw=event["category"],
                sport=SPORTS[event["sport"]],
            ),
        ),
        markets=tuple(_markets(event)),
    )


def _markets(event: dict[str, Any]) -> Iterator[Market]:
    """Yield the mapped markets that are on offer. An unreadable market is left out."""
    for offered in event["markets"]:
        mapped = MARKETS.get(offered["id"])
        if mapped is None or offered["status"] not in OPEN:
            continue
        try:
            yield Market(
                betpawa_market_id=mapped.id,
                betpawa_market_name=mapped.name,
                **specifiers(offered.get("specifiers")),
                outcomes=tuple(
                    Outcome(
                        name=mapped.outcomes[outcome["id"]],
                        odds=outcome.get("odds"),  # a closed outcome may have none
                        is_active=OPEN[offered["status"]] and outcome["active"] == 1,
                    )
                    for outcome in offered["outcomes"]
                ),
            )
        except (KeyError, ValueError) as error:
            log.warning("event %s, market %s: %s", event["id"], offered["id"], reason(error))
