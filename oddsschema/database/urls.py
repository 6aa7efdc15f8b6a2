"""Database URLs: how they are read, and how they are shown without secrets."""

import re
from urllib.parse import quote, unquote

from oddsschema.errors import DatabaseUnavailableError

_SCHEMES = {"postgresql", "postgres", "postgresql+asyncpg"}

# What can be read in one way only. In anything else, a piece of a password whose special characters
# are not encoded would pass for a host, a port, a database or a parameter, and would be shown.
_OTHER = r"/?#@\[\]\ud800-\udfff"
_HOST = r"([\w.%-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?"
_FIELD = r"[^#@&=]+=[^#@&]*"
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z\d+]*)://"
    rf"((?P<user>[^:{_OTHER}]*)(:(?P<password>[^{_OTHER}]*))?@)?"
    rf"(?P<hosts>({_HOST}(,{_HOST})*)?)"
    r"(?P<path>(/[^?#@]*)?)"
    rf"(\?(?P<query>({_FIELD}(&{_FIELD})*)?))?"
)
_UNREADABLE = (
    "the database's URL cannot be read: it should look like "
    "postgresql://user:password@host:5432/name, with what is special in a user or a password "
    "percent-encoded (%40 for @)"
)
_SECRETS = {"password", "sslpassword"}
#: What may stand beside a secret among the parameters, and is not a piece of it.
_PARAMETERS = _SECRETS | {
    *("host", "port", "user", "dbname", "database", "passfile", "service"),
    *("application_name", "search_path", "options", "target_session_attrs"),
    *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslnegotiation"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib"),
}


def normalize(url: str) -> str:
    """The URL as asyncpg takes it, from postgresql://, postgres:// or postgresql+asyncpg://.

    Raises DatabaseUnavailableError when it is none of these, or can be read in several ways.
    """
    parts = _parts(url)
    if parts is None:
        raise DatabaseUnavailableError(_UNREADABLE)
    if parts["scheme"] not in _SCHEMES:
        raise DatabaseUnavailableError(
            f"not a PostgreSQL URL: {redact(url)}; it should look like postgresql://user@host/name"
        )
    login = _encoded(parts["user"])
    if parts["password"] is not None:
        login += f":{_encoded(parts['password'])}"
    if parts["user"] is not None:
        login += "@"
    query = f"?{parts['query']}" if parts["query"] else ""
    return f"postgresql://{login}{parts['hosts']}{parts['path']}{query}"


def redact(url: str) -> str:
    """The URL without its password, for messages; of its parameters, those that say where it is."""
    parts = _parts(url)
    if parts is None:
        return "(a URL that cannot be read)"
    login = parts["user"] or ""
    if parts["password"] is not None:
        login += ":***"
    if parts["user"] is not None:
        login += "@"
    fields = (parts["query"] or "").split("&")
    query = "&".join(field for field in fields if field.startswith(("host=", "port=")))
    shown = f"{parts['scheme']}://{login}{parts['hosts']}{parts['path']}"
    return f"{shown}?{query}" if query else shown


def _parts(url: str) -> re.Match[str] | None:
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    names = {unquote(field.partition("=")[0]) for field in (parts["query"] or "").split("&")}
    return None if names & _SECRETS and not names <= _PARAMETERS else parts


def _encoded(part: str | None) -> str:
    # Read by urllib, which would name a URL in its errors whose characters it takes for others.
    return quote(unquote(part or ""), safe="")
