"""The bases of contracts and tables: one validation of each value."""

import json
import re
from collections import Counter
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import AfterValidator, TypeAdapter, ValidationError
from sqlalchemy import MetaData, inspect
from sqlalchemy.orm import make_transient_to_detached, registry
from sqlmodel import Field, Relationship

import oddsschema
from oddsschema.contracts.base import Contract, Rule
from oddsschema.contracts.columns import foreign_key
from oddsschema.contracts.scalars import Int4, Name50
from oddsschema.contracts.table import Table
from oddsschema.strategies import contracts, json_values
from tests.support.example_world import FIXTURE
from tests.support.tables import TABLES

#: The number of calls of each field validator and rule below.
CALLS: Counter[str] = Counter()


def counted(name: str) -> AfterValidator:
    """Return a validator that counts its calls."""

    def count(value: Any) -> Any:
        CALLS[name] += 1
        return value

    return AfterValidator(count)


def low_before_high(low: int, high: int) -> None:
    """Check that low is not above high: the rule of `Ticket`."""
    CALLS["rule"] += 1
    if low > high:
        raise ValueError("low must not be above high")


class Base(Table, registry=registry(metadata=MetaData())):
    """The base of these tests' tables, in a MetaData of their own."""


class Reel(Base, table=True):
    """A parent."""

    __tablename__: ClassVar[str] = "reels"

    id: Int4 | None = Field(default=None, primary_key=True)
    tickets: list["Ticket"] = Relationship(back_populates="reel")


class Ticket(Base, table=True):
    """A child with a rule and with counted validations."""

    __tablename__: ClassVar[str] = "tickets"
    __rules__ = (Rule(("low", "high"), low_before_high),)

    id: Int4 | None = Field(default=None, primary_key=True)
    reel_id: Int4 | None = foreign_key("reels.id", nullable=True)
    low: Annotated[Int4, counted("low")]
    high: Annotated[Int4, counted("high")]
    label: Annotated[Name50, counted("label")] = "none"

    reel: Reel | None = Relationship(back_populates="tickets")


ONCE = {"low": 1, "high": 1, "label": 1, "rule": 1}
TICKET = {"low": 1, "high": 2, "label": "x"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ticket(**TICKET),
        lambda: Ticket.model_validate(TICKET),
        lambda: Ticket.model_validate_json(json.dumps(TICKET)),
        lambda: Ticket.model_validate(TICKET | {"low": 9}, update={"low": 1}),
    ],
    ids=["constructor", "model_validate", "model_validate_json", "model_validate with update"],
)
def test_construction_validates_once(make: Any) -> None:
    """Every way to make a row validates each field and each rule once."""
    CALLS.clear()
    ticket = make()
    assert ONCE == CALLS
    assert ticket.model_dump(include=set(TICKET)) == TICKET


def test_assignment_validates_once() -> None:
    """An assignment validates its own field and the rules that name it, once."""
    ticket = Ticket(**TICKET)
    CALLS.clear()
    ticket.label = " y "
    assert CALLS == {"label": 1}
    assert ticket.label == "y"
    CALLS.clear()
    ticket.high = 5
    assert CALLS == {"high": 1, "rule": 1}


def test_broken_rule_at_assignment() -> None:
    """A rule over several fields refuses an assignment, and the old value remains."""
    ticket = Ticket(**TICKET)
    with pytest.raises(ValidationError, match="low must not be above high"):
        ticket.low = 3
    assert ticket.low == TICKET["low"]


def test_update_of_fields_under_one_rule() -> None:
    """`sqlmodel_update` changes fields that a rule ties to each other, validated as one."""
    ticket = Ticket(**TICKET)
    CALLS.clear()
    assert ticket.sqlmodel_update({"low": 30, "unknown": 1}, update={"high": 40}) is ticket
    assert CALLS == {"low": 1, "high": 1, "rule": 1}
    assert (ticket.low, ticket.high) == (30, 40)
    with pytest.raises(ValidationError, match="low must not be above high"):
        ticket.sqlmodel_update({"label": "z", "low": 50})
    assert (ticket.label, ticket.low) == (TICKET["label"], 30)


OUTCOMES = [oddsschema.Outcome(name="1", odds=2.5)]
HANDICAP = {"handicap_type": "asian", "handicap_home": -1.5, "handicap_away": 1.5}


