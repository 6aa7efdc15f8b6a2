"""Sources as they are found: odd rows, other schemas, and tables that are not of the plan."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from oddsschema import AdoptionError, IngestOptions, NotMigratedError, adopt, ingest, migrations
from oddsschema.adoption import AdoptReport
from oddsschema.cli.output import name_schema_option
from oddsschema.migrations import CheckState
from tests.support.plan_tables import MATCH, ODDS, PLAN_TABLES
from tests.support.screens import program
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

LONDON = ZoneInfo("Europe/London")

SNAPSHOTS = """
SELECT 'reference', s.captured_at, s.confirmed_at FROM odds_snapshots AS s
UNION ALL SELECT 'competitor', captured_at, confirmed_at FROM competitor_odds_snapshots
ORDER BY 2, 1
"""


def counts(report: AdoptReport) -> dict[str, tuple[int, ...]]:
    """Return the counts of each table: source, stored, merged, refused, left, missing."""
    return {
        table.name: (
            *(table.source, table.stored, table.merged),
            *(table.refused, table.left, table.missing),
        )
        for table in report.tables
    }


def of_tables(report: AdoptReport, *names: str) -> list[tuple[int, ...]]:
    """Return the counts of some tables."""
    found = counts(report)
    return [found[name] for name in names]


def test_both_sides(source: str, database: str, run: Run) -> None:
    """Both sides are stored and linked, and every table is counted."""
    report = run(adopt(database, source, timezone=UTC))
    assert report.all_stored
    assert set(counts(report).values()) == {(1, 1, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)}
    linked = (
        "SELECT e.sportradar_id FROM competitor_events JOIN events AS e ON e.id = betpawa_event_id"
    )
    assert run(fetch(database, linked)) == [("77",)]
    assert run(fetch(database, "SELECT trigger, status FROM scrape_batches")) == [
        ("adopt", "completed")
    ]


def test_repetition(source: str, database: str, run: Run) -> None:
    """A second adoption changes no odds, and brings the snapshots that were added."""
    first = run(adopt(database, source, timezone=UTC))
    content = "SELECT (SELECT json_agg(s) FROM {}odds_snapshots AS s)::text"
    before = [run(fetch(database, content.format(side))) for side in ("", "competitor_")]
    second = run(adopt(database, source, timezone=UTC))
    assert counts(second) == counts(first)
    assert [(report.snapshots_new, report.snapshots_known) for report in (first, second)] == [
        (2, 0),
        (0, 2),
    ]
    assert [run(fetch(database, content.format(side))) for side in ("", "competitor_")] == before
    run(
        execute(
            source,
            "INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at) "
            "VALUES (101, 11, 7, '2024-10-27 02:30')",
        )
    )
    third = run(adopt(database, source, timezone=UTC))
    assert third.all_stored
    assert (third.snapshots_new, third.snapshots_known) == (1, 2)


def test_hour_that_comes_twice(source: str, database: str, run: Run) -> None:
    """A local time that comes twice is the first of both; later ones are standard time."""
    run(
        execute(
            source,
            "UPDATE odds_snapshots SET captured_at = '2024-10-27 01:30'",
            "UPDATE competitor_odds_snapshots SET captured_at = '2024-10-27 02:00'",
        )
    )
    assert run(adopt(database, source, timezone=LONDON)).all_stored
    assert [row[:2] for row in run(fetch(database, SNAPSHOTS))] == [
        ("reference", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("competitor", datetime(2024, 10, 27, 2, 0, tzinfo=UTC)),
    ]


def test_hour_that_never_comes(source: str, database: str, run: Run) -> None:
    """A local time that the zone does not have is refused, and named."""
    run(execute(source, "UPDATE odds_snapshots SET captured_at = '2024-03-31 01:30'"))
    report = run(adopt(database, source, timezone=LONDON))
    (refusal,) = report.ingestion.refusals
    assert str(refusal).startswith("odds_snapshots:100: $: 2024-03-31 01:30:00 does not exist in")
    assert of_tables(report, "odds_snapshots", "market_odds") == [(1, 0, 0, 1, 0, 0)] * 2
    assert report.all_equal
    assert not report.all_stored


def test_aware_times(source: str, database: str, run: Run) -> None:
    """Times with a zone need none, and keep their instants."""
    for table, column in [
        *(("events", "kickoff"), ("competitor_events", "kickoff")),
        *(("odds_snapshots", "captured_at"), ("competitor_odds_snapshots", "captured_at")),
    ]:
        run(
            execute(
                source,
                f"ALTER TABLE {table} ALTER {column} TYPE timestamptz "
                f"USING {column} AT TIME ZONE 'Africa/Lagos'",
            )
        )
    run(
        execute(
            source,
            "DROP TABLE scrape_batches, scrape_runs, scrape_errors",
            *(
                f"ALTER TABLE competitor_{name} DROP COLUMN deleted_at"
                for name in ("events", "tournaments")
            ),
        )
    )
    assert run(adopt(database, source)).all_stored
    instant = datetime(2024, 10, 26, 23, 30, tzinfo=UTC)
    assert [row[1] for row in run(fetch(database, SNAPSHOTS))] == [instant, instant]


def test_refused_rows(source: str, database: str, run: Run) -> None:
    """Refused rows are named by table and id; the rest of their snapshots is stored."""
    run(
        execute(
            source,
            "INSERT INTO market_odds "
            "(snapshot_id, betpawa_market_id, betpawa_market_name, line, outcomes) VALUES "
            "(100, '5', 'Total', 2.5, '[{\"name\": \"Over\", \"odds\": 0.5}]'),"
            "(100, '6', 'Total', 2.5, '[]'),"
            "(999, '6', 'Total', 2.5, '[]')",
            "INSERT INTO competitor_odds_snapshots (id, competitor_event_id, captured_at) "
            "VALUES (201, 99, '2024-10-27 00:31')",
        )
    )
    report = run(adopt(database, source, timezone=UTC))
    of_markets, of_event = map(str, report.ingestion.refusals)
    assert of_markets.startswith("odds_snapshots:100: $.markets[1].outcomes[0]")
    assert of_event == (
        "competitor_odds_snapshots:201: $: its event 99 is missing in competitor_events"
    )
    assert of_tables(report, "odds_snapshots", "market_odds", "competitor_odds_snapshots") == [
        (1, 1, 0, 0, 0, 0),
        (4, 1, 0, 1, 2, 0),
        (2, 1, 0, 1, 0, 0),
    ]


def test_refused_market_keeps_its_state(source: str, database: str, run: Run) -> None:
    """A market that is refused is stored as before, and a second one of its key is refused."""
    run(
        execute(
            source,
            "INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at) "
            "VALUES (101, 11, 7, '2024-10-27 00:31')",
            "INSERT INTO market_odds "
            "(snapshot_id, betpawa_market_id, betpawa_market_name, outcomes) VALUES "
            "(101, '3743', '1X2', '[{\"name\": \"1\", \"odds\": 0.5}]'),"
            "(101, '5', 'Player', '[{\"name\": \"Yes\", \"odds\": 3.5}]'),"
            "(101, '5', 'Player', '[{\"name\": \"Yes\", \"odds\": 4.5}]')",
        )
    )
    report = run(adopt(database, source, timezone=UTC))
    assert of_tables(report, "odds_snapshots", "market_odds") == [
        (2, 2, 0, 0, 0, 0),
        (4, 2, 0, 2, 0, 0),
    ]
    stored = "SELECT betpawa_market_id, outcomes->0->>'odds', unavailable_at FROM market_odds"
    assert sorted(run(fetch(database, stored))) == [("3743", "1.5", None), ("5", "3.5", None)]


def test_rows_that_become_one(source: str, database: str, run: Run) -> None:
    """Two events of one SportRadar id become one, and so do their snapshots of one instant."""
    run(
        execute(
            source,
            "INSERT INTO events "
            "(id, tournament_id, name, home_team, away_team, kickoff, sportradar_id) "
            "SELECT 12, tournament_id, name, home_team, away_team, kickoff, '77' FROM events",
            "INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at) VALUES "
            "(101, 12, 7, '2024-10-27 00:30'), (102, 12, 7, '2024-10-27 00:40')",
            "INSERT INTO market_odds "
            "(snapshot_id, betpawa_market_id, betpawa_market_name, outcomes) "
            "SELECT 101, '1', 'Other', outcomes FROM market_odds",
            "INSERT INTO market_odds "
            "(snapshot_id, betpawa_market_id, betpawa_market_name, outcomes) "
            "SELECT 101, '3743', '1X2', '[{\"name\": \"1\", \"odds\": 9.9}]'",
        )
    )
    report = run(adopt(database, source, timezone=UTC))
    assert report.all_stored
    assert of_tables(report, "events", "odds_snapshots", "market_odds") == [
        (2, 1, 1, 0, 0, 0),
        (3, 2, 1, 0, 0, 0),
        (3, 2, 1, 0, 0, 0),
    ]
    prices = (
        "SELECT betpawa_market_id, outcomes->0->>'odds' FROM market_odds "
        "WHERE unavailable_at IS NULL"
    )
    assert sorted(run(fetch(database, prices))) == [("1", "1.5"), ("3743", "1.5")]


def test_tournaments_that_become_one(source: str, database: str, run: Run) -> None:
    """Tournaments of one name in one country are counted as merged, and every event is stored."""
    run(
        execute(
            source,
            "INSERT INTO tournaments (id, sport_id, name, sportradar_id) "
            "VALUES (8, 5, 'Super League', 'sr:tournament:8')",
            "INSERT INTO events "
            "SELECT 12, 8, name, home_team, away_team, kickoff, '78' FROM events",
            "INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at) "
            "VALUES (101, 12, 7, '2024-10-27 00:31')",
        )
    )
    for _ in range(2):
        report = run(adopt(database, source, timezone=UTC))
        assert report.all_stored
        assert of_tables(report, "tournaments", "events") == [
            (2, 1, 1, 0, 0, 0),
            (2, 2, 0, 0, 0, 0),
        ]
    assert run(fetch(database, "SELECT count(*) FROM tournaments")) == [(1,)]


@pytest.mark.parametrize(("sportradar_id", "left"), [("78", 1), ("", 1), ("sr:match:77", 0)])
def test_matches_by_hand(
    sportradar_id: str, left: int, source: str, database: str, run: Run
) -> None:
    """A match that the SportRadar ids do not make is left, and counted."""
    change = (
        f"UPDATE competitor_events SET betpawa_event_id = 11, sportradar_id = '{sportradar_id}'"
    )
    run(execute(source, change))
    report = run(adopt(database, source, timezone=UTC))
    found = [str(column) for column in report.columns_left]
    assert found == ["competitor_events.betpawa_event_id: 1 values"] * left
    matched = "SELECT betpawa_event_id IS NULL FROM competitor_events"
    assert run(fetch(database, matched)) == [(bool(left),)]


def test_more_columns(source: str, database: str, run: Run) -> None:
    """Columns and keys of outcomes that oddsschema does not have are left, and counted."""
    run(
        execute(
            source,
            "ALTER TABLE market_odds ADD market_groups json, ADD phase text",
            "UPDATE market_odds SET market_groups = '[]', "
            'outcomes = \'[{"name": "1", "odds": 1.5, "id": 7, "probability": 0.6}]\'',
        )
    )
    report = run(adopt(database, source, timezone=UTC))
    assert report.all_stored
    assert [str(column) for column in report.columns_left] == [
        "market_odds.market_groups: 1 values",
        "market_odds.phase: 0 values",
    ]
    assert report.outcome_keys_left == 2
    assert run(fetch(database, "SELECT outcomes::text FROM market_odds")) == [
        ('[{"name": "1", "odds": 1.5, "is_active": true}]',)
    ]


def test_specifiers(source: str, database: str, run: Run) -> None:
    """A column of specifiers, which the plan lacks, is read."""
    run(
        execute(
            source,
            "ALTER TABLE market_odds ADD specifiers text",
            "UPDATE market_odds SET specifiers = 'minute=15'",
        )
    )
    assert run(adopt(database, source, timezone=UTC)).all_stored
    assert run(fetch(database, "SELECT specifiers FROM market_odds")) == [("minute=15",)]


def test_raw_responses(source: str, database: str, run: Run) -> None:
    """Raw responses are stored on request."""
    run(execute(source, """UPDATE odds_snapshots SET raw_response = '{"b": 1, "a": 2}'"""))
    raw = "SELECT raw_response::text FROM odds_snapshots"
    assert program(*_adopt(source, database), "--keep-raw").code == 0
    assert run(fetch(database, raw)) == [('{"a": 2, "b": 1}',)]


def test_raw_responses_too_late(source: str, database: str, run: Run) -> None:
    """A snapshot that was stored without its raw response before is not equal with it."""
    run(execute(source, """UPDATE odds_snapshots SET raw_response = '{"a": 1.10, "b": 1e23}'"""))
    options = IngestOptions(keep_raw=True)
    assert run(adopt(database, source, timezone=UTC)).all_stored
    report = run(adopt(database, source, timezone=UTC, options=options))
    assert [str(each) for each in report.different] == [
        "odds_snapshots:100: its raw_response is not stored"
    ]
    run(execute(database, "DELETE FROM odds_snapshots"))
    assert run(adopt(database, source, timezone=UTC, options=options)).all_stored


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "column", ["odds_snapshots.captured_at", "events.kickoff", "competitor_events.deleted_at"]
)
@pytest.mark.parametrize("time", ["20000-01-01", "0044-03-15 BC", "infinity", "-infinity"])
def test_times_outside_of_python(
    column: str, time: str, source: str, database: str, run: Run
) -> None:
    """A time that Python cannot have refuses its own snapshot alone; a soft delete is left out."""
    table, name = column.split(".")
    run(execute(source, f"UPDATE {table} SET {name} = '{time}'"))
    report = run(adopt(database, source, timezone=UTC))
    is_refused = name != "deleted_at"
    assert of_tables(report, "odds_snapshots", "competitor_odds_snapshots") == [
        (1, int(not is_refused), 0, int(is_refused), 0, 0),
        (1, 1, 0, 0, 0, 0),
    ]
    assert run(fetch(database, "SELECT deleted_at FROM competitor_events")) == [(None,)]


def test_soft_deletes(source: str, database: str, run: Run) -> None:
    """Rows that were deleted softly stay so, unless a later snapshot has them."""
    run(
        execute(
            source,
            "UPDATE competitor_tournaments SET deleted_at = '2024-10-28'",
            "UPDATE competitor_events SET deleted_at = '2024-10-20'",
        )
    )
    deleted = "SELECT deleted_at FROM competitor_{}"
    for _ in range(2):
        assert run(adopt(database, source, timezone=UTC)).all_stored
        assert run(fetch(database, deleted.format("tournaments"))) == [
            (datetime(2024, 10, 28, tzinfo=UTC),)
        ]
        assert run(fetch(database, deleted.format("events"))) == [(None,)]


def test_events_alone(source: str, database: str, run: Run) -> None:
    """Odds of a competitor's event without an id, and of an event without a listing, are stored."""
    run(
        execute(
            source,
            "DELETE FROM event_bookmakers",
            "UPDATE competitor_events SET sportradar_id = ''",
        )
    )
    assert run(adopt(database, source, timezone=UTC)).all_stored
    ids = "SELECT sportradar_id, betpawa_event_id FROM competitor_events"
    assert run(fetch(database, ids)) == [("bet9ja:e1", None)]
    listed = "SELECT external_event_id FROM event_bookmakers"
    assert run(fetch(database, listed)) == [("sr:match:77",)]


