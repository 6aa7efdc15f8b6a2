"""Hypothesis strategies for every contract and every table (extra `testing`).

    from hypothesis import given
    from oddsschema.strategies import batches

    @given(batches())
    def test_scraper_output_is_stored(captures): ...

Everything follows from the contracts: a bound that changes there changes here, and a new field or
table needs nothing new. Values are in the form that the contract keeps, so that what was stored can
be compared with what was drawn: text is trimmed, times are in UTC. They are meant to be hard: all
of Unicode, every bound, odds up to the largest float, optional fields in every combination.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

from annotated_types import Ge, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import JsonValue
from pydantic.fields import FieldInfo
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipDirection

from oddsschema.base import Contract, Table, unwrapped
from oddsschema.capture import (
    MARKET_KEY,
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CapturedSport,
    CapturedTournament,
)
from oddsschema.countries import ALPHA3
from oddsschema.models import Market
from oddsschema.outcomes import Outcome
from oddsschema.types import NO_NUL, CountryIso, HandicapType

__all__ = [
    "batches",
    "captures",
    "contracts",
    "damaged_captures",
    "field_values",
    "json_values",
    "markets",
    "outcomes",
    "rows",
]

_C = TypeVar("_C", bound=Contract)
_T = TypeVar("_T", bound=Table)

#: What pydantic trims, Unicode's White_Space. Python's own strip() would take \x1c to \x1f as well.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
#: The mark by which a country's code is known among other texts.
_COUNTRY = get_args(CountryIso)[-1]
#: The slug of the bookmaker whose events are the reference.
_REFERENCE = "betpawa"
#: The length of a long text where the contract sets no limit.
_LONG = 3000


# -- scalars ---------------------------------------------------------------------------------------


def field_values(field: FieldInfo) -> SearchStrategy[Any]:
    """What a field of a contract may hold: `field_values(Outcome.model_fields["odds"])`."""
    values = _scalars(*unwrapped(field.rebuild_annotation()))
    return st.none() | values if NoneType in get_args(field.annotation) else values


def json_values() -> SearchStrategy[Any]:
    """Any JSON value that JSONB can hold."""
    texts = st.text(_CHARACTERS, max_size=12)
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=8,
    )


def _scalars(python_type: Any, marks: list[Any]) -> SearchStrategy[Any]:
    """The values of a type within the bounds that its `Annotated` states."""
    least, most = _bound(marks, Ge, "ge"), _bound(marks, Le, "le")
    if python_type is JsonValue:
        return json_values()
    if get_origin(python_type) is tuple:
        return {Outcome: outcomes, Market: markets}[get_args(python_type)[0]]()
    if issubclass(python_type, Contract):
        return contracts(python_type)
    if issubclass(python_type, StrEnum):
        return st.sampled_from(python_type)
    if issubclass(python_type, str):
        if _COUNTRY in marks:
            return st.sampled_from(sorted(ALPHA3))
        pattern = next((mark.pattern for mark in marks if hasattr(mark, "pattern")), NO_NUL)
        shortest = _bound(marks, MinLen, "min_length") or 0
        return _texts(pattern, shortest, _bound(marks, MaxLen, "max_length") or _LONG)
    if issubclass(python_type, bool):
        return st.booleans()
    if issubclass(python_type, int):
        return st.integers(least, most)
    if issubclass(python_type, float):
        start = -10.0 if least is None else least
        usual = st.integers(0, 80).map(lambda quarters: start + quarters / 4)
        return usual | st.floats(least, most, allow_nan=False, allow_infinity=False)
    if issubclass(python_type, datetime):
        last = _bound(marks, Lt, "lt") - timedelta(microseconds=1)
        first_naive, last_naive = least.replace(tzinfo=None), last.replace(tzinfo=None)
        return st.datetimes(first_naive, last_naive, timezones=st.just(UTC))
    raise TypeError(f"no strategy for {python_type}")


def _bound(marks: list[Any], kind: type[Any], name: str) -> Any:
    return next((getattr(mark, name) for mark in marks if isinstance(mark, kind)), None)


@cache
def _texts(pattern: str, shortest: int, longest: int) -> SearchStrategy[str]:
    """Trimmed texts within a pattern and bounds; many of them exactly as long as they may be."""
    if pattern == NO_NUL:
        short = st.text(_CHARACTERS, min_size=shortest, max_size=min(longest, 12))
    else:
        short = st.from_regex(pattern, fullmatch=True)
    short = short.map(lambda text: text.strip(_WHITE_SPACE))
    # Ends as it begins, so that trimming takes nothing away.
    stretched = short.filter(bool).map(lambda text: (text * longest)[: longest - 1] + text[0])
    return (short | short | stretched).filter(
        lambda text: shortest <= len(text) <= longest and bool(re.fullmatch(pattern, text))
    )


# -- contracts and tables --------------------------------------------------------------------------


@st.composite
def contracts(draw: st.DrawFn, /, contract: type[_C], **given: SearchStrategy[Any]) -> _C:
    """Objects of a contract or of a table: `contracts(CompetitorEvent, source=st.just("bet9ja"))`.

    `given` are strategies for fields, and for relationships of a table. A table's ids and foreign
    keys are any integers: for objects that a database will take, see `rows`.
    """
    if contract is Capture and not given.keys() & {"event", "competitor_event"}:
        return cast(_C, draw(captures(None, **given)))
    if contract is CapturedCompetitorEvent and "tournament" not in given:
        source = draw(given.get("source", _slugs()))
        tournament = contracts(CapturedCompetitorTournament, source=st.none() | st.just(source))
        given |= {"source": st.just(source), "tournament": tournament}
    values = draw(_plain_fields(contract, frozenset(given)))
    if issubclass(contract, Market):
        values |= draw(_handicaps())
    values |= {name: draw(strategy) for name, strategy in given.items()}
    made: _C = contract(**values)
    return made


@cache
def _plain_fields(contract: type[Contract], given: frozenset[str]) -> SearchStrategy[Any]:
    """Values of the fields that no rule ties together; those with a default are optional."""
    ruled = {name for rule in contract.__rules__ for name in rule.fields} | given
    fields = {name: field for name, field in contract.model_fields.items() if name not in ruled}
    return st.fixed_dictionaries(
        {name: field_values(field) for name, field in fields.items() if field.is_required()},
        optional={
            name: field_values(field) for name, field in fields.items() if not field.is_required()
        },
    )


@cache
def _handicaps() -> SearchStrategy[dict[str, Any]]:
    """No handicap, or a whole one."""
    goals = _scalars(*unwrapped(Market.model_fields["handicap_home"].rebuild_annotation()))
    kinds = st.sampled_from(HandicapType)
    no_handicap = dict.fromkeys(("handicap_type", "handicap_home", "handicap_away"))
    return st.sampled_from(({}, no_handicap)) | st.fixed_dictionaries(
        {"handicap_type": kinds, "handicap_home": goals, "handicap_away": goals}
    )


@st.composite
def rows(draw: st.DrawFn, /, table: type[_T]) -> _T:
    """Objects of a table that a session can add, with the rows that they refer to.

    The ids and foreign keys are left to PostgreSQL and to the relationships. A row is joined to at
    most one row of each other table, so that no two of them can have the same unique name.
    """
    known: dict[type[Table], Table] = {}

    def row(table: type[_T]) -> _T:
        given: dict[str, SearchStrategy[Any]] = {}
        filled = {column.key for column in inspect(table).columns if column.primary_key}
        for relationship in inspect(table).relationships:
            if relationship.direction is RelationshipDirection.MANYTOONE:
                filled |= {column.key for column in relationship.local_columns}
                parent = relationship.mapper.class_
                needed = not any(column.nullable for column in relationship.local_columns)
                if needed or draw(st.booleans()):
                    known[parent] = known.get(parent) or row(parent)
                    given[relationship.key] = st.just(known[parent])
        return draw(contracts(table, **given, **{name: st.none() for name in filled}))

    return row(table)


# -- markets and captures --------------------------------------------------------------------------


@st.composite
def outcomes(draw: st.DrawFn, /) -> tuple[Outcome, ...]:
    """The outcomes of a market: a few, seldom as many as there may be; no name twice."""
    _, marks = unwrapped(Market.model_fields["outcomes"].rebuild_annotation())
    least, most = _bound(marks, MinLen, "min_length"), _bound(marks, MaxLen, "max_length")
    if draw(st.integers(0, 29)) == 29:
        one = draw(contracts(Outcome))
        size = draw(st.just(most) | st.integers(least, most))
        return tuple(one.model_copy(update={"name": f"{at}"}) for at in range(size))
    few = st.lists(contracts(Outcome), min_size=least, max_size=4, unique_by=attrgetter("name"))
    return tuple(draw(few))


@st.composite
def markets(draw: st.DrawFn, /) -> tuple[Market, ...]:
    """The markets of a capture, from none to a few: several lines of one, but no two alike."""
    ids = st.sampled_from(draw(_few(field_values(Market.model_fields["betpawa_market_id"]))))
    market = contracts(Market, betpawa_market_id=ids)
    return tuple(draw(st.lists(market, max_size=4, unique_by=attrgetter(*MARKET_KEY))))


@st.composite
def captures(
    draw: st.DrawFn, /, source: str | None = None, **given: SearchStrategy[Any]
) -> Capture:
    """A whole capture: of "betpawa", of the competitor `source`, or of any bookmaker.

    Captures that were drawn one by one may contradict each other (a sport under two names): for
    some that a database will take together, see `batches`. `given` are strategies for fields.
    """
    whose = _slugs() if source is None else st.just(source)
    is_reference = draw(st.booleans()) if source is None else source == _REFERENCE
    events: dict[str, SearchStrategy[Any]] = (
        {"event": contracts(CapturedEvent, bookmaker=whose), "competitor_event": st.none()}
        if is_reference
        else {
            "competitor_event": contracts(CapturedCompetitorEvent, source=whose),
            "event": st.none(),
        }
    )
    return draw(contracts(Capture, **events | given))


def _slugs() -> SearchStrategy[str]:
    return field_values(CapturedCompetitorEvent.model_fields["source"])


@st.composite
def batches(draw: st.DrawFn, /) -> list[Capture]:
    """Captures that belong together, as a scrape of several platforms delivers them; in any order.

    The platforms share matches by SportRadar id; each lists some of them, at several times. An
    event is described alike by all its captures, and none of them stands twice.
    """
    sport = st.sampled_from(draw(_few(_sports(), attrgetter("slug"), attrgetter("name"))))
    match = st.sampled_from(draw(_few(field_values(CapturedEvent.model_fields["sportradar_id"]))))
    times = draw(_few(field_values(Capture.model_fields["captured_at"])))
    platforms = draw(_few(st.just(_REFERENCE) | _slugs()))
    found: list[Capture] = []
    for platform in platforms:
        side, events = _events(draw, platform, sport, match)
        for event in events:
            moments = draw(st.lists(st.sampled_from(times), min_size=1, unique=True))
            for moment in moments:
                sides = {"event": st.none(), "competitor_event": st.none(), side: st.just(event)}
                found.append(draw(contracts(Capture, captured_at=st.just(moment), **sides)))
    return draw(st.permutations(found))


def _few(items: SearchStrategy[Any], *different: Any) -> SearchStrategy[list[Any]]:
    """One to three items that differ, in each of the given keys or as such."""
    keys = different or (lambda item: item,)
    return st.lists(items, min_size=1, max_size=3, unique_by=keys)


def _sports() -> SearchStrategy[CapturedSport]:
    # Names of sports are unique, and a migrated database knows one already.
    return contracts(CapturedSport).filter(
        lambda sport: sport.name != "Football" or sport.slug == "football"
    )


def _events(
    draw: st.DrawFn,
    platform: str,
    sport: SearchStrategy[CapturedSport],
    match: SearchStrategy[str],
) -> tuple[str, list[Any]]:
    """The field of a capture that a platform fills, and some events of few tournaments for it."""
    if platform == _REFERENCE:
        key = attrgetter("sport.slug", "name", "country")
        tournaments = draw(
            _few(
                contracts(CapturedTournament, sport=sport),
                key,
                lambda one: one.sportradar_id or key(one),
            )
        )
        event: SearchStrategy[Any] = contracts(
            CapturedEvent,
            bookmaker=st.just(platform),
            sportradar_id=match,
            tournament=st.sampled_from(tournaments),
        )
        return "event", draw(_few(event, attrgetter("sportradar_id")))
    sources = st.none() | st.just(platform)
    tournament = contracts(CapturedCompetitorTournament, source=sources, sport=sport)
    tournaments = draw(_few(tournament, attrgetter("external_id")))
    event = contracts(
        CapturedCompetitorEvent,
        source=st.just(platform),
        sportradar_id=match,
        tournament=st.sampled_from(tournaments),
    )
    return "competitor_event", draw(_few(event, attrgetter("external_id")))


# -- what breaks -----------------------------------------------------------------------------------

_JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 1e400, float("nan"), 2**63, "", " ", "\0", "x\0", "\ud800"),
    *("x" * 2000, "2024-01-09T12:00:00", "1969-12-31T23:59:59Z", "asian", "XXX", [], {}),
)
_ODD_KEYS = ("\0", "\ud800", "id", "source")


@st.composite
def damaged_captures(draw: st.DrawFn, /) -> dict[str, Any]:
    """A capture as a dict in which one value was replaced, removed or added, or one item doubled.

    Most of them break the contract, in every place where it can be broken; some still hold it.
    """
    capture: dict[str, Any] = draw(captures()).model_dump(mode="json")
    places = list(_places(capture))
    container, key = places[draw(st.integers(0, len(places) - 1))]
    damage = draw(st.sampled_from(("replace", "replace", "remove", "add")))
    if damage == "remove":
        del container[key]
    elif damage == "replace":
        container[key] = draw(st.sampled_from(_JUNK) | json_values())
    elif isinstance(container, list):
        container.append(container[key])
    else:
        container[draw(st.text(_CHARACTERS) | st.sampled_from(_ODD_KEYS))] = draw(json_values())
    return capture


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every key or index of a JSON document, with the object or array that it is in."""
    for key in container if isinstance(container, dict) else range(len(container)):
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])
