"""Alembic's autogenerate for the tables of a project beside ours."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.operations import Operations
from alembic.operations.ops import DowngradeOps, MigrationScript, UpgradeOps
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, ForeignKey, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import registry
from sqlmodel import Field, Relationship, SQLModel

import oddsschema
from oddsschema import CompetitorEvent
from oddsschema.contracts.outcomes import Outcomes
from oddsschema.contracts.scalars import Int4, Json, Name100, Odds, Slug, Status, UtcTime
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.migrations import autogenerate_options, render_item, script_location

Run = Callable[..., Any]


class Colour(StrEnum):
    """An enumeration that is a type in PostgreSQL."""

    RED = "red"
    GREEN = "green"


class Base(SQLModel):
    """The base of a project's tables."""

    metadata = MetaData(naming_convention=oddsschema.metadata.naming_convention)


class Every(Base, table=True):
    """A table with a column of each kind that SQLModel and oddsschema make."""

    id: int | None = Field(default=None, primary_key=True)
    event_id: int = Field(sa_column_args=[ForeignKey(CompetitorEvent.id)])
    text: str
    short: str = Field(max_length=7)
    code: str = Field(sa_type=sa.CHAR(3))
    flag: bool = Field(default=True, sa_column_kwargs={"server_default": sa.true()})
    real: float
    exact: Decimal = Field(max_digits=9, decimal_places=2)
    day: date
    moment: datetime | None
    colour: Colour
    uuid: UUID = Field(unique=True)
    count: int = Field(sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"})
    status: str = Field(sa_type=sa.Enum("a", "b", native_enum=False, length=20))
    checked: str = Field(
        sa_type=sa.Enum("a", "b", name="checked", native_enum=False, create_constraint=True)
    )
    tags: list[str] = Field(sa_type=postgresql.ARRAY(sa.String(9)))


class Ours(oddsschema.Table, table=True):
    """A table that validates, as oddsschema's tables do."""

    metadata = Base.metadata

    id: Int4 | None = Field(default=None, primary_key=True)
    name: Name100
    slug: Slug
    odds: Odds
    at: UtcTime
    status: Status
    document: Json
    outcomes: Outcomes


def on_database(url: str, run: Run, work: Callable[[Connection], None]) -> None:
    """Run a function on an SQLAlchemy connection, and roll back."""

    async def connect() -> None:
        async with sqlalchemy_connect(url) as connection:
            await connection.run_sync(work)

    run(connect())


def test_what_is_written_makes_the_tables(database: str, run: Run) -> None:
    """Autogenerate writes plain SQLAlchemy, which creates the tables without a difference."""

    def migrate(connection: Connection) -> None:
        context = MigrationContext.configure(connection, opts=autogenerate_options(Base.metadata))
        operations = {"sa": sa, "postgresql": postgresql, "op": Operations(context)}
        before = sa.inspect(connection).get_table_names()
        script = produce_migrations(context, Base.metadata)
        for ops in (script.upgrade_ops, script.downgrade_ops):
            assert ops is not None
            imports: set[str] = set()
            code = render_python_code(
                ops, render_item=render_item, migration_context=context, imports=imports
            )
            assert imports <= {"from sqlalchemy.dialects import postgresql"}
            exec(f"if True:\n{code}", operations)
            if ops is script.upgrade_ops:
                assert compare_metadata(context, Base.metadata) == []
        assert sa.inspect(connection).get_table_names() == before

    on_database(database, run, migrate)


def test_only_their_own(database: str, run: Run) -> None:
    """A project's autogenerate sees changes of its own tables, and none of ours."""

    def change(connection: Connection) -> None:
        options = autogenerate_options(Base.metadata)
        Base.metadata.create_all(connection)
        connection.execute(sa.text("ALTER TABLE competitor_events ADD COLUMN venue text"))
        connection.execute(sa.text("DROP TABLE scrape_errors"))
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        connection.execute(sa.text("CREATE TABLE forgotten (id int)"))
        connection.execute(sa.text("ALTER TABLE every DROP COLUMN text"))
        differences: list[Any] = compare_metadata(context, Base.metadata)
        said = sorted(
            (difference[0], getattr(difference[-1], "name", None)) for difference in differences
        )
        assert said == [("add_column", "text"), ("remove_table", "forgotten")]

    on_database(database, run, change)


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        (None, True),
        ("oddsschema_0003", True),
        (["oddsschema_0001", "oddsschema_0003"], True),
        (HEAD, False),
        ("oddsschema", False),
        ("oddsschema@head", False),
        (["oddsschema_0001", "head"], False),
    ],
)
def test_dependencies(wanted: Any, allowed: bool) -> None:
    """A revision may depend on any of our revisions except the newest: it would replace it."""
    options = {
        "as_sql": True,
        "script": ScriptDirectory(str(script_location())),
        **autogenerate_options(Base.metadata),
    }
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    script = MigrationScript("x", UpgradeOps(), DowngradeOps(), depends_on=wanted)
    expected = nullcontext() if allowed else pytest.raises(CommandError, match="oddsschema_0003")
    with expected:
        options["process_revision_directives"](context, None, [script])


def test_no_name_of_ours_is_taken() -> None:
    """Another project's classes may have our classes' names, in relationships by name as well."""
    other = MetaData()

    class Theirs(SQLModel, registry=registry(metadata=other)):
        """The base of a project's tables for other sports and events."""

    class Sport(Theirs, table=True):
        __tablename__ = "their_sports"
        id: int | None = Field(default=None, primary_key=True)
        events: list["Event"] = Relationship(back_populates="sport")

    class Event(Theirs, table=True):
        __tablename__ = "their_events"
        id: int | None = Field(default=None, primary_key=True)
        sport_id: int | None = Field(default=None, foreign_key="their_sports.id")
        sport: Sport | None = Relationship(back_populates="events")

    assert Sport(events=[Event()]).events[0].sport.events
    assert set(other.tables) == {"their_sports", "their_events"}
    assert oddsschema.Event.__table__.name == "events"
    ours = oddsschema.Sport(name="Football", slug="football")
    assert ours.tournaments == []
