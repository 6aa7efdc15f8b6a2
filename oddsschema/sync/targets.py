"""The targets of synchronous programs: those that belong to no event loop."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from oddsschema.database.targets import URLS, refused_target, url_of

if TYPE_CHECKING:
    import asyncpg
    from pydantic import PostgresDsn
    from sqlalchemy import URL

#: A database to work on: a URL, or a function that opens a connection.
Target: TypeAlias = "str | URL | PostgresDsn | Callable[[], Awaitable[asyncpg.Connection[Any]]]"

_TARGETS = (
    f"{URLS} or an async function that opens a connection of asyncpg (engines, pools and "
    "connections belong to other event loops and drivers)"
)


def require_own(target: Any) -> None:
    """Raise TypeError for a target that the background event loop cannot use."""
    if url_of(target) is None and (isinstance(target, type) or not callable(target)):
        raise refused_target(target, _TARGETS)
