"""URLs with passwords, and everything that takes a URL."""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest

import oddsschema
from oddsschema.cli import main
from oddsschema.database.citus import Node
from oddsschema.queries import offers
from tests.support.commands import every_command

#: The beginning and the end of every password: neither may be shown anywhere.
FIRST, LAST = "Alpha7", "Omega7"

#: An address without a server.
NOWHERE = "127.0.0.1:1"

#: Passwords with characters that have a meaning in a URL, or that are valid nowhere.
ODD_PASSWORDS = [
    f"{FIRST}{odd}{LAST}"
    for odd in (
        "",
        *"@:/?#[]&=+%;,\\'\" \t\n\0é\u2100\uff1a\ud800",
        "%00",
        "%zz",
        "%40",
        "12/",
        ":1/",
        "://",
    )
]
IN_ITS_PLACE = [f"postgresql://u:{password}@{NOWHERE}/name" for password in ODD_PASSWORDS]
AMONG_PARAMETERS = [
    *(
        f"postgresql://{NOWHERE}/name?user=u&password={password}"
        for password in (*ODD_PASSWORDS, f"{FIRST}&{LAST}=1")
    ),
    *(
        f"postgresql://{NOWHERE}/name?{key}={FIRST}{odd}{LAST}&sslmode=require&sslcert=/nonexistent"
        for key in ("sslpassword", "Password")
        for odd in ("", "&", "@", "#")
    ),
]
SECRET = f"{FIRST}{LAST}"
ELSEWHERE = [
    # The host or a colon is missing, or a colon is too many.
    *(
        f"postgresql://u:{SECRET}",
        f"postgresql://u:{SECRET}/name",
        f"postgresql://u:1/{SECRET}@h/n",
    ),
    *(f"postgresql://u:{SECRET}@h:port/name", f"postgresql://u:{SECRET}@{NOWHERE}:2/name"),
    *(f"postgresql://u:{SECRET}@127.0.0.1:99999/name", f"postgresql://u:{SECRET}@[::1/name"),
    *(f"postgresql://:{SECRET}@{NOWHERE}/name", f"postgresql://u:{SECRET}@/name?host=/nonexistent"),
    # Several hosts.
    *(f"postgresql://u:{SECRET}@{NOWHERE},{NOWHERE}/name", f"postgresql://u:{SECRET}@h,,h/name"),
    *(f"postgresql://u:{SECRET}@{NOWHERE},h:{SECRET}/name",),
    # Another scheme, or none.
    *(f"mysql://u:{SECRET}@{NOWHERE}/name", f"postgresql+psycopg://u:{SECRET}@{NOWHERE}/name"),
    *(f"u:{SECRET}@{NOWHERE}/name", f"postgresql:/u:{SECRET}@{NOWHERE}/name", f"//u:{SECRET}@h/n"),
    *(f" postgresql://u:{SECRET}@{NOWHERE}/name", f"host=127.0.0.1 password={SECRET}"),
    # Wrong parameters.
    *(f"postgresql://u:{SECRET}@{NOWHERE}/name?{more}" for more in ("sslmode=no", "port=no", "a")),
]
URLS = [*IN_ITS_PLACE, *AMONG_PARAMETERS, *ELSEWHERE]

#: The time for retries.
AT_ONCE = timedelta(0)


async def nothing(_connection: Any) -> None:
    """Do nothing with a connection."""


#: Other required arguments of functions and commands.
NEEDED: dict[str, Any] = {
    "source": [],
    "revision": "head",
    "keep": timedelta(days=14),
    "answer_within": timedelta(minutes=1),
    "schema": "odds",
    "statement": offers(),
    "node": Node("127.0.0.1", 1),
    "work": nothing,
    "retry_for": AT_ONCE,
}


