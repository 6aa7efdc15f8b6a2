"""The strategies: that what is hard is among what they yield, that they can be narrowed, and that
Hypothesis finds them by itself."""

import datetime as dt
import enum
import math
import os
import subprocess
import sys
from collections.abc import Callable
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
    HandicapType,
    Market,
    Outcome,
    Sport,
    Table,
)
from oddsschema.contracts.base import Rule, all_or_none
from oddsschema.contracts.scalars import Int4, Name50, Slug, UtcTime
from oddsschema.strategies import (
    batches,
    captures,
    contracts,
    damaged_captures,
    field_values,
    markets,
    outcomes,
    rows,
)

#: `find` reports what it has found as if it were a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

SEARCH = settings(
    max_examples=5000,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # what is found need not be small
    suppress_health_check=list(HealthCheck),
)
NAMES = field_values(Outcome.model_fields["name"])
ODDS = field_values(Outcome.model_fields["odds"])
LINES = field_values(Market.model_fields["line"])


#: All that the package exports and whose objects are values.
VALUES = [
    thing
    for thing in map(vars(oddsschema).get, oddsschema.__all__)
    if isinstance(thing, type) and issubclass(thing, Contract | enum.Enum)
]


def platforms_of_one_match(batch: list[Capture]) -> int:
    """How many platforms list the match that most of them list."""
    found: dict[str, set[str]] = {}
    for capture in batch:
        event = capture.event or capture.competitor_event
        assert event is not None
        found.setdefault(event.sportradar_id, set()).add(capture.source)
    return max(map(len, found.values()))


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        (NAMES, lambda name: len(name) == 1),
        (NAMES, lambda name: len(name) == 255),
        (NAMES, lambda name: any(ord(char) > 0xFFFF for char in name)),
        (NAMES, lambda name: any(ord(char) < 32 for char in name)),
        (ODDS, lambda odds: odds == 1.0),
        (ODDS, lambda odds: odds > 1e300),
        (LINES, lambda line: line is None),
        (LINES, lambda line: line == 0.0 and math.copysign(1, line) < 0),
        (LINES, lambda line: line is not None and line < -1e300),
        (outcomes(), lambda some: len(some) == 1),
        (outcomes(), lambda some: len(some) == 500),
        (outcomes(), lambda some: {one.is_active for one in some} == {True, False}),
        (contracts(Market), lambda market: market.handicap_type is HandicapType.ASIAN),
        (contracts(Market), lambda market: "handicap_type" not in market.model_fields_set),
        (markets(), lambda some: some == ()),
        (markets(), lambda some: len({one.betpawa_market_id for one in some}) < len(some)),
        (captures(), lambda capture: capture.event and capture.raw_response is not None),
        (captures(), lambda capture: capture.competitor_event and len(capture.markets) > 1),
        (batches(), lambda batch: platforms_of_one_match(batch) > 1),
        (batches(), lambda batch: len({one.captured_at for one in batch}) > 2),
        (batches(), lambda batch: {bool(one.event) for one in batch} == {True, False}),
    ],
)
def test_hard_values_are_found(
    strategy: st.SearchStrategy[Any], wanted: Callable[[Any], Any]
) -> None:
    """Every bound, and what stands beside it, comes up."""
    find(strategy, wanted, settings=SEARCH)


@given(captures("betpawa"), captures("bet9ja"))
def test_captures_of_a_platform(ours: Capture, theirs: Capture) -> None:
    """A platform's captures are of that platform, on its side."""
    assert (ours.source, ours.competitor_event) == ("betpawa", None)
    assert (theirs.source, theirs.event) == ("bet9ja", None)


def test_damage_breaks_and_spares() -> None:
    """Of damaged captures, some break the contract and some hold it still."""

    def holds(capture: dict[str, Any]) -> bool:
        try:
            Capture.model_validate(capture)
        except ValueError:
            return False
        return True

    find(damaged_captures(), holds, settings=SEARCH)
    find(damaged_captures(), lambda capture: not holds(capture), settings=SEARCH)


# -- narrowed --------------------------------------------------------------------------------------

SLUGS = field_values(CapturedCompetitorEvent.model_fields["source"])
TIMES = field_values(Capture.model_fields["captured_at"])


