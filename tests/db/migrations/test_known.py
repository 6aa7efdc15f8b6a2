"""Parts that users add to the tables, and acknowledge by name."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import migrations
from oddsschema.migrations import CheckState
from tests.support.drift import rolled_back
from tests.support.sessions import execute
from tests.support.tamperings import TAMPERINGS, Tampering

Run = Callable[..., Any]

#: Parts that a user may add: the name, the SQL, and the note of an acknowledged part.
ADDITIONS = {
    "events.venue": (
        "ALTER TABLE events ADD venue text UNIQUE",
        "column events.venue is acknowledged: text",
    ),
    "events.events_venue_key": (
        "ALTER TABLE events ADD venue text UNIQUE",
        "unique constraint events.events_venue_key is acknowledged: UNIQUE (venue); it can reject "
        "rows of oddsschema",
    ),
    'sports."Needed"': (
        'ALTER TABLE sports ADD "Needed" int; UPDATE sports SET "Needed" = 1;'
        'ALTER TABLE sports ALTER "Needed" SET NOT NULL',
        'column sports."Needed" is acknowledged: integer NOT NULL; no row can be stored without a '
        "value for it",
    ),
    "bookmakers.rank": (
        "ALTER TABLE bookmakers ADD rank serial",
        "column bookmakers.rank is acknowledged: integer DEFAULT "
        "nextval('bookmakers_rank_seq'::regclass) NOT NULL",
    ),
    "events.quick": (
        "CREATE INDEX quick ON events (home_team)",
        "index events.quick is acknowledged: USING btree (home_team)",
    ),
    "events.once": (
        "CREATE UNIQUE INDEX once ON events (name, kickoff)",
        "index events.once is acknowledged: UNIQUE USING btree (name, kickoff); it can reject rows "
        "of oddsschema",
    ),
    "scrape_runs.sane": (
        "ALTER TABLE scrape_runs ADD CONSTRAINT sane CHECK (events_scraped >= 0)",
        "check constraint scrape_runs.sane is acknowledged: CHECK ((events_scraped >= 0)); it can "
        "reject rows of oddsschema",
    ),
    "events.keep": (
        "CREATE RULE keep AS ON DELETE TO events DO INSTEAD NOTHING",
        "rule events.keep is acknowledged: CREATE RULE keep AS ON DELETE TO public.events DO "
        "INSTEAD NOTHING; it can change or reject rows of oddsschema",
    ),
    "market_odds.old_market_odds": (
        "CREATE TABLE old_market_odds () INHERITS (market_odds)",
        "inheriting table market_odds.old_market_odds is acknowledged: INHERITS (market_odds); its "
        "rows are read, counted and deleted with those of market_odds",
    ),
}

#: The additions that are no differences even if nobody knows them.
HARMLESS = {"events.quick"}


@given(
    present=st.sets(st.sampled_from(sorted(ADDITIONS))),
    known=st.sets(st.sampled_from(sorted(ADDITIONS))),
)
def test_additions(present: set[str], known: set[str], filled: str, run: Run) -> None:
    """Exactly the additions that are not acknowledged differ; each name has its note."""

    async def add() -> None:
        async with rolled_back(filled) as (connection, raw):
            for sql in {ADDITIONS[name][0] for name in present}:
                await raw.execute(sql)
            if present & {"events.venue", "events.events_venue_key"}:
                # The constraint comes with its column, and is dropped with it.
                present.update({"events.venue", "events.events_venue_key"})
            unknown = present - known - HARMLESS
            if "events.venue" in unknown:
                unknown.discard("events.events_venue_key")
            report = await migrations.check(connection, known=known)
            assert {difference.location for difference in report.differences} == unknown
            assert report.state is (CheckState.DRIFT if unknown else CheckState.CLEAN)
            assert sorted(report.notes) == sorted(
                ADDITIONS[name][1]
                if name in present
                else f"{name} is acknowledged, but does not exist: remove it from the known names"
                for name in known
            )

    run(add())


#: The alterations that change or remove a part of this release, or cannot be acknowledged.
CHANGES = [
    case
    for case in TAMPERINGS
    if "." in case.where
    and "{check" not in case.sql + case.where
    and (case.expected is not None or case.id == "default added")
]


@given(tampering=st.sampled_from(CHANGES))
def test_changes_are_never_acknowledged(tampering: Tampering, filled: str, run: Run) -> None:
    """A part of this release that is changed or missing differs, whatever is acknowledged."""

    async def tamper() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute(tampering.statement)
            report = await migrations.check(connection, known=[tampering.where])
            assert report.state is CheckState.DRIFT

    run(tamper())


def test_own_part(filled: str, run: Run) -> None:
    """A name of this release's own parts is no addition, and a note says so."""
    assert run(migrations.check(filled, known=["events.name"])).notes == (
        "events.name is acknowledged, but it is a part of this release: changes of it are reported",
    )


