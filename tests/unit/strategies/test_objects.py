"""The strategies: that what is hard is among what they yield, that they can be narrowed, and that
Hypothesis finds them by itself."""

import datetime as dt
import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Gt, Interval
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pydantic import AwareDatetime, ValidationError, field_validator
from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import Field

import oddsschema
from oddsschema import (
    Capture,
    CapturedCompetitorEvent,
    CapturedCompetitorTournament,
    CapturedEvent,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorTournament,
    Contract,
    Market,
    Outcome,
    Sport,
    Table,
)
from oddsschema.contracts.base import Rule, all_or_none
from oddsschema.contracts.scalars import Int4, Name50, Slug, UtcTime
from oddsschema.strategies import contracts, rows

#: `find` reports what it has found as if it were a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEARCH = settings(
    max_examples=5000,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # what is found need not be small
    suppress_health_check=list(HealthCheck),
)

#: All that the package exports and whose objects are values.
VALUES = [
    thing
    for thing in map(vars(oddsschema).get, oddsschema.__all__)
    if isinstance(thing, type) and issubclass(thing, Contract | enum.Enum)
]


@given(st.data())
def test_narrowed_contract(data: st.DataObject) -> None:
    """A field of a contract is what it is told to be, a value or a strategy; others go along."""
    assert data.draw(contracts(Outcome, odds=1.5, name=st.just("X"))).odds == 1.5
    tournament = data.draw(contracts(CapturedCompetitorTournament, source="bet9ja"))
    event = data.draw(contracts(CapturedCompetitorEvent, tournament=tournament))
    assert (event.source, event.tournament) == ("bet9ja", tournament)
    market = data.draw(contracts(Market, handicap_home=-1.5))
    assert (market.handicap_type, market.handicap_home) != (None, None)
    assert data.draw(contracts(Market, handicap_type=None)).handicap_away is None


@given(st.data())
def test_narrowed_row(data: st.DataObject) -> None:
    """A row has the fields and the related rows that were given, and new ones else."""
    sport = data.draw(rows(Sport, slug="football"))
    tournament = data.draw(rows(CompetitorTournament, sport=sport, source="bet9ja"))
    event = data.draw(rows(CompetitorEvent, tournament=tournament, betpawa_event=None))
    assert (sport.slug, tournament.source) == ("football", "bet9ja")
    assert event.tournament.sport is sport
    assert event.betpawa_event is None


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(st.data())
def test_from_type(kind: type[Any], data: st.DataObject) -> None:
    """`st.from_type` of each class that is exported gives objects of it that hold its contract."""
    one = data.draw(st.from_type(kind))
    assert isinstance(one, kind)
    if isinstance(one, Contract):
        type(one).model_validate(one.model_dump())


def test_a_table_is_not_the_contract_it_has() -> None:
    """`st.from_type` of a contract gives that contract, though tables are subclasses of it."""
    find(st.from_type(Market), lambda market: type(market) is Market)
    find(st.from_type(Contract), lambda one: isinstance(one, Table))


@dataclass
class Slip:
    """Somebody's class with fields of ours."""

    market: Annotated[CompetitorMarketOdds, "what is bet on"]
    capture: Capture | None
    outcomes: list[Outcome]
    either: CapturedEvent | CapturedCompetitorEvent


@given(st.from_type(Slip))
def test_fields_of_other_classes(slip: Slip) -> None:
    """Fields of somebody's class are resolved: Annotated, optional, in lists, in unions."""
    assert isinstance(slip.market, CompetitorMarketOdds)
    assert slip.capture is None or slip.capture.source
    assert all(outcome.odds >= 1 for outcome in slip.outcomes)
    assert isinstance(slip.either, CapturedEvent | CapturedCompetitorEvent)


def not_dearer(low: float, high: float) -> None:
    """The rule of `Boost`."""
    if low > high:
        raise ValueError("low must not be above high")


@cache
def somebodys() -> SimpleNamespace:
    """Classes of another project. Tests that look at every contract do not find them at import."""

    class Boost(Capture):
        """Somebody's contract, with types that ours do not have."""

        __rules__ = (*Capture.__rules__, Rule(("low", "high"), not_dearer))

        low: Annotated[float, Gt(0), Field(le=1)]
        high: float = Field(ge=0, le=10)
        stake: Decimal = Field(ge=0, le=100)
        share: Annotated[int, Interval(gt=0, lt=3)]
        number: Annotated[str, st.from_regex("[A-Z][0-9]", fullmatch=True)]
        day: dt.date | None = None
        seen: Annotated[datetime, AwareDatetime]
        tags: list[str] = Field(max_length=3)
        kind: Literal["flash", "daily"] = "daily"
        key: int | Name50 = 0
        legs: tuple[CapturedCompetitorEvent, ...] = ()
        previous: Capture | None = None

    class Loud(Outcome):
        """Somebody's contract, with a demand of its own."""

        @field_validator("name")
        @classmethod
        def _loud(cls, name: str) -> str:
            if name != name.upper():
                raise ValueError("say it loud")
            return name

    class Base(Table, registry=registry(metadata=MetaData())):
        """Tables of this file, in a MetaData of their own: without fields, and without a table."""

    class Stamped(Base):
        """Fields of such tables, without a table."""

        stamped_at: UtcTime

    class Promotion(Stamped, table=True):
        """Somebody's table."""

        __tablename__: ClassVar[str] = "promotions"
        __rules__ = (all_or_none("offer", "offer", "source"),)

        id: Int4 | None = Field(default=None, primary_key=True)
        offer: Name50 | None = None
        source: Slug | None = None

    return SimpleNamespace(**locals())


@given(st.data())
def test_subclasses(data: st.DataObject) -> None:
    """A subclass is known as soon as it is defined, with its own fields, rules and validators."""
    boost = data.draw(st.from_type(somebodys().Boost))
    assert (boost.event is None) != (boost.competitor_event is None)
    assert 0 < boost.low <= min(1, boost.high)
    assert boost.share in (1, 2)
    assert len(boost.number) == 2
    loud = data.draw(st.from_type(somebodys().Loud))
    assert loud.name == loud.name.upper()
    promotion = data.draw(st.from_type(somebodys().Promotion))
    assert promotion.stamped_at.tzinfo is UTC
    assert (promotion.offer is None) == (promotion.source is None)


@pytest.mark.parametrize("base", ["Base", "Stamped"])
@given(st.data())
def test_base_of_tables(base: str, data: st.DataObject) -> None:
    """A class that tables share, with no table of its own, is any of them."""
    one = data.draw(st.from_type(getattr(somebodys(), base)))
    assert isinstance(one, somebodys().Promotion)


def test_what_nothing_satisfies_is_reported() -> None:
    """A demand of a subclass that no value meets is Hypothesis' to report, ours is an error."""

    class Never(Outcome):
        @field_validator("name")
        @classmethod
        def _never(cls, name: str) -> str:
            raise ValueError("never")

    with pytest.raises(Unsatisfiable):
        find(st.from_type(Never), lambda _: True, settings=settings(SEARCH, max_examples=50))
    with pytest.raises(ValidationError):
        find(contracts(Outcome, odds=0.5), lambda _: True, settings=SEARCH)