@pytest.mark.parametrize("name", ["market_odds_current", "competitor_market_odds_history"])
@pytest.mark.parametrize("is_empty", [False, True], ids=["no-snapshots", "empty-snapshots"])
def test_later_form(name: str, is_empty: bool, plan_database: str, database: str, run: Run) -> None:
    """Odds in tables of current rows and of history are refused in words."""
    tables = "odds_snapshots, market_odds, competitor_odds_snapshots, competitor_market_odds"
    if not is_empty:
        run(execute(plan_database, f"DROP TABLE {tables}"))
    run(execute(plan_database, f"CREATE TABLE {name} (id int)"))
    ended = program(*_adopt(plan_database, database))
    assert (ended.code, ended.stdout) == (2, "")
    assert f"tables of current rows and of history ({name})" in ended.stderr
    assert "lacks the names and the handicaps of its markets" in ended.stderr


def test_no_plan(empty_database: str, database: str, source: str, run: Run) -> None:
    """A source without snapshots, with missing columns, or with our own tables is refused."""
    with pytest.raises(AdoptionError, match="the schema public has no table of snapshots"):
        run(adopt(database, empty_database))
    with pytest.raises(AdoptionError, match="those of oddsschema itself"):
        run(adopt(database, database))
    run(execute(source, "ALTER TABLE events DROP COLUMN home_team; DROP TABLE sports"))
    with pytest.raises(AdoptionError, match=r"of the plan: sports.id, .*events\.home_team"):
        run(adopt(database, source, timezone=UTC))
    with pytest.raises(NotMigratedError):
        run(adopt(empty_database, source, timezone=UTC))
    connection = run(asyncpg.connect(source))
    with pytest.raises(TypeError, match="in place of a connection"):
        run(adopt(database, connection, timezone=UTC))
    run(connection.close())


