"""Waits of synchronous tests for what a database holds."""

import time
from collections.abc import Callable
from typing import Any

from tests.support.sessions import fetch


def wait_for(run: Callable[..., Any], url: str, query: str, *, seconds: float = 30) -> None:
    """Wait until a query returns true."""
    deadline = time.monotonic() + seconds
    while run(fetch(url, query)) != [(True,)]:
        assert time.monotonic() < deadline, f"still not: {query}"
        time.sleep(0.05)
