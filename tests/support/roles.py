"""The roles of docs/how-to/roles.md: the page's grants, and a database that follows the page."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import make_url

from oddsschema import migrations
from tests.support.paths import DOCS
from tests.support.sessions import execute

PAGE = DOCS / "how-to" / "roles.md"
#: The superuser's statements, run once, and the owner's, run after each upgrade.
BY_SUPERUSER, BY_OWNER = re.findall(
    r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
)

#: Every privilege on a table.
TABLE_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


class Grant(NamedTuple):
    """One privilege on one object for one role."""

    privilege: str
    #: The column, for privileges on columns.
    column: str | None
    kind: str
    name: str
    role: str

    def __str__(self) -> str:
        column = f"({self.column})" if self.column else ""
        return f"{self.role}-{self.privilege}{column}-{self.name}"

    def revoke(self, role: str, database: str) -> str:
        """Return the statement that revokes the privilege."""
        column = f" ({self.column})" if self.column else ""
        name = database if self.kind == "DATABASE" else self.name
        return f"REVOKE {self.privilege}{column} ON {self.kind} {name} FROM {role}"


def documented() -> Iterator[Grant]:
    """List every single privilege that the page grants."""
    bare = re.sub(r"--.*", "", BY_OWNER)
    for privileges, kind, names, role in re.findall(
        r"GRANT\s+(.+?)\s+ON\s+(?:(DATABASE|SCHEMA|SEQUENCE)\s+)?(.+?)\s+TO\s+odds_(\w+);",
        bare,
        re.DOTALL,
    ):
        for privilege, columns in re.findall(r"(\w+)(?:\s*\((.+?)\))?", privileges, re.DOTALL):
            for column in columns.replace(",", " ").split() or [None]:
                for name in names.replace(",", " ").split():
                    yield Grant(privilege, column, kind or "TABLE", name, role)


GRANTS = list(documented())


class Roles:
    """A database that follows the page, with unique names."""

    def __init__(self, server_url: str) -> None:
        self._server = make_url(server_url)
        self._suffix = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
        self.database = f"odds_{self._suffix}"

    def role(self, name: str) -> str:
        """Return the unique name of a role: "owner", "scraper", "pruner" or "reader"."""
        return f"odds_{name}_{self._suffix}"

    def url(self, name: str | None = None) -> str:
        """Return the database's URL for one of the roles, or for the superuser."""
        url = self._server.set(database=self.database)
        if name is not None:
            # For servers that ask for a password.
            url = url.set(username=self.role(name), password=f"{name}'s")
        return url.render_as_string(hide_password=False)

    def renamed(self, sql: str) -> str:
        """Replace the names in the page's SQL with the unique names."""
        sql = re.sub(
            r"\bodds_(owner|scraper|pruner|reader)\b", lambda found: self.role(found[1]), sql
        )
        return re.sub(r"\bDATABASE odds\b", f"DATABASE {self.database}", sql)

    async def grant(self) -> None:
        """Run the owner's statements for the time after an upgrade."""
        await execute(self.url("owner"), self.renamed(BY_OWNER))

    async def start_afresh(self) -> None:
        """Drop all tables and create them again, as the owner, who is no superuser."""
        await migrations.downgrade(self.url("owner"), "base")
        await migrations.upgrade(self.url("owner"))
        # The privileges were dropped with the tables.
        await self.grant()


@asynccontextmanager
async def acting_as(
    roles: Roles, name: str, *first: str
) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Open a transaction as a role, after a superuser's statements; roll back at the end."""
    connection = await asyncpg.connect(roles.url())
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in first:
            await connection.execute(statement)
        await connection.execute(f"SET LOCAL ROLE {roles.role(name)}")
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()
