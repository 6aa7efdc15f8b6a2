"""Settings of a database that its administrator makes, and takes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import make_url

#: Ends all other sessions of this database.
END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'"""

#: Makes each row of odds slow: a chunk then spends nearly all of its time in its COPY.
SLOW_ROWS = (
    """CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$""",
    """CREATE TRIGGER slow BEFORE INSERT ON competitor_market_odds
    FOR EACH ROW EXECUTE FUNCTION be_slow()""",
)
FAST_ROWS = ("DROP TRIGGER slow ON competitor_market_odds", "DROP FUNCTION be_slow")


@asynccontextmanager
async def role_setting(url: str, name: str, value: str) -> AsyncIterator[asyncpg.Connection]:
    """Set a parameter for the role in this database: for new sessions, and only meanwhile.

    Yields a session of the administrator's, which the setting leaves alone.
    """
    role = f'ALTER ROLE CURRENT_USER IN DATABASE "{make_url(url).database}"'
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"{role} SET {name} = '{value}'")
        try:
            yield connection
        finally:
            await connection.execute(f"{role} RESET {name}")
    finally:
        await connection.close()