@given(st.data(), TIMES)
def test_capture_of_an_event(data: st.DataObject, time: datetime) -> None:
    """A capture of a given event, at a given time, has them; the rest is as wide as ever."""
    event = data.draw(contracts(CapturedEvent) | contracts(CapturedCompetitorEvent))
    capture = data.draw(captures(event=event, captured_at=time))
    assert (capture.event or capture.competitor_event) is event
    assert (capture.event is None) == isinstance(event, CapturedCompetitorEvent)
    assert capture.captured_at == time


@given(st.data())
def test_capture_of_one_of_several(data: st.DataObject) -> None:
    """What narrows may be a strategy: of sources, of events, of times."""
    two = data.draw(st.lists(contracts(CapturedCompetitorEvent), min_size=2, max_size=2))
    assert data.draw(captures(event=st.sampled_from(two))).competitor_event in two
    capture = data.draw(captures(st.sampled_from(["bet9ja", "betpawa"])))
    assert capture.source == ("betpawa" if capture.event else "bet9ja")


def test_event_of_another_is_refused() -> None:
    """A source and an event that is not of that source contradict each other."""
    with pytest.raises(ValueError, match=r"one of 'bet9ja', not of 'sportybet'"):
        find(
            captures("sportybet", event=contracts(CapturedCompetitorEvent, source="bet9ja")),
            lambda _: True,
            settings=SEARCH,
        )


@given(st.data(), st.integers(0, 30), st.integers(0, 30))
def test_number_of_markets(data: st.DataObject, least: int, more: int) -> None:
    """As many markets as asked for, all different; a few where the most is not said."""
    some = data.draw(markets(min_size=least, max_size=least + more))
    assert least <= len(some) <= least + more
    few = data.draw(captures(min_markets=least)).markets
    assert least <= len(few) <= least + 4
    assert data.draw(captures(max_markets=0)).markets == ()


@pytest.mark.parametrize("size", [0, 1, 5, 200])
def test_exact_number_of_markets(size: int) -> None:
    """The least and the most can be the same, and large."""
    exactly = captures(min_markets=size, max_markets=size)
    find(exactly, lambda one: len(one.markets) == size, settings=SEARCH)


@given(st.data(), st.sets(SLUGS | st.just("betpawa"), min_size=1, max_size=3), TIMES)
def test_narrowed_batch(data: st.DataObject, sources: set[str], time: datetime) -> None:
    """A batch has captures of each of its sources and of no other, narrowed as a capture is."""
    batch = data.draw(
        batches(sources=sorted(sources), captured_at=time, min_markets=1, max_markets=2)
    )
    assert {capture.source for capture in batch} == sources
    assert {capture.captured_at for capture in batch} == {time}
    assert {len(capture.markets) for capture in batch} <= {1, 2}


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


# -- by type ---------------------------------------------------------------------------------------


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


OBJECT = "st.from_type(oddsschema.CompetitorMarketOdds).filter(lambda market: market.outcomes)"
TRY = f"from hypothesis import find, strategies as st; find({OBJECT}, lambda market: True)"


@pytest.mark.parametrize(
    "order", ["import hypothesis, oddsschema", "import oddsschema, hypothesis"]
)
def test_either_import_may_come_first(order: str) -> None:
    """In a fresh process, without an import of the strategies, in both orders."""
    check_in_new_process(f"{order}; {TRY}")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import oddsschema", "hypothesis"),
        ("import oddsschema, hypothesis", "oddsschema.strategies"),
        ("import hypothesis.strategies as st; st.from_type(int)", "oddsschema"),
        ("import hypothesis.strategies as st; st.from_type(int)", "sqlalchemy"),
    ],
)
def test_imports_are_independent(code: str, absent: str) -> None:
    """Neither package is imported for the other's sake, nor the strategies before they are used."""
    check_in_new_process(f"{code}; import sys; assert {absent!r} not in sys.modules")


def test_hypothesis_can_be_told_to_load_no_plugins() -> None:
    """HYPOTHESIS_NO_PLUGINS keeps the registration out."""
    code = "import hypothesis, oddsschema, sys; assert '_oddsschema_hypothesis' not in sys.modules"
    check_in_new_process(code, HYPOTHESIS_NO_PLUGINS="1")


def check_in_new_process(code: str, **environment: str) -> None:
    """Run the code in a Python of its own; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
