"""The locks of a revision, without a long wait behind them, in any alembic.

    def upgrade() -> None:
        op.lock_tables("odds_snapshots", "market_odds")
        op.add_column("odds_snapshots", ...)

While a session waits for the lock of a table, everybody waits who needs that table afterwards, or
one that the session has locked before. The operation waits for a single table, and holds nothing
meanwhile. It then needs the other tables within 0.1 s. Otherwise it releases all, lets others
through, and begins again with the table that it did not get. Its first wait is 0.1 s, and each
later one is twice as long, because autovacuum gives way after a second. Nobody waits for it in a
deadlock, which PostgreSQL would look for after a second.

The session's lock_timeout limits all attempts together. The statement is the same as SQL text.
"""

from dataclasses import dataclass

from alembic.operations import MigrateOperation, Operations

# Lock tables until the transaction ends, and leave lock_timeout as it is.
_LOCK = """
/* LOCK TABLE {names} IN {mode} MODE */
DO $lock$
DECLARE
    tables text[] = ARRAY[{literals}];
    wanted text;
    time_limit text = current_setting('lock_timeout');
    ends_at timestamptz = 'infinity';
    patience interval = '100 ms';
    waits_until timestamptz;
BEGIN
    IF time_limit <> '0' THEN
        ends_at = clock_timestamp() + time_limit::interval;
    END IF;
    LOOP
        BEGIN
            waits_until = least(ends_at, clock_timestamp() + patience);
            FOREACH wanted IN ARRAY tables LOOP
                PERFORM set_config('lock_timeout', greatest(1, ceil(1000 * extract(
                    epoch FROM waits_until - clock_timestamp())))::text, true);
                EXECUTE 'LOCK TABLE ' || wanted || ' IN {mode} MODE';
                IF wanted = tables[1] THEN
                    waits_until = clock_timestamp() + interval '100 ms';
                END IF;
            END LOOP;
            PERFORM set_config('lock_timeout', time_limit, true);
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            -- The locks of this attempt are released.
            IF clock_timestamp() >= ends_at THEN
                RAISE;
            END IF;
        END;
        tables = wanted || array_remove(tables, wanted);
        patience = 2 * patience;
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$lock$
"""


@Operations.register_operation("lock_tables")
@dataclass
class LockTables(MigrateOperation):
    """The locks of tables, until the transaction ends."""

    tables: tuple[str, ...]
    mode: str

    @classmethod
    def lock_tables(
        cls, operations: Operations, *tables: str, mode: str = "ACCESS EXCLUSIVE"
    ) -> None:
        """Lock tables in a mode of LOCK TABLE, in the order in which ingestion uses them.

        A table of another schema than that of the search path is "schema.table".
        """
        operations.invoke(cls(tables, mode))


@Operations.implementation_for(LockTables)
def lock_tables(operations: Operations, wanted: LockTables) -> None:
    """Lock tables, or fail as LOCK TABLE does."""
    quote = operations.get_context().impl.dialect.identifier_preparer.quote
    names = [".".join(map(quote, table.split("."))) for table in wanted.tables]
    literals = ("'" + name.replace("'", "''") + "'" for name in names)
    operations.execute(
        _LOCK.format(names=", ".join(names), literals=", ".join(literals), mode=wanted.mode)
    )
