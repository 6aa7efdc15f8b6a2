"""`oddsschema unmapped` lists the markets that scrapers could not map."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import oddsschema
from oddsschema import UnmappedMarket
from oddsschema.scrapes.unmapped import UnmappedMarketList
from tests.support.screens import program
from tests.support.sessions import execute

Run = Callable[..., Any]


@pytest.fixture
def reported(database: str, run: Run) -> str:
    """Return the URL of a database with reports of three markets."""

    async def scrape() -> None:
        async with oddsschema.batch(database) as batch:
            bet9ja, sportybet = await batch.run_of("bet9ja"), await batch.run_of("sportybet")
            for _ in range(1200):
                bet9ja.unmapped("S_CORN", "Corners", [{"Over": 1.5}, {"Under": "é" * 100}])
            bet9ja.unmapped("S_OLD")
            for _ in range(7):
                sportybet.unmapped(60, "Cards é")

    run(scrape())
    old = "UPDATE unmapped_markets SET last_seen_at = '2024-01-02 03:04Z' WHERE market_id = 'S_OLD'"
    run(execute(database, old))
    return database


def listed(url: str, *options: str) -> list[str]:
    """Return the ids that the command lists as JSON."""
    ended = program("unmapped", "--json", "--url", url, *options)
    assert (ended.code, ended.stderr) == (0, "")
    return [market["market_id"] for market in json.loads(ended.stdout)]


def test_lines(reported: str) -> None:
    """Each market is a line with aligned columns; a long example is cut."""
    ended = program("unmapped", "--url", reported)
    assert (ended.code, ended.stderr) == (0, "")
    first, second, third = ended.stdout.splitlines()
    example = '[{"Over": 1.5}, {"Under": "'
    assert first.startswith("1,200  bet9ja     S_CORN  20")
    assert first.endswith(f"  Corners  {example}{'é' * (59 - len(example))}…")
    assert second.startswith("    7  sportybet  60      20")
    assert second.endswith("  Cards é")
    assert third == "    1  bet9ja     S_OLD   2024-01-02 03:04  -"


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ((), ["S_CORN", "60", "S_OLD"]),
        (("-n", "1"), ["S_CORN"]),
        (("--source", "sportybet"), ["60"]),
        (("--source", "betking"), []),
        (("--since", "1h"), ["S_CORN", "60"]),
        (("--since", "999999999d"), ["S_CORN", "60", "S_OLD"]),
        (("--source", "bet9ja", "--since", "1h"), ["S_CORN"]),
    ],
)
def test_conditions(reported: str, options: tuple[str, ...], ids: list[str]) -> None:
    """The most frequent markets come first, of a bookmaker and of a time."""
    assert listed(reported, *options) == ids


def test_json(reported: str) -> None:
    """The JSON has the rows of the table."""
    ended = program("unmapped", "--json", "--url", reported)
    first, *_ = UnmappedMarketList.model_validate_json(ended.stdout).root
    assert isinstance(first, UnmappedMarket)
    assert (first.source, first.name, first.times_seen) == ("bet9ja", "Corners", 1200)
    assert first.example == [{"Over": 1.5}, {"Under": "é" * 100}]


def test_nothing_to_list(database: str, empty_database: str) -> None:
    """Without reports nothing is printed; without tables the command fails."""
    ended = program("unmapped", "--url", database)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")
    ended = program("unmapped", "--url", empty_database)
    assert (ended.code, ended.stdout) == (2, "")
    assert "oddsschema upgrade" in ended.stderr


@pytest.mark.parametrize(("option", "value"), [("--source", "Bet 9ja"), ("--since", "soon")])
def test_bad_options(database: str, option: str, value: str) -> None:
    """A value that is no slug or no duration is an error that names it."""
    ended = program("unmapped", option, value, "--url", database)
    assert (ended.code, ended.stdout) == (2, "")
    assert repr(value) in ended.stderr
