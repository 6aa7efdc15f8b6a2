"""The log as a test sees it, and the roles of docs/how-to/roles.md."""

import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oddsschema import migrations
from tests.support.passwords import Messages
from tests.support.roles import BY_SUPERUSER, Roles
from tests.support.sessions import execute

Run = Callable[..., Any]


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Messages]:
    """Collect log records of every level and warnings."""
    messages = Messages()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.text += f"{logging.Formatter().format(record)} {record.__dict__}\n"

    listener = Listener()
    caplog.set_level(logging.DEBUG)
    logging.getLogger().addHandler(listener)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: setattr(
            messages, "text", f"{messages.text}{message}\n"
        )
        yield messages
    logging.getLogger().removeHandler(listener)


@pytest.fixture(scope="module")
def roles(server_url: str, run: Run) -> Iterator[Roles]:
    """Follow the page exactly: the roles, the database, the upgrade, the privileges."""
    page_roles = Roles(server_url)
    names = ("owner", "scraper", "pruner", "reader")
    try:
        statements = page_roles.renamed(BY_SUPERUSER).strip().split("\n")
        passwords = [f"ALTER ROLE {page_roles.role(name)} PASSWORD '{name}''s'" for name in names]
        run(execute(server_url, *statements, *passwords))
        run(migrations.upgrade(page_roles.url("owner")))
        run(page_roles.grant())
        yield page_roles
    finally:
        drops = [f"DROP ROLE IF EXISTS {page_roles.role(name)}" for name in names]
        drop = f"DROP DATABASE IF EXISTS {page_roles.database} WITH (FORCE)"
        run(execute(server_url, drop, *drops))


@pytest.fixture
def committed(roles: Roles, run: Run) -> Iterator[Roles]:
    """Return the roles, and recreate all tables after a test that commits rows."""
    yield roles
    run(roles.start_afresh())
