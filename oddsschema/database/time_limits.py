"""The default time limits of connections and migrations. Importing them does not import alembic."""

from datetime import timedelta

#: The limit on the opening of a connection.
OPEN_WITHIN = timedelta(minutes=1)
#: The limit on the server's answer to a statement of an ingestion.
ANSWER_WITHIN = timedelta(minutes=5)
#: The limit on the server's answer to a statement that may read whole tables.
LONG_ANSWER_WITHIN = timedelta(hours=1)
#: The time for retries after transient errors.
RETRY_FOR = timedelta(minutes=1)

#: The limit on waiting for the end of another migration of the same tables. It blocks nobody.
MIGRATION_WAIT = timedelta(minutes=10)
#: The limit on waiting for a lock. Every session that needs the table queues behind the migration.
LOCK_TIMEOUT = timedelta(seconds=5)
#: The limit on a statement. Those that read a whole table block nobody, and can take minutes.
STATEMENT_TIMEOUT = timedelta(hours=1)


def answer_after(statement_timeout: timedelta) -> timedelta:
    """Return the time for an answer that leaves the server's own limit time to work; 0 for none."""
    return statement_timeout and statement_timeout + timedelta(minutes=1)