def test_line_of_a_handicap_is_filled_in() -> None:
    """The line of a handicap is its home goals: at construction and when the handicap changes."""
    market = oddsschema.MarketOdds(
        betpawa_market_id="1", betpawa_market_name="1X2", outcomes=OUTCOMES
    )
    market.sqlmodel_update(HANDICAP)
    assert market.line == -1.5
    market.sqlmodel_update({"handicap_home": -2, "handicap_away": 2})
    assert market.line == -2
    with pytest.raises(ValidationError, match="line must be handicap_home"):
        market.line = 2
    with pytest.raises(ValidationError, match="handicap_away must be -handicap_home"):
        market.handicap_away = 3
    fields = {"betpawa_market_id": 5, "betpawa_market_name": "1X2", "outcomes": OUTCOMES}
    for filled in (
        oddsschema.MarketOdds(**fields, **HANDICAP),
        oddsschema.Market(**fields, **HANDICAP),
    ):
        assert (filled.line, filled.betpawa_market_id) == (-1.5, "5")
        assert "line" in filled.model_fields_set


@pytest.mark.parametrize(
    "make", [lambda **data: Ticket(**data), lambda **data: Ticket.model_validate(data)]
)
def test_relationships_in_construction(make: Any) -> None:
    """Related rows are passed beside the fields, and refer to each other afterwards."""
    reel = Reel()
    ticket = make(**TICKET, reel=reel)
    assert ticket.reel is reel
    assert reel.tickets == [ticket]
    other = make(**TICKET)
    assert Reel(tickets=[other]).tickets[0] is other


#: The ways to give a value to a relationship, each of which has a class and a dict of values.
WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "constructor": lambda table, values: table(**values),
    "model_validate": lambda table, values: table.model_validate(values),
    "other mapping": lambda table, values: table.model_validate(MappingProxyType(values)),
    "JSON": lambda table, values: table.model_validate_json(json.dumps(values)),
    "TypeAdapter": lambda table, values: TypeAdapter(table).validate_python(values),
    "list": lambda table, values: TypeAdapter(list[table]).validate_python([values]),
    "TypeAdapter of JSON": lambda table, values: TypeAdapter(table).validate_json(
        json.dumps(values)
    ),
}


#: Values that JSON can have in the place of a related row, or of several.
NO_ROWS = json_values() | st.lists(json_values(), min_size=1)


def relationships() -> list[Any]:
    """List the relationships of all tables: the table, the name, and whether it is a list."""
    return [
        pytest.param(table, each.key, bool(each.uselist), id=f"{name}.{each.key}")
        for name, table in TABLES.items()
        for each in inspect(table).relationships
    ]


@pytest.mark.parametrize(("table", "name", "is_list"), relationships())
@given(data=st.data())
def test_relationships_accept_only_rows(
    table: type[Table], name: str, is_list: bool, data: st.DataObject
) -> None:
    """No JSON value is a related row: every way to make a row refuses it with its place."""
    values = json.loads(data.draw(contracts(table)).model_dump_json())
    related = data.draw(NO_ROWS)
    assume(related != [] if is_list else related is not None)
    for way, make in WAYS.items():
        with pytest.raises(ValidationError) as caught:
            make(table, values | {name: related})
        place = (0, name) if way == "list" else (name,)
        assert {error["loc"][: len(place)] for error in caught.value.errors()} == {place}


@pytest.mark.parametrize(("table", "name", "is_list"), relationships())
@given(data=st.data())
def test_refused_assignment_of_a_relationship(
    table: type[Table], name: str, is_list: bool, data: st.DataObject
) -> None:
    """An assignment to a relationship accepts only rows too, and a refused one changes nothing."""
    row = data.draw(contracts(table))
    before = state(row)
    related = data.draw(NO_ROWS)
    assume(related != [] if is_list else related is not None)
    with pytest.raises(ValidationError):
        setattr(row, name, related)
    assert state(row) == before


def test_row_of_another_class() -> None:
    """A row of another class than the related one is refused."""
    for related in (Ticket(**TICKET), Reel):
        with pytest.raises(ValidationError, match="should be an instance of Reel"):
            Ticket(**TICKET, reel=related)
    assert Ticket(**TICKET, reel=None).reel is None
    with pytest.raises(ValidationError, match="should be an instance of Tournament"):
        oddsschema.Event(**FIXTURE, tournament=None)  # its foreign key is NOT NULL


