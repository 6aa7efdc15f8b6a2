"""A URL's password is in no error, log record, output or report, for any fault of the URL."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from alembic.config import CommandLine
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import DatabaseUnavailableError, migrations
from oddsschema.database.urls import normalize, redact
from oddsschema.errors import DatabaseURLError
from tests.support.passwords import (
    FIRST,
    FUNCTIONS,
    IN_ITS_PLACE,
    LAST,
    NOWHERE,
    ODD_PASSWORDS,
    PURE,
    URLS,
    Messages,
    commands,
    program,
    use,
)
from tests.support.paths import ROOT
from tests.support.scrapes import scrapes, written

Run = Callable[..., Any]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, messages: Messages) -> None:
    """Each function that takes a URL raises our own error for an unreachable server."""
    for url in URLS:
        messages.text = ""
        try:
            asyncio.run(use(FUNCTIONS[name], url), debug=True)
        except DatabaseUnavailableError as error:
            messages.error(error)
        else:
            assert name in PURE
        messages.assert_no_password(url)


@pytest.mark.nightly
def test_commands(
    messages: Messages,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each command that takes a URL reports its fault and ends with an error."""
    for arguments in commands(written(tmp_path / "captures.ndjson", scrapes([0], [0]))):
        for url in URLS[::3] if "--" in arguments[-1] else URLS:
            messages.text = ""
            # `check` has several exit codes for errors, from 2 on.
            assert program(*arguments, "--url", url, monkeypatch=monkeypatch) >= 2
            captured = capsys.readouterr()
            assert (captured.out + captured.err).strip()
            messages.text += captured.out + captured.err
            messages.assert_no_password([*arguments, url])
    # A command accepts its URL from the environment too, where no argument list shows it.
    monkeypatch.setenv("DATABASE_URL", IN_ITS_PLACE[0])
    assert program("current", monkeypatch=monkeypatch) == 2
    messages.text = "".join(capsys.readouterr())
    assert "cannot connect" in messages.text
    messages.assert_no_password("DATABASE_URL")


@pytest.mark.parametrize("arguments", [("current",), ("upgrade", "head"), ("check",)], ids=" ".join)
def test_alembic(
    arguments: tuple[str, ...],
    messages: Messages,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alembic's own commands with this package's env.py do not show the password either."""
    monkeypatch.chdir(ROOT)
    for url in URLS[::2]:
        messages.text = ""
        with pytest.raises((DatabaseUnavailableError, SystemExit)) as raised:
            CommandLine().main(["-x", f"url={url}", *arguments])
        assert raised.value.args not in ((), (0,))
        messages.error(raised.value)
        messages.text += "".join(capsys.readouterr())
        messages.assert_no_password(url)


#: Passwords that a line of a file can have.
IN_A_LINE = [odd for odd in ODD_PASSWORDS if not set(odd) & set("\n\0\ud800")]


@pytest.mark.parametrize(
    "line",
    [
        "password={}",
        "password = {}",
        "{}",
        "password:{}",
        "password={}\nhost=127.0.0.1\nport={}",
        "sslpassword={}\nsslmode={}",
        "options={}\nport=x",
        "service={}",
        "require_auth={}",
        "channel_binding={}",
        "connect_timeout={}",
        "hostaddr=127.0.0.1,127.0.0.1\npassword={}",
    ],
)
def test_service_files(
    line: str, messages: Messages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run
) -> None:
    """No password of a service file is shown, whichever line of the file is wrong."""
    file = tmp_path / "services"
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    for odd in IN_A_LINE:
        messages.text = ""
        lines = line.replace("{}", odd)
        file.write_text(f"[odds]\nhost=127.0.0.1\n{lines}\nport=1\n", encoding="utf-8")
        url = "postgresql://u@/name?service=odds"
        with pytest.raises(DatabaseUnavailableError) as raised:
            run(migrations.current(url, retry_for=timedelta(0)))
        messages.error(raised.value)
        messages.assert_no_password(lines)


def test_password_files_and_variables(
    messages: Messages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run
) -> None:
    """No password of a password file or of a variable is shown."""
    file = tmp_path / "passwords"
    monkeypatch.setenv("PGPASSFILE", str(file))
    for odd in IN_A_LINE:
        for mode in (0o600, 0o644):
            file.write_bytes(f"*:*:*:*:{odd}".encode())
            file.chmod(mode)
            with pytest.raises(DatabaseUnavailableError) as raised:
                run(migrations.current(f"postgresql://u@{NOWHERE}/n", retry_for=timedelta(0)))
            messages.error(raised.value)
        for variable in ("PGPASSWORD", "PGOPTIONS", "PGSSLMODE", "PGPORT", "PGCONNECT_TIMEOUT"):
            with monkeypatch.context() as patch, pytest.raises(DatabaseUnavailableError) as raised:
                patch.setenv(variable, odd)
                run(migrations.current("postgresql://u@127.0.0.1/n?port=1", retry_for=timedelta(0)))
            messages.error(raised.value)
    file.write_bytes(b"*:*:*:*:Alpha7\xffOmega7")
    file.chmod(0o600)
    with pytest.raises(DatabaseURLError, match="not UTF-8") as wrong:
        run(migrations.current(f"postgresql://u@{NOWHERE}/n"))
    messages.error(wrong.value)
    messages.assert_no_password("password files")


@given(
    before=st.text(max_size=3),
    inside=st.text(max_size=3),
    after=st.text(max_size=3),
    place=st.sampled_from(
        (
            "postgresql://u:{}@" + NOWHERE + "/name",
            "postgresql+asyncpg://u:{}@" + NOWHERE + "?application_name=a",
            "postgres://u@" + NOWHERE + "/name?password={}&application_name=a",
            "postgresql://" + NOWHERE + "?sslpassword={}",
            "{}://u:{}@" + NOWHERE,
        )
    ),
)
def test_any_password(before: str, inside: str, after: str, place: str, run: Run) -> None:
    """A URL with any raw password is used correctly, or refused, and never shown."""
    url = place.replace("{}", f"{before}{FIRST}{inside}{LAST}{after}")
    messages = Messages()
    with pytest.raises(DatabaseUnavailableError) as raised:
        run(migrations.current(url))
    messages.error(raised.value)
    messages.text += redact(url)
    messages.assert_no_password(url)


#: Texts that a URL can have: as in libpq, without NUL.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(user=TEXTS.filter(bool), password=TEXTS, name=TEXTS.filter(bool))
def test_encoded_urls_are_read(user: str, password: str, name: str) -> None:
    """A percent-encoded URL is decoded correctly."""
    login, path = f"{quote(user, safe='')}:{quote(password, safe='')}", quote(name, safe="")
    for scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        url = f"{scheme}://{login}@h:1,[::1]:2/{path}?host=%2Fa&port=3&x=y"
        assert normalize(url) == f"postgresql://{login}@h:1,[::1]:2/{path}?host=%2Fa&port=3&x=y"
        shown = f"{quote(user, safe='')}:***@h:1,[::1]:2/{path}?host=%2Fa&port=3"
        assert redact(url) == f"{scheme}://{shown}"
