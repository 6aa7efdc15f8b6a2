"""The capture: what a scraper hands over. One event of one bookmaker at one instant, with its odds.

It is composed of the tables' own contracts and adds only how they nest. A scrape is a stream of
captures, one JSON object a line (NDJSON).
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from sqlmodel import Field

from oddsschema.contracts.base import Rule, all_given
from oddsschema.contracts.bulk import Check, Getter, on_objects_and_dicts
from oddsschema.contracts.scalars import Slug, UtcTime
from oddsschema.models import (
    CompetitorCompetition,
    CompetitorKey,
    Fixture,
    Listing,
    Market,
    Named,
    NationalCompetition,
    Snapshot,
)
from oddsschema.models.odds import MARKET_KEY


class CapturedSport(Named):
    """A sport, found by its slug."""


class CapturedTournament(NationalCompetition):
    """A tournament of BetPawa's, found by sport, name and country."""

    sport: CapturedSport = Field(description="What is played.")


class CapturedEvent(Fixture, Listing):
    """An event of BetPawa's, found by its SportRadar id."""

    bookmaker: Slug = Field(description="The reference bookmaker: 'betpawa'.")
    tournament: CapturedTournament = Field(description="What it is part of.")


class CapturedCompetitorTournament(CompetitorCompetition):
    """A competitor's tournament, found by source and external id."""

    # Wider than the contract's own.
    source: Slug | None = Field(  # type: ignore[assignment]
        default=None, description="The event's, and may be left out."
    )
    sport: CapturedSport = Field(description="What is played.")


def _same_source(source: str, tournament: Any) -> None:
    get = tournament.get if isinstance(tournament, dict) else tournament.__getattribute__
    if get("source") not in (None, source):
        raise ValueError(f"tournament.source must be the event's, {source!r}, or left out")


class CapturedCompetitorEvent(CompetitorKey, Fixture):
    """A competitor's event, found by source and external id."""

    __rules__ = (Rule(("source", "tournament"), _same_source),)

    tournament: CapturedCompetitorTournament = Field(description="What it is part of.")


def _distinct(getter: Getter) -> Check:
    """Hold the markets of a capture apart by `MARKET_KEY`."""
    key = getter(*MARKET_KEY)

    def check(markets: Sequence[Any]) -> Sequence[Any]:
        if len(set(map(key, markets))) < len(markets):
            first: dict[Any, int] = {}
            again = [
                at for at, one in enumerate(map(key, markets)) if first.setdefault(one, at) < at
            ]
            raise PydanticCustomError(
                "markets_equal",
                "Markets must differ in betpawa_market_id, line or handicap: "
                "markets {first} and {second} are the same",
                {"first": first[key(markets[again[0]])], "second": again[0], "again": again},
            )
        return markets

    return check


def _one_event(event: object, competitor_event: object) -> None:
    if (event is None) == (competitor_event is None):
        raise ValueError("give either event (BetPawa's) or competitor_event")


class Capture(Snapshot):
    """One event of one bookmaker at one instant: `event` for BetPawa, else `competitor_event`."""

    __rules__ = (
        Rule(
            ("event", "competitor_event"),
            _one_event,
            json_schema={"oneOf": [all_given("event"), all_given("competitor_event")]},
        ),
    )

    captured_at: UtcTime = Field(description="When the odds were read, UTC.")
    event: CapturedEvent | None = Field(default=None, description="BetPawa's event.")
    competitor_event: CapturedCompetitorEvent | None = Field(
        default=None, description="A competitor's event."
    )
    markets: Annotated[tuple[Market, ...], AfterValidator(on_objects_and_dicts(_distinct))] = Field(
        description="All that was offered. Empty when nothing was."
    )

    @property
    def source(self) -> str:
        """Whose odds these are: the competitor's slug, or BetPawa's."""
        if self.event is not None:
            return self.event.bookmaker
        assert self.competitor_event is not None  # the rule above
        return self.competitor_event.source
