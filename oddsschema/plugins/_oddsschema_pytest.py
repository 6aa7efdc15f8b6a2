"""pytest's fixtures for databases that are migrated, one for each test.

The server is that of DATABASE_URL, where databases of our own are made beside what is there and
dropped again; without it an embedded PostgreSQL of this test run's own, one for all workers of
pytest-xdist. A worker migrates one template; each test gets a clone of it.

A module beside the package, not in it, that imports what a fixture needs when it is asked for: from
within, it would bring all of oddsschema into projects that only have it installed.
"""

import itertools
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from inspect import isasyncgenfunction
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncSession

_Result = TypeVar("_Result")

# -- fixtures --------------------------------------------------------------------------------------


@pytest.fixture
def oddsschema_database(
    oddsschema_new_database: Callable[..., AbstractContextManager[str]], oddsschema_template: str
) -> Iterator[str]:
    """The URL of a database of this test's own: migrated, otherwise as new."""
    with oddsschema_new_database(oddsschema_template) as url:
        yield url


@pytest.fixture(scope="session")
def oddsschema_run() -> Iterator[Callable[[Coroutine[Any, Any, _Result]], _Result]]:
    """Runs a coroutine to its end, for tests that are no coroutines: `oddsschema_run(f())`."""
    import asyncio

    # With a factory the loop is no thread's default, which other plugins may rely on.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner.run


@pytest.fixture(scope="session")
def oddsschema_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that no test writes to, on the server where theirs are made."""
    from oddsschema.database.urls import normalize
    from oddsschema.embedded import ephemeral

    if given := os.environ.get("DATABASE_URL"):
        yield _URL(normalize(given))
    elif shared := _shared(request.config):
        yield shared
    else:
        with ephemeral() as server:
            yield server.url


@pytest.fixture(scope="session")
def oddsschema_migrate(oddsschema_run: Callable[..., Any]) -> Callable[[str], object]:
    """Migrates the template, whose URL it gets. Define it anew for migrations of your own."""
    from oddsschema import migrations

    return lambda url: oddsschema_run(migrations.upgrade(url))


@pytest.fixture(scope="session")
def oddsschema_template(
    oddsschema_new_database: Callable[..., AbstractContextManager[str]],
    oddsschema_migrate: Callable[[str], object],
) -> Iterator[str]:
    """The URL of a migrated database that is only cloned."""
    with oddsschema_new_database() as url:
        oddsschema_migrate(url)
        yield url


@pytest.fixture(scope="session")
def oddsschema_new_database(
    oddsschema_server: str, oddsschema_run: Callable[..., Any]
) -> Callable[..., AbstractContextManager[str]]:
    """Makes a database: `with oddsschema_new_database() as url`, or `(template_url)` for a clone.

    It is dropped at the end of the block, whoever is still connected.
    """
    import asyncpg
    from sqlalchemy import make_url

    numbers = itertools.count()
    prefix = f"oddsschema_test_{os.urandom(4).hex()}"

    async def execute(statement: str) -> None:
        connection = await _connect(oddsschema_server)
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            error.add_note("Tests make databases of their own: the role needs CREATEDB.")
            raise
        finally:
            await connection.close()

    @contextmanager
    def new_database(template: str | None = None) -> Iterator[str]:
        name = f"{prefix}_{next(numbers)}"
        # template0, for what somebody may have put into their template1.
        source = f'"{make_url(template).database}"' if template else "template0 ENCODING 'UTF8'"
        oddsschema_run(execute(f'CREATE DATABASE "{name}" TEMPLATE {source}'))
        try:
            url = make_url(oddsschema_server).set(database=name)
            yield _URL(url.render_as_string(hide_password=False))
        finally:
            oddsschema_run(execute(f'DROP DATABASE "{name}" WITH (FORCE)'))

    return new_database


class _URL(str):
    """A URL of which pytest, that shows a failed test's arguments, does not show the password."""

    __slots__ = ()

    def __repr__(self) -> str:
        from oddsschema.database.urls import redact

        return repr(redact(self))


async def _connect(url: str) -> "asyncpg.Connection[Any]":
    import asyncpg

    from oddsschema.database.urls import redact
    from oddsschema.errors import DatabaseUnavailableError

    try:
        return await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        reason = f"cannot connect to {redact(url)}: {error}"
    # Outside of the handler: the traceback of the cause has the password.
    raise DatabaseUnavailableError(reason)


