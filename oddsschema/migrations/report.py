"""The report of `check`: the state of a database, and its differences from this release."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.database.connections import Connection
from oddsschema.database.recorded_revisions import (
    OWN_TABLE,
    RecordedRevisions,
    VersionTable,
    read_revisions,
)
from oddsschema.errors import NewerDatabaseError, UnversionedDatabaseError
from oddsschema.migrations.catalog import SETTINGS
from oddsschema.migrations.comparison import Difference, find_differences
from oddsschema.migrations.kept_ids import read_kept_ids
from oddsschema.migrations.sequences import describe_unreadable


class CheckState(StrEnum):
    """The state of a database, compared with this release."""

    CLEAN = "clean"
    DRIFT = "drift"
    OLDER = "older"
    NEWER = "newer"
    UNVERSIONED = "unversioned"
    EMPTY = "empty"
    UNREACHABLE = "unreachable"


class CheckReport(BaseModel):
    """The result of `check`. `str()` is its message."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )

    state: CheckState = Field(description="State of the database, seen from this release.")
    message: str = Field(description="The state in a sentence, with the action to take.")
    revision: str | None = Field(
        default=None,
        description="The database's revision; None when none of this package's is recorded.",
    )
    differences: tuple[Difference, ...] = Field(
        default=(),
        description="The differences, in an order in which they can be repaired. Only databases "
        "at this release's revision are compared, and those with all tables and no revision.",
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="Sentences about rows that keep an older form, such as a SportRadar id with a "
        "prefix, and about sequences that this role may not read. They are no differences.",
    )

    def __str__(self) -> str:
        return self.message


class RevisionReport(BaseModel):
    """The revision of a database."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    revision: str | None = Field(description="None when no revision of this package is recorded.")
    newest: str = Field(description="The newest revision of this release.")


@dataclass(frozen=True)
class Release:
    """The release to compare a database with."""

    #: The newest revision, and all revisions up to it.
    head: str
    revisions: Collection[str]
    #: The names of the tables. Referenced tables come first.
    tables: Sequence[str]
    #: The SQL that builds them.
    statements: str


async def check_connection(connection: Connection, release: Release) -> CheckReport:
    """Compare the database with a release, in a transaction that the caller rolls back."""
    await connection.execute(SETTINGS)
    recorded = await read_revisions(connection)
    own, others = recorded.own, recorded.others

    if unknown := sorted(set(own) - set(release.revisions)):
        return CheckReport(
            state=CheckState.NEWER,
            message=str(NewerDatabaseError(current=unknown[-1], head=release.head)),
            revision=unknown[-1],
        )
    if own and release.head not in own:
        return CheckReport(
            state=CheckState.OLDER,
            message=f"the database is at {own[-1]}, this release needs {release.head}: "
            "run 'oddsschema upgrade'",
            revision=own[-1],
        )
    if not own and not recorded.tables:
        return CheckReport(
            state=CheckState.EMPTY,
            message=f"found no tables of oddsschema in {await _visible_schemas(connection)}: "
            "run 'oddsschema upgrade'",
        )
    if not own and recorded.tables != set(release.tables):
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=_message_for_others(others)
            if others
            else str(UnversionedDatabaseError(only=sorted(recorded.tables))),
        )

    notes = (
        *await read_kept_ids(connection),
        *await describe_unreadable(connection, release.tables),
    )
    differences = await find_differences(connection, release.tables, release.statements)
    if others and not own and differences:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=_message_for_others(others),
            differences=tuple(differences),
            notes=notes,
        )
    if not others and not own:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=str(UnversionedDatabaseError()),
            differences=(*differences, _missing_revision(recorded, release.head)),
            notes=notes,
        )
    differences += [
        _extra_revision(recorded.table, revision, release.head)
        for revision in own
        if recorded.table is not None and revision != release.head
    ]
    if not differences:
        return CheckReport(
            state=CheckState.CLEAN,
            message=f"the database matches this release, at {release.head}",
            revision=release.head,
            notes=notes,
        )
    return CheckReport(
        state=CheckState.DRIFT,
        message=f"the database is at {release.head}, but differs from this release in "
        f"{len(differences)} place{'s' if len(differences) > 1 else ''}",
        revision=release.head,
        differences=tuple(differences),
        notes=notes,
    )


def _message_for_others(others: Sequence[str]) -> str:
    return (
        f"the database records only another project's revisions ({', '.join(others)}), and its "
        "tables of oddsschema differ from this release: if that project depends on oddsschema, run "
        "its 'alembic upgrade heads'; otherwise run the listed repairs, if any"
    )


async def _visible_schemas(connection: Connection) -> str:
    schemas = await connection.fetchval("SELECT current_schemas(false)")
    visible = [schema for schema in schemas if not schema.startswith("pg_temp")]
    return f"the schema {', '.join(visible)}" if visible else "any schema that this role may use"


def _missing_revision(recorded: RecordedRevisions, head: str) -> Difference:
    # An empty row (NULL) would be a revision to alembic.
    prepare = (
        f"DELETE FROM {OWN_TABLE}"
        if recorded.has_own_table
        else f"CREATE TABLE {OWN_TABLE} (version_num varchar(32) NOT NULL "
        f"CONSTRAINT {OWN_TABLE}_pkc PRIMARY KEY)"
    )
    return Difference(
        kind="revision",
        location=OWN_TABLE,
        expected=head,
        actual=None,
        repair=f"{prepare}; INSERT INTO {OWN_TABLE} (version_num) VALUES ('{head}');",
    )


def _extra_revision(table: VersionTable, revision: str, head: str) -> Difference:
    value = revision.replace("'", "''")
    return Difference(
        kind="revision",
        location=table.name,
        expected=f"only {head}",
        actual=f"also {revision}",
        repair=f"DELETE FROM {table.sql} WHERE version_num = '{value}';",
    )
