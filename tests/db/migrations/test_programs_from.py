"""Programs of an older release, on a database that a newer release has upgraded."""

from collections.abc import Callable
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from oddsschema import IngestOptions, NotMigratedError, ScrapeStatus, batch, ingest, migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.errors import NewerDatabaseError
from oddsschema.migrations import CheckState, script_location
from oddsschema.models import metadata
from oddsschema.release import HEAD, MARK, PROGRAMS_FROM, Mark
from tests.support.contents import assert_whole
from tests.support.scrapes import scrapes
from tests.support.sessions import execute, fetch

Run = Callable[..., Any]

#: The first revision that leaves a mark.
FIRST = "oddsschema_0015"

READ_MARK = "SELECT obj_description('sports'::regclass)"

#: A revision of a newer release.
NEWER = "oddsschema_9998"

#: Marks of newer releases, and whether programs of this one live with their tables.
SERVING, REFUSING = Mark(NEWER, HEAD), Mark(NEWER, NEWER)

EARLY, LATE = scrapes(range(3), range(2)), scrapes(range(3), range(2, 4))


def of(platform: str, captures: list[Any]) -> list[Any]:
    """List the captures of a competitor's."""
    return [
        capture for capture in captures if platform in capture.get("competitor_event", {}).values()
    ]


def record(mark: Mark) -> tuple[str, ...]:
    """Return the statements of a newer revision, which records itself last."""
    return (
        "ALTER TABLE events ADD COLUMN IF NOT EXISTS venue text",
        f"COMMENT ON TABLE sports IS '{mark}'",
        f"UPDATE oddsschema_version SET version_num = '{mark.revision}'",
    )


def test_declarations() -> None:
    """Each revision declares the programs that live with its tables; the newest is in the code."""
    scripts = ScriptDirectory(str(script_location())).walk_revisions()
    declared = {
        script.revision: script.module.programs_from
        for script in scripts
        if script.revision >= FIRST
    }
    assert declared[HEAD] == PROGRAMS_FROM
    # A revision that serves older programs than the revision before it would serve those as well.
    assert sorted(declared.values()) == [declared[revision] for revision in sorted(declared)]
    assert all(first <= revision for revision, first in declared.items())


def test_marks(empty_database: str, run: Run) -> None:
    """Each revision leaves its mark, on the way up and down, and so does `create_all`."""
    scripts = ScriptDirectory(str(script_location())).walk_revisions()
    marks = {
        script.revision: str(Mark(script.revision, script.module.programs_from))
        for script in scripts
        if script.revision >= FIRST
    }
    run(migrations.upgrade(empty_database))
    assert run(fetch(empty_database, READ_MARK)) == [(str(MARK),)]
    for revision in sorted(marks, reverse=True):
        run(migrations.downgrade(empty_database, revision))
        assert run(fetch(empty_database, READ_MARK)) == [(marks[revision],)]
    run(migrations.downgrade(empty_database, "oddsschema_0013"))
    assert run(fetch(empty_database, READ_MARK)) == [(None,)]
    run(migrations.downgrade(empty_database, "base"))

    async def create_all() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(metadata.create_all)
            await connection.commit()

    run(create_all())
    assert run(fetch(empty_database, READ_MARK)) == [(str(MARK),)]


async def ingest_around(url: str, *statements: str) -> tuple[ScrapeStatus, str | None]:
    """Ingest a chunk, run statements, ingest another chunk; return the run's status and error."""
    options = IngestOptions(chunk_rows=1)
    async with batch(url, options=options) as opened, opened.run("bet9ja") as scrape:
        await scrape.ingest(of("bet9ja", EARLY))
        await execute(url, *statements)
        await scrape.ingest(of("bet9ja", LATE))
    return scrape.status, scrape.error and str(scrape.error)


def test_serving(database: str, run: Run) -> None:
    """Programs go on while a newer release that serves them upgrades, in an open batch as well."""
    status, error = run(ingest_around(database, *record(SERVING)))
    assert (status, error) == (ScrapeStatus.COMPLETED, None)
    assert run(assert_whole(database, of("bet9ja", EARLY + LATE)))
    (note,) = run(migrations.upgrade(database))
    assert note.startswith(f"the database is at {NEWER}, newer than this release")
    report = run(migrations.check(database))
    assert report.state is CheckState.NEWER
    assert "upgrade the package" in report.message
    assert report.message.endswith("until then, programs of this release work")


def test_refusing(database: str, run: Run) -> None:
    """Programs stop at a newer revision that does not serve them, in an open batch as well."""
    status, error = run(ingest_around(database, *record(REFUSING)))
    assert status is ScrapeStatus.FAILED
    assert f"the database is at revision {NEWER}" in str(error)
    assert "upgrade the package" in str(error)
    assert run(assert_whole(database, of("bet9ja", EARLY)))

    async def body() -> None:
        with pytest.raises(NotMigratedError, match=rf"is at revision {NEWER}.*upgrade the package"):
            await ingest(database, [])
        with pytest.raises(NewerDatabaseError, match="upgrade the package"):
            await migrations.upgrade(database)
        report = await migrations.check(database)
        assert report.state is CheckState.NEWER
        assert not report.message.endswith("work")

    run(body())


@pytest.mark.parametrize("mark", [SERVING, REFUSING], ids=["serving", "refusing"])
def test_no_revision(mark: Mark, database: str, run: Run) -> None:
    """Without a recorded revision, all names are there, and the mark decides."""
    run(execute(database, *record(mark), "DROP TABLE oddsschema_version"))
    assert run(migrations.check(database)).state is CheckState.NEWER
    if mark is SERVING:
        assert run(ingest(database, [])).status is ScrapeStatus.COMPLETED
    else:
        with pytest.raises(NotMigratedError, match="upgrade the package"):
            run(ingest(database, []))


@pytest.mark.parametrize("comment", ["NULL", f"'{Mark('oddsschema_9997', HEAD)}'", "'games'"])
def test_mark_of_another_revision(comment: str, database: str, run: Run) -> None:
    """A newer revision without a mark of its own serves nobody."""
    statements = record(SERVING)
    run(execute(database, *statements, f"COMMENT ON TABLE sports IS {comment}"))
    with pytest.raises(NotMigratedError, match="upgrade the package"):
        run(ingest(database, []))


@pytest.mark.parametrize("comment", ["NULL", "'games'", "'oddsschema_0014 serves programs'"])
def test_lost_mark(comment: str, database: str, run: Run) -> None:
    """`check` reports a lost mark, and its repair restores it."""
    run(execute(database, f"COMMENT ON TABLE sports IS {comment}"))
    assert run(ingest(database, [])).status is ScrapeStatus.COMPLETED
    (difference,) = run(migrations.check(database)).differences
    assert (difference.kind, difference.location) == ("table comment", "sports")
    run(execute(database, difference.repair))
    assert run(fetch(database, READ_MARK)) == [(str(MARK),)]
    assert run(migrations.check(database)).state is CheckState.CLEAN
