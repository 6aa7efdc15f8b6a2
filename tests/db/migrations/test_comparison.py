"""`check`: each alteration is reported as its one difference, and can be repaired.

docs/reference/drift.md holds the results of alembic's own comparison. To write them anew:

    ODDSSCHEMA_WRITE_DRIFT=1 python -m pytest tests/db/migrations/test_comparison.py -k alembic
"""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import SAWarning

from oddsschema import migrations
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.migrations import CheckReport, CheckState, script_location
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS
from tests.support.drift import rolled_back, without_repair
from tests.support.paths import DOCS
from tests.support.sessions import execute
from tests.support.tamperings import TAMPERINGS, Tampering

PAGE = DOCS / "reference" / "drift.md"

Run = Callable[..., Any]


async def filled_in(tampering: Tampering, raw: Any) -> Tampering:
    """Insert a CHECK of this database into an alteration."""
    name, text = await raw.fetchrow(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid = 'competitor_market_odds'::regclass "
        "AND pg_get_constraintdef(oid) !~ '\n' ORDER BY conname LIMIT 1"
    )
    fields = {"{check}": name, "{check_text}": text, "{head}": HEAD}

    def fill(template: str | None) -> str | None:
        for field, value in fields.items():
            template = template and template.replace(field, value)
        return template

    return Tampering(*map(fill, tampering))


@pytest.mark.sampled(15)
@pytest.mark.parametrize(
    "tampering", TAMPERINGS, ids=lambda tampering: tampering.id.replace(" ", "-")
)
def test_tampering(tampering: Tampering, filled: str, run: Run) -> None:
    """A single alteration is reported as exactly one difference, and its repair removes it."""

    async def tamper_and_mend() -> None:
        async with rolled_back(filled) as (connection, raw):
            done = await filled_in(tampering, raw)
            await raw.execute(done.statement)
            report = await migrations.check(connection)
            assert report.state is CheckState.DRIFT
            assert [without_repair(difference) for difference in report.differences] == [done[2:]]
            assert "\n" not in str(report.differences[0])
            if report.differences[0].kind != "revision":
                # The repair names the schema.
                await raw.execute("SET LOCAL search_path = ''")
            await raw.execute(report.differences[0].repair)
            await raw.execute("SET LOCAL search_path = public")
            assert (await migrations.check(connection)).state is CheckState.CLEAN

    run(tamper_and_mend())


def test_number_of_tamperings() -> None:
    """More than a hundred alterations are tried."""
    assert len({tampering.sql for tampering in TAMPERINGS}) > 100


@given(chosen=st.lists(st.sampled_from(TAMPERINGS), min_size=2, max_size=6))
def test_tamperings_together(chosen: list[Tampering], filled: str, run: Run) -> None:
    """The repairs of any alterations in any order leave no difference."""

    async def tamper_and_mend() -> None:
        async with rolled_back(filled) as (connection, raw):
            for tampering in [await filled_in(case, raw) for case in chosen]:
                # Another alteration may prevent it.
                with suppress(asyncpg.PostgresError):
                    async with raw.transaction():
                        await raw.execute(tampering.statement)
            report = await migrations.check(connection)
            assert report.state is CheckState.DRIFT
            for difference in report.differences:
                await raw.execute(difference.repair)
            assert (await migrations.check(connection)).differences == ()

    run(tamper_and_mend())


@pytest.mark.nightly
def test_alembic_check_misses_the_documented_alterations(filled: str, run: Run) -> None:
    """docs/reference/drift.md has for each alteration the result of `alembic check`."""

    def sees(connection: Connection) -> bool:
        config = Config()
        config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
        config.attributes["connection"] = connection
        with warnings.catch_warnings():
            # Alembic warns about objects that it does not compare.
            warnings.simplefilter("ignore", SAWarning)
            try:
                command.check(config)
            except CommandError:
                return True
            return False

    async def table() -> list[str]:
        lines = []
        async with rolled_back(filled) as (connection, _):
            assert not await connection.run_sync(sees)
        for tampering in TAMPERINGS:
            async with rolled_back(filled) as (connection, raw):
                await raw.execute((await filled_in(tampering, raw)).statement)
                seen = "sees it" if await connection.run_sync(sees) else "**misses it**"
            lines.append(f"| {tampering.id} | {seen} |")
        return lines

    lines = run(table())
    missed = sum("misses" in line for line in lines)
    table = "\n".join(
        [
            f"Of {len(lines)} tamperings, `alembic check` misses {missed}:",
            "",
            "| tampering | `alembic check` |",
            "| --- | --- |",
            *lines,
        ]
    )
    before, start, rest = PAGE.read_text(encoding="utf-8").partition("<!-- tamperings -->\n")
    _, end, after = rest.partition("\n<!-- end of tamperings -->")
    if os.environ.get("ODDSSCHEMA_WRITE_DRIFT"):
        PAGE.write_text(before + start + table + end + after, encoding="utf-8")
    assert table in PAGE.read_text(encoding="utf-8")


