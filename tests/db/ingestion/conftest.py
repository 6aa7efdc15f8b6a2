"""A directory for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory with a path that is short enough for a socket, and that anybody can enter."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)