def _adopt(source: str, database: str, *more: str) -> tuple[str, ...]:
    return ("adopt", "--from", source, "--timezone", "UTC", "--url", database, *more)


def test_program(source: str, database: str, tmp_path: Path, run: Run) -> None:
    """The program prints the counts, the refusals and the report, and writes the rejects."""
    run(
        execute(
            source,
            "INSERT INTO odds_snapshots (id, event_id, bookmaker_id, captured_at) "
            "VALUES (101, 11, 7, '2500-01-01')",
        )
    )
    rejects = tmp_path / "rejects.ndjson"
    ended = program(*_adopt(source, database, "--rejects", str(rejects)))
    assert ended.code == 1
    assert "refused: odds_snapshots:101: " in ended.stderr
    assert "odds_snapshots: 2 rows, 1 stored, 1 refused\n" in ended.stdout
    assert ended.stdout.endswith("2 snapshots were read back equal, 0 differ\n")
    (line,) = map(json.loads, rejects.read_text().splitlines())
    assert line["capture"]["event"]["sportradar_id"] == "sr:match:77"
    line["capture"]["captured_at"] = "2024-10-28T00:00:00Z"
    assert run(ingest(database, [line["capture"]])).total.captures_stored == 1
    report = json.loads(program(*_adopt(source, database), "--json").stdout)
    assert report["tables"][0] == {
        "name": "sports",
        "source": 1,
        "stored": 1,
        "merged": 0,
        "refused": 0,
        "left": 0,
        "missing": 0,
    }
    for arguments, reason in (
        (("adopt", "--url", database), "give --from or --from-schema"),
        (("adopt", "--from", source, "--timezone", "Europe/Lonon"), "'Europe/Lonon' is no time"),
    ):
        ended = program(*arguments)
        assert (ended.code, reason in ended.stderr) == (2, True)


