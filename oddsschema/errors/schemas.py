"""The errors of a database whose schema is not the one that this release needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oddsschema.errors.clusters import names_of
from oddsschema.errors.root import OddsSchemaError


@dataclass(kw_only=True, eq=False, repr=False)
class NotMigratedError(OddsSchemaError):
    """A database without the tables of this release, found before any work is done."""

    #: The database's revision of oddsschema; None when none is recorded.
    current: str | None
    #: The revision that this release needs.
    head: str
    #: The recorded revisions of other projects.
    others: Sequence[str] = ()
    #: The schemas outside of the search path that have tables of oddsschema.
    elsewhere: Sequence[str] = ()

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return bool(self.elsewhere)

    def __post_init__(self) -> None:
        if self.elsewhere:
            state = f"has tables of oddsschema only in {', '.join(self.elsewhere)}"
        elif self.current is not None:
            state = f"is at revision {self.current}"
        elif self.others:
            others = ", ".join(self.others)
            state = f"is at {others} of another project, without this release's tables"
        else:
            state = "has no tables of oddsschema"
        if self.elsewhere:
            cure = (
                "give a search path with that schema, such as "
                f"?search_path={self.elsewhere[0]} in the URL"
            )
        elif self.current is not None and self.current > self.head:
            cure = "upgrade the package (install a newer oddsschema)"
        elif self.current is None and self.others:
            cure = "run that project's 'alembic upgrade heads'"
        else:
            cure = "upgrade the database (run 'oddsschema upgrade')"
        super().__init__(f"the database {state}, this release needs {self.head}: {cure}")


@dataclass(kw_only=True, eq=False, repr=False)
class SplitTablesError(OddsSchemaError):
    """A search path that leads to tables of oddsschema in several schemas.

    Some of them may belong to another application, so that nothing is read or changed.
    """

    #: The tables by their schemas.
    tables: Mapping[str, Sequence[str]]

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return True

    def __post_init__(self) -> None:
        by_size = sorted(self.tables.items(), key=lambda place: (len(place[1]), place[0]))
        places = [
            f"{', '.join(tables)} in {schema}"
            if schema != by_size[-1][0] or len(tables) <= 3
            else f"the other {len(tables)} in {schema}"
            for schema, tables in by_size
        ]
        example = by_size[-1][0] if by_size else "public"
        super().__init__(
            "the search path leads to tables of oddsschema in several schemas: "
            f"{'; '.join(places)}. All of them have to be in one schema, and nothing was changed: "
            "give a search path with only the schema of oddsschema, such as "
            f"?search_path={example} in the URL"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class SequenceError(OddsSchemaError):
    """A sequence that gives ids which rows have already, or a column that owns no sequence.

    Restores and logical replication can leave a sequence behind the rows of its table.
    """

    #: The table.
    table: str
    #: The column whose ids come from the sequence.
    column: str = "id"
    #: Whether the column owns a sequence, which is then behind the rows.
    is_owned: bool = True

    @classmethod
    def of_violation(cls, violation: Any) -> "SequenceError | None":
        """Build from asyncpg's UniqueViolationError; None if the key is no primary key."""
        table, constraint = names_of(violation)
        return cls(table=table) if constraint == f"pk_{table}" else None

    @property
    def repair(self) -> str | None:
        """The SQL that moves the sequence past the greatest id; None if there is no sequence."""
        if not self.is_owned:
            return None
        sequence = f"pg_get_serial_sequence('{self.table}', '{self.column}')"
        return f"SELECT setval({sequence}, max({self.column})) FROM {self.table}"

    def __post_init__(self) -> None:
        name = f"{self.table}.{self.column}"
        super().__init__(
            f"the sequence of {name} is behind its table, another row has the next id already: as "
            f"the owner, run {self.repair}; 'oddsschema check' finds all such sequences"
            if self.is_owned
            else f"{name} owns no sequence: as the owner, run the SQL of 'oddsschema check'"
        )


@dataclass(kw_only=True, eq=False, repr=False)
class ComparisonError(OddsSchemaError):
    """A database that cannot be compared with this release, such as for want of a privilege."""

    #: The message of the server or of the driver.
    reason: str
    #: The SQLSTATE of the server's error; None for an error of the driver.
    sqlstate: str | None = None

    def __post_init__(self) -> None:
        cure = {
            "42501": "check needs SELECT on oddsschema_version and TEMPORARY on the database",
            "42P07": "drop the temporary table of this session that has the same name",
            "55P03": "if a migration is running, check again when it has ended",
        }.get(self.sqlstate or "", "nothing was compared")
        super().__init__(f"cannot compare the database with this release: {self.reason}; {cure}")
