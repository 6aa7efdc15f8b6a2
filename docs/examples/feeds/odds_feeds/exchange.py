"""A stream of an exchange: changes of single prices, and outrights, which have no teams."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from oddsschema.feeds import specifiers, utc

log = logging.getLogger(__name__)

SPORTS = {
    "1": CapturedSport(slug="football", name="Football"),
    "2": CapturedSport(slug="tennis", name="Tennis"),
}

_TOTAL = re.compile(r"OVER_UNDER_([0-9]+)([0-9])")  # OVER_UNDER_25: 2.5 goals


@dataclass
class State:
    """The state of a market of the stream: its last definition and its last traded prices."""

    definition: dict[str, Any]
    prices: dict[int, float] = field(default_factory=dict)


class Exchange:
    """A stream with the state of all its markets: a change is sent once, a capture is complete."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._markets: dict[str, State] = {}

    def captures(self, message: dict[str, Any]) -> Iterator[Capture]:
        """Apply a message, and yield each event that it changes with its whole offer."""
        changed: dict[str, None] = {}  # in their order
        for change in message.get("mc", ()):  # a heartbeat has none
            if change.get("img"):  # an image replaces all that was known
                self._markets[change["id"]] = State(change["marketDefinition"])
            if (state := self._markets.get(change["id"])) is None:
                log.warning("market %s: a change before its image", change["id"])
                continue
            state.definition = change.get("marketDefinition", state.definition)
            state.prices |= {row["id"]: row["ltp"] for row in change.get("rc", ()) if "ltp" in row}
            changed[state.definition["eventId"]] = None
        for event_id in changed:
            yield self._capture(event_id, utc(message["pt"]), message)

    def _capture(self, event_id: str, captured_at: datetime, message: dict[str, Any]) -> Capture:
        states = [
            state for state in self._markets.values() if state.definition["eventId"] == event_id
        ]
        event = states[0].definition
        home, is_match, away = event["eventName"].partition(" v ")
        if not is_match:  # an outright: the competition against the field
            home, away = event["competitionName"], "Field"
        return Capture(
            captured_at=captured_at,
            competitor_event=CapturedCompetitorEvent(
                source=self.source,
                external_id=event_id,
                name=event["eventName"],
                home_team=home,
                away_team=away,
                kickoff=event["marketTime"],
                tournament=CapturedCompetitorTournament(
                    external_id=event["competitionId"],
                    name=event["competitionName"],
                    country_iso=event.get("countryCode"),
                    sport=SPORTS[event["eventTypeId"]],
                ),
            ),
            markets=tuple(_markets(states)),
            raw_response=message,  # prices to back and to lay, amounts: nothing else keeps them
        )


#: Whether the outcomes of a market with this status are open. Other markets are not on offer.
OPEN = {"OPEN": True, "SUSPENDED": False}


def _markets(states: list[State]) -> Iterator[Market]:
    """Yield the markets that are on offer. A market that cannot be read is left out."""
    for state in states:
        try:
            if state.definition["status"] in OPEN:
                yield _market(state)
        except (KeyError, ValueError) as error:
            log.warning("market %s: %s", state.definition, reason(error))


def _market(state: State) -> Market:
    """Build a market at its last traded prices. An outcome that was never traded is closed."""
    definition = state.definition
    market_type = definition["marketType"]
    names: dict[int, str] = {}  # by the place of a runner; other runners have their own names
    total = None
    if market_type == "MATCH_ODDS":
        market_id, market_name, names = "3743", "1X2 - Full Time", {1: "1", 2: "2", 3: "X"}
    elif over_under := _TOTAL.fullmatch(market_type):
        market_id, market_name, names = "5000", "Over/Under - Full Time", {1: "Under", 2: "Over"}
        total = ".".join(over_under.groups())
    else:
        market_id, market_name = f"exchange:{market_type}", definition["name"]
    return Market(
        betpawa_market_id=market_id,
        betpawa_market_name=market_name,
        **specifiers({"total": total}),
        outcomes=tuple(
            Outcome(
                name=names.get(runner["sortPriority"]) or runner["name"],
                odds=state.prices.get(runner["id"]),
                is_active=OPEN[definition["status"]] and runner["id"] in state.prices,
            )
            for runner in definition["runners"]
            if runner["status"] == "ACTIVE"
        ),
    )