# -- async fixtures --------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Define the async fixtures: pytest-asyncio wants its own mark on them, anyio's plugin none."""
    if config.pluginmanager.has_plugin("asyncio"):
        import pytest_asyncio  # type: ignore[import-not-found]  # there, or its plugin would not be

        fixtures = _async_fixtures(pytest_asyncio.fixture)
        vars(fixtures)["pytest_fixture_setup"] = _on_the_loop_of_the_test
    else:
        fixtures = _async_fixtures(pytest.fixture)
    config.pluginmanager.register(fixtures)


def _async_fixtures(fixture: Callable[..., Any]) -> ModuleType:
    """A plugin of the fixtures that live on the event loop of the test."""

    async def oddsschema_connection(
        oddsschema_database: str,
    ) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """asyncpg's connection to this test's own database."""
        connection = await _connect(oddsschema_database)
        try:
            yield connection
        finally:
            await connection.close()

    async def oddsschema_session(oddsschema_database: str) -> "AsyncIterator[AsyncSession]":
        """SQLAlchemy's AsyncSession on this test's own database."""
        from sqlalchemy.ext.asyncio import AsyncSession

        from oddsschema.database.connections import sqlalchemy_connect

        async with (
            sqlalchemy_connect(oddsschema_database) as connection,
            AsyncSession(connection, expire_on_commit=False) as session,
        ):
            yield session

    module = ModuleType("_oddsschema_pytest_async")
    for function in (oddsschema_connection, oddsschema_session):
        setattr(module, function.__name__, fixture(function))
    return module


@pytest.hookimpl(wrapper=True, tryfirst=True)
def _on_the_loop_of_the_test(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Set ours up where the test will run: on anyio's loop, or pytest-asyncio's of the same scope.

    Left alone, pytest-asyncio would run them on the loop of a function, whatever the test is.
    """
    __tracebackhide__ = True

    def suited(function: Callable[..., Any]) -> Callable[..., Any]:
        if "anyio_backend" not in request.fixturenames:
            import pytest_asyncio

            test = request.node.get_closest_marker("asyncio")
            scope = test.kwargs.get("loop_scope") if test else None
            scope = scope or request.config.getini("asyncio_default_test_loop_scope")
            pytest_asyncio.fixture(function, loop_scope=scope)  # which marks the function itself
        return function

    function: Any = fixturedef.func
    # pytest-asyncio before 1.1 has wrapped it long ago: then it is for the loop of a function.
    if isasyncgenfunction(function) and function.__module__ == __name__:
        ours = vars(_async_fixtures(suited))
        # It is declared Final; the other plugins replace it too.
        fixturedef.func = ours.get(fixturedef.argname, function)  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]  # as above


# -- one server for all workers of pytest-xdist ----------------------------------------------------

#: What a worker is told: the path of the socket that says where the server is.
_SOCKET = "oddsschema_server"
_OFFER = pytest.StashKey["_Offer"]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker, before it starts, where to ask for the server."""
    stash = node.config.stash
    if os.name == "posix" and not os.environ.get("DATABASE_URL"):
        if _OFFER not in stash:
            stash[_OFFER] = _Offer()
            node.config.add_cleanup(stash[_OFFER].close)
        node.workerinput[_SOCKET] = stash[_OFFER].path


class _Offer:
    """An embedded server that starts when a worker asks for it, in the process that outlives them.

    A run in which no test needs a database does not pay for one.
    """

    def __init__(self) -> None:
        self._closing = ExitStack()
        # Not $TMPDIR, which can be too long for a socket.
        directory = self._closing.enter_context(
            TemporaryDirectory(prefix="oddsschema-", dir="/tmp")
        )
        self.path = str(Path(directory, "server"))
        self._socket = self._closing.enter_context(socket.socket(socket.AF_UNIX))
        self._socket.bind(self.path)
        self._socket.listen()
        self._url: str | None = None
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            worker, _ = self._socket.accept()
            with worker, suppress(OSError):
                if worker.recv(1) == _END:
                    return
                worker.sendall(self._start().encode())

    def _start(self) -> str:
        if self._url is None:
            try:
                from oddsschema.embedded import ephemeral

                self._url = self._closing.enter_context(ephemeral()).url
            except Exception:
                self._url = ""  # the worker tries itself, and fails with the reason
        return self._url

    def close(self) -> None:
        _ask(self.path, _END)
        self._thread.join()
        self._closing.close()


_START, _END = b"+", b"-"


def _ask(path: str, request: bytes) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        asking.sendall(request)
        with asking.makefile() as answer:
            return answer.read()


def _shared(config: pytest.Config) -> str:
    """The URL of the server that the workers share; empty when this is none, or cannot reach it."""
    path = getattr(config, "workerinput", {}).get(_SOCKET)
    try:
        return _ask(path, _START) if path else ""
    except OSError:
        return ""  # on another machine
