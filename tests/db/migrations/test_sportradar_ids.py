"""Revision 9: SportRadar ids lose their prefix, and events of the same id are linked."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.errors import MigrationError
from oddsschema.migrations import CheckState
from tests.support.sessions import execute, fetch, fetch_column, holding, waiting
from tests.support.stored_histories import OLD_REVISION

Run = Callable[..., Any]

PROGRAM = [sys.executable, "-W", "error", "-m", "oddsschema"]

ROWS = """
INSERT INTO tournaments (sport_id, name, sportradar_id)
SELECT s.id, t.id, t.id FROM sports AS s,
    unnest('{sr:tournament:1,sr:tournament:2,2,sr:simple_tournament:3,sr:season:4}'::text[])
        AS t (id);
INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)
SELECT min(t.id), e.id, 'A - B', 'A', 'B', now() FROM tournaments AS t,
    unnest('{sr:match:1,sr:match:2,2,3,sr:match:x,sr:stage:5,vf:match:7,sr:match:07,8}'::text[])
        AS e (id)
GROUP BY e.id;
INSERT INTO competitor_tournaments (source, sport_id, name, external_id, sportradar_id)
SELECT 'bet9ja', s.id, t.id, t.id, t.id FROM sports AS s,
    unnest('{sr:tournament:1,2,sr:tournament:2,sr:simple_tournament:3}'::text[]) AS t (id);
INSERT INTO competitor_events (source, tournament_id, external_id, sportradar_id, name, home_team,
    away_team, kickoff, betpawa_event_id, updated_at)
SELECT t.source, min(t.id), e.id, e.id, 'A - B', 'A', 'B', now(),
    (SELECT id FROM events WHERE sportradar_id = e.id), '2024-01-09'
FROM competitor_tournaments AS t,
    unnest('{sr:match:1,1,sr:match:2,2,3,sr:match:9,sr:match:x,sr:stage:5,vf:match:7,07}'::text[])
        AS e (id)
GROUP BY t.source, e.id;
INSERT INTO odds_snapshots (event_id, bookmaker_id)
SELECT e.id, b.id FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';
"""

LINKS = """
SELECT c.external_id, c.sportradar_id, e.sportradar_id, c.updated_at > '2024-01-09'
FROM competitor_events AS c LEFT JOIN events AS e ON e.id = c.betpawa_event_id
ORDER BY c.external_id COLLATE "C"
"""


@pytest.fixture
def with_ids(old_database: str, run: Run) -> str:
    """Return the URL of a database at revision 7, with ids of many forms."""
    run(execute(old_database, ROWS))
    return old_database


async def upgrade(url: str, *, handed_over: bool) -> tuple[str, ...]:
    """Upgrade a database by its URL or on a connection; return the notes."""
    if not handed_over:
        return await migrations.upgrade(url)
    async with sqlalchemy_connect(url) as connection:
        notes = await migrations.upgrade(connection)
        await connection.commit()
    return notes


@pytest.mark.parametrize("handed_over", [False, True], ids=["url", "connection"])
def test_ids_are_brought_into_form(handed_over: bool, with_ids: str, run: Run) -> None:
    """Ids lose the prefix unless a row has the plain form, and events of the same id are linked."""
    ids = "SELECT array_agg(sportradar_id ORDER BY id) FROM "
    snapshots = "SELECT event_id, count(*) FROM odds_snapshots GROUP BY event_id ORDER BY event_id"
    before = run(fetch(with_ids, snapshots))
    (events,) = run(fetch_column(with_ids, f"{ids} events"))
    notes = run(upgrade(with_ids, handed_over=handed_over))

    plain = {"sr:match:1": "1", "sr:match:07": "07"}
    assert run(fetch_column(with_ids, f"{ids} events")) == [[plain.get(id, id) for id in events]]
    assert run(fetch(with_ids, snapshots)) == before
    assert run(fetch_column(with_ids, f"{ids} tournaments")) == [
        ["1", "sr:tournament:2", "2", "sr:simple_tournament:3", "sr:season:4"]
    ]
    assert run(fetch_column(with_ids, f"{ids} competitor_tournaments")) == [
        ["1", "2", "2", "sr:simple_tournament:3"]
    ]
    linked = [
        ("07", "07", "07", True),
        ("1", "1", "1", True),
        ("2", "2", "2", False),
        ("3", "3", "3", False),
        ("sr:match:1", "1", "1", True),
        ("sr:match:2", "2", "2", True),
        ("sr:match:9", "9", None, True),
        ("sr:match:x", "sr:match:x", "sr:match:x", False),
        ("sr:stage:5", "sr:stage:5", "sr:stage:5", False),
        ("vf:match:7", "vf:match:7", "vf:match:7", False),
    ]
    assert run(fetch(with_ids, LINKS)) == linked

    assert [note.split(" keep ")[0] for note in notes] == [
        "events.sportradar_id: sr:match:2",
        "tournaments.sportradar_id: sr:tournament:2",
    ]
    report = run(migrations.check(with_ids))
    assert (report.state, report.notes) == (CheckState.CLEAN, notes)
    for note in notes:
        ((kept, other, sportradar_id),) = run(fetch(with_ids, note.split("pairs are: ")[1]))
        assert kept != other
        assert sportradar_id == "2"

    run(migrations.downgrade(with_ids, OLD_REVISION))
    assert run(fetch(with_ids, LINKS)) == linked
    assert run(upgrade(with_ids, handed_over=handed_over)) == notes
    assert run(fetch(with_ids, LINKS)) == linked


def test_notes_of_commands(with_ids: str) -> None:
    """`upgrade` and `check` print a line for each table, and succeed."""

    def program(*command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PROGRAM, *command],
            env=os.environ | {"DATABASE_URL": with_ids},
            capture_output=True,
            text=True,
            check=True,
        )

    printed = program("upgrade").stdout.splitlines()
    assert [line.split(" keep ")[0] for line in printed[:2]] == [
        "note: events.sportradar_id: sr:match:2",
        "note: tournaments.sportradar_id: sr:tournament:2",
    ]
    assert len(printed) == 3
    assert program("check").stdout.splitlines()[:2] == printed[:2]
    notes = json.loads(program("check", "--json").stdout)["notes"]
    assert [f"note: {note}" for note in notes] == printed[:2]


def test_many_kept_ids(with_ids: str, run: Run) -> None:
    """A note lists few ids, and counts the others."""
    run(
        execute(
            with_ids,
            "INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)"
            " SELECT tournament_id, prefix || n, 'A - B', 'A', 'B', now() FROM events,"
            " unnest('{sr:match:,\"\"}'::text[]) AS prefix, generate_series(100, 120) AS n"
            " WHERE sportradar_id = '3'",
        )
    )
    note, _ = run(migrations.upgrade(with_ids))
    assert "sr:match:107, sr:match:108 and 12 more keep the prefix" in note


@pytest.mark.parametrize("external_id", ["5", "x" * 100], ids=["short", "cut"])
def test_placeholders_match_nothing(external_id: str, with_ids: str, run: Run) -> None:
    """A competitor's event whose id is made of its own source and id is not linked."""
    whole = f"bet9ja:{external_id}"
    digest = hashlib.sha256(whole.encode()).hexdigest()
    placeholder = whole if len(whole) <= 100 else f"{whole[:83]}-{digest[:16]}"
    run(
        execute(
            with_ids,
            f"UPDATE events SET sportradar_id = '{placeholder}' WHERE sportradar_id = '3'",
            "UPDATE competitor_events SET betpawa_event_id = NULL,"
            f" external_id = '{external_id}', sportradar_id = '{placeholder}'"
            " WHERE external_id = '3'",
            f"UPDATE competitor_events SET sportradar_id = '{placeholder}'"
            " WHERE external_id = 'sr:match:9'",
        )
    )
    run(migrations.upgrade(with_ids))
    links = {row[0]: row[2] for row in run(fetch(with_ids, LINKS))}
    assert links[external_id] is None
    assert links["sr:match:9"] == placeholder


