"""Database URLs: their source, their parameters, and their form for messages."""

import os
import re
from collections import Counter
from urllib.parse import quote as percent_encode
from urllib.parse import unquote_to_bytes

from oddsschema.database.names import quote
from oddsschema.database.parameters import PARAMETERS, SECRETS
from oddsschema.errors import DatabaseURLError

#: The scheme of libpq, that of Heroku, and those of SQLAlchemy.
_SCHEMES = {
    *("postgresql", "postgres"),
    *(f"postgresql+{driver}" for driver in ("asyncpg", "psycopg", "psycopg2", "psycopg_async")),
}

# The pattern accepts only URLs that can be read in one way. In any other URL, a piece of a password
# with unencoded special characters could pass for a host, a port, a database or a parameter, and
# would be shown.
_DELIMITERS = r"/?#@\[\]\ud800-\udfff"
_HOST = r"([\w.%-]*|\[[\da-fA-F:.]+\])(:\d{0,5})?"
_PARAMETER = r"[^#@&=]+=[^#@&]*"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z\d+_]*)://"
    rf"((?P<user>[^:{_DELIMITERS}]*)(:(?P<password>[^{_DELIMITERS}]*))?@)?"
    rf"(?P<hosts>{_HOST}(,{_HOST})*)"
    r"(?P<path>(/[^?#@]*)?)"
    rf"(\?(?P<query>({_PARAMETER}(&{_PARAMETER})*)?))?"
)
_UNREADABLE = (
    "the database's URL cannot be read: it should look like "
    "postgresql://user:password@host:5432/name, with special characters of the user and the "
    "password percent-encoded (%40 for @)"
)
#: The parameters that messages show.
_SHOWN = {"host", "hostaddr", "port", "dbname", "database", "service", "search_path"}

#: A schema that PostgreSQL reads in a search path as written without quotes.
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_LONGEST_NAME = 63


def given_url(url: str | None = None) -> str | None:
    """Return a URL, or without one the URL of the variable DATABASE_URL; None without either.

    Raises DatabaseURLError for an empty or blank one: an unset secret must not lead to another
    database.
    """
    given = os.environ.get("DATABASE_URL") if url is None else url
    if given is not None and not given.strip():
        source = "DATABASE_URL" if url is None else "the given database URL"
        raise DatabaseURLError(
            reason=f"{source} is empty: it should look like postgresql://user@host/name. "
            "To use the private PostgreSQL of this user, give no URL, and unset DATABASE_URL"
        )
    return given


def url_parameters(url: str) -> dict[str, str]:
    """Read the parameters of a URL, by libpq's names, as libpq reads them.

    Hosts and ports are lists with commas. Source: PostgreSQL's documentation, "Connection URIs".

    Raises DatabaseURLError for a URL that is not PostgreSQL's, or that can be read in several ways.
    """
    parts = _require_url(url)
    hosts, ports = [], []
    for location in parts["hosts"].split(","):
        host, port = re.fullmatch(r"(\[.*\]|[^:]*):?(\d*)", location, re.DOTALL).groups()  # type: ignore[union-attr]  # matches every host of _URL
        hosts.append(_decode(host).removeprefix("[").removesuffix("]"))
        ports.append(port)
    login = {"user": _decode(parts["user"] or ""), "password": _decode(parts["password"] or "")}
    place = {"host": ",".join(hosts), "port": ",".join(ports), "dbname": _decode(parts["path"][1:])}
    # Parts that are left out leave room for a service file and the environment.
    given = {name: value for name, value in (login | place).items() if value}
    return given | _query_parameters(parts["query"])


def normalize(url: str) -> str:
    """Return a URL in the form for asyncpg, with the scheme postgresql://.

    Raises DatabaseURLError for a URL that is not PostgreSQL's, or that can be read in several ways.
    """
    parts = _require_url(url)
    _query_parameters(parts["query"])
    # asyncpg reads the URL with urllib, whose errors would quote a URL with special characters.
    login = percent_encode(_decode(parts["user"] or ""), safe="")
    if parts["password"] is not None:
        login += ":" + percent_encode(_decode(parts["password"]), safe="")
    if parts["user"] is not None:
        login += "@"
    query = f"?{parts['query']}" if parts["query"] else ""
    return f"postgresql://{login}{parts['hosts']}{parts['path']}{query}"


