"""The values and messages of forms, for any row. docs/examples/admin has the frameworks."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oddsschema.admin.columns import details_columns, form_columns, related_tables
from oddsschema.admin.messages import field_messages
from oddsschema.admin.values import entered, plain, store
from oddsschema.contracts.table import Table
from oddsschema.strategies import json_values, rows
from tests.support.tables import TABLES

ANY_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def fields(table: type[Table]) -> list[str]:
    """List the columns of a table's form."""
    return [name for name in form_columns(table) if name in table.model_fields]


def as_shown(value: Any) -> Any:
    """Return a value as a form shows it: times are cut to seconds, without an offset."""
    if isinstance(value, datetime):
        return value.replace(microsecond=0, tzinfo=None)
    if isinstance(value, str):
        return value.replace("\n", "\r\n")
    if isinstance(value, tuple) and value and isinstance(value[0], datetime):
        return [as_shown(each) for each in value]
    return plain(value)


@ANY_TABLE
@given(st.data())
def test_an_untouched_form_changes_nothing(table: type[Table], data: st.DataObject) -> None:
    """A row keeps each value that comes back from a form as the form showed it."""
    row = data.draw(rows(table))
    before = row.model_dump()
    shown = {name: as_shown(getattr(row, name)) for name in fields(table)}
    assert store(table, row, shown) is row
    assert row.model_dump() == before


@ANY_TABLE
@given(st.data())
def test_a_form_builds_a_row(table: type[Table], data: st.DataObject) -> None:
    """A new row has the values of the form, times to the second."""
    row = data.draw(rows(table))
    shown = {name: as_shown(getattr(row, name)) for name in fields(table)}
    built = store(table, None, shown)
    assert {name: as_shown(getattr(built, name)) for name in shown} == {
        name: as_shown(plain_text(value)) for name, value in shown.items()
    }


def plain_text(value: Any) -> Any:
    """Return the text that is stored of a text, and other values as they are."""
    return (value.replace("\r\n", "\n") or None) if isinstance(value, str) else value


@ANY_TABLE
@given(st.data())
def test_each_refusal_has_a_message_in_the_form(table: type[Table], data: st.DataObject) -> None:
    """Whatever a form holds, it makes a row or has a message at one of the form's fields."""
    values = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(fields(table), json_values()))
    )
    shown = data.draw(st.lists(st.sampled_from(form_columns(table)), min_size=1, unique=True))
    try:
        store(table, None, values)
    except ValidationError as error:
        messages = field_messages(table, error, shown)
        assert messages
        assert messages.keys() <= set(shown)
        assert all(messages.values())


@ANY_TABLE
def test_blank_fields_leave_the_defaults_of_postgresql(table: type[Table]) -> None:
    """A blank field is NULL, or is left out where PostgreSQL has a default."""
    columns = table.__table__.columns  # type: ignore[attr-defined]
    blank = entered(table, dict.fromkeys(fields(table), ""))
    for name in fields(table):
        if columns[name].nullable:
            assert blank[name] is None
        else:
            assert (name in blank) == (columns[name].server_default is None)


@ANY_TABLE
def test_views_show_no_to_many_relationships(table: type[Table]) -> None:
    """A view has each column or the relationship in its place, and no collection of rows."""
    columns = table.__table__.columns  # type: ignore[attr-defined]
    plain_columns = {column.name for column in columns if not column.foreign_keys}
    assert set(details_columns(table)) == plain_columns | set(related_tables(table))
