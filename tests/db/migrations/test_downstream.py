"""A project that builds on our tables, and has its revision recorded in place of ours."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddsschema import NotMigratedError, ingest, migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import OtherProjectError
from oddsschema.migrations import CheckState, script_location
from oddsschema.simulate import simulate
from tests.support.paths import ROOT
from tests.support.sessions import execute, fetch_column

Run = Callable[..., Any]
#: A function that runs alembic in the project, on a database.
Alembic = Callable[..., str]

RECORDED = "SELECT version_num FROM alembic_version ORDER BY 1"


@pytest.fixture
def alembic(tmp_path: Path) -> Callable[[str], Alembic]:
    """Return a function that runs alembic in docs/examples/extending, on the given revision."""

    def depending_on(revision: str) -> Alembic:
        project = shutil.copytree(ROOT / "docs/examples/extending", tmp_path / revision)
        settings = project / "pyproject.toml"
        versions = str(script_location() / "versions")  # a file of the checkout, not of the package
        settings.write_text(settings.read_text().replace("oddsschema:alembic/versions", versions))
        (version,) = (project / "odds_watch/migrations/versions").glob("*.py")
        depends, count = re.subn(
            "depends_on = .*", f"depends_on = {revision!r}", version.read_text()
        )
        assert count == 1
        version.write_text(depends)

        def run(url: str, *command: str) -> str:
            environment = os.environ | {
                "DATABASE_URL": url,
                "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
            }
            return subprocess.run(
                [sys.executable, "-m", "alembic", *command],
                cwd=project,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        return run

    return depending_on


def captures() -> list[dict[str, Any]]:
    """Simulate one scrape."""
    (scrape,) = simulate(events=2, scrapes=1)
    return [capture for platform in scrape.values() for capture in platform]


def test_on_our_newest(alembic: Callable[[str], Alembic], empty_database: str, run: Run) -> None:
    """A project's revision on our newest one works, up and down."""
    on = alembic(HEAD)
    on(empty_database, "upgrade", "heads")
    assert run(fetch_column(empty_database, RECORDED)) == ["watch_0001"]
    assert run(migrations.current(empty_database)) == HEAD
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(ingest(empty_database, captures())).all_stored
    with pytest.raises(OtherProjectError, match="alembic upgrade heads"):
        run(migrations.upgrade(empty_database))

    on(empty_database, "downgrade", "watch@base")
    assert run(fetch_column(empty_database, RECORDED)) == [HEAD]
    assert run(migrations.current(empty_database)) == HEAD


def test_on_an_older_one(alembic: Callable[[str], Alembic], empty_database: str, run: Run) -> None:
    """A project's revision on an older one is reported, and its alembic upgrades both."""
    on = alembic("oddsschema_0003")
    on(empty_database, "upgrade", "watch@head")
    assert run(fetch_column(empty_database, RECORDED)) == ["watch_0001"]
    assert run(migrations.current(empty_database)) is None
    report = run(migrations.check(empty_database))
    assert report.state is CheckState.UNVERSIONED
    assert "watch_0001" in report.message
    assert "alembic upgrade heads" in report.message
    with pytest.raises(NotMigratedError, match=r"watch_0001 of another.*alembic upgrade heads"):
        run(ingest(empty_database, captures()))

    on(empty_database, "upgrade", "heads")
    assert run(fetch_column(empty_database, RECORDED)) == [HEAD, "watch_0001"]
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(ingest(empty_database, captures())).all_stored


def test_drift_below_theirs(
    alembic: Callable[[str], Alembic], empty_database: str, run: Run
) -> None:
    """A difference below a project's revision is reported and can be repaired."""
    alembic(HEAD)(empty_database, "upgrade", "heads")
    run(execute(empty_database, "DROP INDEX idx_competitor_events_betpawa"))
    report = run(migrations.check(empty_database))
    assert report.state is CheckState.UNVERSIONED
    (difference,) = report.differences
    assert difference.location == "competitor_events.idx_competitor_events_betpawa"
    run(execute(empty_database, difference.repair))
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


@pytest.mark.sampled(1)
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_rows_that_break_a_check(
    driver: str,
    alembic: Callable[[str], Alembic],
    empty_database: str,
    tmp_path: Path,
    run: Run,
) -> None:
    """A project's alembic names table and CHECK, with a SELECT that finds the rows."""
    project = alembic("oddsschema_0003")
    if driver == "psycopg":
        change_environment(
            tmp_path,
            """    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
""",
            """    engine = create_engine(os.environ["DATABASE_URL"], poolclass=NullPool, sync=True)
    with engine.connect() as connection:
        run(connection)
        connection.commit()
""",
        )
    project(empty_database, "upgrade", "oddsschema_0003")
    run(execute(empty_database, "INSERT INTO sports (name, slug) VALUES ('Rugby ', 'rugby')"))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        project(empty_database, "upgrade", "heads")
    message = refused.value.stdout + refused.value.stderr
    assert "Traceback" not in message
    assert "FAILED: rows of sports break the CHECK ck_sports_name," in message
    _, select = message.split("The rows are\n")
    names = f"SELECT name FROM ({select}) AS _"
    assert run(fetch_column(empty_database, names)) == ["Rugby "]
    run(execute(empty_database, "UPDATE sports SET name = 'Rugby' WHERE slug = 'rugby'"))
    project(empty_database, "upgrade", "heads")
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN


