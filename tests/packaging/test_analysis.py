"""Events, exports and frames of the built wheel, with and without the extra, outside a checkout."""

import re
from pathlib import Path

import pytest

from tests.support.environments import Environment
from tests.support.paths import ROOT

pytestmark = pytest.mark.wheel

TUTORIAL = ROOT / "docs/tutorial/prices-to-plot.md"


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel with its core dependencies only."""
    environment = Environment(tmp_path_factory.mktemp("core"))
    environment.install(wheel)
    return environment


@pytest.fixture(scope="module")
def framed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel with what the tutorial needs, apart from the private PostgreSQL."""
    environment = Environment(tmp_path_factory.mktemp("frames"))
    environment.install(f"{wheel}[frames]", "pandas", "matplotlib")
    return environment


def test_tutorial(framed: Environment, empty_database: str) -> None:
    """The tutorial's commands and its Python lead from an empty directory to a file and a plot."""
    assert not list(framed.empty.iterdir())
    for kind, text in re.findall(
        r"^```(console|python)\n(.*?)^```$", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE
    ):
        if kind == "python":
            framed.run("python", "-c", text, url=empty_database)
        else:
            commands = "\n".join(re.findall(r"^\$ (.*)$", text, re.MULTILINE))
            shell = f"PATH={framed.bin}:$PATH\n{commands}"
            framed.run("/bin/sh", "-ec", shell, url=empty_database)
    written = sorted(path.name for path in framed.empty.iterdir())
    assert written == ["captures.ndjson", "prices.parquet", "prices.svg"]
    assert "Plateau United" in svg_texts(framed.empty / "prices.svg")


def svg_texts(path: Path) -> str:
    """Return the texts of a picture, which matplotlib writes as comments beside their glyphs."""
    return " ".join(re.findall(r"<!-- (.*?) -->", path.read_text()))


def test_frames(framed: Environment, database: str) -> None:
    """A select is an Arrow table, whose columns have the types of their values."""
    code = f"""
import asyncio
from oddsschema import frames, ingest, queries
from oddsschema.simulate import simulate
scrape = next(simulate(seed=1, events=2, scrapes=1))
asyncio.run(ingest({database!r}, scrape["betpawa"]))
table = asyncio.run(frames.read_table({database!r}, queries.prices()))
print(table.num_rows > 0, table.schema.field("valid_from").type)
"""
    assert framed.run("python", "-W", "error", "-c", code) == "True timestamp[us, tz=UTC]\n"


def test_events_need_no_extra(core: Environment, empty_database: str) -> None:
    """Events are found by the core install: the words need no extension of PostgreSQL."""

    def run(*command: str) -> str:
        return core.run("oddsschema", *command, url=empty_database)

    run("upgrade")
    captures = core.empty / "captures.ndjson"
    captures.write_text(run("simulate", "--seed", "1", "--events", "5", "--scrapes", "1"))
    assert "0 refused" in run("ingest", captures.name)
    assert "Plateau United - Enyimba" in run("events", "--from", "2026-01-17", "ÉNYIMBA")


def test_views_need_no_extra(core: Environment, empty_database: str) -> None:
    """The core install creates the views, which any client reads."""
    core.run("oddsschema", "upgrade", url=empty_database)
    code = f"""
import asyncio, asyncpg
from oddsschema import ingest
from oddsschema.simulate import simulate
async def main():
    await ingest({empty_database!r}, next(simulate(seed=1, events=2, scrapes=1))["betpawa"])
    connection = await asyncpg.connect({empty_database!r})
    for view in ("offers", "prices", "best_prices", "freshness", "closing_prices"):
        print(await connection.fetchval(f"SELECT count(*) > 0 FROM odds_{{view}}"))
    await connection.close()
asyncio.run(main())
"""
    assert core.run("python", "-W", "error", "-c", code) == "True\n" * 5


def test_export_names_its_extra(core: Environment) -> None:
    """Without the extra, an export is refused before the database is asked; frames names it too."""
    message = core.run("oddsschema", "export", "-o", "prices.parquet", status=2)
    assert "oddsschema[frames]" in message
    code = "from oddsschema import frames, queries; frames.schema_of(queries.prices())"
    assert "oddsschema[frames]" in core.run("python", "-c", code, status=1)
