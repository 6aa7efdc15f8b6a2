"""The distribution of a schema, its move to another node, and the way back."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import asyncpg
from sqlalchemy.exc import DBAPIError

from oddsschema.database.citus import Cluster, Node, read_cluster
from oddsschema.database.connections import Connection, sqlalchemy_connect
from oddsschema.database.durations import format_duration, in_milliseconds, require_durations
from oddsschema.database.names import quote
from oddsschema.database.recorded_revisions import OWN_TABLE
from oddsschema.database.retry import as_package_error, driver_error, driver_errors
from oddsschema.database.revision import HEAD
from oddsschema.database.targets import Target, has_open_transaction, open_source
from oddsschema.database.time_limits import LOCK_TIMEOUT, MIGRATION_WAIT
from oddsschema.database.urls import require_schema_name
from oddsschema.distribution.strangers import neighbours, referring_objects
from oddsschema.errors import ClusterError, ReadOnlyDatabaseError, WorkerNodeError
from oddsschema.models import metadata
from oddsschema.queries.views import VIEWS

#: The tables that move together.
TABLES = (*metadata.tables, OWN_TABLE)

#: The names of all relations of ours but sequences and indexes.
OURS = (*TABLES, *VIEWS)

#: The time in which Citus makes the tables of an empty schema, and the bytes of tables and indexes
#: that it copies in a second: tests/benchmarks/distribution.py measures them.
_EMPTY = timedelta(seconds=5)
_BYTES_PER_SECOND = 12_000_000

# Read which of the tables $2 schema $1 has.
_PRESENT = """
SELECT relname::text FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'p')
    AND relname = ANY ($2::text[])
