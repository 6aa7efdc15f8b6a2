"""A project with an alembic of its own, which knows nothing of oddsschema."""

import os
import subprocess
import sys
from pathlib import Path

_SETTINGS = """
[alembic]
script_location = %(here)s/migrations
"""

_ENVIRONMENT = """
import asyncio
import os

import sqlalchemy as sa
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine

metadata = sa.MetaData()
sa.Table("accounts", metadata, sa.Column("id", sa.Integer, primary_key=True), *{columns})


def include_name(name, kind, parents):
    return kind != "table" or not {only_own} or name in metadata.tables


def run(connection):
    context.configure(
        connection=connection, target_metadata=metadata, include_name=include_name, **{options}
    )
    with context.begin_transaction():
        context.run_migrations()


async def main():
    engine = create_async_engine(
        sa.make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+asyncpg")
    )
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()


asyncio.run(main())
"""

_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "theirs_{number}"
down_revision = {previous!r}


def upgrade():
    {upgrade}


def downgrade():
    pass
"""


class OtherProject:
    """The files of the project, and its commands on a database.

    `only_own` limits its autogenerate to its own tables, as a project beside others needs it;
    `options` are arguments of `context.configure`.
    """

    def __init__(
        self, path: Path, url: str, *, only_own: bool = True, options: dict[str, str] | None = None
    ) -> None:
        self._path, self._url = path, url
        self._environment = {"only_own": only_own, "options": options or {}}
        self._versions = path / "migrations" / "versions"
        self._versions.mkdir(parents=True)
        (path / "alembic.ini").write_text(_SETTINGS)
        self._release(
            "[]", 'op.create_table("accounts", sa.Column("id", sa.Integer, primary_key=True))'
        )

    def release(self) -> None:
        """Make the next release, with a revision that adds a column."""
        number = len(list(self._versions.glob("*.py")))
        names = [f"note_{place}" for place in range(1, number + 1)]
        columns = ", ".join(f'sa.Column("{name}", sa.Text)' for name in names)
        self._release(
            f"[{columns}]", f'op.add_column("accounts", sa.Column("{names[-1]}", sa.Text))'
        )

    def _release(self, columns: str, upgrade: str) -> None:
        number = len(list(self._versions.glob("*.py"))) + 1
        previous = f"theirs_{number - 1}" if number > 1 else None
        revision = _REVISION.format(number=number, previous=previous, upgrade=upgrade)
        (self._versions / f"{number}.py").write_text(revision)
        environment = _ENVIRONMENT.format(columns=columns, **self._environment)
        (self._path / "migrations" / "env.py").write_text(environment)

    def run(self, *command: str) -> str:
        """Run alembic. Return its standard output; raise CalledProcessError if it fails."""
        return subprocess.run(
            [sys.executable, "-m", "alembic", *command],
            cwd=self._path,
            env=os.environ | {"DATABASE_URL": self._url},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def require_newest(self) -> None:
        """Check that the database is at the newest revision, and has exactly the tables."""
        number = len(list(self._versions.glob("*.py")))
        assert self.run("current").split() == [f"theirs_{number}", "(head)"]
        assert "No new upgrade operations detected" in self.run("check")
