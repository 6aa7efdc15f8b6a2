"""The API on a socket, served by uvicorn, with a database of its own."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Thread

import httpx
import pytest
import uvicorn
from odds_api.app import app


@pytest.fixture(scope="module")
def url(
    oddsschema_new_database: Callable[[str], AbstractContextManager[str]], oddsschema_template: str
) -> Iterator[str]:
    """Start the API and return its URL."""
    with (
        oddsschema_new_database(oddsschema_template) as database,
        pytest.MonkeyPatch.context() as patch,
        socket.socket() as listening,
    ):
        patch.setenv("DATABASE_URL", database)
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=server.run, args=[[listening]])
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """Open an HTTP client of the API."""
    with httpx.Client(base_url=url) as client:
        yield client