def functions() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """List every public function that takes a URL, as a function of the URL alone."""
    for found in pkgutil.walk_packages(oddsschema.__path__, "oddsschema."):
        if found.name == "oddsschema.__main__":
            continue  # importing it runs the program
        for name, function in vars(importlib.import_module(found.name)).items():
            if not inspect.isfunction(function) or function.__module__ != found.name:
                continue
            first, *others = [*inspect.signature(function).parameters.values()] or [None]
            takes_url = first and (first.name == "url" or "Connection" in str(first.annotation))
            if takes_url and first.name in ("target", "url") and not name.startswith("_"):
                needed = {
                    parameter.name: NEEDED[parameter.name]
                    for parameter in others
                    if parameter.default is parameter.empty
                    and parameter.kind is not parameter.VAR_KEYWORD
                } | {
                    parameter.name: replace(parameter.default, retry_for=AT_ONCE)
                    if hasattr(parameter.default, "retry_for")
                    else AT_ONCE
                    for parameter in others
                    if parameter.name == "retry_for" or hasattr(parameter.default, "retry_for")
                }
                yield f"{found.name}.{name}", _with(function, needed)


def _with(function: Callable[..., Any], needed: dict[str, Any]) -> Callable[[str], Any]:
    return lambda url: function(url, **needed)


FUNCTIONS = dict(functions())
#: Functions that open no connection.
PURE = {
    *(
        f"oddsschema.database.urls.{name}"
        for name in ("given_url", "normalize", "redact", "url_parameters", "with_schema")
    ),
    "oddsschema.database.settings.read_settings",
    *(
        f"oddsschema.database.targets.{name}"
        for name in ("url_of", "is_connection", "has_open_transaction", "open_source")
    ),
    "oddsschema.database.engines.create_engine",
}


def commands(file: Path) -> Iterator[list[str]]:
    """List every command that takes a URL, plain and with each of its flags."""
    needed = {"files": str(file), "revision": "head", "table": "t"}
    needed |= {"event": "1", "market": "1X2", "text": "Arsenal"}
    for name, command in every_command().items():
        by_name = {parameter.name: parameter for parameter in command.params}
        if "url" in by_name:
            arguments = [
                needed[str(parameter.name)]
                for parameter in command.params
                if isinstance(parameter, click.Argument)
            ]
            for option in command.params:
                if isinstance(option, click.Option) and option.required:
                    arguments += [option.opts[-1], "14d"]
                if option.name == "retry_for":
                    arguments.append("--retry-for=0")
            yield [name, *arguments]
            for option in command.params:
                # With --sql a command opens no connection.
                if isinstance(option, click.Option) and option.is_flag and option.name != "sql":
                    yield [name, *arguments, option.opts[-1]]


class Messages:
    """Everything that was shown to anybody."""

    def __init__(self) -> None:
        self.text = ""

    def error(self, error: BaseException | None) -> None:
        """Add an error as a traceback shows it, and each error that led to it."""
        if error is not None:
            self.text += "".join(traceback.format_exception(error))
            self._parts(error)

    def _parts(self, error: BaseException | None) -> None:
        if error is not None:
            self.text += f"{error!r} {error} {vars(error)}\n"
            self._parts(error.__cause__)
            # Tracebacks leave out some of these.
            self._parts(error.__context__)

    def assert_no_password(self, subject: object) -> None:
        """Check that no piece of the password was shown."""
        seen = [piece for piece in (FIRST, LAST) if piece.casefold() in self.text.casefold()]
        assert not seen, f"{subject!a}: {self.text!a}"


async def use(function: Callable[[str], Any], url: str) -> None:
    """Call a function of a URL, and await its result where necessary."""
    made = function(url)
    if hasattr(made, "__aenter__"):
        async with made:
            pass
    elif hasattr(made, "__enter__"):
        with made:
            pass
    elif inspect.isasyncgen(made):
        async for _ in made:
            pass
    elif inspect.isawaitable(made):
        await made


def program(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the program `oddsschema` in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["oddsschema", *arguments])
    with pytest.raises(SystemExit) as exited:
        main()
    return int(exited.value.code or 0)
