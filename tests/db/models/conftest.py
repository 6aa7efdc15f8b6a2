"""The connection of SQLAlchemy that all examples of a test share."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.database.connections import sqlalchemy_connect


@pytest.fixture
def connection(database: str, run: Callable[..., Any]) -> Iterator[AsyncConnection]:
    """Open a connection for all examples of a test. Each example rolls back."""
    stack = AsyncExitStack()
    yield run(stack.enter_async_context(sqlalchemy_connect(database)))
    run(stack.aclose())
