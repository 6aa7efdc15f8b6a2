"""A URL's password is in no error, log record, output or report, for any fault of the URL."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from alembic.config import CommandLine
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import DatabaseUnavailableError, migrations
from oddsschema.database.urls import normalize, redact
from tests.support.passwords import (
    FIRST,
    FUNCTIONS,
    IN_ITS_PLACE,
    LAST,
    NOWHERE,
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
