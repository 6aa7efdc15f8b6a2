"""Each table in each framework: list, show, create, edit."""

import json
from itertools import cycle
from typing import Any, ClassVar

import httpx
import pytest
from odds_admin.with_starlette_admin import TABLES
from pages import Pages, SQLAdminPages
from sqladmin import Admin, ModelView
from sqlalchemy import event, func, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlmodel import select
from starlette.applications import Starlette
from starlette.requests import Request

import oddsschema
from oddsschema import (
    Bookmaker,
    CompetitorEvent,
    CompetitorMarketOdds,
    CompetitorOddsSnapshot,
    CompetitorTournament,
    Event,
    EventBookmaker,
    MarketOdds,
    OddsSnapshot,
    ScrapeBatch,
    ScrapeError,
    ScrapeRun,
    Sport,
    Table,
    Tournament,
)
from oddsschema.admin import SQLAdminView

pytestmark = pytest.mark.anyio

#: Values that only a single row may have, for a copy of a row.
OTHER_KEYS: dict[type[Table], dict[str, Any]] = {
    Sport: {"name": "Tennis", "slug": "tennis"},
    Tournament: {"name": "Challenge League"},
    Bookmaker: {"name": "BetKing", "slug": "betking"},
    Event: {"sportradar_id": "8"},
    EventBookmaker: {"bookmaker": "2"},
    OddsSnapshot: {"captured_at": "2024-01-09 13:00:00"},
    CompetitorTournament: {"external_id": "2"},
    CompetitorEvent: {"external_id": "2"},
    CompetitorOddsSnapshot: {"captured_at": "2024-01-09 13:00:00"},
}


async def first(session: AsyncSession, table: type[Table]) -> Any:
    """Load the first row of a table anew."""
    session.expunge_all()
    await session.rollback()
    return (await session.scalars(select(table).order_by(table.id))).first()


async def last(session: AsyncSession, table: type[Table]) -> Any:
    """Load the last row of a table anew."""
    session.expunge_all()
    await session.rollback()
    return (await session.scalars(select(table).order_by(table.id.desc()))).first()


async def count(session: AsyncSession, table: type[Table]) -> int:
    """Count the rows of a table."""
    await session.rollback()
    return (await session.scalars(select(func.count()).select_from(table))).one()


async def test_lists_and_details_show_rows(pages: Pages, session: AsyncSession) -> None:
    """Each table has a list and a page for each row, with related rows by name."""
    for table in TABLES:
        row = await first(session, table)
        await pages.get(pages.list_url(table))
        await pages.get(pages.details_url(table, row.id))
    assert "Event 1: Basel - Zurich" in await pages.get(pages.list_url(OddsSnapshot))
    assert "Event 1: Basel - Zurich" in await pages.get(pages.details_url(OddsSnapshot, 1))


