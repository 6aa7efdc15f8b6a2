"""The tables of a source: those of the plan, as another program has created them.

The plan's first form has naive times, JSON and no constraints of ours. A source may have more
columns, which are left, and fewer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from oddsschema.database.connections import Connection
from oddsschema.database.names import quote
from oddsschema.errors import AdoptionError
from oddsschema.models import metadata
from oddsschema.models.sides import BETPAWA, COMPETITORS, SIDES, Side

# Read the schema that the search path leads to first.
_CURRENT_SCHEMA = "SELECT current_schema()"

# Read the names, columns and types of the tables of schema $1: of a domain, the type below; of an
# ENUM, the word.
_COLUMNS = """
SELECT c.relname::text AS table, a.attname::text AS name,
    CASE t.typtype WHEN 'e' THEN 'enum' ELSE coalesce(b.typname, t.typname)::text END AS type
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname, a.attnum
"""


# Read the role, and the tables $2 of schema $1 that it may not read.
_UNREADABLE = """
SELECT current_user::text, array(
    SELECT name FROM unnest($2::text[]) AS name
    WHERE NOT has_schema_privilege(quote_ident($1), 'USAGE')
        OR NOT has_any_column_privilege(
            to_regclass(quote_ident($1) || '.' || quote_ident(name)), 'SELECT')
)
"""


class Columns(NamedTuple):
    """The columns of a table that are read."""

    required: Sequence[str]
    optional: Sequence[str] = ()


_MARKET = Columns(
    ("id", "snapshot_id", "betpawa_market_id", "betpawa_market_name", "outcomes"),
    ("line", "handicap_type", "handicap_home", "handicap_away", "specifiers"),
)
_FIXTURE = ("id", "tournament_id", "name", "home_team", "away_team", "kickoff", "sportradar_id")

#: The tables of every source.
_SHARED: Mapping[str, Columns] = {"sports": Columns(("id", "name", "slug"))}

#: The tables of each side, the table of snapshots first.
_OF_SIDES: Mapping[Side, Mapping[str, Columns]] = {
    BETPAWA: {
        "odds_snapshots": Columns(
            ("id", "event_id", "bookmaker_id", "captured_at"), ("scrape_run_id", "raw_response")
        ),
        "market_odds": _MARKET,
        "events": Columns(_FIXTURE),
        "tournaments": Columns(("id", "sport_id", "name"), ("country", "sportradar_id")),
        "bookmakers": Columns(("id", "slug")),
        "event_bookmakers": Columns(
            ("event_id", "bookmaker_id", "external_event_id"), ("event_url",)
        ),
    },
    COMPETITORS: {
        "competitor_odds_snapshots": Columns(
            ("id", "competitor_event_id", "captured_at"), ("scrape_run_id", "raw_response")
        ),
        "competitor_market_odds": _MARKET,
        "competitor_events": Columns(
            (*_FIXTURE, "source", "external_id"), ("event_url", "deleted_at")
        ),
        "competitor_tournaments": Columns(
            ("id", "source", "sport_id", "name", "external_id"),
            ("country_raw", "country_iso", "sportradar_id", "deleted_at"),
        ),
    },
}

#: The tables that record scrapes. A source may lack them.
SCRAPE_TABLES: Mapping[str, Columns] = {
    "scrape_batches": Columns(("id", "started_at"), ("completed_at", "status", "trigger", "notes")),
    "scrape_runs": Columns(
        ("id", "started_at"),
        (
            *("completed_at", "status", "events_scraped", "events_failed", "trigger"),
            *("platform_timings", "batch_id", "platform"),
        ),
    ),
    "scrape_errors": Columns(
        ("id", "scrape_run_id", "error_type", "error_message", "occurred_at"),
        ("bookmaker_id", "event_id"),
    ),
}

#: The columns whose values are in lower case.
_LOWER_CASE = ("slug", "source", "platform", "status", "handicap_type")

_TIME_TYPES = ("timestamp", "timestamptz", "date")

# A time, as infinity if it is outside of the years of Python: the driver could not read it, and no
# row of its statement.
_TIME = """
CASE WHEN {name} > '9999-12-30' THEN 'infinity' WHEN {name} < '0001-01-03' THEN '-infinity'
    ELSE {name} END