@pytest.mark.parametrize("key", ["self", "row", "__row__", "data", 5, None])
def test_every_key_is_data(key: Any) -> None:
    """A key of untrusted data is never an argument of a method."""
    for way in ("model_validate", "other mapping", "TypeAdapter"):
        with pytest.raises(ValidationError):
            WAYS[way](Ticket, TICKET | {key: 1})


def test_rows_inside_values_are_known_to_sqlalchemy() -> None:
    """A row that pydantic creates inside another value, from any object, is like any other row."""
    adapter: TypeAdapter[Any] = TypeAdapter(list[Ticket])
    for value in (TICKET, SimpleNamespace(**TICKET), MappingProxyType(TICKET), Ticket(**TICKET)):
        (ticket,) = adapter.validate_python([value])
        assert Reel(tickets=[ticket]).tickets == [ticket]
        assert (ticket is value) is isinstance(value, Ticket)
    (read,) = adapter.validate_json(f"[{json.dumps(TICKET)}]")
    assert inspect(read).transient


def test_related_rows_of_objects_stay() -> None:
    """Validation of a row's attributes does not take its related rows away."""
    ticket = Ticket(**TICKET)
    reel = Reel(tickets=[ticket])
    assert Reel.model_validate(reel).tickets == []
    assert ticket.reel is reel


def test_update_from_an_object() -> None:
    """An object changes only the fields that it was given, and neither their defaults."""
    ticket = Ticket(**TICKET)
    ticket.sqlmodel_update(Ticket(low=5, high=6))
    assert (ticket.low, ticket.high, ticket.label) == (5, 6, "x")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("options", [{}, {"table": True}], ids=["model", "table"])
def test_subclass_of_a_table(table: type[Table], options: dict[str, Any]) -> None:
    """A subclass of a table is refused with the bases to use in its place."""
    with pytest.raises(TypeError) as caught:
        type(table)("Wider", (table,), {"__module__": __name__}, **options)
    (bases,) = re.findall(r"use the bases (.*)\. For more columns", str(caught.value))
    given: list[Any] = [getattr(oddsschema.models, name, Contract) for name in bases.split(", ")]
    assert {name for base in given for name in base.model_fields} <= set(table.model_fields)
    type(given[0])("Wider", tuple(given), {"__module__": __name__})


T = TypeVar("T")


class Page(Contract, Generic[T]):
    """A generic contract."""

    items: tuple[T, ...]
    total: Int4


@pytest.mark.parametrize("item", [*TABLES.values(), oddsschema.Market, Page[oddsschema.Market]])
@given(data=st.data())
def test_generic_contract(item: type[Contract], data: st.DataObject) -> None:
    """A generic contract validates its items as their own class does, and so does its schema."""
    page = Page[item]  # type: ignore[valid-type]
    value = data.draw(json_values())
    try:
        expected = item.model_validate(value)
    except ValidationError as error:
        with pytest.raises(ValidationError) as caught:
            page(items=[value], total=1)
        found = [(each["loc"][2:], each["type"]) for each in caught.value.errors()]
        assert found == [(each["loc"], each["type"]) for each in error.errors()]
    else:
        assert page(items=[value], total=1).items == (expected,)
    assert f"{item.__name__}" in str(page.model_json_schema())


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(data=st.data())
def test_every_construction_accepts_the_same(table: type[Table], data: st.DataObject) -> None:
    """Constructor, mapping, object and JSON make the same row."""
    row = data.draw(contracts(table))
    values = row.model_dump()
    for other in (
        table(**values),
        table.model_validate(values),
        table.model_validate(row),
        table.model_validate_json(row.model_dump_json()),
    ):
        assert other.model_dump() == values
        assert other is not row


def state(row: Table) -> tuple[Any, ...]:
    """Return a row's values, and the state of pydantic and of SQLAlchemy."""
    known = inspect(row)
    return (
        {name: value for name, value in vars(row).items() if name != "_sa_instance_state"},
        set(row.model_fields_set),
        known.modified,
        {name: known.attrs[name].history for name in type(row).model_fields},
    )


def test_copy_validates_once() -> None:
    """A copy validates each field and each rule once, and shares no state with its source."""
    ticket = Ticket(**TICKET, reel=Reel())
    before = state(ticket)
    CALLS.clear()
    copied = ticket.model_copy(update={"low": 30, "high": 40})
    assert ONCE == CALLS
    assert (copied.low, copied.high, copied.label) == (30, 40, "x")
    copied.label = "y"
    assert inspect(copied).attrs.label.history.added == ["y"]
    assert state(ticket) == before


