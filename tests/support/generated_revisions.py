"""Projects of alembic whose revisions are generated, run and taken back in one process."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import Script
from sqlalchemy import Connection

import oddsschema
from oddsschema.migrations import script_location

_ENVIRONMENT = """
from alembic import context

from oddsschema.migrations import timeouts

attributes = context.config.attributes
if context.is_offline_mode():
    options = {"dialect_name": "postgresql", "dialect_opts": {"paramstyle": "named"},
               "literal_binds": True}
else:
    options = {"connection": attributes["connection"]}
context.configure(transaction_per_migration=True, **options, **attributes["options"]())
with timeouts(context.get_context()), context.begin_transaction():
    context.run_migrations()
"""

_TEMPLATE = '''"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
'''


class Project:
    """A directory of revisions, and the options of its env.py.

    `locations` are further directories of revisions, such as ours.
    """

    def __init__(
        self,
        directory: Path,
        options: Callable[[], dict[str, Any]],
        locations: Sequence[Path] = (),
    ) -> None:
        self.versions = directory / "versions"
        self.versions.mkdir(parents=True)
        (directory / "env.py").write_text(_ENVIRONMENT)
        (directory / "script.py.mako").write_text(_TEMPLATE)
        self._directory = directory
        self._locations = [self.versions, *locations]
        self._options = options

    def config(self, connection: Connection | None = None) -> Config:
        """Return the configuration of alembic, for a connection or for SQL text."""
        config = Config(output_buffer=StringIO(), stdout=StringIO())
        config.set_main_option("script_location", str(self._directory))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(map(str, self._locations)))
        config.attributes["connection"] = connection
        config.attributes["options"] = self._options
        return config

    def generate(self, connection: Connection, **options: Any) -> list[Script]:
        """Generate revisions from the options' models; return them in the order of the upgrade."""
        options = {"version_path": str(self.versions), "rev_id": "changed"} | options
        with warnings_of_reflection():
            made = command.revision(self.config(connection), autogenerate=True, **options)
        connection.rollback()
        scripts = made if isinstance(made, list) else [made]
        return [script for script in scripts if script is not None]

    def upgrade(self, connection: Connection, revision: str = "heads") -> None:
        """Upgrade the database."""
        command.upgrade(self.config(connection), revision)
        connection.commit()

    def downgrade(self, connection: Connection, revision: str) -> None:
        """Downgrade the database."""
        command.downgrade(self.config(connection), revision)
        connection.commit()

    def sql(self, revisions: str, *, downgrade: bool = False) -> str:
        """Return the SQL text of an upgrade or downgrade, "from:to"."""
        config = self.config()
        (command.downgrade if downgrade else command.upgrade)(config, revisions, sql=True)
        return str(config.output_buffer.getvalue())  # type: ignore[union-attr]


@contextmanager
def warnings_of_reflection() -> Iterator[None]:
    """Ignore SQLAlchemy's warnings about parts of tables that it does not read."""
    import warnings

    from sqlalchemy.exc import SAWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect by psycopg."""
    engine = oddsschema.create_engine(url, sync=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def own_history(directory: Path, revision: str) -> Path:
    """Copy our revisions up to one of them, or none for "base"."""
    directory.mkdir()
    for path in sorted((script_location() / "versions").glob("0*.py")):
        if f"oddsschema_{path.name[:4]}" <= revision and revision != "base":
            shutil.copy(path, directory)
    return directory