@pytest.mark.parametrize("known", [["venue"], ["events."], [".venue"]])
def test_names_without_a_table(known: list[str], filled: str, run: Run) -> None:
    """A name that can be no part of a table is refused."""
    with pytest.raises(ValueError, match="names no part of a table"):
        run(migrations.check(filled, known=known))


def test_text_in_place_of_names(filled: str, run: Run) -> None:
    """A text in place of several names is refused, and not read letter by letter."""
    with pytest.raises(TypeError, match="several names"):
        run(migrations.check(filled, known="events.venue"))


# -- the command -----------------------------------------------------------------------------------


def check(url: str, *options: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """Run `oddsschema check` in a directory."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "oddsschema", "check", *options],
        env=os.environ | {"DATABASE_URL": url},
        cwd=directory,
        capture_output=True,
        text=True,
    )


def test_command(database: str, run: Run, tmp_path: Path) -> None:
    """`check` knows the names of --known and of the nearest pyproject.toml with settings."""
    run(execute(database, "ALTER TABLE events ADD venue text; ALTER TABLE sports ADD rank int"))
    inner = tmp_path / "inner" / "directory"
    inner.mkdir(parents=True)
    (tmp_path / "inner" / "pyproject.toml").write_text("[project]\nname = 'theirs'\n")
    (tmp_path / "pyproject.toml").write_text("[tool.oddsschema]\nknown = ['events.venue']\n")
    done = check(database, "--known", "sports.rank", "--known", "sports.gone", directory=inner)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:-1] == [
        "note: column events.venue is acknowledged: text",
        "note: column sports.rank is acknowledged: integer",
        "note: sports.gone is acknowledged, but does not exist: remove it from the known names",
    ]
    as_json = check(database, "--json", directory=inner)
    report = json.loads(as_json.stdout)
    assert [difference["location"] for difference in report["differences"]] == ["sports.rank"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[tool.oddsschema]\nknwon = []", "tool.oddsschema.knwon is no setting"),
        ("[tool]\noddsschema = 1", "tool.oddsschema should be a table"),
        ("[tool.oddsschema]\nknown = 'events.venue'", "tool.oddsschema.known should be an array"),
        ("[tool.oddsschema]\nknown = [1]", "tool.oddsschema.known should be an array"),
        ("[tool.oddsschema]\nknown = ['venue']", "tool.oddsschema.known: 'venue' names no part"),
        ("[tool.oddsschema", "cannot be read"),
        ("tool = '\udce4'", "cannot be read"),
    ],
)
def test_malformed_settings(text: str, sentence: str, database: str, tmp_path: Path) -> None:
    """Malformed settings are refused with the file and the key."""
    file = tmp_path / "pyproject.toml"
    file.write_text(text, errors="surrogateescape")
    done = check(database, directory=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {file}")
    assert sentence in done.stderr


def test_malformed_option(database: str, tmp_path: Path) -> None:
    """A malformed name is refused with the option."""
    done = check(database, "--known", "venue", directory=tmp_path)
    assert done.returncode == 2
    assert "'--known': 'venue' names no part of a table" in done.stderr
