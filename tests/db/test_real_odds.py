"""Real captures, ingested by the command line: the database tells what the files tell."""

import asyncio
import gzip
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oddsschema import Capture
from oddsschema.database import sqlalchemy_connect
from tests.db._readback import keyed, read_back

REAL_ODDS = sorted((Path(__file__).parents[3] / "shared" / "real-odds").glob("*.ndjson.gz"))

pytestmark = pytest.mark.skipif(not REAL_ODDS, reason="the real captures are not beside the clone")

#: What is offered: markets, by whose event of which instant they are.
Offered = dict[Any, Any]


def offered(captures: Iterable[Capture]) -> Offered:
    """What some captures tell, but for the events' names, of which the database keeps the last."""
    return {key: capture["markets"] for key, capture in keyed(list(captures)).items()}


@pytest.fixture(scope="module")
def told() -> Offered:
    """What the files tell."""
    lines: list[bytes] = []
    for path in REAL_ODDS:
        with gzip.open(path) as file:
            lines.extend(file)
    assert len(lines) == 3429
    return offered(map(Capture.model_validate_json, lines))


def stored(url: str) -> Offered:
    """What the database tells."""

    async def query() -> Offered:
        async with sqlalchemy_connect(url) as connection:
            return offered(await read_back(connection))

    return asyncio.run(query())


def ingest(url: str, files: Sequence[Path], *options: str) -> str:
    """What `oddsschema ingest` prints for some files."""
    command = [sys.executable, "-m", "oddsschema", "ingest", "--url", url, *options]
    done = subprocess.run([*command, *map(str, files)], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize("store", ["changes", "complete"])
def test_real_captures_are_stored_once(database: str, told: Offered, store: str) -> None:
    """All captures, markets and outcomes arrive; delivered again, none is stored twice."""
    first = ingest(database, REAL_ODDS, "--store", store)
    assert "bet9ja ✓ 1,019 events" in first
    assert "sportybet ✓ 2,410 events" in first
    assert "3,429 captures stored in " in first
    assert ("stored in 55,336 market rows" in first) == (store == "complete")
    assert stored(database) == told

    second = ingest(database, REAL_ODDS, "--store", store)
    assert "0 captures stored in 0 market rows, 3,429 were already there" in second
    assert stored(database) == told


def reverse(captures: list[bytes]) -> None:
    """The newest first."""
    captures.sort(key=lambda line: str(json.loads(line)["captured_at"]), reverse=True)


def shuffle(captures: list[bytes]) -> None:
    """In no order."""
    random.Random(6).shuffle(captures)


@pytest.mark.parametrize("reorder", [reverse, shuffle])
def test_order_of_arrival(
    database: str,
    told: Offered,
    tmp_path: Path,
    reorder: Callable[[list[bytes]], None],
) -> None:
    """In whatever order real captures arrive, the database tells the same."""
    lines: list[bytes] = []
    for path in REAL_ODDS:
        with gzip.open(path) as file:
            lines.extend(file)
    reorder(lines)
    file = tmp_path / "reordered.ndjson"
    file.write_bytes(b"".join(lines))
    assert "3,429 captures stored in " in ingest(database, [file])
    assert stored(database) == told
