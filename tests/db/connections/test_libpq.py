"""A URL, its environment and its files mean the same here as in libpq, the library of psql."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import DatabaseUnavailableError
from oddsschema.errors import DatabaseURLError
from tests.support.tls_server import ODD_NAME, PASSWORD, TLSServer

Run = Callable[..., Any]

ODD = quote(ODD_NAME, safe="")
LOGIN = f"ann:{PASSWORD}"

#: URLs and environments. {a} is the server's address, {s} its socket, {d} the certificates.
CASES: list[tuple[str, dict[str, str]]] = [
    # -- the database and the role -----------------------------------------------------------------
    (f"postgresql://{LOGIN}@{{a}}", {}),
    (f"postgresql://{LOGIN}@{{a}}", {"PGDATABASE": ODD_NAME}),
    (f"postgres://{LOGIN}@{{a}}/", {"PGDATABASE": "postgres"}),
    ("postgresql:///", {"PGHOST": "{a}", "PGUSER": "ann", "PGPASSWORD": PASSWORD}),
    ("postgresql://", {"PGHOST": "{a}", "PGUSER": ODD_NAME, "PGPASSWORD": PASSWORD}),
    (f"postgresql://{ODD}:{PASSWORD}@{{a}}/{ODD}", {}),
    (f"postgresql://x:y@{{a}}/z?user=ann&password={PASSWORD}&dbname=postgres", {}),
    (f"postgresql://{LOGIN}@{{a}}/nowhere", {}),
    (f"postgresql://{LOGIN}@{{a}}/nowhere?dbname=", {}),
    (f"postgresql://{LOGIN}@{{a}}/postgres?database=ann", {}),
    # -- hosts -------------------------------------------------------------------------------------
    (f"postgresql://{LOGIN}@nowhere.invalid/ann?host={{a}}", {}),
    (f"postgresql://{LOGIN}@/ann?host={{s}}", {}),
    (f"postgresql://{LOGIN}@{{s%}}/ann", {}),
    (f"postgresql://{LOGIN}@{{s%}}:5432,127.0.0.1:1/ann", {}),
    (f"postgresql://{LOGIN}@127.0.0.1:1,{{a}}:5432/ann", {}),
    (f"postgresql://{LOGIN}@127.0.0.1,{{a}}/ann?port=1,5432", {}),
    (f"postgresql://{LOGIN}@/ann?host=127.0.0.1,{{a}}&port=1,5432", {}),
    (f"postgresql://{LOGIN}@/ann?host=a,b,c&port=1,2", {}),
    (f"postgresql://{LOGIN}@{{a}}:/ann", {"PGPORT": "1"}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGPORT": "1"}),
    (f"postgresql://{LOGIN}@{{a}},127.0.0.1/ann", {"PGPORT": "1"}),
    (f"postgresql://{LOGIN}@{{a}}/ann?port=70000", {}),
    (f"postgresql://{LOGIN}@nowhere.invalid/ann?hostaddr={{a}}", {}),
    (f"postgresql://{LOGIN}@/ann?hostaddr={{a}}", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?hostaddr=127.0.0.1,127.0.0.2", {}),
    (f"postgresql://{LOGIN}@nowhere.invalid/ann", {"PGHOSTADDR": "{a}"}),
    (f"postgresql://{LOGIN}@{{a}},127.0.0.1:1/ann?load_balance_hosts=random", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?load_balance_hosts=maybe", {}),
    *(
        (f"postgresql://{LOGIN}@127.0.0.1:1,{{a}}:5432/ann?target_session_attrs={kind}", {})
        for kind in (
            *("any", "read-write", "read-only", "primary", "standby", "prefer-standby", "slave"),
        )
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGTARGETSESSIONATTRS": "standby"}),
    # -- settings ----------------------------------------------------------------------------------
    (f"postgresql://{LOGIN}@{{a}}/ann?application_name=a%20b+c", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGAPPNAME": "scraper 7"}),
    (f"postgresql://{LOGIN}@{{a}}/ann?application_name=", {"PGAPPNAME": "scraper 7"}),
    (f"postgresql://{LOGIN}@{{a}}/ann?fallback_application_name=x&application_name=y", {}),
    *(
        (f"postgresql://{LOGIN}@{{a}}/ann?options={quote(options, safe='')}", {})
        for options in (
            "-c statement_timeout=5s",
            "-cstatement_timeout=5s  -c search_path=pg_catalog,public",
            "--statement-timeout=7s --search-path=public",
            r"-c search_path=public\,\ pg_catalog -c TimeZone=Asia/Tokyo",
            r"-c search_path=pg_catalog -c search_path=public -c work_mem=5MB",
            "-c Search_Path=public",
            "-c search_path",
            "-csearch_path=public -x",
            "-c no_such_setting=1",
            "endpoint=ep-cool-darkness-123456",
            "",
        )
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGOPTIONS": "-c search_path=pg_catalog,public"}),
    (
        f"postgresql://{LOGIN}@{{a}}/ann?options=-cwork_mem%3D5MB",
        {"PGOPTIONS": "-c search_path=public"},
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGTZ": "Asia/Tokyo", "PGDATESTYLE": "German"}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGTZ": "default"}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGTZ": "Nowhere"}),
    (f"postgresql://{LOGIN}@{{a}}/ann?client_encoding=LATIN1", {}),
    # -- parameters without an effect here ---------------------------------------------------------
    (
        f"postgresql://{LOGIN}@{{a}}/ann?connect_timeout=10&keepalives=1&keepalives_idle=5"
        "&keepalives_interval=5&keepalives_count=2&tcp_user_timeout=9000",
        {},
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann?connect_timeout=soon", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?keepalives_idle=soon", {}),
    (
        f"postgresql://{LOGIN}@{{a}}/ann?gssencmode=disable&channel_binding=prefer&sslsni=1"
        "&sslcompression=0&gssdelegation=0&replication=false&min_protocol_version=3.0",
        {},
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann?gssencmode=often", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGCHANNELBINDING": "disable"}),
    # -- encryption --------------------------------------------------------------------------------
    *(
        (f"postgresql://{role}:{PASSWORD}@{{a}}/ann?sslmode={mode}", {})
        for role in ("ann", "encrypted", "plain")
        for mode in ("disable", "allow", "prefer", "require", "verify-full", "Require", "")
    ),
    *(
        (
            f"postgresql://{LOGIN}@{host}/ann?hostaddr={{a}}&sslmode={mode}&sslrootcert={{d}}/{root}",
            {},
        )
        for host in ("localhost", "example.org")
        for mode in ("require", "verify-ca", "verify-full")
        for root in ("root.crt", "other.crt", "missing.crt")
    ),
    (f"postgresql://{LOGIN}@{{a}}/ann?sslmode=require&sslnegotiation=direct", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?sslnegotiation=direct", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?sslrootcert=system", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?sslrootcert=system&sslmode=require", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?ssl_min_protocol_version=TLSv1.3&sslmode=require", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?ssl_max_protocol_version=TLSv1.2&sslmode=require", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?ssl=true", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann?requiressl=1", {}),
    (f"postgresql://{LOGIN}@{{a}}/ann", {"PGSSLMODE": "require"}),
    (
        f"postgresql://{LOGIN}@{{a}}/ann",
        {"PGSSLMODE": "verify-ca", "PGSSLROOTCERT": "{d}/root.crt"},
    ),
    (f"postgresql://{LOGIN}@/ann?host={{s}}&sslmode=require", {}),
    (
        "postgresql://certified@{a}/ann?sslmode=require&sslcert={d}/client.crt&sslkey={d}/client.key",
        {},
    ),
    (
        "postgresql://certified@{a}/ann?sslmode=require&sslcert={d}/client.crt"
        "&sslkey={d}/client.key&sslcertmode=disable",
        {},
    ),
    ("postgresql://certified@{a}/ann?sslmode=require&sslcert={d}/missing.crt", {}),
    ("postgresql://certified@{a}/ann?sslmode=require", {}),
]

#: URLs that psql takes, and that are refused here: each message names the parameter.
REFUSED = {
    "channel_binding=require&sslmode=require": "channel_binding",
    "gssencmode=prefer&require_auth=scram-sha-256": "require_auth",
    "sslsni=0": "sslsni",
    "application_name=a&application_name=b": "application_name",
    "requirepeer=postgres": "requirepeer",
    "sslcompression=1&gssdelegation=1": "gssdelegation",
}


def filled(text: str, server: TLSServer) -> str:
    """Fill in the server's address, its socket, and the directory of its certificates."""
    encoded = quote(server.socket, safe="")
    text = text.replace("{a}", server.address).replace("{d}", str(server.directory))
    return text.replace("{s%}", encoded).replace("{s}", server.socket)


