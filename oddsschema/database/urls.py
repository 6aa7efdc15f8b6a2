"""Database URLs: their source, their normal form for asyncpg, and their form for messages."""

import os
import re
from urllib.parse import quote, unquote

from oddsschema.errors import DatabaseURLError

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}

# The pattern accepts only URLs that can be read in one way. In any other URL, a piece of a password
# with unencoded special characters could pass for a host, a port, a database or a parameter, and
# would be shown.
_DELIMITERS = r"/?#@\[\]\ud800-\udfff"
_HOST = r"([\w.%-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?"
_PARAMETER = r"[^#@&=]+=[^#@&]*"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z\d+]*)://"
    rf"((?P<user>[^:{_DELIMITERS}]*)(:(?P<password>[^{_DELIMITERS}]*))?@)?"
    rf"(?P<hosts>({_HOST}(,{_HOST})*)?)"
    r"(?P<path>(/[^?#@]*)?)"
    rf"(\?(?P<query>({_PARAMETER}(&{_PARAMETER})*)?))?"
)
_UNREADABLE = (
    "the database's URL cannot be read: it should look like "
    "postgresql://user:password@host:5432/name, with special characters of the user and the "
    "password percent-encoded (%40 for @)"
)
_SECRETS = {"password", "sslpassword"}
#: The parameters that are allowed beside a secret. Any other may be a piece of the secret.
_PARAMETERS = _SECRETS | {
    *("host", "port", "user", "dbname", "database", "passfile", "service"),
    *("application_name", "search_path", "options", "target_session_attrs"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
}


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


def normalize(url: str) -> str:
    """Return a postgresql://, postgres:// or postgresql+asyncpg:// URL in the form for asyncpg.

    Raises DatabaseURLError for any other URL, and for a URL that can be read in several ways.
    """
    parts = _parse(url)
    if parts is None:
        raise DatabaseURLError(reason=_UNREADABLE)
    if parts["scheme"] not in _SCHEMES:
        raise DatabaseURLError(
            reason=f"not a PostgreSQL URL: {redact(url)}; it should look like "
            "postgresql://user@host/name"
        )
    login = _encode(parts["user"])
    if parts["password"] is not None:
        login += f":{_encode(parts['password'])}"
    if parts["user"] is not None:
        login += "@"
    query = f"?{parts['query']}" if parts["query"] else ""
    return f"postgresql://{login}{parts['hosts']}{parts['path']}{query}"


def redact(url: str) -> str:
    """Return the URL without its password, for messages.

    Of its parameters, only `host` and `port` are kept.
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
    query = "&".join(text for text in parameters if text.startswith(("host=", "port=")))
    redacted = f"{parts['scheme']}://{login}{parts['hosts']}{parts['path']}"
    return f"{redacted}?{query}" if query else redacted


def _parse(url: str) -> re.Match[str] | None:
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    names = {unquote(text.partition("=")[0]) for text in (parts["query"] or "").split("&")}
    return None if names & _SECRETS and not names <= _PARAMETERS else parts


def _encode(part: str | None) -> str:
    # asyncpg reads the URL with urllib, whose errors would quote a URL with special characters.
    return quote(unquote(part or ""), safe="")
