"""Service files: named sets of parameters of a connection.

Source: PostgreSQL's documentation, "The Connection Service File".
"""

from collections.abc import Mapping
from pathlib import Path

from oddsschema.database.home_files import read_lines, user_file
from oddsschema.database.parameters import PARAMETERS
from oddsschema.errors import DatabaseURLError


def read_service(name: str, file: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Read the parameters of a service, from the user's file or else the system's.

    Raises DatabaseURLError for a service that neither file has, and for a line that is no
    parameter. No message shows a line: it may hold a password.
    """
    if file and not Path(file).is_file():
        raise DatabaseURLError(reason=f"the service file {file} does not exist")
    files = [Path(file) if file else user_file(".pg_service.conf", environment)]
    if "PGSYSCONFDIR" in environment:
        files.append(Path(environment["PGSYSCONFDIR"]) / "pg_service.conf")
    for path in files:
        if path is not None and path.is_file():
            service = _find_section(name, path)
            if service is not None:
                return service
    searched = ", ".join(str(path) for path in files if path is not None)
    raise DatabaseURLError(
        reason=f"no service file defines the service {name!r} (searched: {searched or 'none'}): "
        "set PGSERVICEFILE to a file that does, or PGSYSCONFDIR to its directory"
    )


def _find_section(name: str, path: Path) -> dict[str, str] | None:
    found: dict[str, str] | None = None
    for number, text in enumerate(read_lines(path), start=1):
        line = text.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if found is not None:
                break
            if line.startswith(f"[{name}]"):
                found = {}
        elif found is not None:
            key, separator, value = line.partition("=")
            parameter = PARAMETERS.get(key)
            is_known = parameter is not None and parameter.program == "libpq"
            if not (separator and is_known) or key in ("service", "servicefile"):
                raise DatabaseURLError(
                    reason=f"line {number} of the service file {path} is no parameter of a "
                    f"connection: inside [{name}], each line should look like host=db.example.com, "
                    "without spaces around ="
                )
            found.setdefault(key, value)
    return found