async def test_a_list_does_not_load_raw_responses(
    pages: Pages, session: AsyncSession, engine: AsyncEngine
) -> None:
    """A list of snapshots reads no raw response; the page of a snapshot does."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "count(" not in statement:  # PostgreSQL reads no column in order to count
            statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    for table in (OddsSnapshot, CompetitorOddsSnapshot):
        await pages.get(pages.list_url(table))
        assert table.__tablename__ in " ".join(statements)
    assert "raw_response" not in " ".join(statements)
    assert "7" in await pages.get(pages.details_url(OddsSnapshot, 1))
    assert "raw_response" in " ".join(statements)


async def test_an_untouched_form_changes_nothing(pages: Pages, session: AsyncSession) -> None:
    """A form that is submitted as it was shown leaves each value, with fractions of seconds."""
    for table in TABLES:
        before = await first(session, table)
        assert await pages.submit(pages.edit_url(table, before.id), {}) == {}, table
        after = await first(session, table)
        changed = {"updated_at"}
        assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)


async def test_a_row_is_created_from_a_form(pages: Pages, session: AsyncSession) -> None:
    """A form for a new row, filled with the values of another, stores a row with these values."""
    for table in TABLES:
        original = await first(session, table)
        values = await pages.values(pages.edit_url(table, original.id))
        errors = await pages.submit(pages.create_url(table), values | OTHER_KEYS.get(table, {}))
        assert errors == {}, table
        copy = await last(session, table)
        assert copy.id > original.id
        own = {"id", "created_at", "updated_at", *OTHER_KEYS.get(table, {}), "bookmaker_id"}
        assert seconds(copy.model_dump(exclude=own)) == seconds(original.model_dump(exclude=own))


def seconds(values: dict[str, Any]) -> dict[str, Any]:
    """Cut the times of a row to seconds, as forms show them."""
    return json.loads(json.dumps(values, default=lambda value: str(value)[:19]))


async def test_an_empty_form_is_refused_at_its_fields(pages: Pages, session: AsyncSession) -> None:
    """A form for a new row without values names the fields that need one, and stores nothing."""
    for table in TABLES:
        if table in (ScrapeBatch, ScrapeRun):
            continue  # PostgreSQL has a default for each of their columns
        before = await count(session, table)
        assert await pages.submit(pages.create_url(table), {})
        assert await count(session, table) == before


@pytest.mark.parametrize(
    ("table", "changes", "field", "message"),
    [
        (
            MarketOdds,
            {"outcomes": '[{"name": "1", "odds": 0.5}]'},
            "outcomes",
            "$.outcomes[0].odds: ",
        ),
        (MarketOdds, {"outcomes": "[]"}, "outcomes", ""),
        (MarketOdds, {"handicap_home": "2.5"}, "handicap_type", "must be given together"),
        (MarketOdds, {"specifiers": "minute"}, "specifiers", "'minute=15|player=sr:player"),
        (MarketOdds, {"line": "many"}, "line", ""),
        (MarketOdds, {"handicap_type": "third"}, "handicap_type", ""),
        (OddsSnapshot, {"raw_response": "{"}, "raw_response", ""),
        (OddsSnapshot, {"event": "99"}, "event", "No Event has the id '99'"),
        (OddsSnapshot, {"event": "abc"}, "event", "No Event has the id 'abc'"),
        (CompetitorEvent, {"betpawa_event": "0.5"}, "betpawa_event", "No Event has the id '0.5'"),
        (MarketOdds, {"snapshot": "[1,2]"}, "snapshot", "No OddsSnapshot has the id"),
        (ScrapeError, {"event": "9" * 23}, "event", "No Event has the id '999"),
        (CompetitorEvent, {"source": "Bet 9ja"}, "source", "should match pattern"),
        (CompetitorEvent, {"kickoff": "noon"}, "kickoff", ""),
        (CompetitorTournament, {"country_iso": "XX"}, "country_iso", "ISO 3166-1"),
        (Event, {"home_team": " "}, "home_team", ""),
        (Event, {"tournament": None}, "tournament", ""),
        (Event, {"kickoff": "2300-01-01 12:00:00"}, "kickoff", "less than"),
        (ScrapeRun, {"events_failed": "-1"}, "events_failed", "greater than or equal to 0"),
    ],
)
async def test_a_bad_value_is_refused_at_its_field(
    pages: Pages,
    session: AsyncSession,
    table: type[Table],
    changes: dict[str, Any],
    field: str,
    message: str,
) -> None:
    """A value that breaks the contract is an error at its field, and the row stays as it was."""
    before = await first(session, table)
    errors = await pages.submit(pages.edit_url(table, before.id), changes)
    assert message in errors[field], errors
    assert (await first(session, table)).model_dump() == before.model_dump()


#: Text that a field may refuse, or store.
HOSTILE = ("\0", "x" * 100_000, "[" * 500 + "]" * 500, "NaN", "1e400", "9" * 23, "\u202e", "-1")


async def test_no_text_breaks_a_page(pages: Pages, session: AsyncSession) -> None:
    """Whatever text a field gets, it is stored, or is refused with a message and stores nothing."""
    texts = cycle(HOSTILE)
    for table in TABLES:
        edit, create = pages.edit_url(table, 1), pages.create_url(table)
        values = await pages.values(edit)
        for field in values:
            before = await first(session, table)
            if await pages.submit(edit, {field: next(texts)}):
                assert (await first(session, table)).model_dump() == before.model_dump()
            rows = await count(session, table)
            if await pages.submit(create, values | {field: next(texts)}):
                assert await count(session, table) == rows
        for url in (edit, pages.details_url(table, 1), pages.list_url(table)):
            await pages.get(url)


async def test_an_id_without_a_row_is_not_found(pages: Pages, session: AsyncSession) -> None:
    """The page and the form of a row that does not exist are not found, whatever its id."""
    for identity in ("99", "-1", "abc", "0.5", "[1,2]", "9" * 23):
        for url in (pages.details_url(Sport, identity), pages.edit_url(Sport, identity)):
            assert (await pages.client.get(url)).status_code == 404
        await pages.delete(Sport, identity)
    assert await count(session, Sport) == 1


@pytest.mark.parametrize(
    ("table", "changes", "deleted", "errors"),
    [
        (Bookmaker, {"name": "Other"}, "bookmakers", {"name": "The row does not exist any more"}),
        (Tournament, {"sport": "2"}, "sports", {"sport": "The related row does not exist"}),
    ],
)
async def test_a_row_is_deleted_meanwhile(
    pages: Pages,
    engine: AsyncEngine,
    oddsschema_database: str,
    table: type[Table],
    changes: dict[str, Any],
    deleted: str,
    errors: dict[str, str],
) -> None:
    """A form is refused with a message if its row, or a related row, has just been deleted."""
    assert await pages.submit(pages.create_url(Sport), {"name": "Tennis", "slug": "tennis"}) == {}
    identity = 3 if table is Bookmaker else 1
    deletion = text(f"DELETE FROM {deleted} WHERE id = {3 if table is Bookmaker else 2}")
    synchronous = oddsschema.create_engine(oddsschema_database, sync=True)

    def delete(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE"):
            with synchronous.begin() as other:
                other.execute(deletion)

    event.listen(engine.sync_engine, "before_cursor_execute", delete)
    shown = await pages.submit(pages.edit_url(table, identity), changes)
    assert shown.keys() == errors.keys()
    assert all(errors[name] in message for name, message in shown.items())
    synchronous.dispose()


async def test_an_equal_key_is_refused_at_its_fields(pages: Pages, session: AsyncSession) -> None:
    """A key that another row has is an error at its fields."""
    values = {"name": "Other", "slug": "football"}
    errors = await pages.submit(pages.create_url(Sport), values)
    assert errors == {"slug": "Another row has the same slug"}
    values = await pages.values(pages.edit_url(EventBookmaker, 1))
    errors = await pages.submit(pages.create_url(EventBookmaker), values)
    assert errors == dict.fromkeys(
        ("event", "bookmaker"), "Another row has the same event_id and bookmaker_id"
    )
    assert await count(session, Sport) == await count(session, EventBookmaker) == 1


async def test_values_that_belong_together_change_together(
    pages: Pages, session: AsyncSession
) -> None:
    """The fields of a handicap are validated as they are after all changes."""
    url = pages.edit_url(CompetitorMarketOdds, 1)
    changes = {"handicap_home": "1", "handicap_away": "-1", "line": ""}
    assert await pages.submit(url, changes) == {}
    row = await first(session, CompetitorMarketOdds)
    assert (row.line, row.handicap_home, row.handicap_away) == (1, 1, -1)


async def test_times_are_in_utc(pages: Pages, session: AsyncSession) -> None:
    """A time of a form is in UTC."""
    assert await pages.submit(pages.edit_url(Event, 1), {"kickoff": "2024-02-01 20:45:00"}) == {}
    assert (await first(session, Event)).kickoff.isoformat() == "2024-02-01T20:45:00+00:00"


async def test_a_related_row_is_replaced(pages: Pages, session: AsyncSession) -> None:
    """A related row can be chosen, and taken away where it may be missing."""
    values = await pages.values(pages.edit_url(Event, 1))
    assert await pages.submit(pages.create_url(Event), values | {"sportradar_id": "8"}) == {}
    assert await pages.submit(pages.edit_url(CompetitorEvent, 1), {"betpawa_event": "2"}) == {}
    assert (await first(session, CompetitorEvent)).betpawa_event_id == 2
    assert await pages.submit(pages.edit_url(CompetitorEvent, 1), {"betpawa_event": None}) == {}
    assert (await first(session, CompetitorEvent)).betpawa_event_id is None


async def test_a_status_is_a_choice(pages: Pages, session: AsyncSession) -> None:
    """The values of an enumeration can be chosen."""
    assert await pages.submit(pages.edit_url(ScrapeRun, 1), {"status": "connection_failed"}) == {}
    assert (await first(session, ScrapeRun)).status == "connection_failed"


async def test_a_market_follows_its_snapshot(pages: Pages, session: AsyncSession) -> None:
    """A market that is moved to another snapshot is one of that snapshot's event."""
    values = await pages.values(pages.edit_url(Event, 1))
    assert await pages.submit(pages.create_url(Event), values | {"sportradar_id": "8"}) == {}
    values = await pages.values(pages.edit_url(OddsSnapshot, 1))
    assert await pages.submit(pages.create_url(OddsSnapshot), values | {"event": "2"}) == {}
    assert await pages.submit(pages.edit_url(MarketOdds, 1), {"snapshot": "2"}) == {}
    market = await first(session, MarketOdds)
    assert (market.snapshot_id, market.event_id) == (2, 2)


