"""A hot standby: a second server that replays the first one's changes, and accepts reads."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from oddsschema.embedded import EmbeddedPostgres
from oddsschema.embedded.account import run_as, server_account
from tests.support.sessions import fetch


@contextmanager
def standby_of(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Start a standby of a server that is running."""
    directory = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    account = server_account()
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    url = make_url(primary.url)
    data = directory / Path(str(url.query["host"])).name
    try:
        copied = run_as(
            account,
            *(primary.bin / "pg_basebackup", "--pgdata", data, "--write-recovery-conf"),
            *("--checkpoint", "fast", "--host", str(url.query["host"]), "--username", "postgres"),
        )
        assert copied.status == 0, copied.output
        (data / "postmaster.pid").unlink(missing_ok=True)
        with EmbeddedPostgres(directory, durable=False) as standby:
            yield standby
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def catch_up(primary: str, standby: str) -> None:
    """Wait until the standby has replayed everything that the primary server has written."""
    [(position,)] = await fetch(primary, "SELECT pg_current_wal_lsn()::text")
    replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn"
    for _ in range(600):
        if await fetch(standby, replayed) == [(True,)]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the standby does not replay the primary server's changes")
