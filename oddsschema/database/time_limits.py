"""The default time limits of migrations. Importing them does not import alembic."""

from datetime import timedelta

#: The limit on waiting for a lock. Every session that needs the table queues behind the migration.
LOCK_TIMEOUT = timedelta(seconds=5)
#: The limit on a statement. Those that read a whole table block nobody, and can take minutes.
STATEMENT_TIMEOUT = timedelta(hours=1)
