"""The embedded server: its directories, its configuration, its start and its stop."""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from oddsschema.database.urls import given_url
from oddsschema.embedded.account import Result, command_line, run_as, server_account
from oddsschema.embedded.binaries import (
    are_runnable,
    copied_binaries,
    copy_binaries,
    find_binaries,
    read_version,
)
from oddsschema.errors import EmbeddedPostgresError, EmbeddedPostgresMissingError

if sys.platform != "win32":
    import fcntl

#: The seconds that a server may take to start or to stop. After a crash it replays its log first.
_TIMEOUT = 300
#: The seconds to wait for the last processes of a server that was killed.
_ORPHANS_TIMEOUT = 30
#: The bytes of a socket's path that every system accepts (macOS: 103, Linux: 107).
_LONGEST_SOCKET_PATH = 100
_SOCKET_NAME = ".s.PGSQL.5432"
_PG_ISREADY_ACCEPTS = 0
_PG_ISREADY_NOBODY_ANSWERS = 2


class EmbeddedPostgres:
    """A private PostgreSQL server, with its data under `directory`.

    The default directory is the user's data directory, or /var/lib/oddsschema for root. Root's
    server runs as `postgres` or `nobody`, and this user must be able to enter the directory. A
    wheel that this user cannot read is copied into the directory once.

    `settings` are PostgreSQL's (`{"work_mem": "64MB"}`). They apply only when this object starts
    the server, and cannot change its socket. `durable=False` is faster, and loses the data when the
    machine crashes. `binaries` is the `bin` directory of another PostgreSQL, 15 or newer.

    Raises EmbeddedPostgresError for missing binaries, for invalid settings, and on Windows.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._account = server_account()
        #: The directory of psql, pg_dump and PostgreSQL's other programs.
        self.bin = find_binaries() if binaries is None else binaries.expanduser().resolve()
        self._version, self._major = read_version(self.bin)
        self._durable = durable
        self._settings = dict(settings or {})
        self.directory = (directory or _default_directory()).expanduser().resolve()
        if re.search(r'["$`\\\n]', str(self.directory)):
            # pg_ctl inserts the path into a shell command, between double quotes.
            raise EmbeddedPostgresError(
                f'PostgreSQL cannot run in a path with any of " $ ` \\: {self.directory}'
            )
        for name in self._settings:
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII):
                raise EmbeddedPostgresError(f"PostgreSQL has no setting of the name {name!r}")
        self._data = self.directory / f"pg{self._major}"
        self._log = self._data / "server.log"
        self._pid_file = self._data / "postmaster.pid"
        self._socket_directory = _socket_directory(self._data)
        self._membership: IO[str] | None = None

    @property
    def url(self) -> str:
        """The URL of the database `postgres`, for asyncpg and libpq."""
        return self.url_for("postgres")

    def url_for(self, database: str) -> str:
        """Return the URL of a database of this server. The database need not exist."""
        host = quote(str(self._socket_directory))
        return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port=5432"

    def start(self) -> None:
        """Join the server of this directory. Create and start it first if necessary.

        Raises EmbeddedPostgresError, with the end of the server's log, when it does not start.
        """
        if self._membership is not None:
            return
        try:
            self._make_directory()
            with self._lock():
                self._make_binaries_runnable()
                if not (self._data / "PG_VERSION").exists():
                    self._initdb()
                self._join()
        except OSError as error:
            raise EmbeddedPostgresError(f"PostgreSQL did not start: {error}") from error

    def stop(self) -> None:
        """Leave the server. Stop it, with all of its connections, if no other process uses it."""
        if self._membership is None:
            return
        with self._lock(), self._membership as membership:
            self._membership = None
            try:
                fcntl.flock(membership, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._stop_server()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Let a single process at a time start or stop the server."""
        with _open_private(self.directory / f"pg{self._major}.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _join(self) -> None:
        was_running = self._is_running()
        try:
            if not was_running:
                self._start_server()
            # The kernel releases the lock of a process that is killed.
            membership = _open_private(self.directory / f"pg{self._major}.users")
            fcntl.flock(membership, fcntl.LOCK_SH)
            self._membership = membership
        except BaseException:
            if not was_running:
                self._stop_server()
            raise

    def _run(self, program: str, *arguments: str | Path) -> Result:
        return run_as(self._account, self.bin / program, *arguments)

    # --- directories ---

    def _make_directory(self) -> None:
        if not self.directory.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self.directory.chmod(0o711 if self._account else 0o700)
        enter = ("/bin/sh", "-c", 'cd "$0"', self.directory)
        if self._account and run_as(self._account, *enter).status != 0:
            raise EmbeddedPostgresError(
                f"the user that PostgreSQL runs as cannot enter {self.directory}: "
                "choose another directory, such as /var/lib/oddsschema"
            )

    def _make_private(self, directory: Path) -> None:
        """Create a directory if necessary, and give it to the server's user alone."""
        directory.mkdir(mode=0o700, exist_ok=True)
        # In /tmp, another user may have created the directory, or a link with its name.
        owner = directory.lstat().st_uid
        owners = {os.geteuid(), self._account.uid if self._account else os.geteuid()}
        if directory.is_symlink() or not directory.is_dir() or owner not in owners:
            raise EmbeddedPostgresError(
                f"{directory} is a link or a file, or belongs to another user (uid {owner}): "
                "remove it, or choose another directory"
            )
        if self._account:
            os.chown(directory, *self._account, follow_symlinks=False)
        directory.chmod(0o700)

    def _make_scratch(self, kind: str) -> Path:
        """Create an empty directory to fill and then rename, so that no kill leaves half of it."""
        for leftover in self.directory.glob(f".{kind}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=self.directory))

    def _make_binaries_runnable(self) -> None:
        """Copy binaries that the server's user cannot read, such as those below /root."""
        if self._account is None or are_runnable(self._account, self.bin):
            return
        copy = self.directory / f"binaries-{self._version}"
        if not copy.exists():
            scratch = self._make_scratch("binaries")
            copy_binaries(self.bin, scratch)
            scratch.rename(copy)
        self.bin = copied_binaries(self.bin, copy)
        if not are_runnable(self._account, self.bin):
            raise EmbeddedPostgresError(f"the user that PostgreSQL runs as cannot run {self.bin}")

    # --- the server ---

    def _initdb(self) -> None:
        scratch = self._make_scratch(f"pg{self._major}")
        try:
            self._make_private(scratch)
            # Sort order and messages must not depend on the user's locale.
            options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
            if self._major >= 17:
                options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            if not self._durable:
                options.append("--no-sync")
            result = self._run("initdb", "-D", scratch, *options)
            if result.status != 0:
                raise EmbeddedPostgresError(f"initdb failed:\n{result.output}")
            with (scratch / "postgresql.conf").open("a") as file:
                file.write("\ninclude_if_exists = 'oddsschema.conf'\n")
            # This fails on a directory that is not empty, and so never deletes other data.
            scratch.rename(self._data)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise

    def _start_server(self) -> None:
        self._make_private(self._data)
        self._make_private(self._socket_directory)
        self._remove_stale_locks()
        self._write_configuration()
        # Backends of a killed server hold its shared memory until their queries end.
        deadline = time.monotonic() + _ORPHANS_TIMEOUT
        while failure := self._launch():
            if "pre-existing shared memory" not in failure or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL did not start: {failure}")
            time.sleep(0.2)

    def _launch(self) -> str:
        """Start the server. Return its output and log if it failed; else an empty text."""
        already_logged = self._log.stat().st_size if self._log.exists() else 0
        result = self._run(
            *("pg_ctl", "start", "-w", f"-t{_TIMEOUT}", "-D", self._data, "-l", self._log),
            *("-o", self._listen_options()),
        )
        if result.status == 0:
            return ""
        log = self._log.read_bytes()[already_logged:] if self._log.exists() else b""
        return f"{result.output}\n{log.decode(errors='replace')[-4000:]}"

    def _stop_server(self) -> None:
        # pg_ctl would signal any process that has since got the number in the file.
        if self._server_pid() is not None:
            result = self._run(
                "pg_ctl", "stop", "-w", f"-t{_TIMEOUT}", "-m", "fast", "-D", self._data
            )
            if result.status != 0 and self._server_pid() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL did not stop: {result.output}")
        if self._socket_directory != self._data:
            with contextlib.suppress(OSError):
                self._socket_directory.rmdir()

    def _is_running(self) -> bool:
        """Return whether a server answers, after waiting for a start or a stop to end."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            if not self._pid_file.exists():
                return False
            status = self._run(
                "pg_isready", "-h", self._socket_directory, "-p", "5432", "-U", "postgres"
            ).status
            if status == _PG_ISREADY_ACCEPTS:
                return True
            if status == _PG_ISREADY_NOBODY_ANSWERS and self._server_pid() is None:
                return False
            time.sleep(0.05)
        raise EmbeddedPostgresError(
            f"process {self._server_pid()} uses {self._data} and does not answer: see {self._log}"
        )

    def _server_pid(self) -> int | None:
        """Return the server's process; None for a zombie, and for a number that was reused."""
        try:
            pid = int(self._pid_file.read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if f"postgres -D {self._data}" in command_line(pid) else None

    def _remove_stale_locks(self) -> None:
        """Remove the lock files of a dead server.

        PostgreSQL respects a lock file while any process has its number, even a zombie.
        """
        socket = self._socket_directory / _SOCKET_NAME
        for path in (self._pid_file, socket.with_name(f"{_SOCKET_NAME}.lock"), socket):
            path.unlink(missing_ok=True)

    def _listen_options(self) -> str:
        """Return the address as options, which override the configuration and ALTER SYSTEM."""
        options = {
            "listen_addresses": "",
            "port": "5432",
            # The setting is a list: the double quotes keep a path with spaces together.
            "unix_socket_directories": f'"{self._socket_directory}"',
        }
        # pg_ctl inserts them into a shell command.
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())

    def _write_configuration(self) -> None:
        settings = {
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "jit": "off",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings |= self._settings
        lines = [f"{name} = {_quote_setting(value)}\n" for name, value in settings.items()]
        draft = self.directory / f".pg{self._major}.conf"
        draft.write_text("".join(lines), encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(self._data / "oddsschema.conf")


@contextlib.contextmanager
def database_url(given: str | None = None) -> Iterator[str]:
    """Yield the given URL, or that of DATABASE_URL; else run the user's embedded server.

    Raises DatabaseURLError for an empty URL.
    """
    given = given_url(given)
    if given is not None:
        yield given
    else:
        with EmbeddedPostgres() as server:
            yield server.url


def _default_directory() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/oddsschema")
    try:
        import platformdirs
    except ImportError as error:
        raise EmbeddedPostgresMissingError from error
    return platformdirs.user_data_path("oddsschema")


def _socket_directory(data: Path) -> Path:
    """Return the data directory, or a short path below /tmp that fits a socket and a URL."""
    fits = len(os.fsencode(data / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH
    if fits and re.fullmatch(r"[\w./ -]+", str(data), re.ASCII):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path("/tmp") / f"oddsschema-{digest}"


def _quote_setting(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _open_private(path: Path) -> IO[str]:
    """Open a lock file that no other user can open, as any opener could hold the lock for ever."""
    return open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600))
