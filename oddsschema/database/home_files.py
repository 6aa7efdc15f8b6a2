"""The files of libpq in a user's home directory."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from oddsschema.errors import DatabaseURLError


def user_file(
    name: str, environment: Mapping[str, str], *, name_on_windows: str | None = None
) -> Path | None:
    """Return the path of a file such as .pgpass; None without a home directory.

    On Windows, all such files are in %APPDATA%/postgresql.
    """
    if sys.platform == "win32":
        directory = environment.get("APPDATA")
        name = name_on_windows or name
        return Path(directory, "postgresql", name) if directory else None
    if home := environment.get("HOME"):
        return Path(home, name)
    import pwd

    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir, name)
    except KeyError:
        return None


def read_lines(path: Path) -> list[str]:
    """Read a file of libpq. Bytes that are not UTF-8 become lone surrogates."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DatabaseURLError(reason=f"{path} cannot be read: {error.strerror}") from None
    return text.removeprefix("\ufeff").split("\n")
