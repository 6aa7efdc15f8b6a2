"""The settings of a connection: those of a URL, a service file and the environment, as libpq's.

The driver gets all of them as arguments, and reads neither the environment nor a file itself.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from oddsschema.database.home_files import user_file
from oddsschema.database.keepalives import Keepalives
from oddsschema.database.parameters import PARAMETERS, SETTING_VARIABLES, Effect
from oddsschema.database.password_files import find_password
from oddsschema.database.server_options import take_search_path
from oddsschema.database.service_files import read_service
from oddsschema.database.urls import url_parameters
from oddsschema.errors import DatabaseURLError

#: The name of connections in pg_stat_activity, unless the URL gives another.
APPLICATION_NAME = "oddsschema"

#: The directories of the server's socket: Debian's, and PostgreSQL's own.
SOCKET_DIRECTORIES = ("/var/run/postgresql", "/tmp")

_DEFAULT_PORT = 5432
_LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Host:
    """A server to connect to, and the password for it."""

    #: A name, an address, or the directory of a socket.
    name: str
    port: int
    #: The address, if the name is not to be looked up.
    address: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_socket(self) -> bool:
        """Whether the server is reached through a socket of this machine."""
        return self.address is None and self.name.startswith("/")


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """The settings of encryption. Each text is empty unless it was given."""

    mode: str = "prefer"
    is_direct: bool = False
    root_certificates: str = ""
    revoked: str = ""
    revoked_directory: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    has_certificate: bool = True
    oldest: str = "TLSv1.2"
    newest: str = ""
    key_log: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Everything that a connection needs."""

    hosts: tuple[Host, ...]
    user: str
    database: str
    tls: TLSSettings
    #: The settings that the server gets with the request for a connection.
    server_settings: dict[str, str]
    #: The search path of each transaction; None for the server's.
    search_path: str | None
    #: The limit on the opening of a connection to a host; None for the package's own.
    connect_timeout: timedelta | None
    keepalives: Keepalives
    session_attributes: str = "any"
    is_balanced: bool = False
    kerberos_service: str = "postgres"
    gss_library: str = "gssapi"


def read_settings(url: str, environment: Mapping[str, str] | None = None) -> ConnectionSettings:
    """Read the settings of a URL; those that it leaves out from its service, then the environment.

    Raises DatabaseURLError for a URL that cannot be read, a service that does not exist, and a
    parameter with a value that the package cannot do; the message names the parameter.
    """
    variables = os.environ if environment is None else environment
    given = _Given(url_parameters(url), variables)
    search_path = given.settings.pop("search_path", None)
    options, path_of_options = take_search_path(given.text("options"))
    if options.strip():
        given.settings["options"] = options
    user = given.text("user") or _system_user()
    database = given.text("dbname") or user
    return ConnectionSettings(
        hosts=_hosts(given, database, user),
        user=user,
        database=database,
        tls=_tls_settings(given),
        server_settings={
            "application_name": given.text("application_name") or APPLICATION_NAME,
            **given.settings,
        },
        search_path=path_of_options if search_path is None else search_path,
        connect_timeout=(
            timedelta(seconds=seconds) if (seconds := given.integer("connect_timeout")) else None
        ),
        keepalives=_keepalives(given),
        session_attributes=given.text("target_session_attrs") or "any",
        is_balanced=given.text("load_balance_hosts") == "random",
        kerberos_service=given.text("krbsrvname") or "postgres",
        gss_library=given.text("gsslib") or ("sspi" if sys.platform == "win32" else "gssapi"),
    )