""".strip()

#: The tables of a later form of the plan's system.
_LATER_FORM = tuple(
    f"{side.markets}_{suffix}" for side in SIDES for suffix in ("current", "history")
)


@dataclass(frozen=True)
class SourceTables:
    """The tables of a source, by their names, with the types of their columns."""

    schema: str
    types: Mapping[str, Mapping[str, str]]

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that the source has: BetPawa's first, which competitors' events refer to."""
        return tuple(side for side in _OF_SIDES if side.snapshots in self.types)

    @property
    def wanted(self) -> dict[str, Columns]:
        """The columns that are read, of the tables that the source has or should have."""
        wanted = {**_SHARED}
        for side in self.sides:
            wanted |= _OF_SIDES[side]
        return wanted | {name: SCRAPE_TABLES[name] for name in SCRAPE_TABLES if name in self.types}

    def table(self, name: str) -> str:
        """Return the qualified name of a table, quoted for SQL."""
        return f"{quote(self.schema)}.{quote(name)}"

    def has(self, table: str, column: str) -> bool:
        """Return whether a table has a column."""
        return column in self.types.get(table, ())

    def column(self, alias: str, table: str, column: str) -> str:
        """Return the SQL of a column; NULL for one that the source lacks."""
        if not self.has(table, column):
            return "NULL"
        name, type_ = f"{alias}.{quote(column)}", self.types[table][column]
        if type_ == "enum":
            # SQLModel stores the names of an enumeration's members, in upper case.
            return f"lower({name}::text)" if column in _LOWER_CASE else f"{name}::text"
        return _TIME.format(name=name) if type_ in _TIME_TYPES else name

    def text(self, alias: str, table: str, column: str) -> str:
        """Return the SQL of a column as text without white space around it."""
        return f"btrim({self.column(alias, table, column)}::text)"

    def columns(self, alias: str, table: str, names: Iterable[str] = ()) -> str:
        """Return the SQL of columns for a SELECT, by default of all that are read."""
        read = names or (*self.wanted[table].required, *self.wanted[table].optional)
        return ", ".join(f"{self.column(alias, table, name)} AS {quote(name)}" for name in read)

    def unknown_columns(self, table: str) -> list[str]:
        """List the columns that the table of oddsschema does not have."""
        ours = metadata.tables[table].columns
        return [name for name in self.types[table] if name not in ours]

    def naive_columns(self) -> list[str]:
        """List the columns with times of no zone, among those that are read."""
        return [
            f"{table}.{name}"
            for table, columns in self.wanted.items()
            for name in (*columns.required, *columns.optional)
            if self.types.get(table, {}).get(name) == "timestamp"
        ]

    def require_plan(self) -> None:
        """Raise AdoptionError unless the tables have the form of the plan."""
        later = [name for name in _LATER_FORM if name in self.types]
        if not self.sides and later:
            raise later_form(self.schema, later)
        if not self.sides:
            raise AdoptionError(
                f"the schema {self.schema} has no table of snapshots ({BETPAWA.snapshots} or "
                f"{COMPETITORS.snapshots}), so that it has no odds to adopt: name the schema that "
                "has them"
            )
        if self.has(BETPAWA.snapshots, "is_complete") or self.has(
            COMPETITORS.snapshots, "is_complete"
        ):
            raise AdoptionError(
                f"the tables in the schema {self.schema} are those of oddsschema itself, which "
                "need no adoption: run 'oddsschema upgrade' there, or copy them with pg_dump"
            )
        missing = [
            f"{table}.{name}"
            for table, columns in self.wanted.items()
            for name in columns.required
            if not self.has(table, name)
        ]
        if missing:
            raise AdoptionError(
                f"the tables in the schema {self.schema} lack columns of the plan: "
                f"{', '.join(missing)}. Add them, as a view in another schema, for example"
            )

    def later_tables(self) -> list[str]:
        """List the tables of current rows and of history."""
        return [name for name in _LATER_FORM if name in self.types]


def later_form(schema: str, tables: Sequence[str]) -> AdoptionError:
    """Make the error of a source whose odds are in tables of current rows and of history."""
    return AdoptionError(
        f"the odds in the schema {schema} are in tables of current rows and of history "
        f"({', '.join(tables)}), and not in snapshots: such a history lacks the names and the "
        "handicaps of its markets, so that no capture can be made of it. Begin with an empty "
        "database, and keep the old one for reads of the old history"
    )


async def read_source_tables(connection: Connection, schema: str | None) -> SourceTables:
    """Read the tables of a schema, by default of the first that the search path leads to.

    Raises AdoptionError unless they have the form of the plan, and the role may read them.
    """
    if schema is None:
        schema = await connection.fetchval(_CURRENT_SCHEMA)
    types: dict[str, dict[str, str]] = {}
    for table, name, type_ in await connection.fetch(_COLUMNS, schema or ""):
        types.setdefault(table, {})[name] = type_
    tables = SourceTables(schema or "(none)", types)
    tables.require_plan()
    await _require_privileges(connection, tables)
    return tables


async def _require_privileges(connection: Connection, tables: SourceTables) -> None:
    names = list(tables.wanted)
    role, unreadable = await connection.fetchrow(_UNREADABLE, tables.schema, names)
    if unreadable:
        raise AdoptionError(
            f"the role {role} may not read {', '.join(unreadable)} in the schema {tables.schema}: "
            "as the owner of the tables, GRANT USAGE on the schema and SELECT on the tables, or "
            "connect with another role"
        )


async def count_rows(
    connection: Connection, tables: SourceTables, name: str
) -> tuple[int, dict[str, int]]:
    """Count the rows of a table, and the values in each of its columns that are left."""
    unknown = tables.unknown_columns(name)
    counts = "".join(f", count({quote(column)})" for column in unknown)
    row: Any = await connection.fetchrow(f"SELECT count(*){counts} FROM {tables.table(name)}")
    return row[0], dict(zip(unknown, row[1:], strict=True))
