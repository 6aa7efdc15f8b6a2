"""docs/reference/urls.md lists every parameter. After a change of the table of parameters:

ODDSSCHEMA_WRITE_URLS=1 python -m pytest tests/unit/database/test_url_page.py
"""

import os
import re
from pathlib import Path

import pytest
from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from oddsschema.database.parameters import PARAMETERS, Effect
from oddsschema.database.settings import ConnectionSettings, read_settings
from oddsschema.errors import DatabaseURLError

PAGE = Path(__file__).parents[3] / "docs/reference/urls.md"
BEGIN, END = "<!-- parameters -->\n", "<!-- end of parameters -->\n"


def table() -> str:
    """The table of all parameters."""
    lines = ["", "| parameter | variable | values | here | |", "| --- | --- | --- | --- | --- |"]
    for parameter in PARAMETERS.values():
        name = f"`{parameter.name}`"
        if parameter.program != "libpq":
            name += f" ({parameter.program})"
        variable = f"`{parameter.variable}`" if parameter.variable else ""
        values = ", ".join(f"`{value}`" for value in parameter.values or ())
        lines.append(f"| {name} | {variable} | {values} | {parameter.effect} | {parameter.note} |")
    return "\n".join(lines) + "\n\n"


def test_the_page_lists_every_parameter() -> None:
    """The page has the table of the code."""
    before, rest = PAGE.read_text().split(BEGIN)
    listed, after = rest.split(END)
    if os.environ.get("ODDSSCHEMA_WRITE_URLS"):
        PAGE.write_text(before + BEGIN + table() + END + after)
    else:
        assert listed == table()


def test_every_parameter_of_libpq() -> None:
    """The table has each parameter that libpq has, with its variable."""
    for option in pq.Conninfo.get_defaults():
        parameter = PARAMETERS[option.keyword.decode()]
        assert parameter.program == "libpq"
        assert (parameter.variable or "").encode() == (option.envvar or b"")


def rows() -> list[tuple[str, str]]:
    """List the URLs of services on the page, each with its answer."""
    section = PAGE.read_text().split("<!-- services -->\n")[1]
    found = re.findall(r"^\| [^|]+ \| `([^`]+)` \| ([^|]+) \|$", section, re.MULTILINE)
    assert len(found) > 20
    return found


@pytest.mark.parametrize(("url", "answer"), rows())
def test_urls_of_services(url: str, answer: str) -> None:
    """A URL of a hosting service is taken with libpq's meaning, or refused by its parameter."""
    if answer.startswith("refused"):
        named = re.findall("`([a-z_]+)", answer)[0]
        with pytest.raises(DatabaseURLError, match=rf"parameter {named} "):
            read_settings(url, {})
        (instead,) = re.findall("Write `([^`]+)`", answer)
        assert answer.startswith(f"refused: `{named}")
        read_settings(f"postgresql://ann@host/odds?{instead}", {})
    else:
        assert answer.startswith("taken")
        require_meaning_of_libpq(url, read_settings(url, {}))


def require_meaning_of_libpq(url: str, settings: ConnectionSettings) -> None:
    """Compare settings with libpq's reading of the same URL, without other programs' parameters."""
    others = [p.name for p in PARAMETERS.values() if p.program != "libpq"]
    url = re.sub(r"(?<=[?&])(" + "|".join(others) + r")=[^&]*&?", "", url).rstrip("?&")
    try:
        expected = conninfo_to_dict(re.sub(r"^postgresql\+\w+", "postgresql", url))
    except ProgrammingError as error:
        pytest.fail(f"libpq refuses it: {error}")
    assert settings.user == expected["user"]
    assert settings.database == expected["dbname"]
    assert {host.password for host in settings.hosts} == {expected["password"]}
    assert ",".join(host.name for host in settings.hosts) == expected["host"]
    assert settings.tls.mode == expected.get("sslmode", "prefer")
    assert settings.server_settings.get("options") == expected.get("options")
    assert settings.session_attributes == expected.get("target_session_attrs", "any")


def test_refused_parameters_name_a_way_out() -> None:
    """Each parameter with refused values has a note that names another way."""
    for parameter in PARAMETERS.values():
        if parameter.effect is Effect.REFUSED or (
            parameter.effect is Effect.DROPPED and parameter.values is not None
        ):
            assert re.search(r"\b([Ww]rite|Give|Leave|Choose)\b", parameter.note), parameter.name
