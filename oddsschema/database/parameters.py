"""The parameters of libpq: the values that are taken, and the effect of each here.

Source: PostgreSQL's documentation, "Parameter Key Words" and "Environment Variables".
"""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """The effect of a parameter."""

    HONOURED = "honoured"
    DROPPED = "dropped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a connection, by its name in URLs and service files."""

    name: str
    effect: Effect
    #: The meaning of an honoured one; for any other the reason, and the way out.
    note: str
    #: The environment variable that gives it; None if no variable does.
    variable: str | None = None
    #: The values that are taken; None for any value.
    values: tuple[str, ...] | None = None
    #: The program that it belongs to. Service files have parameters of libpq only.
    program: str = "libpq"


SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")

_VERIFY = (
    "Write sslmode=verify-full&sslrootcert=system in place of it and of sslmode, which checks the "
    "server's certificate."
)

_HONOURED, _DROPPED, _REFUSED = Effect.HONOURED, Effect.DROPPED, Effect.REFUSED

_ALL = (
    Parameter("host", _HONOURED, "Hosts or directories of sockets, with commas.", "PGHOST"),
    Parameter("hostaddr", _HONOURED, "Addresses of the hosts, in place of DNS.", "PGHOSTADDR"),
    Parameter("port", _HONOURED, "One port, or a port for each host.", "PGPORT"),
    Parameter("dbname", _HONOURED, "The database; the default is the user's name.", "PGDATABASE"),
    Parameter("user", _HONOURED, "The role; the default is the system's user.", "PGUSER"),
    Parameter("password", _HONOURED, "The password.", "PGPASSWORD"),
    Parameter("passfile", _HONOURED, "The password file.", "PGPASSFILE"),
    Parameter("service", _HONOURED, "A section of the service file.", "PGSERVICE"),
    Parameter("servicefile", _HONOURED, "The service file.", "PGSERVICEFILE"),
    Parameter(
        "application_name",
        _HONOURED,
        "The name in pg_stat_activity; the default is oddsschema.",
        "PGAPPNAME",
    ),
    Parameter(
        "fallback_application_name", _DROPPED, "This package has its own default: oddsschema."
    ),
    Parameter(
        "options",
        _HONOURED,
        "Sent to the server, but for a search path, which each transaction sets.",
        "PGOPTIONS",
    ),
    Parameter(
        "connect_timeout",
        _HONOURED,
        "Seconds for each host; 0 for the default, a minute.",
        "PGCONNECT_TIMEOUT",
    ),
    Parameter("keepalives", _HONOURED, "0 for a connection without keepalives."),
    Parameter("keepalives_idle", _HONOURED, "Seconds; the default is 30."),
    Parameter("keepalives_interval", _HONOURED, "Seconds; the default is 10."),
    Parameter("keepalives_count", _HONOURED, "The default is 3."),
    Parameter("tcp_user_timeout", _HONOURED, "Milliseconds; the default is 60000."),
    Parameter(
        "target_session_attrs",
        _HONOURED,
        "The kind of server: the hosts are tried in turn.",
        "PGTARGETSESSIONATTRS",
        SESSION_ATTRIBUTES,
    ),
    Parameter(
        "load_balance_hosts",
        _HONOURED,
        "random for hosts in random order.",
        "PGLOADBALANCEHOSTS",
        ("disable", "random"),
    ),
    Parameter(
        "sslmode",
        _HONOURED,
        "The encryption, and the check of the server's certificate.",
        "PGSSLMODE",
        SSL_MODES,
    ),
    Parameter(
        "sslnegotiation",
        _HONOURED,
        "direct for TLS from the first byte (PostgreSQL 17).",
        "PGSSLNEGOTIATION",
        ("postgres", "direct"),
    ),
    Parameter(
        "sslrootcert",
        _HONOURED,
        "Trusted certificates; system for those of the system.",
        "PGSSLROOTCERT",
    ),
    Parameter("sslcrl", _HONOURED, "Revoked certificates.", "PGSSLCRL"),
    Parameter("sslcrldir", _HONOURED, "A directory of revoked certificates.", "PGSSLCRLDIR"),
    Parameter("sslcert", _HONOURED, "The client's certificate.", "PGSSLCERT"),
    Parameter("sslkey", _HONOURED, "The key of the client's certificate.", "PGSSLKEY"),
    Parameter("sslpassword", _HONOURED, "The password of the key."),
    Parameter(
        "sslcertmode",
        _HONOURED,
        "disable for no certificate of the client. The driver cannot require that the server asks "
        "for it: write allow, and let pg_hba.conf ask for it.",
        "PGSSLCERTMODE",
        ("disable", "allow"),
    ),
    Parameter(
        "ssl_min_protocol_version",
        _HONOURED,
        "The oldest version of TLS; the default is TLSv1.2.",
        "PGSSLMINPROTOCOLVERSION",
        ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    ),
    Parameter(
        "ssl_max_protocol_version",
        _HONOURED,
        "The newest version of TLS.",
        "PGSSLMAXPROTOCOLVERSION",
        ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    ),
    Parameter(
        "sslsni",
        _DROPPED,
        "The driver always sends the host's name. A server without support for it ignores it: "
        "write 1.",
        "PGSSLSNI",
        ("1",),
    ),
    Parameter(
        "sslcompression",
        _DROPPED,
        "Neither the driver nor today's OpenSSL compresses.",
        "PGSSLCOMPRESSION",
    ),
    Parameter("sslkeylogfile", _HONOURED, "A file for the keys of TLS, to debug with."),
    Parameter(
        "channel_binding",
        _DROPPED,
        f"The driver has no channel binding. {_VERIFY}",
        "PGCHANNELBINDING",
        ("disable", "prefer"),
    ),
    Parameter(
        "require_auth",
        _REFUSED,
        f"The driver cannot restrict the server's method of authentication. {_VERIFY}",
        "PGREQUIREAUTH",
    ),
    Parameter(
        "requirepeer",
        _REFUSED,
        "The driver cannot check the owner of a socket. Choose a directory for sockets that only "
        "the server's user can write to.",
        "PGREQUIREPEER",
    ),
    Parameter(
        "gssencmode",
        _DROPPED,
        "The driver has no encryption by GSSAPI. Write sslmode=require.",
        "PGGSSENCMODE",
        ("disable", "prefer"),
    ),
    Parameter("krbsrvname", _HONOURED, "The service's name in Kerberos.", "PGKRBSRVNAME"),
    Parameter("gsslib", _HONOURED, "The library for GSSAPI.", "PGGSSLIB", ("gssapi", "sspi")),
    Parameter(
        "gssdelegation",
        _DROPPED,
        "The driver delegates no credentials. Write 0.",
        "PGGSSDELEGATION",
        ("0",),
    ),
    Parameter(
        "client_encoding",
        _DROPPED,
        "The driver always uses UTF8; texts are the same in any encoding.",
        "PGCLIENTENCODING",
    ),
    Parameter(
        "replication",
        _DROPPED,
        "A connection for replication runs no statements of this package. Leave it out.",
        values=("false", "off", "no", "0"),
    ),
    Parameter(
        "min_protocol_version",
        _DROPPED,
        "The driver speaks version 3.0 of the protocol. Write 3.0.",
        "PGMINPROTOCOLVERSION",
        ("3.0",),
    ),
    Parameter(
        "max_protocol_version",
        _DROPPED,
        "The driver speaks version 3.0 of the protocol, which every server knows.",
        "PGMAXPROTOCOLVERSION",
    ),
    *(
        Parameter(name, _REFUSED, "The driver takes no keys of SCRAM. Give the password.")
        for name in ("scram_client_key", "scram_server_key")
    ),
    *(
        Parameter(
            name,
            _REFUSED,
            "The driver has no authentication by OAuth. Give a password, or a token as password.",
        )
        for name in ("oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope")
    ),
    # -- parameters of other programs, in URLs only ------------------------------------------------
    Parameter("database", _HONOURED, "Another name of dbname.", program="asyncpg"),
    Parameter(
        "ssl",
        _HONOURED,
        "Another name of sslmode; true for require.",
        values=("true", *SSL_MODES),
        program="asyncpg, JDBC",
    ),
    Parameter(
        "requiressl",
        _HONOURED,
        "1 for sslmode=require.",
        values=("0", "1"),
        program="libpq before PostgreSQL 7.4",
    ),
    Parameter(
        "search_path",
        _HONOURED,
        "The schemas of the tables, with commas; each transaction sets it.",
        program="this package, asyncpg",
    ),
    Parameter(
        "schema", _REFUSED, "Write search_path for the schema of the tables.", program="Prisma"
    ),
    Parameter("unix_sock", _REFUSED, "Write host for the directory of a socket.", program="pg8000"),
    *(
        Parameter(name, _DROPPED, f"A setting of {program} itself.", program=program)
        for program, names in {
            "Prisma": ("pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size"),
            "SQLAlchemy": (
                "async_fallback",
                "prepared_statement_cache_size",
                "prepared_statement_name_func",
            ),
            "JDBC": ("prepareThreshold",),
            "Vercel": ("supa", "workaround"),
        }.items()
        for name in names
    ),
)

#: Every parameter by its name. Any other name is a setting of the server.
PARAMETERS = {parameter.name: parameter for parameter in _ALL}

#: The parameters whose values are secrets.
SECRETS = frozenset(
    {"password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"}
)

#: The variables that set a setting of the server. Source: libpq's documentation of them.
SETTING_VARIABLES = {"PGDATESTYLE": "datestyle", "PGTZ": "timezone", "PGGEQO": "geqo"}