class _Given:
    """The parameters that were given, each with its source, and the settings of the server."""

    def __init__(self, of_url: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._values: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        #: The settings of the server, which are no parameters.
        self.settings = {
            setting: environment[variable]
            for variable, setting in SETTING_VARIABLES.items()
            if environment.get(variable, "").lower() not in ("", "default")
        }
        self._take(of_url, "the parameter {} of the database's URL")
        service = self._values.get("service") or environment.get("PGSERVICE")
        if service:
            file = self._values.get("servicefile") or environment.get("PGSERVICEFILE")
            of_service = read_service(service, file, environment)
            self._take(of_service, f"the parameter {{}} of the service {service}")
        self._take_variables()
        for name in self._values:
            self._require_taken(name)

    def _take(self, parameters: Mapping[str, str], source: str) -> None:
        """Take the parameters that were not given before."""
        taken = set(self._values)
        for name, value in parameters.items():
            if name not in PARAMETERS or name == "search_path":
                self.settings[name] = value
                continue
            known = {"database": "dbname", "ssl": "sslmode"}.get(name, name)
            if known in taken:
                continue
            if known != name and known in self._values and self._values[known] != value:
                raise DatabaseURLError(
                    reason=f"the database's URL gives both {known} and {name}: give {known} alone"
                )
            self._values[known] = value
            self._sources[known] = source.format(name)
        # As in libpq, for JDBC, and for PostgreSQL before 7.4.
        if self._values.get("sslmode") == "true" and "ssl" in parameters:
            self._values["sslmode"] = "require"
        if self._values.get("requiressl") == "1":
            self._values.setdefault("sslmode", "require")

    def _take_variables(self) -> None:
        for parameter in PARAMETERS.values():
            # An empty parameter of a URL asks for the default, an empty variable is none.
            value = self.environment.get(parameter.variable or "")
            if value and parameter.name not in self._values:
                self._values[parameter.name] = value
                self._sources[parameter.name] = f"the variable {parameter.variable}"
        if self.environment.get("PGREQUIRESSL", "").startswith("1"):
            self._values.setdefault("sslmode", "require")

    def _require_taken(self, name: str) -> None:
        parameter = PARAMETERS[name]
        value = self._values[name]
        if parameter.effect is Effect.REFUSED and value:
            raise self.error(name, f"cannot be used. {parameter.note}")
        if parameter.values is not None and value not in parameter.values:
            words = " or ".join(parameter.values)
            raise self.error(name, f"should be {words} here. {parameter.note}")
        if "\0" in value:
            raise self.error(name, "contains a NUL: remove it")

    def error(self, name: str, fault: str) -> DatabaseURLError:
        """Build the error for a parameter. It does not show the value, which may be a secret."""
        source = self._sources.get(name, f"the parameter {name}")
        return DatabaseURLError(reason=f"{source} {fault}")

    def is_of_environment(self, name: str) -> bool:
        """Return whether a parameter was given by a variable."""
        return self._sources.get(name, "").startswith("the variable")

    def text(self, name: str) -> str:
        """Return the value of a parameter; an empty text without one."""
        return self._values.get(name, "")

    def texts(self, name: str) -> list[str]:
        """Return the parts of a list with commas; an empty list without one."""
        value = self.text(name)
        return value.split(",") if value else []

    def integer(self, name: str) -> int:
        """Return the value of a parameter that is an integer; 0 without one, or below 0."""
        value = self.text(name)
        if not value:
            return 0
        if not re.fullmatch(r"\s*[+-]?\d{1,10}\s*", value, re.ASCII):
            raise self.error(name, "should be an integer")
        if abs(number := int(value)) > _LARGEST_INTEGER:
            raise self.error(name, f"should be at most {_LARGEST_INTEGER}")
        return max(number, 0)

    def is_given(self, name: str) -> bool:
        """Return whether a parameter has a value that is not empty."""
        return bool(self.text(name))


def _hosts(given: _Given, database: str, user: str) -> tuple[Host, ...]:
    addresses = given.texts("hostaddr")
    names = given.texts("host") or [""] * max(len(addresses), 1)
    addresses = addresses or [""] * len(names)
    ports = given.texts("port") or [""]
    if len(addresses) != len(names):
        raise given.error("hostaddr", f"has {len(addresses)} addresses for {len(names)} hosts")
    if len(ports) not in (1, len(names)):
        raise given.error("port", f"has {len(ports)} ports for {len(names)} hosts")
    if len(ports) == 1:
        ports *= len(names)
    hosts = []
    for name, address, text in zip(names, addresses, ports, strict=True):
        port = _port(given, text)
        if name.startswith("@"):
            raise given.error("host", "is an abstract socket, which the driver does not know")
        if name.startswith("/") and address and given.is_of_environment("hostaddr"):
            raise given.error("hostaddr", "leads away from the socket that host names: unset it")
        if not name.startswith("/") and re.fullmatch(r"[^:]*:\d*|\[.*", name):
            raise given.error("host", "should be without a port and brackets: give port=…")
        password = given.text("password") or _password(given, name or address, port, database, user)
        for place in [name] if name or address else _default_hosts(port):
            hosts.append(Host(place, port, address or None, password))
    return tuple(hosts)


def _port(given: _Given, text: str) -> int:
    if not text.strip():
        return _DEFAULT_PORT
    if not re.fullmatch(r"\s*\+?\d{1,9}\s*", text, re.ASCII) or not 0 < int(text) < 2**16:
        raise given.error("port", "should be 1 to 65535")
    return int(text)


def _default_hosts(port: int) -> list[str]:
    """Return the directory of the server's socket, or localhost where servers have none."""
    if sys.platform == "win32":
        return ["localhost"]
    found = [
        directory
        for directory in SOCKET_DIRECTORIES
        if Path(directory, f".s.PGSQL.{port}").exists()
    ]
    return [found[0] if found else SOCKET_DIRECTORIES[0]]


def _password(given: _Given, host: str, port: int, database: str, user: str) -> str | None:
    file = given.text("passfile")
    path = (
        Path(file)
        if file
        else user_file(".pgpass", given.environment, name_on_windows="pgpass.conf")
    )
    if path is None:
        return None
    # libpq writes localhost for the default socket.
    place = "localhost" if host in ("", *SOCKET_DIRECTORIES) else host
    return find_password(path, place, str(port), database, user)


def _system_user() -> str:
    if sys.platform == "win32":
        import getpass

        return getpass.getuser()
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise DatabaseURLError(
            reason=f"the system has no name for the user {os.geteuid()}: name the role in the "
            "database's URL, as in postgresql://role@host/name"
        ) from None


def _keepalives(given: _Given) -> Keepalives:
    default = Keepalives()
    is_on = not given.is_given("keepalives") or given.text("keepalives").strip() != "0"
    return Keepalives(
        is_on=is_on,
        idle=_number(given, "keepalives_idle", default.idle),
        interval=_number(given, "keepalives_interval", default.interval),
        count=_number(given, "keepalives_count", default.count),
        user_timeout=_number(given, "tcp_user_timeout", default.user_timeout),
    )


def _number(given: _Given, name: str, default: int) -> int:
    return given.integer(name) if given.is_given(name) else default


def _tls_settings(given: _Given) -> TLSSettings:
    mode = given.text("sslmode")
    is_system = given.text("sslrootcert") == "system"
    if is_system and mode not in ("", "verify-full"):
        raise given.error("sslrootcert", "may be system only with sslmode=verify-full: write both")
    settings = TLSSettings(
        mode=mode or ("verify-full" if is_system else "prefer"),
        is_direct=given.text("sslnegotiation") == "direct",
        root_certificates=given.text("sslrootcert"),
        revoked=given.text("sslcrl"),
        revoked_directory=given.text("sslcrldir"),
        certificate=given.text("sslcert"),
        key=given.text("sslkey"),
        key_password=given.text("sslpassword"),
        has_certificate=given.text("sslcertmode") != "disable",
        oldest=given.text("ssl_min_protocol_version") or "TLSv1.2",
        newest=given.text("ssl_max_protocol_version"),
        key_log=given.text("sslkeylogfile"),
    )
    if settings.is_direct and settings.mode in ("disable", "allow", "prefer"):
        raise given.error("sslnegotiation", "may be direct only with sslmode=require or above")
    return settings
