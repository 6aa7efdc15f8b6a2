"""The default time limits of migrations, in seconds: importing them does not import alembic."""

#: Whoever wants a table queues behind a migration that waits for it: better it gives up.
LOCK_TIMEOUT = 5.0
#: The statements that read a whole table block nobody, and can take minutes.
STATEMENT_TIMEOUT = 3600.0
