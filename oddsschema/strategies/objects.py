"""The strategies of single contracts and tables, and of the tuples of outcomes and markets."""

from collections.abc import Mapping
from functools import cache
from itertools import count, islice
from operator import attrgetter
from types import EllipsisType, NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from annotated_types import MaxLen, MinLen
from hypothesis import event, reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipDirection

from oddsschema.capture import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
)
from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import unwrap_annotation
from oddsschema.contracts.outcomes import Outcome
from oddsschema.contracts.scalars import LEAST_ODDS, CaptureTime, HandicapType, Odds
from oddsschema.contracts.table import Table
from oddsschema.models import Market, MarketType
from oddsschema.models.odds import MARKET_KEY
from oddsschema.reference import REFERENCE
from oddsschema.strategies.scalars import bound, scalars

_C = TypeVar("_C", bound=Contract)
_T = TypeVar("_T", bound=Table)

CapturedAnyEvent = CapturedEvent | CapturedCompetitorEvent

#: The fields of a handicap.
_HANDICAP = ("handicap_type", "handicap_home", "handicap_away", "line")


def field_values(field: FieldInfo) -> SearchStrategy[Any]:
    """Build the strategy of a field's values: `field_values(Outcome.model_fields["odds"])`."""
    annotation: Any = field.annotation
    is_union = get_origin(annotation) in (Union, UnionType)
    kinds = get_args(annotation) if is_union else (annotation,)
    if len(kinds) - kinds.count(NoneType) > 1:
        values = st.one_of(
            [type_values(*unwrap_annotation(kind)) for kind in kinds if kind is not NoneType]
        )
    else:
        values = type_values(*unwrap_annotation(field.rebuild_annotation()))
    return st.none() | values if NoneType in kinds else values