"""

# Read the bytes of the tables $2 of schema $1, with their indexes.
_BYTES = """
SELECT COALESCE(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c
WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relname = ANY ($2::text[])
"""

# Read the roles that have a right on one of the relations $2 of schema $1, or on its columns.
_USERS = """
SELECT DISTINCT CASE granted.grantee WHEN 0 THEN 'PUBLIC'
    ELSE granted.grantee::regrole::text END
FROM pg_class AS c
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
CROSS JOIN LATERAL (
    SELECT grantee FROM aclexplode(c.relacl) UNION SELECT grantee FROM aclexplode(a.attacl)
) AS granted
WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relname = ANY ($2::text[])
ORDER BY 1
"""

# Read the owner of the tables in schema $1.
_OWNER = """
SELECT relowner::regrole::text FROM pg_class
WHERE relnamespace = quote_ident($1)::regnamespace AND relname = 'sports'
"""

# Read the comments on tables and columns, which Citus does not keep on the way back.
_COMMENTS = """
SELECT format(CASE d.objsubid WHEN 0 THEN 'COMMENT ON TABLE %s IS %3$L'
    ELSE 'COMMENT ON COLUMN %s.%I IS %L' END, c.oid::regclass, a.attname, d.description)
FROM pg_description AS d
JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0
WHERE c.relnamespace = quote_ident($1)::regnamespace AND c.relname = ANY ($2::text[])
"""

# Read whether new sessions of this database ask the nodes for the names of their shards.
_IS_SET = """
SELECT EXISTS (
    SELECT FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
    WHERE d.datname = current_database() AND s.setrole = 0
        AND 'citus.override_table_visibility=off' = ANY (s.setconfig)
), quote_ident(current_database())
"""


async def require_cluster(target: Target) -> None:
    """Raise ClusterError unless the server is a coordinator of Citus."""
    async with _connected(target) as connection:
        await _require_cluster(connection)


async def distribute(
    target: Target,
    schema: str,
    *,
    from_schema: str | None = None,
    nodes: Sequence[Node] = (),
    dry_run: bool = False,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    wait: timedelta = MIGRATION_WAIT,
) -> tuple[str, ...]:
    """Give a schema to Citus, which keeps all of its tables on one node. Again changes nothing.

    The tables are in `schema`, or move there from `from_schema`. `nodes` are added to the cluster
    if it has them not, and one of them gets the schema; else Citus chooses the node. Everything
    but that is one transaction, for which writers and readers wait. With `dry_run`, everything is
    checked, and nothing is changed.

    Grants are kept. In a new schema, everybody who has rights on a table gets USAGE.

    Returns notes: sentences about what was done. Raises ClusterError: without the extension,
    without tables of the newest revision, and if tables, views or functions of others refer to
    ours or share the schema. WorkerNodeError is one.
    """
    require_schema_name(schema)
    require_durations(lock_timeout=lock_timeout, wait=wait)
    source = from_schema or schema
    notes: list[str] = []
    async with _connected(target) as connection:
        cluster = await _require_cluster(connection)
        if schema not in cluster.homes:
            await _require_distributable(connection, source, schema)
        if not dry_run:
            for node in nodes:
                if node not in cluster.nodes:
                    await connection.execute("SELECT citus_add_node($1, $2)", *node)
                    notes.append(f"added the node {node}")
    if schema in cluster.homes:
        notes.append(f"the schema {schema} is distributed: it is on {cluster.homes[schema]}")
    elif dry_run:
        async with _connected(target) as connection:
            size = await connection.fetchval(_BYTES, source, list(TABLES))
        # Rounded up to whole seconds.
        lasts = timedelta(seconds=-(-size // _BYTES_PER_SECOND)) + _EMPTY
        return (
            f"the schema {schema} can be distributed. Writers and readers would wait for about "
            f"{format_duration(lasts)}: Citus copies {size / 1e6:,.0f} MB. Nothing was changed",
        )
    else:
        await _hand_over(target, source, schema, lock_timeout, wait)
        async with _connected(target) as connection:
            home = (await _require_cluster(connection)).homes[schema]
        notes.append(f"distributed the schema {schema}: it is on {home}")
    if nodes and not dry_run:
        async with _connected(target) as connection:
            home = (await _require_cluster(connection)).homes[schema]
        if home not in nodes:
            notes += await move(target, schema, nodes[0])
    return tuple(notes)


async def undistribute(
    target: Target,
    schema: str,
    *,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    wait: timedelta = MIGRATION_WAIT,
) -> tuple[str, ...]:
    """Bring a schema back to the coordinator, as plain tables. Again changes nothing.

    It is one transaction, for which writers and readers wait. Returns notes, and raises the errors
    of `distribute`.
    """
    require_durations(lock_timeout=lock_timeout, wait=wait)
    async with _connected(target) as connection:
        cluster = await _require_cluster(connection)
        if schema not in cluster.homes:
            return (f"the schema {schema} is not distributed",)
    # The migrations import alembic, for which a program should not wait at its start.
    from oddsschema.migrations.remade_views import remake_views

    async with _locked(target, schema, lock_timeout, wait) as connection:
        comments = [row[0] for row in await connection.fetch(_COMMENTS, schema, list(TABLES))]
        call = f"SELECT citus_schema_undistribute({_literal(quote(schema))})"
        await connection.execute(
            remake_views([call, *comments], remade=VIEWS, schema=quote(schema))
        )
    return (f"the schema {schema} is on the coordinator, as plain tables",)


async def move(target: Target, schema: str, node: Node) -> tuple[str, ...]:
    """Move a distributed schema to another node, while it is in use. Again changes nothing.

    Writers wait only at its end. Returns notes, and raises ClusterError.
    """
    async with _connected(target) as connection:
        cluster = await _require_cluster(connection)
        if schema not in cluster.homes:
            raise ClusterError(
                reason=f"the schema {schema} is not distributed: run 'oddsschema distribute' first"
            )
        if cluster.homes[schema] == node:
            return (f"the schema {schema} is on {node} already",)
        if node not in cluster.nodes:
            known = ", ".join(map(str, cluster.nodes))
            raise ClusterError(
                reason=f"the cluster has no node {node}, only {known}: add it by SELECT "
                f"citus_add_node('{node.host}', {node.port})"
            )
        await connection.execute(
            "SELECT citus_schema_move(quote_ident($1)::regnamespace, $2::text, $3::int)",
            schema,
            *node,
        )
    return (f"moved the schema {schema} from {cluster.homes[schema]} to {node}",)


# -- the parts -------------------------------------------------------------------------------------


async def _require_cluster(connection: Connection) -> Cluster:
    cluster = await read_cluster(connection)
    if cluster is None:
        raise ClusterError(
            reason="this database has no extension citus: install Citus on all servers, set "
            "shared_preload_libraries = 'citus', and run CREATE EXTENSION citus in this database"
        )
    if not cluster.is_coordinator:
        raise WorkerNodeError
    return cluster


async def _require_distributable(connection: Connection, source: str, schema: str) -> None:
    """Check that the tables of the newest revision, and nothing else, can move."""
    if schema == "public":
        raise ClusterError(
            reason="Citus does not distribute the schema public: choose another name, and public "
            "as the schema that the tables come from"
        )
    present = {row[0] for row in await connection.fetch(_PRESENT, source, list(TABLES))}
    if missing := sorted({*TABLES} - present):
        what = f"has no tables {', '.join(missing)}" if present else "has no tables of oddsschema"
        raise ClusterError(
            reason=f"the schema {source} {what}: create them (run 'oddsschema upgrade'), or name "
            "the schema that the tables come from"
        )
    rows = await connection.fetch(f"SELECT version_num FROM {quote(source)}.{OWN_TABLE}")
    if [row[0] for row in rows] != [HEAD]:
        raise ClusterError(
            reason=f"the schema {source} is not at {HEAD}, the newest revision: upgrade it first "
            "(run 'oddsschema upgrade')"
        )
    if found := await referring_objects(connection, source, OURS):
        raise ClusterError(
            reason=f"others refer to the tables of oddsschema: {', '.join(found)}. Drop these, "
            "distribute the schema, and create again those that Citus allows"
        )
    if found := await neighbours(connection, schema, OURS if source == schema else ()):
        raise ClusterError(
            reason=f"the schema {schema} has other tables, which would be distributed as well: "
            f"{', '.join(found)}. Choose a schema of their own for the tables of oddsschema"
        )


async def _hand_over(
    target: Target, source: str, schema: str, lock_timeout: timedelta, wait: timedelta
) -> None:
    """Move the tables, and give their schema to Citus."""
    from oddsschema.migrations.remade_views import remake_views

    async with _locked(target, source, lock_timeout, wait) as connection:
        statements = []
        if source != schema:
            owner = await connection.fetchval(_OWNER, source)
            users = await connection.fetch(_USERS, source, list(OURS))
            statements = [
                f"CREATE SCHEMA IF NOT EXISTS {quote(schema)} AUTHORIZATION {owner}",
                *(f"GRANT USAGE ON SCHEMA {quote(schema)} TO {user}" for (user,) in users),
                *(f"ALTER TABLE {name} SET SCHEMA {quote(schema)}" for name in TABLES),
            ]
        statements += [
            f"SELECT citus_schema_distribute({_literal(quote(schema))})",
            # The views are made again where the tables are.
            f"SELECT set_config('search_path', {_literal(quote(schema) + ', pg_temp')}, true)",
        ]
        await connection.execute(remake_views(statements, remade=VIEWS, schema=quote(source)))
        is_set, database = await connection.fetchrow(_IS_SET)
        if not is_set:
            await connection.execute(
                f"ALTER DATABASE {database} SET citus.override_table_visibility = off"
            )


@asynccontextmanager
async def _locked(
    target: Target, schema: str, lock_timeout: timedelta, wait: timedelta
) -> AsyncIterator[Connection]:
    """Begin a transaction in which the tables of a schema are locked, and commit it at the end."""
    from oddsschema.migrations.schema_lock import locked_schema

    if has_open_transaction(target):
        raise ClusterError(
            reason="a distribution is a transaction of its own: give a URL, or a connection of "
            "asyncpg without a transaction"
        )
    with _translated():
        async with sqlalchemy_connect(target, answer_within=timedelta(0)) as opened:
            await opened.exec_driver_sql(
                f"SET LOCAL search_path = {quote(schema)}",
                execution_options={"no_parameters": True},
            )
            async with locked_schema(opened, target, wait, is_nested=True):
                raw = await opened.get_raw_connection()
                connection: Connection = raw.driver_connection
                await connection.execute("SET LOCAL statement_timeout = 0")
                await connection.execute(
                    f"SET LOCAL lock_timeout = {in_milliseconds(lock_timeout)}"
                )
                names = ", ".join(f"{quote(schema)}.{name}" for name in TABLES)
                await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
                # Citus takes locks on the nodes, too, which nobody else has now.
                await connection.execute("SET LOCAL lock_timeout = 0")
                yield connection
            await opened.commit()


@asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[Connection]:
    with _translated():
        async with open_source(target, timedelta(0)) as source, source.acquire() as connection:
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    """Raise errors of this package in place of those of PostgreSQL and of Citus."""
    try:
        yield
    except (DBAPIError, *driver_errors()) as error:
        cause = driver_error(error)
        if isinstance(cause, asyncpg.InsufficientPrivilegeError):
            raise
        if isinstance(cause, asyncpg.ReadOnlySQLTransactionError):
            raise ReadOnlyDatabaseError(reason=str(cause), operation="a distribution") from error
        if isinstance(cause, asyncpg.LockNotAvailableError):
            raise ClusterError(
                reason="other sessions have the tables locked: end their transactions, or wait "
                "longer for them; nothing was changed"
            ) from error
        if (failure := as_package_error(error)) is not None:
            raise failure from error
        if isinstance(cause, asyncpg.PostgresError):
            raise ClusterError(reason=f"Citus refuses: {cause}") from error
        raise


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
