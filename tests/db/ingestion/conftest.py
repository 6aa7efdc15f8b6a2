"""A directory for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Create a directory with a path short enough for a socket, which everybody can enter."""
    path = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)
