"""The documentation's examples: its Python runs, and its commands print the shown output.

The Python blocks of a page run in order in one migrated database, the console blocks in another one
that is empty at first. In the output of a console block, `...` matches any text.
"""

import ast
import asyncio
import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from oddsschema import Capture
from oddsschema.database.urls import redact
from oddsschema.simulate import simulate
from tests.support.commands import named_command
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Fenced blocks without a title; a block with a title is a file of a project.
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

Run = Callable[..., Any]


def blocks(page: Path, *kinds: str) -> list[tuple[str, str]]:
    """List the fenced blocks of some kinds: each kind and its text."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [(kind, text) for kind, text in found if kind in kinds]


class _Page:
    """A page's Python, run statement by statement in one namespace."""

    def __init__(self, names: dict[str, Any]) -> None:
        # SQLAlchemy looks up the module of a table.
        self.names = {"__name__": __name__, **names}

    async def run(self, source: str) -> None:
        """Run a block; `# pydantic.ValidationError` is a line's error, `# value` its value."""
        lines = source.splitlines()
        for statement in ast.parse(source).body:
            _, _, comment = lines[(statement.end_lineno or 1) - 1].partition("  # ")
            if comment.startswith("pydantic.ValidationError"):
                with pytest.raises(ValidationError):
                    await self._one(statement)
            elif isinstance(statement, ast.Expr) and comment:
                assert repr(await self._one(statement)) == comment
            else:
                await self._one(statement)

    async def _one(self, statement: ast.stmt) -> Any:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        if isinstance(statement, ast.Expr):
            expression = ast.Expression(statement.value)
            code = compile(expression, "page", "eval", flags=flags)
        else:
            code = compile(ast.Module([statement], []), "page", "exec", flags=flags)
        result = eval(code, self.names)
        return await result if asyncio.iscoroutine(result) else result


def _printed(command: str, directory: Path, url: str) -> str:
    """Run a command of the documentation, and return its output."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        shell=True,
        cwd=directory,
        env={**os.environ, "DATABASE_URL": url, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace(redact(url), "postgresql://localhost/odds")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_is_true(
    page: Path,
    empty_database: str,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Run,
) -> None:
    """A page's Python runs, and its commands print the shown output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    scrape = next(simulate(seed=1, events=3, scrapes=1))
    given = {
        "url": database,
        "captures": scrape["sportybet"],
        "scrapers": {
            platform: (lambda captures=captures: captures) for platform, captures in scrape.items()
        },
    }
    python = _Page(given)
    for kind, text in blocks(page, "python", "console", "json"):
        if kind == "python":
            for driver in ("", "+asyncpg"):
                of_page = f"postgresql{driver}://localhost/odds"
                text = text.replace(of_page, database.replace("://", f"{driver}://", 1))
            run(python.run(text))
        elif kind == "json":
            Capture.model_validate(json.loads(text))
        else:
            for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
                printed = _printed(command, tmp_path, empty_database)
                pattern = re.sub(r"([\[?*])", r"[\1]", expected).replace("...", "*")
                assert fnmatch.fnmatchcase(printed, pattern), f"$ {command}\n{printed}"


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            line.split("#")[0].strip()
            for page in PAGES
            for _, text in blocks(page, "sh")
            for line in text.splitlines()
            if line.startswith("oddsschema ")
        }
    ),
)
def test_command_exists(command: str) -> None:
    """A command in the documentation exists, with these options."""
    _, name, *rest = command.split()
    options = {option for parameter in named_command(name).params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= options