def test_untouched(filled: str, run: Run) -> None:
    """A migrated database with rows is clean."""
    assert run(migrations.check(filled)) == CheckReport(
        state=CheckState.CLEAN,
        message=f"the database matches this release, at {HEAD}",
        revision=HEAD,
    )


def test_downgraded_and_upgraded(database: str, run: Run) -> None:
    """A database after a downgrade and an upgrade is clean."""
    run(migrations.downgrade(database, "base"))
    run(migrations.upgrade(database))
    assert run(migrations.check(database)).state is CheckState.CLEAN


def test_created_from_the_models(empty_database: str, run: Run) -> None:
    """Tables of `metadata.create_all` lack the views and the revision, which are made."""

    async def create_all() -> None:
        async with sqlalchemy_connect(empty_database) as connection:
            await connection.run_sync(metadata.create_all)
            await connection.commit()

    run(create_all())
    report = run(migrations.check(empty_database))
    assert report.state is CheckState.UNVERSIONED
    assert [(difference.kind, difference.location) for difference in report.differences] == [
        *(("view", name) for name in VIEWS),
        ("revision", "oddsschema_version"),
    ]
    run(execute(empty_database, *(difference.repair for difference in report.differences)))
    assert run(migrations.check(empty_database)).state is CheckState.CLEAN
    assert run(migrations.current(empty_database)) == HEAD


def test_read_from_its_own_text(filled: str, run: Run) -> None:
    """A CHECK that PostgreSQL prints differently after a dump is no difference."""
    texts = (
        "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE contype = 'c' AND conrelid::regclass::text = ANY ($1)"
    )

    async def restore() -> None:
        async with rolled_back(filled) as (connection, raw):
            before = {row[0] for row in await raw.fetch(texts, list(metadata.tables))}
            for text in before:
                table, name, definition = text.split(" ", 2)
                await raw.execute(
                    f"ALTER TABLE {table} DROP CONSTRAINT {name}, "
                    f"ADD CONSTRAINT {name} {definition}"
                )
            assert before != {row[0] for row in await raw.fetch(texts, list(metadata.tables))}
            assert (await migrations.check(connection)).state is CheckState.CLEAN

    run(restore())


def test_tuning_is_no_difference(filled: str, run: Run) -> None:
    """Additional indexes and settings of storage are no differences."""

    async def tune() -> None:
        async with rolled_back(filled) as (connection, raw):
            await raw.execute(
                "CREATE INDEX mine ON events (home_team, kickoff) WHERE kickoff > '2024-01-01';"
                "ALTER INDEX idx_market_odds_snapshot SET (fillfactor = 70);"
                "ALTER TABLE market_odds SET (autovacuum_vacuum_scale_factor = 0.01);"
                "ALTER TABLE market_odds ALTER COLUMN outcomes SET STATISTICS 0;"
                "ALTER SEQUENCE market_odds_id_seq CACHE 100;"
                "COMMENT ON TABLE events IS 'matches'; GRANT SELECT ON events TO PUBLIC"
            )
            assert (await migrations.check(connection)).state is CheckState.CLEAN

    run(tune())


def test_other_applications(database: str, run: Run) -> None:
    """Tables, references and revisions of other applications are no differences."""
    run(
        execute(
            database,
            "CREATE TABLE bets (id serial PRIMARY KEY, event_id int REFERENCES events,"
            " snapshot_id bigint REFERENCES odds_snapshots ON DELETE CASCADE);"
            "CREATE VIEW kickoffs AS SELECT kickoff FROM events;"
            "CREATE SCHEMA archive; CREATE TABLE archive.events (id int);"
            "ALTER TABLE oddsschema_version RENAME TO alembic_version;"
            "INSERT INTO alembic_version VALUES ('theirs_0042')",
        )
    )
    assert run(migrations.check(database)).state is CheckState.CLEAN
    ours = "version_num LIKE 'oddsschema_%'"
    run(
        execute(
            database, f"UPDATE alembic_version SET version_num = 'oddsschema_0001' WHERE {ours}"
        )
    )
    assert run(migrations.check(database)).state is CheckState.OLDER
    run(execute(database, f"DELETE FROM alembic_version WHERE {ours}"))
    assert (
        run(migrations.check(database)).state is CheckState.CLEAN
    )  # their revision may replace ours
    run(execute(database, "DELETE FROM alembic_version"))
    assert run(migrations.check(database)).state is CheckState.UNVERSIONED