def change_environment(path: Path, old: str, new: str) -> None:
    """Replace a part of the project's env.py."""
    (environment,) = path.glob("*/odds_watch/migrations/env.py")
    text = environment.read_text()
    assert old in text
    environment.write_text(text.replace(old, new))


# -- a database that stood alone before ------------------------------------------------------------


@pytest.mark.sampled(1)
@pytest.mark.parametrize("recorded", ["oddsschema_0009", HEAD])
@pytest.mark.parametrize("has_hooks", [True, False], ids=["with-hooks", "without-hooks"])
def test_hand_over(
    recorded: str,
    has_hooks: bool,
    alembic: Callable[[str], Alembic],
    empty_database: str,
    tmp_path: Path,
    run: Run,
) -> None:
    """A project's alembic does not make our tables again, and migrates both after a hand-over."""
    project = alembic("oddsschema_0003")
    if not has_hooks:
        change_environment(tmp_path, "timeouts(context.get_context()), ", "")
    run(migrations.upgrade(empty_database, recorded))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        project(empty_database, "upgrade", "heads")
    (message,) = (refused.value.stdout + refused.value.stderr).splitlines()
    assert f"tables are at {recorded}, recorded in oddsschema_version" in message
    assert "run 'oddsschema hand-over alembic_version'" in message

    run(migrations.hand_over(empty_database))
    project(empty_database, "upgrade", "heads")
    assert run(fetch_column(empty_database, RECORDED)) == [HEAD, "watch_0001"]
    assert "No new upgrade operations" in project(empty_database, "check")
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(migrations.current(empty_database)) == HEAD
    assert run(ingest(empty_database, captures())).all_stored
    with pytest.raises(OtherProjectError, match=r"watch_0001\), which may.*alembic upgrade heads"):
        run(migrations.upgrade(empty_database))


def test_no_revision_of_theirs_yet(
    alembic: Callable[[str], Alembic], empty_database: str, run: Run
) -> None:
    """A project without a revision of its own keeps its table on request, or gets it back."""
    project = alembic("oddsschema_0003")
    project(empty_database, "upgrade", "oddsschema@head")
    assert run(migrations.upgrade(empty_database, keep_version_table=True)) == ()
    assert run(fetch_column(empty_database, RECORDED)) == [HEAD]

    assert run(migrations.upgrade(empty_database)) != ()
    with pytest.raises(subprocess.CalledProcessError, match="upgrade"):
        project(empty_database, "upgrade", "heads")
    run(migrations.hand_over(empty_database))
    project(empty_database, "upgrade", "heads")
    assert run(fetch_column(empty_database, RECORDED)) == [HEAD, "watch_0001"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("options", "table"),
    [
        ('version_table="watch_version"', "public.watch_version"),
        ('version_table="versions", version_table_schema="app"', "app.versions"),
    ],
    ids=["name", "schema"],
)
def test_any_version_table(
    options: str,
    table: str,
    alembic: Callable[[str], Alembic],
    empty_database: str,
    run: Run,
    tmp_path: Path,
) -> None:
    """The version table of a project can have any name, and be in any schema."""
    project = alembic("oddsschema_0003")
    change_environment(tmp_path, "connection=connection,", f"connection=connection, {options},")
    run(execute(empty_database, "CREATE SCHEMA app"))
    project(empty_database, "upgrade", "heads")
    read = f"SELECT version_num FROM {table} ORDER BY 1"
    assert run(fetch_column(empty_database, read)) == [HEAD, "watch_0001"]
    assert run(migrations.current(empty_database)) == HEAD
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(ingest(empty_database, captures())).all_stored
    for move in (migrations.upgrade, migrations.downgrade, migrations.plan_downgrade):
        with pytest.raises(OtherProjectError, match=f"{table}.*alembic upgrade heads"):
            run(move(empty_database, "oddsschema_0009"))

    run(
        execute(
            empty_database,
            f"UPDATE {table} SET version_num = 'oddsschema_0009' WHERE version_num = '{HEAD}'",
        )
    )
    assert run(migrations.check(empty_database)).state is CheckState.OLDER
    with pytest.raises(NotMigratedError, match="oddsschema_0009"):
        run(ingest(empty_database, captures()))

    # Their alembic finds a revision that stood alone, too.
    run(migrations.hand_over(empty_database, "oddsschema_version"))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        project(empty_database, "upgrade", "oddsschema@head")
    assert f"'oddsschema hand-over {table.removeprefix('public.')}'" in refused.value.stdout
    assert "Traceback" not in refused.value.stderr
