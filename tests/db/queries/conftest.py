"""The connection that all examples of a test share."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

Run = Callable[..., Any]


@pytest.fixture
def connection(database: str, run: Run) -> Iterator[AsyncConnection]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(database),
        poolclass=NullPool,
    )
    opened = run(stack.enter_async_context(engine.connect()))
    yield opened
    run(stack.aclose())