def type_values(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """Build the strategy of a type's values within the bounds of its marks."""
    if isinstance(python_type, type) and issubclass(python_type, Contract):
        return contracts(python_type)
    match get_args(python_type):
        case (type() as element, EllipsisType()) if element is Outcome:
            return outcomes()
        case (type() as element, EllipsisType()) if element is Market:
            return markets()
        case (element, EllipsisType()) if element == CaptureTime:
            return (
                st.lists(type_values(*unwrap_annotation(element)), max_size=4)
                .map(sorted)
                .map(tuple)
            )
        case (element, EllipsisType()):
            return st.lists(type_values(*unwrap_annotation(element)), max_size=4).map(tuple)
        case (element,) if get_origin(python_type) is list:
            return st.lists(type_values(*unwrap_annotation(element)), max_size=4)
    return scalars(python_type, marks)


@st.composite
def contracts(draw: st.DrawFn, /, contract: type[_C], **given: Any) -> _C:
    """Draw an object of a contract or a table: `contracts(CompetitorEvent, source="bet9ja")`.

    `given` are fields, or relationships of a table, as values or as strategies. Ids and foreign
    keys of a table are random integers: use `rows` for objects that a database accepts.
    """
    known = {name: draw_if_strategy(draw, value) for name, value in given.items()}
    if issubclass(contract, Capture) and not known.keys() & {"event", "competitor_event"}:
        known |= event_fields(draw(events()))
    if issubclass(contract, CapturedCompetitorEvent):
        known |= draw_competitor(draw, known)
    if issubclass(contract, MarketType):
        known |= draw_handicap(draw, known)
    if issubclass(contract, Outcome):
        known |= draw_price(draw, known)
    arguments = {name: value for name, value in known.items() if value is not ...}
    for _ in range(5):
        try:
            drawn_object: _C = contract(
                **arguments, **draw(remaining_fields(contract, frozenset(known)))
            )
        except ValidationError as error:
            # The contracts of this package are valid by construction. The rules of a user's
            # subclass may need several attempts.
            if contract.__module__.startswith("oddsschema."):
                raise
            event(f"{contract.__name__} refused: {error.errors()[0]['msg']}")  # for the statistics
        else:
            return drawn_object
    return reject()


def draw_if_strategy(draw: st.DrawFn, given: Any) -> Any:
    """Return the given value, or draw it if a strategy was given."""
    return draw(given) if isinstance(given, SearchStrategy) else given


@cache
def remaining_fields(contract: type[Contract], known: frozenset[str]) -> SearchStrategy[Any]:
    """Build the strategy of the other fields. Fields with a default are optional."""
    fields = {name: field for name, field in contract.model_fields.items() if name not in known}
    return st.fixed_dictionaries(
        {name: field_values(field) for name, field in fields.items() if field.is_required()},
        optional={
            name: field_values(field) for name, field in fields.items() if not field.is_required()
        },
    )


def draw_handicap(draw: st.DrawFn, known: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the fields of a handicap: all with a value, or none (None, or left out: ...).

    Known fields keep their values. The line of a handicap may be left out, too.
    """
    given = {name: known[name] for name in _HANDICAP if name in known}
    *handicap, _ = _HANDICAP
    values = [given[name] for name in handicap if name in given]
    if None in values or (not values and draw(st.booleans())):
        return dict.fromkeys(handicap, ... if draw(st.booleans()) else None) | given
    goals = [
        *([given["handicap_home"]] if "handicap_home" in given else []),
        *([-given["handicap_away"]] if "handicap_away" in given else []),
        *([given["line"]] if given.get("line") is not None else []),
    ]
    home = goals[0] if goals else draw(_handicap_goals())
    return {
        "handicap_type": draw(st.sampled_from(HandicapType)),
        "handicap_home": home,
        "handicap_away": -home,
        "line": draw(st.sampled_from([home, None, ...])),
    } | given


def draw_price(draw: st.DrawFn, known: Mapping[str, Any]) -> dict[str, Any]:
    """Draw the odds of an outcome, and whether it is active. Only a closed outcome lacks a price.

    Known fields keep their values.
    """
    if "odds" in known:
        has_price = known["odds"] is not None and known["odds"] >= LEAST_ODDS
        return {} if has_price or "is_active" in known else {"is_active": False}
    priced: SearchStrategy[Any] = scalars(*unwrap_annotation(Odds))
    if known.get("is_active") is False:
        return {"odds": draw(priced | st.sampled_from([None, ...]))}
    if "is_active" not in known and draw(st.integers(0, 9)) == 9:
        return {"odds": draw(st.sampled_from([None, ...])), "is_active": False}
    return {"odds": draw(priced)}


@cache
def _handicap_goals() -> SearchStrategy[float]:
    """Build the strategy of a handicap's goals."""
    return scalars(*unwrap_annotation(Market.model_fields["handicap_home"].rebuild_annotation()))


def draw_competitor(draw: st.DrawFn, known: Mapping[str, Any]) -> dict[str, Any]:
    """Draw a competitor's slug and a tournament of this competitor, unless they are known."""
    tournament = known.get("tournament")
    source = known.get("source") or (tournament and tournament.source) or draw(slugs())
    if tournament is None:
        sources = st.none() | st.just(source)
        tournament = draw(contracts(CapturedCompetitorTournament, source=sources))
    return {"source": source, "tournament": tournament}


@st.composite
def rows(draw: st.DrawFn, /, table: type[_T], **given: Any) -> _T:
    """Draw an object of a table that a session can add, with the rows to which it refers.

    PostgreSQL and the relationships fill the ids and foreign keys. The object has at most one
    related row per table, so that unique names cannot collide. `given` are fields and relationships
    of the object itself, as for `contracts`.
    """
    known: dict[type[Table], Table] = {}

    def row(table: type[_T], given: dict[str, Any]) -> _T:
        filled = {column.key for column in inspect(table).columns if column.primary_key}
        for relationship in inspect(table).relationships:
            if relationship.direction is RelationshipDirection.MANYTOONE:
                filled |= {column.key for column in relationship.local_columns}
                parent = relationship.mapper.class_
                needed = not any(column.nullable for column in relationship.local_columns)
                if relationship.key not in given and (needed or draw(st.booleans())):
                    known[parent] = known.get(parent) or row(parent, {})
                    given[relationship.key] = known[parent]
        return draw(contracts(table, **dict.fromkeys(filled) | given))

    return row(table, given)


# -- outcomes, markets, events ---------------------------------------------------------------------


@st.composite
def outcomes(draw: st.DrawFn, /) -> tuple[Outcome, ...]:
    """Draw the outcomes of a market with different names: mostly a few, rarely the maximum."""
    _, marks = unwrap_annotation(Market.model_fields["outcomes"].rebuild_annotation())
    least, most = bound(marks, MinLen, "min_length"), bound(marks, MaxLen, "max_length")
    if draw(st.integers(0, 29)) == 29:
        outcome = draw(contracts(Outcome))
        size = draw(st.just(most) | st.integers(least, most))
        return tuple(outcome.model_copy(update={"name": f"{index}"}) for index in range(size))
    some = st.lists(contracts(Outcome), min_size=least, max_size=4, unique_by=attrgetter("name"))
    return tuple(draw(some))


@st.composite
def markets(
    draw: st.DrawFn, /, *, min_size: int = 0, max_size: int | None = None
) -> tuple[Market, ...]:
    """Draw the markets of a capture. They differ in `MARKET_KEY`; some differ only in their line.

    The default of `max_size` is `min_size` + 4.
    """
    most = min_size + 4 if max_size is None else max_size
    ids = st.sampled_from(draw(few(field_values(Market.model_fields["betpawa_market_id"]))))
    different = st.lists(
        contracts(Market, betpawa_market_id=ids),
        min_size=min(min_size, 4),
        max_size=min(most, 4),
        unique_by=attrgetter(*MARKET_KEY),
    )
    drawn_markets = draw(different)
    if drawn_markets and most > 4:
        # Drawing many markets is slow. From the fifth on, they are copies with other ids.
        size = draw(st.integers(max(min_size, len(drawn_markets)), most))
        used = {market.betpawa_market_id for market in drawn_markets}
        free = (f"{number}" for number in count() if f"{number}" not in used)
        drawn_markets += [
            drawn_markets[0].model_copy(update={"betpawa_market_id": market_id})
            for market_id in islice(free, size - len(drawn_markets))
        ]
    return tuple(drawn_markets)


def few(items: SearchStrategy[Any], *different: Any) -> SearchStrategy[list[Any]]:
    """Build the strategy of one to three items that differ in each of the given keys.

    Without keys, the items themselves differ.
    """
    keys = different or (lambda item: item,)
    return st.lists(items, min_size=1, max_size=3, unique_by=keys)


def slugs() -> SearchStrategy[str]:
    """Build the strategy of the slugs of platforms."""
    return field_values(CapturedCompetitorEvent.model_fields["source"])


@st.composite
def events(draw: st.DrawFn, /, source: str | SearchStrategy[str] | None = None) -> CapturedAnyEvent:
    """Draw an event of a capture, from the bookmaker `source` or from any bookmaker."""
    slug = draw_if_strategy(draw, slugs() if source is None else source)
    if draw(st.booleans()) if source is None else slug == REFERENCE:
        return draw(contracts(CapturedEvent, bookmaker=slug))
    return draw(contracts(CapturedCompetitorEvent, source=slug))


def event_fields(event: CapturedAnyEvent) -> dict[str, Any]:
    """Return the values of a capture's fields `event` and `competitor_event`."""
    if isinstance(event, CapturedEvent):
        return {"event": event, "competitor_event": None}
    return {"event": None, "competitor_event": event}
