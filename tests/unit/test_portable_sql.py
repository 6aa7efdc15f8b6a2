"""The package's SQL keeps to the rules under which Citus runs it: the list of every statement."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from string import Formatter

import pytest
from sqlalchemy import update

import oddsschema
from oddsschema import queries
from oddsschema.database.literals import sql_with_literals
from oddsschema.migrations import upgrade_sql
from oddsschema.models import metadata
from oddsschema.models.sides import SIDES
from oddsschema.retention.statements import REMNANTS
from tests.support.portable_sql import broken_rules
from tests.support.statements import compiled

#: The SQL of placeholders that are no names, in statements that are not of a side.
PARTS = {"arrays": "$1::text[]", "changes": "x = c.x"}

#: The placeholders of statements of a side.
BOOKMAKER = {
    "bookmaker": "b.id",
    "histories": "bookmakers",
    "bookmaker_column": ", bookmaker_id",
    "bookmaker_value": ", $9::int",
}

#: The statements that a rule can be about.
CONCERNED = re.compile(
    r"\b(INSERT INTO|(?<!KEY )(?<!FOR )UPDATE|DELETE FROM|MERGE INTO|TABLESAMPLE) +[\w{(]"
)

#: The last revision of those that run on plain tables only, before a schema is distributed.
LAST_PLAIN = "oddsschema_0007"


def test_rules() -> None:
    """The rules find what Citus refuses."""
    for sql in BROKEN:
        assert broken_rules(sql), sql
    for sql in KEPT:
        assert not broken_rules(sql), sql


BROKEN = (
    "UPDATE events AS e SET name = c.names[1] FROM c",
    "UPDATE events SET kickoff = clock_timestamp()",
    "WITH w AS (UPDATE events SET id = nextval('s') RETURNING id) SELECT id FROM w",
    "INSERT INTO sports (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET slug = now()::text",
    "INSERT INTO sports SELECT c.* FROM unnest($1::text[]) AS c WHERE NOT EXISTS "
    "(SELECT FROM sports AS s WHERE s.name = c.name)",
    "INSERT INTO sports SELECT * FROM tournaments",
    "WITH t AS (SELECT * FROM tournaments) INSERT INTO sports SELECT * FROM t",
    "WITH t AS MATERIALIZED (SELECT * FROM sports) INSERT INTO sports SELECT t.* "
    "FROM unnest($1::int[]) AS c (id) LEFT JOIN t USING (id)",
    "SELECT count(*) FROM events TABLESAMPLE SYSTEM ($1)",
    "ALTER TABLE events DROP CONSTRAINT a, ADD CONSTRAINT b CHECK (id > 0)",
    "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)",
    "CREATE TRIGGER t AFTER INSERT ON events EXECUTE FUNCTION f()",
    "MERGE INTO events AS e USING c ON c.id = e.id WHEN MATCHED THEN DELETE",
)
KEPT = (
    "UPDATE events AS e SET name = c.name, kickoff = statement_timestamp() "
    "FROM (SELECT names[1] AS name FROM unnest($1::text[]) AS names) AS c",
    "INSERT INTO sports (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name",
    "WITH t AS MATERIALIZED (SELECT * FROM tournaments) INSERT INTO sports SELECT * FROM t",
    "INSERT INTO sports SELECT s.* FROM unnest($1::int[]) AS c LEFT JOIN sports AS s USING (id)",
    "INSERT INTO events (created_at) VALUES (clock_timestamp())",
    "SELECT count(*) FROM events TABLESAMPLE SYSTEM (0.5)",
)


def constants() -> Iterator[tuple[str, str]]:
    """Yield the statements of all modules that write, or read a sample, each with its name."""
    for found in pkgutil.walk_packages(oddsschema.__path__, "oddsschema."):
        if found.name == "oddsschema.__main__":
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, str) and name != "__doc__" and CONCERNED.search(value):
                yield f"{found.name}.{name}", value
    for rows in REMNANTS:
        yield f"the deletion of {rows.table}", rows.delete()


def filled(template: str) -> Iterator[str]:
    """Fill the placeholders of a statement, for each side."""
    for side in SIDES:
        try:
            yield side.sql(template, **BOOKMAKER)
        except KeyError:
            names = {name for _, name, *_ in Formatter().parse(template) if name}
            yield template.format(**{name: PARTS.get(name, "x") for name in names})


CONSTANTS = dict(constants())


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    """Each statement keeps to the rules."""
    for sql in filled(CONSTANTS[name]):
        assert broken_rules(sql) == [], sql


def selects() -> Iterator[tuple[str, str]]:
    """Yield the selects of the package, each with its name."""
    arguments = {"moves": (1, 2), "events": ("lagos united",)}
    for name in queries.__all__:
        made = getattr(queries, name)
        if name in ("best_prices",):
            yield name, sql_with_literals(made(queries.offers()))
        elif callable(made) and not isinstance(made, type) and name not in OF_NO_SELECT:
            yield name, compiled(made(*arguments.get(name, ())))[0]


#: The functions of `queries` that make no select.
OF_NO_SELECT = (
    *(
        "across",
        "fetch_rows",
        "stream_rows",
        "implied_probabilities",
        "jsonb",
        "lined_up",
        "overround",
    ),
)

SELECTS = dict(selects())


@pytest.mark.parametrize("name", SELECTS)
def test_selects(name: str) -> None:
    """Each select keeps to the rules."""
    assert broken_rules(SELECTS[name]) == []


@pytest.mark.parametrize("table", metadata.tables)
def test_updates_by_sqlalchemy(table: str) -> None:
    """The values that SQLAlchemy adds to an update keep to the rules."""
    sql, _ = compiled(update(metadata.tables[table]).values(id=1))
    assert broken_rules(sql) == []


def test_revisions() -> None:
    """The later revisions, with the views, keep to the rules: they run on distributed tables."""
    assert broken_rules(upgrade_sql(f"{LAST_PLAIN}:head")) == []