async def require_same(server: TLSServer, url: str, environment: dict[str, str]) -> None:
    """Check that the package and psql give the same answer, or both refuse."""
    expected = server.answer_of_libpq(url, environment)
    if expected is None:
        with pytest.raises(DatabaseUnavailableError) as refused:
            await server.answer(url, environment)
        assert PASSWORD not in str(refused.value)
        return
    expected["application"] = expected["application"] or "oddsschema"
    assert await server.answer(url, environment) == expected


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case[0]} {case[1]}".replace(PASSWORD, "")
)
def test_same_as_psql(case: tuple[str, dict[str, str]], secured: TLSServer, run: Run) -> None:
    """The connection has psql's database, role, settings and encryption, or both are refused."""
    url, environment = case
    variables = {name: filled(value, secured) for name, value in environment.items()}
    run(require_same(secured, filled(url, secured), variables))


@pytest.mark.parametrize("query", REFUSED)
def test_refused_parameters(query: str, secured: TLSServer, run: Run) -> None:
    """A parameter of psql's that the driver cannot keep is refused by its name."""
    url = f"postgresql://{LOGIN}@{secured.address}/ann?{query}"
    assert secured.answer_of_libpq(url, {}) is not None
    with pytest.raises(DatabaseURLError, match=REFUSED[query]):
        run(secured.answer(url, {}))