def test_move_in(empty_database: str, run: Run) -> None:
    """The plan's tables are named as others', and are adopted into a schema beside them."""
    run(execute(empty_database, PLAN_TABLES, MATCH, ODDS))
    checked = run(migrations.check(empty_database))
    assert checked.state is CheckState.UNVERSIONED
    assert "these tables are not ours" in checked.message
    assert "?search_path=odds" in checked.message
    assert "'oddsschema adopt'" in checked.message
    ended = program("upgrade", "--url", empty_database)
    assert ended.code == 5
    assert ended.stderr.splitlines()[-1] == f"error: {name_schema_option(checked)}"

    ours = "--url", empty_database, "--schema", "odds"
    assert program("upgrade", "--create-schema", *ours).code == 0
    ended = program("adopt", "--from-schema", "public", "--timezone", "UTC", *ours)
    assert (ended.code, ended.stderr.count("\n")) == (0, 1), ended
    assert program("check", *ours).code == 0
    stored = "SELECT count(*) FROM odds.{}market_odds"
    assert [run(fetch(empty_database, stored.format(side))) for side in ("", "competitor_")] == [
        [(1,)],
        [(1,)],
    ]
    url = f"{empty_database}{'&' if '?' in empty_database else '?'}search_path=odds"
    assert run(adopt(url, empty_database, schema="public", timezone=UTC)).all_stored


