"""The application on a socket, with a migrated database of its own and three fake sites."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn
from fake_sites import FakeSites
from odds_comparison.app import app

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def oddsschema_migrate() -> Callable[[str], object]:
    """Return the migration of the template of all tests' databases: `alembic upgrade heads`."""

    def migrate(url: str) -> None:
        command = [sys.executable, "-m", "alembic", "upgrade", "heads"]
        environment = os.environ | {"DATABASE_URL": url}
        subprocess.run(command, cwd=PROJECT, env=environment, check=True)

    return migrate


@pytest.fixture
def sites() -> Iterator[FakeSites]:
    """Start the bookmakers' sites on a local port."""
    with FakeSites() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(
    oddsschema_database: str, sites: FakeSites, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    """Start the application, and open an HTTP client of it."""
    monkeypatch.setenv("DATABASE_URL", oddsschema_database)
    monkeypatch.setenv("SITES", sites.setting)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=server.run, args=[[listening]])
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
            yield client
        server.should_exit = True
        thread.join()
