"""Databases of oddsschema's pytest plugin, migrated by this project's own migrations."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Select the backend of tests that are coroutines."""
    return "asyncio"


@pytest.fixture(scope="session")
def oddsschema_migrate() -> Callable[[str], object]:
    """Return the migration of the template of all tests' databases: `alembic upgrade heads`."""

    def migrate(url: str) -> None:
        command = [sys.executable, "-m", "alembic", "upgrade", "heads"]
        environment = os.environ | {"DATABASE_URL": url}
        subprocess.run(command, cwd=PROJECT, env=environment, check=True)

    return migrate
