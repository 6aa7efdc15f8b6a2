"""What a database is, seen from this release: clean, drifted, older, newer, unversioned, empty."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.database.connections import Connection
from oddsschema.migrations.catalog import PRESENT, SETTINGS
from oddsschema.migrations.comparison import Difference, find_differences


class CheckState(StrEnum):
    """What a database is, seen from this release."""

    CLEAN = "clean"
    DRIFT = "drift"
    OLDER = "older"
    NEWER = "newer"
    UNVERSIONED = "unversioned"
    EMPTY = "empty"
    UNREACHABLE = "unreachable"


class CheckReport(BaseModel):
    """What `check` found; `str()` is a sentence for people."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    state: CheckState
    message: str = Field(description="The state in a sentence, with what to do.")
    revision: str | None = Field(
        default=None, description="The database's; None when it has none of this package's."
    )
    differences: tuple[Difference, ...] = Field(
        default=(),
        description="In an order in which they can be mended. Only a database at this release's "
        "revision is compared with it, and one that has all its tables and no revision.",
    )

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Release:
    """What there is to compare with."""

    #: The newest revision, and all that lead to it.
    head: str
    revisions: Collection[str]
    #: The names of the tables, after those that they refer to.
    tables: Sequence[str]
    #: The SQL that builds them.
    statements: str


async def check_connection(connection: Connection, release: Release) -> CheckReport:
    """Compare the database with a release, in a transaction that the caller rolls back."""
    await connection.execute(SETTINGS)
    there = {row[0] for row in await connection.fetch(PRESENT, release.tables)}
    recorded, others = await _recorded(connection)

    if unknown := sorted(set(recorded) - set(release.revisions)):
        return CheckReport(
            state=CheckState.NEWER,
            message=f"the database is at {unknown[-1]}, which this release does not know (its "
            f"newest is {release.head}): install a newer oddsschema",
            revision=unknown[-1],
        )
    if recorded and release.head not in recorded:
        return CheckReport(
            state=CheckState.OLDER,
            message=f"the database is at {recorded[-1]}, this release needs {release.head}: "
            "run 'oddsschema upgrade'",
            revision=recorded[-1],
        )
    if not recorded and not there:
        return CheckReport(
            state=CheckState.EMPTY,
            message=f"there are no tables of oddsschema in {await _where(connection)}: "
            "run 'oddsschema upgrade'",
        )
    if not recorded and there != set(release.tables):
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=_implied_unknown(others)
            if others
            else f"no revision is recorded, and of oddsschema's tables there are only some "
            f"({', '.join(sorted(there))}): if they are another application's, give oddsschema a "
            "schema of its own (?search_path=… in the URL); if nobody needs them, drop them; then "
            "run 'oddsschema upgrade'",
        )

    differences = await find_differences(connection, release.tables, release.statements)
    if others and not recorded and differences:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=_implied_unknown(others),
            differences=tuple(differences),
        )
    if not others and not recorded:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message="the tables of oddsschema are there, but no revision is recorded: mend what is "
            "listed, the revision last",
            differences=(*differences, _unrecorded(release.head)),
        )
    differences += [_superfluous(one, release.head) for one in recorded if one != release.head]
    if not differences:
        return CheckReport(
            state=CheckState.CLEAN,
            message=f"the database is what this release expects, at {release.head}",
            revision=release.head,
        )
    return CheckReport(
        state=CheckState.DRIFT,
        message=f"the database is at {release.head}, but differs from what this release expects "
        f"in {len(differences)} place{'s' if len(differences) > 1 else ''}",
        revision=release.head,
        differences=tuple(differences),
    )


async def _recorded(connection: Connection) -> tuple[list[str], list[str]]:
    """The revisions that are recorded: of this package, and of others.

    Alembic records heads alone: when another project's depends on ours, it stands for ours, too.
    """
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return [], []
    rows = await connection.fetch("SELECT version_num FROM alembic_version ORDER BY version_num")
    revisions = [row[0] for row in rows]
    ours = [one for one in revisions if one.startswith("oddsschema_")]
    return ours, [one for one in revisions if one not in ours]


def _implied_unknown(others: Sequence[str]) -> str:
    return (
        f"only another project's revisions are recorded ({', '.join(others)}), and the tables of "
        "oddsschema are not what this release expects: if that project builds on oddsschema, run "
        "its 'alembic upgrade heads'; what is listed mends it otherwise"
    )


async def _where(connection: Connection) -> str:
    schemas = await connection.fetchval("SELECT current_schemas(false)")
    visible = [schema for schema in schemas if not schema.startswith("pg_temp")]
    return f"the schema {', '.join(visible)}" if visible else "any schema that this role may use"


def _unrecorded(head: str) -> Difference:
    return Difference(
        what="revision",
        where="alembic_version",
        expected=head,
        found=None,
        mend="CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) NOT NULL "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY); "
        f"INSERT INTO alembic_version (version_num) VALUES ('{head}');",
    )


def _superfluous(revision: str, head: str) -> Difference:
    return Difference(
        what="revision",
        where="alembic_version",
        expected=f"{head} alone",
        found=f"{revision} too",
        mend=f"DELETE FROM alembic_version WHERE version_num = '{revision}';",
    )