async def test_names_are_text(pages: Pages, session: AsyncSession) -> None:
    """Markup in a name is shown as text, in lists and in the choice of a related row."""
    name = "<script>alert(1)</script>"
    assert await pages.submit(pages.edit_url(Event, 1), {"name": name}) == {}
    for url in (pages.list_url(OddsSnapshot), pages.details_url(OddsSnapshot, 1)):
        page = await pages.get(url)
        assert name not in page
        assert "&lt;script&gt;" in page
    assert name not in await pages.choices(OddsSnapshot, "event", "script")


async def test_a_related_row_is_found_by_its_time(pages: Pages) -> None:
    """A snapshot has no name: it is found by its id or its time."""
    for term in ("1", "2024-01-09 12:00"):
        assert "OddsSnapshot 1" in await pages.choices(MarketOdds, "snapshot", term)


async def test_a_row_that_others_refer_to_is_not_deleted(
    pages: Pages, session: AsyncSession
) -> None:
    """Deleting a bookmaker with odds fails with the name of the table that refers to it."""
    message = await pages.delete(Bookmaker, 1)
    assert "refer to this row: delete them" in message
    assert await count(session, Bookmaker) == 3
    assert await pages.delete(Bookmaker, 3) == ""
    assert await count(session, Bookmaker) == 2


