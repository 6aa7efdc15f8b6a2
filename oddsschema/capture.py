"""The capture: an event of a bookmaker at one instant with its odds, as a scraper delivers it.

It is composed of the tables' own contracts and adds only their nesting. A scrape is a stream of
captures with one JSON object per line (NDJSON).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from annotated_types import MaxLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from sqlmodel import Field

from oddsschema.contracts import json_schema
from oddsschema.contracts.base import Rule, all_given
from oddsschema.contracts.bulk import FieldGetter, Validator, with_plain_variant
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.doubts import doubt
from oddsschema.contracts.json_schema import ScalarJsonSchema
from oddsschema.contracts.scalars import (
    CaptureTime,
    CountryIso,
    Slug,
    SportradarEventId,
    blank_to_none,
)
from oddsschema.models import (
    CompetitorCompetition,
    CompetitorKey,
    EventPage,
    Fixture,
    Listing,
    Market,
    NameAndSlug,
    NationalCompetition,
    Snapshot,
)
from oddsschema.models.odds import MARKET_KEY


class CapturedSport(NameAndSlug):
    """A sport of a capture, identified by its slug."""


class CapturedTournament(NationalCompetition):
    """A tournament of BetPawa in a capture, identified by sport, name and country."""

    sport: CapturedSport = Field(description="The sport of the tournament.")


class CapturedEvent(Fixture, Listing):
    """An event of BetPawa in a capture, identified by its SportRadar id."""

    bookmaker: Slug = Field(description="The reference bookmaker: 'betpawa'.")
    tournament: CapturedTournament = Field(description="The tournament of the event.")


def country_or_none(
    value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Any:
    """Replace a value that is no country by None, and note a doubt: the rest is worth storing."""
    try:
        return validate(value)
    except ValidationError:
        given = repr(value[:20]) if isinstance(value, str) else "a value other than text"
        doubt(
            info,
            "$.competitor_event.tournament.country_iso",
            f"{given} is no ISO 3166-1 alpha-3 or alpha-2 country code: null is stored",
        )
        return None


class CapturedCompetitorTournament(CompetitorCompetition):
    """A competitor's tournament in a capture, identified by source and external id."""

    # In the base contract, the source is required.
    source: Slug | None = Field(  # type: ignore[assignment]  # see above
        default=None,
        description="The source of the event. It may be left out.",
    )
    country_iso: Annotated[
        CountryIso | None,
        WrapValidator(country_or_none),
        ScalarJsonSchema(json_schema.anything),
    ] = Field(
        default=None,
        description="The country's code in ISO 3166-1 alpha-3 or alpha-2. Any other value is null.",
    )
    sport: CapturedSport = Field(description="The sport of the tournament.")


def check_same_source(source: str, tournament: Any) -> None:
    """Check that an event's tournament names the event's source or none."""
    get = tournament.get if isinstance(tournament, dict) else tournament.__getattribute__
    if get("source") not in (None, source):
        raise ValueError(
            f"tournament.source must be the source of the event, {source!r}, or be left out"
        )


#: The greatest length of a SportRadar id.
ID_LENGTH: int = next(
    mark.max_length for mark in unwrap_annotation(SportradarEventId)[1] if isinstance(mark, MaxLen)
)

#: The length of the hash at the end of a placeholder that is cut.
HASH_LENGTH = 16


def placeholder_id(source: str, external_id: str) -> str:
    """Return the SportRadar id of a competitor's event that has none: it matches no other event.

    It is `<source>:<external_id>`; beyond 100 characters, it is cut and ends with a hash of the
    whole.
    """
    whole = f"{source}:{external_id}"
    if len(whole) <= ID_LENGTH:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:HASH_LENGTH]
    return f"{whole[: ID_LENGTH - HASH_LENGTH - 1]}-{digest}"


def fill_sportradar_id(
    source: str, external_id: str, sportradar_id: str | None
) -> dict[str, str] | None:
    """Fill in the placeholder of a SportRadar id that is missing."""
    if sportradar_id is None:
        return {"sportradar_id": placeholder_id(source, external_id)}
    return None


