"""Strategies for objects: they can be narrowed, and Hypothesis finds them by type."""

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
from oddsschema.contracts.base import Rule
from oddsschema.contracts.scalars import Int4, Name50, Slug, UtcTime
from oddsschema.strategies import contracts, rows

#: `find` reports its result like a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEARCH = settings(
    max_examples=5000,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # the result need not be small
    suppress_health_check=list(HealthCheck),
)

#: Every exported class of values.
VALUES = [
    export
    for export in map(vars(oddsschema).get, oddsschema.__all__)
    if isinstance(export, type) and issubclass(export, Contract | enum.Enum)
]


@given(st.data())
def test_narrowed_contract(data: st.DataObject) -> None:
    """A field of a contract has the given value, or a value of the given strategy."""
    assert data.draw(contracts(Outcome, odds=1.5, name=st.just("X"))).odds == 1.5
    tournament = data.draw(contracts(CapturedCompetitorTournament, source="bet9ja"))
    event = data.draw(contracts(CapturedCompetitorEvent, tournament=tournament))
    assert (event.source, event.tournament) == ("bet9ja", tournament)
    market = data.draw(contracts(Market, handicap_home=-1.5))
    assert (market.handicap_type, market.handicap_home) != (None, None)
    assert data.draw(contracts(Market, handicap_type=None)).handicap_away is None


@given(st.data())
def test_narrowed_row(data: st.DataObject) -> None:
    """A row has the given fields and related rows, and generated ones otherwise."""
    sport = data.draw(rows(Sport, slug="football"))
    tournament = data.draw(rows(CompetitorTournament, sport=sport, source="bet9ja"))
    event = data.draw(rows(CompetitorEvent, tournament=tournament, betpawa_event=None))
    assert (sport.slug, tournament.source) == ("football", "bet9ja")
    assert event.tournament.sport is sport
    assert event.betpawa_event is None


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(st.data())
def test_from_type(kind: type[Any], data: st.DataObject) -> None:
    """`st.from_type` of each exported class generates valid objects."""
    drawn = data.draw(st.from_type(kind))
    assert isinstance(drawn, kind)
    if isinstance(drawn, Contract):
        type(drawn).model_validate(drawn.model_dump())


def test_a_table_is_not_the_contract_it_has() -> None:
    """`st.from_type` of a contract generates no table, though tables are its subclasses."""
    find(st.from_type(Market), lambda market: type(market) is Market)
    find(st.from_type(Contract), lambda drawn: isinstance(drawn, Table))


@dataclass
class Slip:
    """A class of another project with fields of our types."""

    market: Annotated[CompetitorMarketOdds, "what is bet on"]
    capture: Capture | None
    outcomes: list[Outcome]
    either: CapturedEvent | CapturedCompetitorEvent


@given(st.from_type(Slip))
def test_fields_of_other_classes(slip: Slip) -> None:
    """Fields of other classes are resolved: Annotated, optional, in lists, in unions."""
    assert isinstance(slip.market, CompetitorMarketOdds)
    assert slip.capture is None or slip.capture.source
    assert all((outcome.odds or 1) >= 1 for outcome in slip.outcomes)
    assert isinstance(slip.either, CapturedEvent | CapturedCompetitorEvent)


def not_dearer(low: float, high: float) -> None:
    """Check that low is not above high: the rule of `Boost`."""
    if low > high:
        raise ValueError("low must not be above high")


@cache
def foreign_classes() -> SimpleNamespace:
    """Define classes of another project, hidden from tests that list every contract."""

    class Boost(Capture):
        """A contract of another project, with types that ours do not have."""

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
        """A contract of another project, with a rule of its own."""

        @field_validator("name")
        @classmethod
        def _loud(cls, name: str) -> str:
            if name != name.upper():
                raise ValueError("say it loud")
            return name

    def both_or_neither(offer: str | None, source: str | None) -> None:
        if (offer is None) != (source is None):
            raise ValueError("give both or neither")

    class Base(Table, registry=registry(metadata=MetaData())):
        """The base of this file's tables, in a MetaData of their own."""

    class Stamped(Base):
        """Fields of such tables, without a table."""

        stamped_at: UtcTime

    class Promotion(Stamped, table=True):
        """A table of another project."""

        __tablename__: ClassVar[str] = "promotions"
        __rules__ = (Rule(("offer", "source"), both_or_neither),)

        id: Int4 | None = Field(default=None, primary_key=True)
        offer: Name50 | None = None
        source: Slug | None = None

    return SimpleNamespace(**locals())


@given(st.data())
def test_subclasses(data: st.DataObject) -> None:
    """A subclass is resolved as soon as it is defined, with its fields, rules and validators."""
    boost = data.draw(st.from_type(foreign_classes().Boost))
    assert (boost.event is None) != (boost.competitor_event is None)
    assert 0 < boost.low <= min(1, boost.high)
    assert boost.share in (1, 2)
    assert len(boost.number) == 2
    loud = data.draw(st.from_type(foreign_classes().Loud))
    assert loud.name == loud.name.upper()
    promotion = data.draw(st.from_type(foreign_classes().Promotion))
    assert promotion.stamped_at.tzinfo is UTC
    assert (promotion.offer is None) == (promotion.source is None)


@pytest.mark.parametrize("base", ["Base", "Stamped"])
@given(st.data())
def test_base_of_tables(base: str, data: st.DataObject) -> None:
    """A base class without a table generates any of its tables."""
    drawn = data.draw(st.from_type(getattr(foreign_classes(), base)))
    assert isinstance(drawn, foreign_classes().Promotion)


def test_unsatisfiable_rules_are_reported() -> None:
    """Hypothesis reports a rule that no value satisfies; a contradiction is our error."""

    class Never(Outcome):
        @field_validator("name")
        @classmethod
        def _never(cls, name: str) -> str:
            raise ValueError("never")

    with pytest.raises(Unsatisfiable):
        find(st.from_type(Never), lambda _: True, settings=settings(SEARCH, max_examples=50))
    with pytest.raises(ValidationError):
        find(contracts(Outcome, odds=0.5, is_active=True), lambda _: True, settings=SEARCH)
