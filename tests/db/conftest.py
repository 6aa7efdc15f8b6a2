"""The connection that all examples of a test share."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

Run = Callable[..., Any]


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[Any]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    opened = run(asyncpg.connect(database))
    stack.push_async_callback(opened.close)
    yield opened
    run(stack.aclose())