def test_address_beside_a_socket(secured: TLSServer, run: Run) -> None:
    """A variable that would lead from a socket to another server is refused, unlike in libpq."""
    url = secured.server.url
    variables = {"PGHOSTADDR": secured.address, "PGPASSWORD": PASSWORD}
    with pytest.raises(DatabaseURLError, match="PGHOSTADDR leads away from the socket"):
        run(secured.answer(url, variables))


#: Parameters and their values; each may be in the URL, the service file or the environment.
VALUES = {
    "user": ("ann", "encrypted", ODD_NAME),
    "dbname": ("ann", "postgres", ODD_NAME),
    "password": (PASSWORD, f"{PASSWORD}%", f"{PASSWORD}\\:"),
    "port": ("5432", "1"),
    "application_name": ("a b", "100%", "x=y"),
    "options": ("-c search_path=public", "-c work_mem=5MB", r"-c search_path=public,\ pg_catalog"),
    "sslmode": ("disable", "prefer", "require"),
}
VARIABLES = {
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "password": "PGPASSWORD",
    "port": "PGPORT",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
}


def escaped(field: str) -> str:
    """Escape a field of a password file."""
    return field.replace("\\", "\\\\").replace(":", "\\:")


@given(data=st.data())
def test_any_sources(data: st.DataObject, secured: TLSServer, run: Run, tmp_path: Path) -> None:
    """URL, service file, environment and password file have psql's precedence."""
    of_url, of_service, environment = {}, {"host": secured.address}, {}
    for name, values in VALUES.items():
        value = st.sampled_from(values)
        for source in data.draw(st.sets(st.sampled_from(("url", "service", "variable")))):
            match source:
                case "url":
                    of_url[name] = data.draw(value)
                case "service":
                    of_service[name] = data.draw(value)
                case "variable":
                    environment[VARIABLES[name]] = data.draw(value)
    lines = [f"{name}={value}" for name, value in of_service.items()]
    services = tmp_path / "services"
    services.write_text("\n".join(["[others]", "host=nowhere", "# all", "[odds]", *lines, "[z]"]))
    fields = st.sampled_from(("*", *(escaped(text) for text in ("ann", ODD_NAME, "5432", "\\*"))))
    entries = data.draw(st.lists(st.tuples(fields, fields, fields, fields), max_size=3))
    passwords = tmp_path / "passwords"
    passwords.write_text("\n".join(["# x", *(":".join((*e, PASSWORD)) for e in entries)]))
    passwords.chmod(data.draw(st.sampled_from((0o600, 0o644))))
    environment |= {"PGSERVICEFILE": str(services), "PGPASSFILE": str(passwords)}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in of_url.items())
    run(require_same(secured, f"postgresql:///?service=odds&{query}".rstrip("&"), environment))