_OptionalSportradarId = Annotated[SportradarEventId | None, BeforeValidator(blank_to_none)]


class CapturedCompetitorEvent(CompetitorKey, EventPage, Fixture):
    """A competitor's event in a capture, identified by source and external id."""

    __rules__ = (
        Rule(("source", "tournament"), check_same_source),
        Rule(
            ("source", "external_id", "sportradar_id"), fill_sportradar_id, fills=("sportradar_id",)
        ),
    )

    # In the base contract, the id is required. The rule fills it in.
    sportradar_id: _OptionalSportradarId = Field(  # type: ignore[assignment]  # see above
        default=None,
        description="SportRadar's id of the event. It may be left out: the event matches no other "
        "event then, and gets the id '<source>:<external_id>'.",
    )
    tournament: CapturedCompetitorTournament = Field(description="The tournament of the event.")


def distinct_markets_validator(getter: FieldGetter) -> Validator:
    """Build the validator that refuses two markets of a capture with the same `MARKET_KEY`.

    Its error has the indexes of all repeated markets in the context key `again`.
    """
    key_of = getter(*MARKET_KEY)

    def validate(markets: Sequence[Any]) -> Sequence[Any]:
        if len(set(map(key_of, markets))) < len(markets):
            first: dict[Any, int] = {}
            again = [
                index
                for index, key in enumerate(map(key_of, markets))
                if first.setdefault(key, index) < index
            ]
            raise PydanticCustomError(
                "markets_equal",
                "Markets must differ in betpawa_market_id, line, handicap_type or specifiers: "
                "markets {first} and {second} are the same. Merge their outcomes, or distinguish "
                "them by specifiers",
                {"first": first[key_of(markets[again[0]])], "second": again[0], "again": again},
            )
        return markets

    return validate


def is_empty(market: Any) -> bool:
    """Return whether a market of a capture, before its validation, is known but not offered."""
    return isinstance(market, Mapping) and market.get("outcomes") in ([], ())


def without_empty_markets(markets: Any) -> Any:
    """Leave out the markets of a capture that have no outcomes, before their validation."""
    if isinstance(markets, list | tuple) and any(map(is_empty, markets)):
        return [market for market in markets if not is_empty(market)]
    return markets


@dataclass(frozen=True, slots=True)
class _MarketsOrEmpty(BeforeValidator):
    """The validator that leaves out empty markets, and their JSON Schema."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        empty = {
            "type": "object",
            "title": "Empty market",
            "properties": {"outcomes": {"type": "array", "maxItems": 0}},
            "required": ["outcomes"],
        }
        return {**schema, "items": {"anyOf": [schema["items"], empty]}}


def check_exactly_one_event(event: object, competitor_event: object) -> None:
    """Check that a capture has either BetPawa's event or a competitor's event."""
    if (event is None) == (competitor_event is None):
        raise ValueError("give either event (of BetPawa) or competitor_event, not both")


class Capture(Snapshot):
    """An event of a bookmaker at one instant, with its odds.

    The event is in `event` for BetPawa, and in `competitor_event` for all other bookmakers.
    """

    __rules__ = (
        Rule(
            ("event", "competitor_event"),
            check_exactly_one_event,
            json_schema={"oneOf": [all_given("event"), all_given("competitor_event")]},
        ),
    )

    captured_at: CaptureTime = Field(description="The time when the odds were read, UTC.")
    event: CapturedEvent | None = Field(default=None, description="The event, if it is of BetPawa.")
    competitor_event: CapturedCompetitorEvent | None = Field(
        default=None, description="The event, if it is of a competitor."
    )
    markets: Annotated[
        tuple[Market, ...],
        AfterValidator(with_plain_variant(distinct_markets_validator)),
        _MarketsOrEmpty(without_empty_markets),
    ] = Field(
        description="All markets that were offered. Empty if none was offered. A market without "
        "outcomes is not offered, and is left out."
    )

    @property
    def source(self) -> str:
        """Return the slug of the bookmaker: BetPawa's or the competitor's."""
        if self.event is not None:
            return self.event.bookmaker
        assert self.competitor_event is not None  # check_exactly_one_event
        return self.competitor_event.source