async def test_a_synchronous_engine(synchronous_pages: Pages, session: AsyncSession) -> None:
    """The pages work with an engine of psycopg, too."""
    pages = synchronous_pages
    values = {"name": "Tennis", "slug": "tennis"}
    assert await pages.submit(pages.create_url(Sport), values) == {}
    assert await pages.submit(pages.create_url(Sport), values | {"name": "Table Tennis"}) == {
        "slug": "Another row has the same slug"
    }
    assert "name" in await pages.submit(pages.edit_url(Sport, 2), {"name": "x" * 101})
    assert await pages.submit(pages.edit_url(Sport, 2), {"name": "Squash"}) == {}
    sport = await last(session, Sport)
    assert (sport.name, sport.slug) == ("Squash", "tennis")
    assert await pages.submit(pages.edit_url(MarketOdds, 1), {"line": "3.5"}) == {}
    assert (await first(session, MarketOdds)).line == 3.5
    assert "refer to this row" in await pages.delete(Bookmaker, 1)


async def test_hooks_change_the_values_of_a_new_row(
    engine: AsyncEngine, session: AsyncSession
) -> None:
    """A hook of SQLAdmin completes the values before the row is validated."""

    class WithSlug(SQLAdminView, ModelView, model=Sport):
        form_columns = ("name",)
        stored: ClassVar[list[Any]] = []

        async def on_model_change(
            self, data: dict[str, Any], model: Sport | None, is_created: bool, request: Request
        ) -> None:
            assert is_created == (model is None)
            data["slug"] = data["name"].lower()

        async def after_model_change(
            self, data: dict[str, Any], model: Sport, is_created: bool, request: Request
        ) -> None:
            self.stored.append((model.id, is_created))

    app = Starlette()
    Admin(app, engine).add_view(WithSlug)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://odds/admin") as client:
        pages = SQLAdminPages(client)
        assert await pages.submit(pages.create_url(Sport), {"name": "Tennis"}) == {}
        assert (await last(session, Sport)).slug == "tennis"
        assert await pages.submit(pages.edit_url(Sport, 2), {"name": "Squash"}) == {}
        assert (await last(session, Sport)).slug == "squash"
        # A problem with a column that is not in the form is shown, too.
        errors = await pages.submit(pages.create_url(Sport), {"name": "Squash"})
        assert errors == {"name": "Another row has the same name"}
        errors = await pages.submit(pages.create_url(Sport), {"name": "squash"})
        assert errors == {"name": "slug: Another row has the same slug"}
    assert WithSlug.stored == [(2, True), (2, False)]