# -- another application ---------------------------------------------------------------------------

THEIRS = """
CREATE TABLE theirs (event_id int REFERENCES events, sportradar_id varchar(100)
    CONSTRAINT theirs_by_sportradar_id REFERENCES events (sportradar_id) {on_update});
INSERT INTO theirs SELECT id, sportradar_id FROM events
"""


@pytest.mark.parametrize("handed_over", [False, True], ids=["url", "connection"])
@pytest.mark.parametrize("action", ["", "ON UPDATE RESTRICT", "ON UPDATE SET NULL"])
def test_foreign_key_that_does_not_follow(
    action: str, handed_over: bool, with_ids: str, run: Run
) -> None:
    """The upgrade stops before it changes an id, names the foreign key, and succeeds without it."""
    run(execute(with_ids, THEIRS.format(on_update=action)))
    theirs = "SELECT event_id, sportradar_id FROM theirs ORDER BY event_id"
    before = run(fetch(with_ids, theirs)), run(fetch(with_ids, LINKS))
    with pytest.raises(MigrationError, match=r"theirs_by_sportradar_id of theirs.*\n.*CASCADE"):
        run(upgrade(with_ids, handed_over=handed_over))
    assert (run(fetch(with_ids, theirs)), run(fetch(with_ids, LINKS))) == before
    run(execute(with_ids, "DROP TABLE theirs", THEIRS.format(on_update="ON UPDATE CASCADE")))
    run(upgrade(with_ids, handed_over=handed_over))
    assert run(fetch(with_ids, theirs)) == run(
        fetch(with_ids, "SELECT id, sportradar_id FROM events ORDER BY id")
    )


def test_foreign_key_to_ids_in_form(with_ids: str, run: Run) -> None:
    """A foreign key without ON UPDATE is accepted when no id has to change."""
    run(execute(with_ids, "DELETE FROM events WHERE sportradar_id LIKE 'sr:match:%'"))
    run(execute(with_ids, THEIRS.format(on_update="")))
    run(migrations.upgrade(with_ids))
    assert run(migrations.check(with_ids)).state is CheckState.CLEAN


# -- other sessions --------------------------------------------------------------------------------


def test_plain_id_that_arrives_meanwhile(with_ids: str, run: Run) -> None:
    """An id keeps its prefix when another session stores the plain form during the upgrade."""

    async def upgrade_beside() -> tuple[str, ...]:
        async with holding(
            with_ids,
            "INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)"
            " SELECT tournament_id, '1', name, home_team, away_team, kickoff FROM events"
            " WHERE sportradar_id = '3'",
        ) as session:
            upgrading = asyncio.create_task(migrations.upgrade(with_ids))
            await waiting(session, unless=upgrading)
        return await upgrading

    notes = run(upgrade_beside())
    assert notes[0].startswith("events.sportradar_id: sr:match:2, sr:match:1 keep")
    links = {row[0]: row[2] for row in run(fetch(with_ids, LINKS))}
    assert links["sr:match:1"] == links["1"] == "1"
