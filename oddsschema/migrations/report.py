"""The report of `check`: the state of a database, and its differences from this release."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from oddsschema.database.citus import describe_cluster
from oddsschema.database.connections import Connection
from oddsschema.database.recorded_revisions import (
    OWN_TABLE,
    RecordedRevisions,
    VersionTable,
    read_revisions,
)
from oddsschema.database.revision import read_mark
from oddsschema.database.schemas import (
    Placement,
    find_other_schemas,
    read_placement,
)
from oddsschema.errors import (
    ForeignTablesError,
    MissingSchemaError,
    NewerDatabaseError,
    NotMigratedError,
    OddsSchemaError,
    SplitTablesError,
    UnversionedDatabaseError,
)
from oddsschema.migrations.catalog import is_standby
from oddsschema.migrations.comparison import Difference, Findings, find_differences
from oddsschema.migrations.kept_ids import read_kept_ids
from oddsschema.migrations.part_names import NOTE, describe_replay, find_name_differences
from oddsschema.migrations.sequences import describe_unreadable
from oddsschema.migrations.settings import LIMITS, SETTINGS, read_replica_role

# Quote a name as PostgreSQL prints it.
_QUOTE = "SELECT quote_ident($1)"

# Read the schemas that the search path leads to.
_VISIBLE_SCHEMAS = """
SELECT schema FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
WHERE schema !~ '^pg_temp' ORDER BY place
"""


class CheckState(StrEnum):
    """The state of a database, compared with this release."""

    CLEAN = "clean"
    DRIFT = "drift"
    OLDER = "older"
    NEWER = "newer"
    UNVERSIONED = "unversioned"
    EMPTY = "empty"
    SPLIT = "split"
    UNREACHABLE = "unreachable"


class CheckReport(BaseModel):
    """The result of `check`. `str()` is its message."""

    model_config = ConfigDict(
        frozen=True, defer_build=True, json_schema_serialization_defaults_required=True
    )

    state: CheckState = Field(description="State of the database, seen from this release.")
    message: str = Field(description="The state in a sentence, with the action to take.")
    needs_search_path: bool = Field(
        default=False,
        description="Whether another search path is the action to take, or one of several.",
    )
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
        "prefix, about acknowledged parts, about sequences that this role may not read, about a "
        "standby, and about the node that has the schema. They are no differences.",
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
    #: The names of the views.
    views: Sequence[str]
    #: The SQL that builds them.
    statements: str


async def check_connection(
    connection: Connection, release: Release, known: frozenset[str] = frozenset()
) -> CheckReport:
    """Compare the database with a release, in a transaction that the caller rolls back.

    Additional parts whose names are in `known` are no differences.
    """
    await connection.execute(LIMITS)
    # Before SETTINGS, which drop the names of missing schemas from the search path.
    placement = await read_placement(connection)
    await connection.execute(SETTINGS)
    try:
        placement.require_one_schema()
    except SplitTablesError as error:
        return _report(CheckState.SPLIT, error)
    standby = await is_standby(connection)
    replay = await describe_replay(connection) if standby else []
    recorded = await read_revisions(connection)
    own, others = recorded.own, recorded.others

    unknown = sorted(set(own) - set(release.revisions))
    mark = await read_mark(connection)
    if not own and mark is not None and mark.revision > release.head:
        unknown = [mark.revision]
    if unknown:
        serves = mark is not None and mark.revision == unknown[-1] and mark.serves(release.head)
        newer = NewerDatabaseError(current=unknown[-1], head=release.head, serves=serves)
        return CheckReport(state=CheckState.NEWER, message=str(newer), revision=unknown[-1])
    if own and release.head not in own:
        return CheckReport(
            state=CheckState.OLDER,
            message=f"the database is at {own[-1]}, this release needs {release.head}: "
            "upgrade the database (run 'oddsschema upgrade')",
            revision=own[-1],
            notes=tuple(replay),
        )
    if (
        placement.missing_schema is None
        and not placement.tables
        and (elsewhere := await find_other_schemas(connection))
    ):
        return _report(
            CheckState.EMPTY,
            NotMigratedError(current=None, head=release.head, elsewhere=elsewhere),
        )
    if not own and (not recorded.tables or placement.is_other_applications(release.tables)):
        return CheckReport(
            state=CheckState.EMPTY,
            message=await _message_for_empty(connection, placement),
            needs_search_path=placement.missing_schema is not None,
            notes=tuple(replay),
        )
    if recorded.are_foreign and not own:
        foreign = ForeignTablesError(schema=str(recorded.schema))
        return _report(CheckState.UNVERSIONED, foreign)
    if not own and recorded.tables != set(release.tables):
        if others:
            return CheckReport(state=CheckState.UNVERSIONED, message=_message_for_others(others))
        return _report(
            CheckState.UNVERSIONED, UnversionedDatabaseError(only=sorted(recorded.tables))
        )

    notes = [
        *await read_kept_ids(connection),
        *await describe_cluster(connection, placement.schema or "", release.tables),
        *([NOTE, *replay] if standby else await describe_unreadable(connection, release.tables)),
    ]
    findings = await _compare(connection, release, placement, known, standby)
    differences = findings.differences
    notes += findings.notes
    if others and not own and differences:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=_message_for_others(others),
            differences=tuple(differences),
            notes=tuple(notes),
        )
    if not others and not own:
        return CheckReport(
            state=CheckState.UNVERSIONED,
            message=str(UnversionedDatabaseError()),
            differences=(*differences, _missing_revision(recorded, release.head)),
            notes=tuple(notes),
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
            notes=tuple(notes),
        )
    return CheckReport(
        state=CheckState.DRIFT,
        message=f"the database is at {release.head}, but differs from this release in "
        f"{len(differences)} place{'s' if len(differences) > 1 else ''}",
        revision=release.head,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _report(state: CheckState, error: OddsSchemaError) -> CheckReport:
    return CheckReport(state=state, message=str(error), needs_search_path=error.needs_search_path)


def _message_for_others(others: Sequence[str]) -> str:
    return (
        f"the database records only another project's revisions ({', '.join(others)}), and its "
        "tables of oddsschema differ from this release: if that project depends on oddsschema, run "
        "its 'alembic upgrade heads'; otherwise run the listed repairs, if any"
    )


async def _message_for_empty(connection: Connection, placement: Placement) -> str:
    if placement.missing_schema is not None:
        missing = MissingSchemaError(schema=placement.missing_schema)
        return f"{missing}; then run 'oddsschema upgrade'"
    if placement.present:
        # Of another application, in a later schema of the search path.
        schemas = f"the schema {placement.creation_schema}"
    else:
        rows = await connection.fetch(_VISIBLE_SCHEMAS)
        names = ", ".join(row[0] for row in rows)
        schemas = f"the schema {names}" if names else "any schema that this role may use"
    return f"found no tables of oddsschema in {schemas}: run 'oddsschema upgrade'"


async def _compare(
    connection: Connection,
    release: Release,
    placement: Placement,
    known: frozenset[str],
    standby: bool,
) -> Findings:
    assert placement.schema is not None  # that of the tables, or of the recorded revision
    schema = await connection.fetchval(_QUOTE, placement.schema)
    # Repairs name the schema, too.
    known = frozenset(name.removeprefix(f"{schema}.") for name in known)
    if standby:
        findings = await find_name_differences(
            connection, release.tables, release.views, schema, known
        )
    else:
        findings = await find_differences(
            connection, release.tables, release.views, release.statements, schema, known
        )
    replica_role = await read_replica_role(connection)
    if replica_role is not None:
        findings.differences.append(
            Difference(
                kind="setting",
                location="session_replication_role",
                expected="origin",
                actual="replica, under which foreign keys are not enforced and nothing cascades",
                repair=replica_role.repair,
            )
        )
    return findings


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