def with_schema(url: str, schema: str) -> str:
    """Return the URL with one schema as its search path. It wins over every other search path.

    Raises DatabaseURLError for a schema that cannot have tables, and for a URL that cannot be read.
    """
    parts = _require_url(url)
    require_schema_name(schema)
    path = schema if _PLAIN_NAME.fullmatch(schema) else quote(schema)
    others = [
        text
        for text in (parts["query"] or "").split("&")
        if text and _decode(text.partition("=")[0]) != "search_path"
    ]
    query = "&".join([*others, f"search_path={percent_encode(path, safe='')}"])
    return f"{url.partition('?')[0]}?{query}"


def require_schema_name(schema: str) -> None:
    """Raise DatabaseURLError for a schema that cannot have tables."""
    length = len(schema.encode("utf-8", "surrogateescape"))
    if not 0 < length <= _LONGEST_NAME or re.search(r"[\0\ud800-\udfff]", schema):
        raise DatabaseURLError(
            reason=f"{schema!r} is no name of a schema: it should have 1 to {_LONGEST_NAME} bytes"
        )
    if schema.startswith("pg_") or schema == "$user":
        raise DatabaseURLError(
            reason=f"the schema {schema!r} belongs to PostgreSQL: choose another name"
        )


def redact(url: str) -> str:
    """Return the URL without its password, for messages.

    Of its parameters, only those that name the database are kept.
    """
    parts = _parse(url)
    if parts is None:
        return "(a URL that cannot be read)"
    login = parts["user"] or ""
    if parts["password"] is not None:
        login += ":***"
    if parts["user"] is not None:
        login += "@"
    parameters = (parts["query"] or "").split("&")
    query = "&".join(text for text in parameters if text.partition("=")[0] in _SHOWN)
    redacted = f"{parts['scheme']}://{login}{parts['hosts']}{parts['path']}"
    return f"{redacted}?{query}" if query else redacted


def _require_url(url: str) -> re.Match[str]:
    parts = _parse(url)
    if parts is None:
        raise DatabaseURLError(reason=_UNREADABLE)
    if parts["scheme"] not in _SCHEMES:
        raise DatabaseURLError(
            reason=f"not a PostgreSQL URL: {redact(url)}; it should look like "
            "postgresql://user@host/name"
        )
    return parts


def _parse(url: str) -> re.Match[str] | None:
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    try:
        names = {_decode(text.partition("=")[0]) for text in (parts["query"] or "").split("&")}
        _decode(parts["user"] or "")
    except DatabaseURLError:
        return None
    # Beside a secret, any other name may be a piece of the secret.
    return None if names & SECRETS and not names <= PARAMETERS.keys() else parts


def _query_parameters(query: str | None) -> dict[str, str]:
    names_and_values = [text.partition("=") for text in (query or "").split("&") if text]
    given = [(_decode(name), _decode(value)) for name, _, value in names_and_values]
    by_lower_case = {name.lower(): name for name in PARAMETERS}
    for name, _ in given:
        if (known := by_lower_case.get(name.lower(), name)) != name:
            raise DatabaseURLError(
                reason=f"the database's URL has a parameter that differs from {known} in its "
                f"upper-case letters: write {known}"
            )
    for name, times in Counter(name for name, _ in given).items():
        if times > 1:
            raise DatabaseURLError(
                reason=f"the database's URL has the parameter {name} {times} times: give it once, "
                "several hosts or ports with commas between them"
            )
    return dict(given)


def _decode(part: str) -> str:
    """Decode percent-encoded characters. Raises DatabaseURLError, which quotes nothing."""
    encoded = part.encode("utf-8", "surrogatepass")
    try:
        if re.search(rb"%(?![\da-fA-F]{2})", encoded):
            raise ValueError
        decoded = unquote_to_bytes(encoded).decode("utf-8")
    except ValueError:
        decoded = "\0"
    if "\0" in decoded:
        raise DatabaseURLError(
            reason="the database's URL cannot be read: each % should begin a percent-encoded "
            "character in UTF-8, but %00 (%25 for a % itself)"
        ) from None
    return decoded
