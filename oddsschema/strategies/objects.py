"""Objects of single contracts and tables, and the tuples of them that fields hold."""

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
from oddsschema.contracts.scalars import HandicapType, UtcTime
from oddsschema.contracts.table import Table
from oddsschema.models import Market, MarketType
from oddsschema.models.odds import MARKET_KEY
from oddsschema.strategies.scalars import bound, scalars

_C = TypeVar("_C", bound=Contract)
_T = TypeVar("_T", bound=Table)

CapturedAnyEvent = CapturedEvent | CapturedCompetitorEvent

#: The slug of the bookmaker whose events are the reference.
REFERENCE = "betpawa"

#: The fields that are given together, or not at all.
_HANDICAP = ("handicap_type", "handicap_home", "handicap_away")


def field_values(field: FieldInfo) -> SearchStrategy[Any]:
    """What a field of a contract may hold: `field_values(Outcome.model_fields["odds"])`."""
    kind: Any = field.annotation
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if len(kinds) - kinds.count(NoneType) > 1:
        values = st.one_of(
            [_values(*unwrap_annotation(one)) for one in kinds if one is not NoneType]
        )
    else:
        values = _values(*unwrap_annotation(field.rebuild_annotation()))
    return st.none() | values if NoneType in kinds else values


def _values(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    if isinstance(python_type, type) and issubclass(python_type, Contract):
        return contracts(python_type)
    match get_args(python_type):
        case (type() as element, EllipsisType()) if element is Outcome:
            return outcomes()
        case (type() as element, EllipsisType()) if element is Market:
            return markets()
        case (element, EllipsisType()) if element == UtcTime:
            return st.lists(_values(*unwrap_annotation(element)), max_size=4).map(sorted).map(tuple)
        case (element, EllipsisType()):
            return st.lists(_values(*unwrap_annotation(element)), max_size=4).map(tuple)
    return scalars(python_type, marks)


@st.composite
def contracts(draw: st.DrawFn, /, contract: type[_C], **given: Any) -> _C:
    """Objects of a contract or of a table: `contracts(CompetitorEvent, source="bet9ja")`.

    `given` are fields, and relationships of a table: values, or strategies of them. A table's ids
    and foreign keys are any integers: for objects that a database will take, see `rows`.
    """
    known = {name: drawn(draw, value) for name, value in given.items()}
    if issubclass(contract, Capture) and not known.keys() & {"event", "competitor_event"}:
        known |= side(draw(events()))
    if issubclass(contract, CapturedCompetitorEvent):
        known |= _competitors(draw, known)
    if issubclass(contract, MarketType):
        known |= _handicap(draw, known)
    said = {name: value for name, value in known.items() if value is not ...}
    for _ in range(5):
        try:
            made: _C = contract(**said, **draw(_others(contract, frozenset(known))))
        except ValidationError as error:
            # Ours hold by construction. What a subclass demands besides is tried until it is met.
            if contract.__module__.startswith("oddsschema."):
                raise
            event(f"{contract.__name__} refused: {error.errors()[0]['msg']}")  # for the statistics
        else:
            return made
    return reject()


def drawn(draw: st.DrawFn, given: Any) -> Any:
    """A value that was given, or one that was drawn from the strategy given."""
    return draw(given) if isinstance(given, SearchStrategy) else given


@cache
def _others(contract: type[Contract], known: frozenset[str]) -> SearchStrategy[Any]:
    """Values of the fields that are not known yet; those with a default may be left out."""
    fields = {name: field for name, field in contract.model_fields.items() if name not in known}
    return st.fixed_dictionaries(
        {name: field_values(field) for name, field in fields.items() if field.is_required()},
        optional={
            name: field_values(field) for name, field in fields.items() if not field.is_required()
        },
    )


def _handicap(draw: st.DrawFn, known: Mapping[str, Any]) -> dict[str, Any]:
    """No handicap, left out (...) or said, or a whole one around what is known of it."""
    part = {name: known[name] for name in _HANDICAP if name in known}
    if None in part.values() or (not part and draw(st.booleans())):
        return dict.fromkeys(_HANDICAP, ... if draw(st.booleans()) else None) | part
    kind, goals = st.sampled_from(HandicapType), _goals()
    return {
        name: part[name] if name in part else draw(values)
        for name, values in zip(_HANDICAP, (kind, goals, goals), strict=True)
    }


@cache
def _goals() -> SearchStrategy[float]:
    return scalars(*unwrap_annotation(Market.model_fields["handicap_home"].rebuild_annotation()))


def _competitors(draw: st.DrawFn, known: Mapping[str, Any]) -> dict[str, Any]:
    """A competitor's slug, and a tournament of its."""
    tournament = known.get("tournament")
    source = known.get("source") or (tournament and tournament.source) or draw(slugs())
    if tournament is None:
        sources = st.none() | st.just(source)
        tournament = draw(contracts(CapturedCompetitorTournament, source=sources))
    return {"source": source, "tournament": tournament}


@st.composite
def rows(draw: st.DrawFn, /, table: type[_T], **given: Any) -> _T:
    """Objects of a table that a session can add, with the rows that they refer to.

    The ids and foreign keys are left to PostgreSQL and to the relationships. A row is joined to at
    most one row of each other table, so that no two of them can have the same unique name. `given`
    are fields and relationships of the row itself, as for `contracts`.
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
    """The outcomes of a market: a few, seldom as many as there may be; no name twice."""
    _, marks = unwrap_annotation(Market.model_fields["outcomes"].rebuild_annotation())
    least, most = bound(marks, MinLen, "min_length"), bound(marks, MaxLen, "max_length")
    if draw(st.integers(0, 29)) == 29:
        one = draw(contracts(Outcome))
        size = draw(st.just(most) | st.integers(least, most))
        return tuple(one.model_copy(update={"name": f"{at}"}) for at in range(size))
    few = st.lists(contracts(Outcome), min_size=least, max_size=4, unique_by=attrgetter("name"))
    return tuple(draw(few))


@st.composite
def markets(
    draw: st.DrawFn, /, *, min_size: int = 0, max_size: int | None = None
) -> tuple[Market, ...]:
    """The markets of a capture: several lines of one, but no two alike.

    Without `max_size` a few, at most four more than there must be.
    """
    most = min_size + 4 if max_size is None else max_size
    ids = st.sampled_from(draw(few(field_values(Market.model_fields["betpawa_market_id"]))))
    different = st.lists(
        contracts(Market, betpawa_market_id=ids),
        min_size=min(min_size, 4),
        max_size=min(most, 4),
        unique_by=attrgetter(*MARKET_KEY),
    )
    found = draw(different)
    if found and most > 4:
        # Many would be slow to draw: from the fifth on they are one market under other ids.
        size = draw(st.integers(max(min_size, len(found)), most))
        taken = {one.betpawa_market_id for one in found}
        others = (f"{at}" for at in count() if f"{at}" not in taken)
        again = islice(others, size - len(found))
        found += [found[0].model_copy(update={"betpawa_market_id": other}) for other in again]
    return tuple(found)


def few(items: SearchStrategy[Any], *different: Any) -> SearchStrategy[list[Any]]:
    """One to three items that differ, in each of the given keys or as such."""
    keys = different or (lambda item: item,)
    return st.lists(items, min_size=1, max_size=3, unique_by=keys)


def slugs() -> SearchStrategy[str]:
    """Whatever a platform may be called."""
    return field_values(CapturedCompetitorEvent.model_fields["source"])


@st.composite
def events(draw: st.DrawFn, /, source: str | SearchStrategy[str] | None = None) -> CapturedAnyEvent:
    """An event as captured from a bookmaker, or from any."""
    slug = drawn(draw, slugs() if source is None else source)
    if draw(st.booleans()) if source is None else slug == REFERENCE:
        return draw(contracts(CapturedEvent, bookmaker=slug))
    return draw(contracts(CapturedCompetitorEvent, source=slug))


def side(event: CapturedAnyEvent) -> dict[str, Any]:
    """The fields of a capture that say which event it is of."""
    if isinstance(event, CapturedEvent):
        return {"event": event, "competitor_event": None}
    return {"event": None, "competitor_event": event}
