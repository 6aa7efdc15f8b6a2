"""Records: validated captures on their way through ingestion.

Records are msgspec structs. Made from JSON text, compared with each other and written as JSON, they
are several times faster and smaller than dicts or pydantic objects. A test compares their fields
with those of the contracts.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Generic

from msgspec import Meta, Struct, ValidationError, convert
from msgspec.json import Decoder, Encoder
from pydantic_core import from_json
from typing_extensions import TypeVar

from oddsschema.contracts.outcomes import stored_price
from oddsschema.contracts.scalars import LEAST_ODDS, HandicapType
from oddsschema.models.odds import MARKET_KEY

#: The types of the odds of outcomes, and of the ids of markets, for a decoder. The defaults are the
#: types of validated records.
_Odds = TypeVar("_Odds", default=float | None)
_Id = TypeVar("_Id", default=str)

#: Decimal odds.
Priced = Annotated[float, Meta(ge=LEAST_ODDS)]


#: A market's key, which distinguishes the markets of an event: the values of `MARKET_KEY`.
MarketKey = tuple[str | float | None, ...]


class OutcomeRecord(Struct, Generic[_Odds], forbid_unknown_fields=True, gc=False):
    """The fields of `Outcome`."""

    name: str
    odds: _Odds
    is_active: bool = True


class MarketRecord(Struct, Generic[_Odds, _Id], forbid_unknown_fields=True, gc=False):
    """The fields of `Market`."""

    betpawa_market_id: _Id
    betpawa_market_name: str
    outcomes: tuple[OutcomeRecord[_Odds], ...]
    line: float | None = None
    handicap_type: HandicapType | None = None
    handicap_home: float | None = None
    handicap_away: float | None = None
    specifiers: str | None = None


#: The fields of a market, without its outcomes.
MARKET_SCALARS = tuple(name for name in MarketRecord.__struct_fields__ if name != "outcomes")


class SportRecord(Struct):
    """The fields of `CapturedSport`."""

    name: str
    slug: str


class TournamentRecord(Struct):
    """The fields of `CapturedTournament`."""

    name: str
    sportradar_id: str | None
    country: str
    sport: SportRecord


class CompetitorTournamentRecord(Struct):
    """The fields of `CapturedCompetitorTournament`; `source` is the event's."""

    external_id: str
    name: str
    sportradar_id: str | None
    country_raw: str | None
    country_iso: str | None
    sport: SportRecord


class EventRecord(Struct):
    """The fields of `CapturedEvent`."""

    bookmaker: str
    external_event_id: str
    event_url: str | None
    sportradar_id: str
    name: str
    home_team: str
    away_team: str
    kickoff: datetime
    tournament: TournamentRecord

    @property
    def platform(self) -> str:
        """The platform whose odds the capture holds."""
        return self.bookmaker


class CompetitorEventRecord(Struct):
    """The fields of `CapturedCompetitorEvent`."""

    source: str
    external_id: str
    event_url: str | None
    sportradar_id: str
    name: str
    home_team: str
    away_team: str
    kickoff: datetime
    tournament: CompetitorTournamentRecord

    @property
    def platform(self) -> str:
        """The platform whose odds the capture holds."""
        return self.source


class CaptureRecord(Struct):
    """The fields of `Capture`: one of `event` and `competitor_event` is given."""

    captured_at: datetime
    event: EventRecord | None
    competitor_event: CompetitorEventRecord | None
    markets: tuple[MarketRecord[float | None, str], ...]
    #: JSON text; None unless it is to be stored.
    raw_response: bytes | None = None
    #: The number of markets without outcomes, which were left out.
    markets_empty: int = 0
    #: The keys of refused markets, each as far as it was readable: see `unknown_markets`.
    unknown: frozenset[MarketKey] = frozenset()
    #: The keys of the markets without outcomes, if others were refused.
    not_offered: frozenset[MarketKey] = frozenset()

    @property
    def platform(self) -> str:
        """The platform whose odds the capture holds."""
        return self.any_event.platform

    @property
    def any_event(self) -> EventRecord | CompetitorEventRecord:
        """The event of either side."""
        event = self.event or self.competitor_event
        assert event is not None  # a rule of the contract
        return event


def capture_record(validated: dict[str, Any]) -> CaptureRecord:
    """Build the record of a capture that was validated into a dict, without its raw_response.

    The dict's markets may be dicts or records.
    """
    return convert({**validated, "raw_response": None}, CaptureRecord)


#: Return the key of a market.
market_key: Callable[[MarketRecord], MarketKey] = attrgetter(*MARKET_KEY)

_Event = TypeVar("_Event", EventRecord, CompetitorEventRecord)


def by_time(
    captures: Iterable[tuple[_Event, CaptureRecord]],
) -> list[tuple[_Event, CaptureRecord]]:
    """Sort captures by their times; of one instant, the first delivery, which counts, is last."""
    # A reverse sort keeps the order of equal ones.
    newest_first = sorted(captures, key=lambda pair: pair[1].captured_at, reverse=True)
    return newest_first[::-1]


def newest_captures(
    captures: Iterable[tuple[_Event, CaptureRecord]], event_id: Callable[[_Event], str]
) -> dict[str, tuple[_Event, CaptureRecord]]:
    """Map the id of each event to its newest capture; the newest capture of all comes last."""
    newest: dict[str, tuple[_Event, CaptureRecord]] = {}
    for event, capture in by_time(captures):
        newest.pop(event_id(event), None)  # its newest capture decides on its place
        newest[event_id(event)] = event, capture
    return newest


def newest_urls(
    captures: Iterable[tuple[_Event, CaptureRecord]],
    event_id: Callable[[_Event], str],
    stored_until: Mapping[str, datetime],
) -> dict[str, str]:
    """Map the id of each event to the newest URL of its page that is captured.

    Only captures newer than every stored capture of the event count: `stored_until` has the time of
    its last one. An event without a URL in any of them is left out, and keeps its stored URL.
    """
    urls = {}
    for event, capture in by_time(captures):
        last = stored_until.get(event_id(event))
        if event.event_url is not None and (last is None or last < capture.captured_at):
            urls[event_id(event)] = event.event_url
    return urls


#: Encode outcomes as JSON text.
outcomes_json = Encoder().encode

_decode_outcomes = Decoder(list[tuple[OutcomeRecord[float | None], ...]]).decode


def stored_outcomes(documents: str) -> list[tuple[OutcomeRecord, ...]]:
    """Read outcomes as they are stored, from a JSON array of such columns.

    Keys that the contract does not know, which only other writers store, are left out.
    """
    try:
        return _decode_outcomes(documents)
    except ValidationError:
        return [
            tuple(
                OutcomeRecord(
                    outcome["name"], stored_price(outcome), outcome.get("is_active", True)
                )
                for outcome in document
            )
            for document in from_json(documents)
        ]
