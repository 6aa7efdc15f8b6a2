"""The pytest plugin: fixtures that give each test a migrated database.

With DATABASE_URL set, the plugin creates databases on that server beside the existing ones, and
drops them afterwards. Otherwise it starts an embedded PostgreSQL for the test run, which all
workers of pytest-xdist share. Each worker migrates a template. Each test gets a clone of it.

This module is installed beside the package, and each fixture imports its modules when it runs.
Inside the package, the module would import all of oddsschema into projects that only have it
installed.
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
    """Create a migrated database without other data for the test, and return its URL."""
    with oddsschema_new_database(oddsschema_template) as url:
        yield url


@pytest.fixture(scope="session")
def oddsschema_run() -> Iterator[Callable[[Coroutine[Any, Any, _Result]], _Result]]:
    """Return a function that runs a coroutine in a synchronous test: `oddsschema_run(f())`."""
    import asyncio

    # With a factory, the runner does not change the thread's default loop, which other plugins
    # may use.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield runner.run


@pytest.fixture(scope="session")
def oddsschema_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a database on the server for tests. No test writes to this database."""
    from oddsschema.database.urls import given_url, normalize
    from oddsschema.embedded import ephemeral

    if (given := given_url()) is not None:
        yield RedactedURL(normalize(given))
    elif shared := shared_server_url(request.config):
        yield shared
    else:
        with ephemeral() as server:
            yield server.url


@pytest.fixture(scope="session")
def oddsschema_migrate(oddsschema_run: Callable[..., Any]) -> Callable[[str], object]:
    """Return the function that migrates the template; its argument is the template's URL.

    Override this fixture to run other migrations.
    """
    from oddsschema import migrations

    return lambda url: oddsschema_run(migrations.upgrade(url))


@pytest.fixture(scope="session")
def oddsschema_template(
    oddsschema_new_database: Callable[..., AbstractContextManager[str]],
    oddsschema_migrate: Callable[[str], object],
) -> Iterator[str]:
    """Create the migrated database that is cloned for each test, and return its URL."""
    with oddsschema_new_database() as url:
        oddsschema_migrate(url)
        yield url


@pytest.fixture(scope="session")
def oddsschema_new_database(
    oddsschema_server: str, oddsschema_run: Callable[..., Any]
) -> Callable[..., AbstractContextManager[str]]:
    """Return a function that creates a database: `with oddsschema_new_database() as url`.

    Its optional argument is the URL of a template to clone. The database is dropped at the end of
    the block, even if it still has connections.
    """
    import asyncpg
    from sqlalchemy import make_url

    numbers = itertools.count()
    prefix = f"oddsschema_test_{os.urandom(4).hex()}"

    async def execute(statement: str) -> None:
        connection = await connect(oddsschema_server)
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            error.add_note("The fixtures create databases: give the role CREATEDB.")
            raise
        finally:
            await connection.close()

    @contextmanager
    def new_database(template: str | None = None) -> Iterator[str]:
        name = f"{prefix}_{next(numbers)}"
        # A user may have changed template1.
        source = f'"{make_url(template).database}"' if template else "template0 ENCODING 'UTF8'"
        oddsschema_run(execute(f'CREATE DATABASE "{name}" TEMPLATE {source}'))
        try:
            url = make_url(oddsschema_server).set(database=name)
            yield RedactedURL(url.render_as_string(hide_password=False))
        finally:
            oddsschema_run(execute(f'DROP DATABASE "{name}" WITH (FORCE)'))

    return new_database


class RedactedURL(str):
    """A URL without its password in `repr`, because pytest shows the arguments of a failed test."""

    __slots__ = ()

    def __repr__(self) -> str:
        from oddsschema.database.urls import redact

        return repr(redact(self))


async def connect(url: str) -> "asyncpg.Connection[Any]":
    """Connect to a database. Raises DatabaseUnavailableError, without the password."""
    import asyncpg

    from oddsschema.database.urls import redact
    from oddsschema.errors import DatabaseUnavailableError

    try:
        return await asyncpg.connect(url)
    except (OSError, asyncpg.PostgresError) as error:
        reason = str(error)
    # Raised outside the handler, because the traceback of the cause contains the password.
    raise DatabaseUnavailableError(reason=reason, url=redact(url))