def test_differences(source: str, database: str, run: Run) -> None:
    """A snapshot that is stored differently, or not at its instant, is found and named."""
    run(
        execute(
            database,
            """CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF TG_TABLE_NAME = 'market_odds' THEN
                    NEW.betpawa_market_id = '5';
                ELSE
                    NEW.captured_at = NEW.captured_at + interval '1 minute';
                END IF;
                RETURN NEW;
            END $$""",
            *(
                f"CREATE TRIGGER spoil BEFORE INSERT ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION spoil()"
                for table in ("market_odds", "competitor_odds_snapshots")
            ),
        )
    )
    ended = program(*_adopt(source, database))
    assert ended.code == 1
    assert [line for line in ended.stderr.splitlines() if "different" in line] == [
        "different: odds_snapshots:100: 1 markets are not stored as they are in the source, and "
        "1 are stored beside them (ids 3743, 5)",
        "different: competitor_odds_snapshots:200: it is not stored",
    ]
    assert "competitor_market_odds: 1 rows, 1 missing\n" in ended.stdout
    assert ended.stdout.endswith("0 snapshots were read back equal, 2 differ\n")


def test_source_unchanged(source: str, database: str, run: Run) -> None:
    """The source is read by a role that may only read, and has the same rows afterwards."""
    run(
        execute(
            source,
            "DROP ROLE IF EXISTS plan_reader",
            "CREATE ROLE plan_reader",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO plan_reader",
        )
    )

    async def open_as_reader() -> asyncpg.Connection:
        connection = await asyncpg.connect(source)
        await connection.execute("SET SESSION AUTHORIZATION plan_reader")
        return connection

    rows = (
        "SELECT relname::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1"
    )
    before = run(fetch(source, rows))
    try:
        assert run(adopt(database, open_as_reader, timezone=UTC)).all_stored
    finally:
        run(execute(source, "DROP OWNED BY plan_reader", "DROP ROLE plan_reader"))
    assert run(fetch(source, rows)) == before
