"""Real captures, ingested by the command line: the database has the content of the files."""

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
from oddsschema.database.connections import sqlalchemy_connect
from tests.support.paths import REAL_ODDS
from tests.support.stored_captures import keyed, read_back

pytestmark = pytest.mark.skipif(not REAL_ODDS, reason="the real captures are not beside the clone")

#: An offer: markets by platform, event and instant.
Offered = dict[Any, Any]


def offered(captures: Iterable[Capture]) -> Offered:
    """Return the content of captures without event names: the database keeps only the last ones."""
    return {key: capture["markets"] for key, capture in keyed(list(captures)).items()}


@pytest.fixture(scope="module")
def content_of_files() -> Offered:
    """Return the content of the files."""
    lines: list[bytes] = []
    for path in REAL_ODDS:
        with gzip.open(path) as file:
            lines.extend(file)
    assert len(lines) == 3429
    return offered(map(Capture.model_validate_json, lines))


def stored(url: str) -> Offered:
    """Return the content of the database."""

    async def query() -> Offered:
        async with sqlalchemy_connect(url) as connection:
            return offered(await read_back(connection))

    return asyncio.run(query())


def ingest(url: str, files: Sequence[Path], *options: str) -> str:
    """Run `oddsschema ingest` on some files, and return its output."""
    command = [sys.executable, "-m", "oddsschema", "ingest", "--url", url, *options]
    done = subprocess.run(
        [*command, *(path.name for path in files)],
        cwd=files[0].parent,
        check=False,  # 1 after a refusal
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize("store", ["changes", "complete"])
def test_real_captures_are_stored_once(
    database: str, content_of_files: Offered, store: str
) -> None:
    """All captures, markets and outcomes are stored; a second delivery stores nothing."""
    first = ingest(database, REAL_ODDS, "--store", store)
    assert "bet9ja ✓ 1,019 events" in first
    assert "sportybet ✓ 2,410 events" in first
    assert "3,429 captures stored in " in first
    assert ("stored in 55,336 market rows" in first) == (store == "complete")
    assert stored(database) == content_of_files

    second = ingest(database, REAL_ODDS, "--store", store)
    assert "0 captures stored in 0 market rows, 3,429 were already there" in second
    assert stored(database) == content_of_files


def reverse(captures: list[bytes]) -> None:
    """Put the newest capture first."""
    captures.sort(key=lambda line: str(json.loads(line)["captured_at"]), reverse=True)


def shuffle(captures: list[bytes]) -> None:
    """Shuffle the captures."""
    random.Random(6).shuffle(captures)


@pytest.mark.parametrize("reorder", [reverse, shuffle])
def test_order_of_arrival(
    database: str,
    content_of_files: Offered,
    tmp_path: Path,
    reorder: Callable[[list[bytes]], None],
) -> None:
    """The database has the same content for any order of the captures."""
    lines: list[bytes] = []
    for path in REAL_ODDS:
        with gzip.open(path) as file:
            lines.extend(file)
    reorder(lines)
    file = tmp_path / "reordered.ndjson"
    file.write_bytes(b"".join(lines))
    assert "3,429 captures stored in " in ingest(database, [file])
    assert stored(database) == content_of_files
