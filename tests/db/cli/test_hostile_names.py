"""Names from feeds cannot control a terminal, forge a row, or break a picture."""

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oddsschema
from oddsschema.cli.output import cell_width, escape_cell
from tests.support.histories import START, capture
from tests.support.screens import Ended, names, program, unsafe_characters

Run = Callable[..., Any]

#: A number for each example: all of them share a database.
NUMBERS = itertools.count(1)

#: The texts of an event: its name, the names of two markets, two outcomes, and an error.
TEXTS = st.lists(names(), min_size=6, max_size=6, unique=True)
PLAIN = ["A - B", "Market", "Other", "One", "Two", "no answer"]


def plain_names(texts: list[str]) -> list[str]:
    """Return plain texts; the names of the outcomes are as wide as those of other texts."""
    plain = list(PLAIN)
    for place, letter in ((3, "a"), (4, "b")):
        plain[place] = letter * min(cell_width(escape_cell(texts[place])), 255)
    return plain


@pytest.fixture(scope="module")
def shared(new_database: Callable[..., Any], template: str) -> Any:
    """Return the URL of a database for all examples."""
    with new_database(template) as url:
        yield url


async def store(url: str, event: str, texts: list[str]) -> None:
    """Store a batch with two captures of an event that has these names, and a run that fails."""
    name, *markets, first, second, message = texts
    async with oddsschema.batch(url) as batch:
        async with batch.run("bet9ja") as run:
            run.unmapped("0", markets[0], [{first: 2.0}])
            for minute in (0, 5):
                outcomes = [
                    {"name": first, "odds": 2.0 + minute},
                    {"name": second, "odds": 3.0},
                ]
                listed = [
                    {"betpawa_market_id": str(number), "betpawa_market_name": text}
                    | {"outcomes": outcomes}
                    for number, text in enumerate(markets)
                ]
                captured = capture("bet9ja", START + timedelta(minutes=minute), listed, event)
                captured["competitor_event"] |= {"name": name, "home_team": name}
                await run.ingest([captured])
        async with batch.run("sportybet"):
            raise ConnectionError(message)


def screens(url: str, event: str) -> list[Ended]:
    """Run every command that prints names, with a market that exists and one that does not."""
    history = ("history", "--url", url, event)
    return [
        program(*history),
        program(*history, "0"),
        program(*history, "no such market"),
        program(*history, "--json"),
        program(*history, "0", "--json"),
        program("batches", "-n", "1", "--url", url),
        program("batches", "-n", "1", "--url", url, "--json"),
        program("unmapped", "--url", url),
        program("unmapped", "--url", url, "--json"),
        *(
            program("events", "--from", "1970-01-01", "--url", url, *options)
            for options in ((), ("--json",), ("--by-tournament",))
        ),
    ]


# Each example runs every command that prints names.
@settings(max_examples=max(5, settings().max_examples // 3))
@given(texts=TEXTS)
def test_lines_are_those_of_plain_names(texts: list[str], shared: str, run: Run) -> None:
    """Every command prints as many lines as for plain names, without unsafe characters."""
    number = next(NUMBERS)
    events = f"{number}1", f"{number}2"
    for event, named in zip(events, (texts, plain_names(texts)), strict=True):
        run(store(shared, event, named))
    # The lists of all events have both.
    found = [screens(shared, event) for event in events]
    for hostile, plain in zip(*found, strict=True):
        assert (hostile.code, hostile.stdout.count("\n")) == (plain.code, plain.stdout.count("\n"))
        assert hostile.stderr.count("\n") == plain.stderr.count("\n")
        assert unsafe_characters(hostile.stdout + hostile.stderr) <= {"\n"}
    offers = json.loads(found[0][3].stdout)
    assert {offer["betpawa_market_name"] for offer in offers} == set(texts[1:3])


@given(texts=TEXTS)
def test_names_in_a_picture(
    texts: list[str], shared: str, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The SVG is XML with every name, as it is printed on a terminal."""
    event = f"{next(NUMBERS)}3"
    run(store(shared, event, texts))
    picture: Path = tmp_path_factory.mktemp("pictures") / "a.svg"
    ended = program("history", "--url", shared, event, "0", "--plot", str(picture))
    assert (ended.code, ended.stderr) == (0, f"drawn in {picture}\n")
    svg = ElementTree.parse(picture)
    shown = {"".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    name, market, _, *outcomes, _ = map(escape_cell, texts)
    expected = {f"{name}, kickoff 2024-01-20 17:00 UTC", f"{market} (0)"}
    assert expected | {f"{outcome}, bet9ja" for outcome in outcomes} <= shown
