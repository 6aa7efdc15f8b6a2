"""The settings of a session that change the catalogs' texts, or the effect of statements."""

from typing import NamedTuple

from oddsschema.database.connections import Connection

#: Limit the wait for locks, such as those of a concurrent migration, and lift the other limits,
#: which a role may have for its queries.
LIMITS = """
SELECT set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true),
    -- since PostgreSQL 17
    CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
        THEN set_config('transaction_timeout', '0', true) END,
    set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '10s'), true)
"""

#: Make the catalogs' texts the same for every session.
#:
#: PostgreSQL qualifies the names that the search path does not lead to, and prints times in the
#: session's zone. With pg_temp at its end, temporary tables hide no others.
SETTINGS = """
SELECT set_config('search_path', concat_ws(', ', (
        SELECT string_agg(quote_ident(schema), ', ' ORDER BY place)
        FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, place)
        WHERE schema !~ '^pg_temp_'
    ), 'pg_temp'), true),
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO', true),
    set_config('IntervalStyle', 'postgres', true),
    set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true),
    set_config('quote_all_identifiers', 'off', true),
    set_config('standard_conforming_strings', 'on', true)
"""

#: Read why sessions do not enforce foreign keys, unless this session itself has set it so.
_REPLICA = """
SELECT source, quote_ident(current_database()) AS database, quote_ident(session_user) AS role
FROM pg_settings
WHERE name = 'session_replication_role' AND setting = 'replica'
    AND source NOT IN ('session', 'client', 'interactive')
"""

_RESETS = {
    "database": "ALTER DATABASE {database} RESET session_replication_role;",
    "user": "ALTER ROLE {role} RESET session_replication_role;",
    "database user": "ALTER ROLE {role} IN DATABASE {database} RESET session_replication_role;",
}


class ReplicaRole(NamedTuple):
    """A default of sessions under which foreign keys are not enforced, and nothing cascades."""

    #: The SQL that removes it for new sessions, or a comment.
    repair: str


async def read_replica_role(connection: Connection) -> ReplicaRole | None:
    """Read whether new sessions have `session_replication_role = replica`."""
    row = await connection.fetchrow(_REPLICA)
    if row is None:
        return None
    reset = _RESETS.get(
        row["source"], "-- remove session_replication_role from the server's configuration"
    )
    return ReplicaRole(repair=reset.format(database=row["database"], role=row["role"]))
