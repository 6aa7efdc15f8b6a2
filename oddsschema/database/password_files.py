"""Password files: passwords by host, port, database and user.

Source: PostgreSQL's documentation, "The Password File".
"""

import logging
import re
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from oddsschema.database.home_files import read_lines
from oddsschema.errors import DatabaseURLError

#: The logger of files that are ignored.
logger = logging.getLogger(__name__)

#: A field with its escapes, and the colon after it.
_FIELD = re.compile(r"((?:[^\\:]|\\.)*):", re.DOTALL)


def find_password(path: Path, *key: str) -> str | None:
    """Return the password for a host, a port, a database and a user; None if the file has none.

    As libpq does, a file that others may read is ignored, with a warning.
    """
    if not path.exists():
        return None
    if not path.is_file():
        _warn(path, "it is no plain file")
        return None
    if sys.platform != "win32" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _warn(path, "others may read it; run chmod 600 on it")
        return None
    for number, fields, password in _entries(path):
        if all(field in (None, part) for field, part in zip(fields, key, strict=True)):
            if any("\ud800" <= character <= "\udfff" for character in password):
                raise DatabaseURLError(
                    reason=f"the password in line {number} of {path} is not UTF-8: write it as "
                    "UTF-8"
                )
            return password
    return None


@cache
def _warn(path: Path, reason: str) -> None:
    """Log a warning, once for all connections."""
    logger.warning("the password file %s is ignored: %s", path, reason)


def _entries(path: Path) -> Iterator[tuple[int, list[str | None], str]]:
    """Yield number, four fields and password of each line that has them. None is any value."""
    for number, text in enumerate(read_lines(path), start=1):
        line = text.rstrip("\r")
        if line.startswith("#"):
            continue
        fields: list[str | None] = []
        at = 0
        while len(fields) < 4 and (field := _FIELD.match(line, at)) is not None:
            fields.append(None if field[1] == "*" else _unescape(field[1]))
            at = field.end()
        if len(fields) == 4:
            yield number, fields, _unescape(line[at:])


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
