"""Captures as ingestion carries them: validated, and light.

Markets are most of a capture by far. They are msgspec's structs: made of JSON text, compared and
written as JSON several times faster than dicts are, and smaller. The rest is dicts.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter, itemgetter
from typing import Annotated, Any

from annotated_types import Ge
from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import Decoder, Encoder
from pydantic_core import from_json

from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.outcomes import Outcome
from oddsschema.contracts.scalars import HandicapType
from oddsschema.models.odds import MARKET_KEY

#: A validated capture: a dict of its fields, whose markets are a tuple of `PlainMarket`.
PlainCapture = dict[str, Any]

_LEAST_ODDS = next(
    mark.ge
    for mark in unwrap_annotation(Outcome.model_fields["odds"].rebuild_annotation())[1]
    if isinstance(mark, Ge)
)


class PlainOutcome(Struct, forbid_unknown_fields=True, gc=False):
    """The fields of `Outcome`."""

    name: str
    odds: Annotated[float, Meta(ge=_LEAST_ODDS)]
    is_active: bool = True


class PlainMarket(Struct, forbid_unknown_fields=True):
    """The fields of `Market`."""

    betpawa_market_id: str
    betpawa_market_name: str
    outcomes: tuple[PlainOutcome, ...]
    line: float | None = None
    handicap_type: HandicapType | None = None
    handicap_home: float | None = None
    handicap_away: float | None = None


#: What tells the markets of an event apart: the values of `MARKET_KEY`.
Key = tuple[str, float | None, str | None, float | None, float | None]
key_of: Callable[[PlainMarket], Key] = attrgetter(*MARKET_KEY)


def with_plain_markets(validated: dict[str, Any]) -> PlainCapture:
    """A capture that was validated into dicts."""
    return validated | {"markets": convert(validated["markets"], tuple[PlainMarket, ...])}


def platform_of(capture: PlainCapture) -> str:
    """Whose odds a validated capture holds."""
    event = event_of(capture)
    slug: str = event["bookmaker" if capture["competitor_event"] is None else "source"]
    return slug


def event_of(capture: PlainCapture) -> dict[str, Any]:
    """A validated capture's event, BetPawa's or a competitor's."""
    event: dict[str, Any] = capture["event"] or capture["competitor_event"]
    return event


def newest_captures(
    captures: Iterable[PlainCapture], kind: str, key: str
) -> dict[str, PlainCapture]:
    """The newest capture of each event, by the event's `key`; the newest of all last."""
    by_time = sorted(captures, key=itemgetter("captured_at"))
    newest = {capture[kind][key]: capture for capture in by_time}
    return dict(sorted(newest.items(), key=lambda pair: pair[1]["captured_at"]))


#: The JSON text of outcomes.
outcomes_json = Encoder().encode

_decode_outcomes = Decoder(list[tuple[PlainOutcome, ...]]).decode


def stored_outcomes(documents: str) -> list[tuple[PlainOutcome, ...]]:
    """Outcomes as they are stored, from a JSON array of such columns.

    Keys that the contract does not know, which only other writers store, are left out.
    """
    try:
        return _decode_outcomes(documents)
    except ValidationError:
        return [
            tuple(
                PlainOutcome(one["name"], float(one["odds"]), one.get("is_active", True))
                for one in document
            )
            for document in from_json(documents)
        ]