@pytest.mark.parametrize("update", [{"low": 3}, {"unknown": 1}, {"label": ""}])
def test_refused_copy(update: dict[str, Any]) -> None:
    """A copy with a value that a field, a rule or the class refuses is refused."""
    with pytest.raises(ValidationError):
        Ticket(**TICKET).model_copy(update=update)


def test_copy_fills_in_the_line() -> None:
    """The line of a copied handicap follows from the replaced handicap."""
    fields = {"betpawa_market_id": 5, "betpawa_market_name": "1X2", "outcomes": OUTCOMES}
    market = oddsschema.MarketOdds(**fields, **HANDICAP)
    copied = market.model_copy(update={"handicap_home": -2, "handicap_away": 2})
    assert (market.line, copied.line) == (-1.5, -2)
    assert copied.model_fields_set == market.model_fields_set


JUNK: st.SearchStrategy[Any] = json_values() | st.sampled_from(
    (object(), "x" * 2000, "\0", " ", float("nan"), 2**63, "2024-01-09T12:00:00", ["\ud800"], {})
)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(data=st.data())
def test_refused_assignment_changes_nothing(table: type[Table], data: st.DataObject) -> None:
    """An assignment stores the constructor's value, or raises and changes nothing."""
    row = data.draw(contracts(table, id=st.integers(1, 100)))
    make_transient_to_detached(row)  # like a loaded row: SQLAlchemy sees no change
    for name in data.draw(st.permutations(list(table.model_fields))):
        values = dict(state(row)[0])
        value = data.draw(JUNK, label=name)
        try:
            expected = getattr(table(**values | {name: value}), name)
        except ValidationError:
            before = state(row)
            with pytest.raises(ValidationError):
                setattr(row, name, value)
            assert state(row) == before
        else:
            setattr(row, name, value)
            assert getattr(row, name) == expected


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(data=st.data())
def test_accepted_assignment_is_seen(table: type[Table], data: st.DataObject) -> None:
    """SQLAlchemy marks an accepted assignment as a change to write."""
    row = data.draw(contracts(table, id=st.just(1)))
    make_transient_to_detached(row)
    row.id = 2
    assert inspect(row).attrs.id.history.added == [2]
    assert inspect(row).attrs.id.history.deleted == [1]


@pytest.mark.parametrize("contract", [*TABLES.values(), oddsschema.Capture, oddsschema.Market])
@given(data=st.data())
def test_unknown_keys_are_refused(contract: type[Contract], data: st.DataObject) -> None:
    """A key that is no field and no relationship is an error in every way."""
    drawn = data.draw(contracts(contract))
    values = json.loads(drawn.model_dump_json()) | {"colour": "red"}
    for make in (
        lambda: contract(**values),
        lambda: contract.model_validate(values),
        lambda: contract.model_validate_json(json.dumps(values)),
    ):
        with pytest.raises(ValidationError) as caught:
            make()
        assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [
            (("colour",), "extra_forbidden")
        ]


@given(contracts(oddsschema.Market))
def test_contracts_are_immutable_values(market: oddsschema.Market) -> None:
    """A contract is immutable, and equal values have equal hashes."""
    same = oddsschema.Market.model_validate_json(market.model_dump_json())
    assert (same, hash(same)) == (market, hash(market))
    with pytest.raises(ValidationError, match="frozen"):
        market.line = 1.0


def test_strict_validation() -> None:
    """`strict` reaches rows inside other values, as it does in the class's own methods."""
    good = {"source": "bet9ja", "external_id": "1", "sport_id": 1, "name": "Super League"}
    table = oddsschema.CompetitorTournament
    adapter, listed = TypeAdapter(table), TypeAdapter(list[table])  # type: ignore[valid-type]
    text = good | {"sport_id": "1"}
    assert table.model_validate(text).sport_id == adapter.validate_python(text).sport_id == 1
    for validate in (
        lambda value: table.model_validate(value, strict=True),
        lambda value: table.model_validate_json(json.dumps(value), strict=True),
        lambda value: adapter.validate_python(value, strict=True),
        lambda value: adapter.validate_json(json.dumps(value), strict=True),
        lambda value: listed.validate_python([value], strict=True)[0],
    ):
        assert validate(good).sport_id == 1
        with pytest.raises(ValidationError, match="sport_id\n  Input should be a valid integer"):
            validate(text)
    row = table(**good)
    assert adapter.validate_python(row, strict=True) is row
