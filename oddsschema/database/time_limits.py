"""The default time limits of migrations, in seconds: importing them does not import alembic."""

#: The limit on waiting for a lock. Every session that needs the table queues behind the migration.
LOCK_TIMEOUT = 5.0
#: The limit on a statement. Those that read a whole table block nobody, and can take minutes.
STATEMENT_TIMEOUT = 3600.0