# -- async fixtures --------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Register the async fixtures, with the decorator of pytest-asyncio if it is in use."""
    if config.pluginmanager.has_plugin("asyncio"):
        import pytest_asyncio  # type: ignore[import-not-found]  # installed if its plugin is loaded

        fixtures = async_fixtures(pytest_asyncio.fixture)
        vars(fixtures)["pytest_fixture_setup"] = set_up_on_the_loop_of_the_test
    else:
        fixtures = async_fixtures(pytest.fixture)
    config.pluginmanager.register(fixtures)


def async_fixtures(fixture: Callable[..., Any]) -> ModuleType:
    """Create a plugin with the fixtures that run on the event loop of the test."""

    async def oddsschema_connection(
        oddsschema_database: str,
    ) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """Connect to the database of the test with asyncpg."""
        connection = await connect(oddsschema_database)
        try:
            yield connection
        finally:
            await connection.close()

    async def oddsschema_session(oddsschema_database: str) -> "AsyncIterator[AsyncSession]":
        """Open an AsyncSession of SQLAlchemy on the database of the test."""
        from sqlalchemy.ext.asyncio import AsyncSession

        from oddsschema import create_engine

        engine = create_engine(oddsschema_database)
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session:
                yield session
        finally:
            await engine.dispose()

    module = ModuleType("_oddsschema_pytest_async")
    for function in (oddsschema_connection, oddsschema_session):
        setattr(module, function.__name__, fixture(function))
    return module


@pytest.hookimpl(wrapper=True, tryfirst=True)
def set_up_on_the_loop_of_the_test(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Set up the async fixtures on the loop of the test: anyio's, or pytest-asyncio's.

    By default, pytest-asyncio runs them on the loop of a function, even if the test has another
    loop scope.
    """
    __tracebackhide__ = True

    def fixture_for_test(function: Callable[..., Any]) -> Callable[..., Any]:
        if "anyio_backend" not in request.fixturenames:
            import pytest_asyncio

            test = request.node.get_closest_marker("asyncio")
            scope = test.kwargs.get("loop_scope") if test else None
            scope = scope or request.config.getini("asyncio_default_test_loop_scope")
            pytest_asyncio.fixture(function, loop_scope=scope)  # marks the function itself
        return function

    function: Any = fixturedef.func
    # pytest-asyncio before 1.1 has wrapped the function already, for the loop of a function.
    if isasyncgenfunction(function) and function.__module__ == __name__:
        fixtures = vars(async_fixtures(fixture_for_test))
        # It is declared Final, but the other plugins replace it too.
        fixturedef.func = fixtures.get(fixturedef.argname, function)  # type: ignore[misc]
    try:
        return (yield)
    finally:
        fixturedef.func = function  # type: ignore[misc]  # as above


# -- the server that the workers of pytest-xdist share ---------------------------------------------

#: The key in a worker's input for the path of the socket, from which it reads the server's URL.
_SOCKET = "oddsschema_server"
_SHARED_SERVER = pytest.StashKey["SharedServer"]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker, before it starts, the path of the socket of the shared server."""
    stash = node.config.stash
    if os.name == "posix" and "DATABASE_URL" not in os.environ:
        if _SHARED_SERVER not in stash:
            stash[_SHARED_SERVER] = SharedServer()
            node.config.add_cleanup(stash[_SHARED_SERVER].close)
        node.workerinput[_SOCKET] = stash[_SHARED_SERVER].path


class SharedServer:
    """An embedded server in the main process, which outlives the workers.

    The server starts at the first request of a worker. A test run without database tests starts
    none.
    """

    def __init__(self) -> None:
        self._closing = ExitStack()
        # $TMPDIR can be too long for the path of a socket.
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
                self._url = ""  # the worker then starts a server itself, and reports the error
        return self._url

    def close(self) -> None:
        """Stop the thread and the server."""
        request_answer(self.path, _END)
        self._thread.join()
        self._closing.close()


_START, _END = b"+", b"-"


def request_answer(path: str, request: bytes) -> str:
    """Send a request to the socket at `path`, and return the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(request)
        with client.makefile() as answer:
            return answer.read()


def shared_server_url(config: pytest.Config) -> str:
    """Return the URL of the shared server, or "" outside of workers that can reach the server."""
    path = getattr(config, "workerinput", {}).get(_SOCKET)
    try:
        return request_answer(path, _START) if path else ""
    except OSError:
        return ""  # a worker on another machine
