"""Limits of captures: values beyond them are refused with place and reason, in little memory."""

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from oddsschema.cli import cli
from oddsschema.ingestion import Item, Limits, validate

EVENT = {
    "source": "bet9ja",
    "external_id": "1",
    "sportradar_id": "1",
    "name": "A - B",
    "home_team": "A",
    "away_team": "B",
    "kickoff": "2024-01-20T17:00:00Z",
    "tournament": {
        "external_id": "1",
        "name": "Super League",
        "sport": {"slug": "football", "name": "Football"},
    },
}


def capture(**changes: Any) -> dict[str, Any]:
    """Build a good capture with changes."""
    return {
        "captured_at": "2024-01-09T12:00:00Z",
        "competitor_event": EVENT,
        "markets": [],
    } | changes


def market(line: float, outcomes: int = 2) -> dict[str, Any]:
    """Build a market with so many outcomes."""
    return {
        "betpawa_market_id": "5000",
        "betpawa_market_name": "Over/Under",
        "line": line,
        "outcomes": [{"name": str(number), "odds": 2} for number in range(outcomes)],
    }


def nested(levels: int) -> list[Any]:
    """Nest lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def refusal_of(payload: Any, limits: Limits) -> str | None:
    """Return the refusal of a payload or of a part of it."""
    refusal = validate(Item("file", 7, payload), limits=limits).refusal
    return None if refusal is None else str(refusal)


@pytest.mark.parametrize("limit", [limit.name for limit in fields(Limits)])
def test_limits_have_bounds(limit: str) -> None:
    """A limit accepts its least and its greatest value, and nothing beyond."""
    least, most = Limits.range(limit)
    for good in (least, most):
        assert getattr(Limits(**{limit: good}), limit) == good
    for bad in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"Limits.{limit} is .* and must be"):
            Limits(**{limit: bad})


def test_outcomes_are_the_contracts() -> None:
    """The limit of outcomes is the contract's: 500."""
    assert Limits().outcomes == Limits.range("outcomes")[1] == 500


def both(document: dict[str, Any]) -> list[Any]:
    """Return a capture as an object and as text."""
    return [document, json.dumps(document), json.dumps(document).encode()]


@pytest.mark.parametrize("most", [1, 2, 100])
def test_markets(most: int) -> None:
    """A capture with more markets than the limit is refused whole."""
    limits = Limits(markets=most)
    for payload in both(capture(markets=[market(line) for line in range(most)])):
        assert refusal_of(payload, limits) is None
    for payload in both(capture(markets=[market(line) for line in range(most + 1)])):
        checked = validate(Item("file", 7, payload), limits=limits)
        assert checked.capture is None
        assert str(checked.refusal) == (
            f"file:7: $.markets: {most + 1} markets: the limit is {most} (markets)"
        )


@pytest.mark.parametrize("most", [1, 2, 499])
def test_outcomes(most: int) -> None:
    """A market with more outcomes than the limit is refused; the others are stored."""
    limits = Limits(outcomes=most)
    for payload in both(capture(markets=[market(1, most), market(2, most + 1), market(3, most)])):
        checked = validate(Item("file", 7, payload), limits=limits)
        assert checked.capture is not None
        assert [market.line for market in checked.capture.markets] == [1, 3]
        assert str(checked.refusal) == (
            f"file:7: $.markets[1].outcomes: {most + 1} outcomes: the limit is {most} (outcomes)"
        )
        assert validate(Item("file", 7, payload), limits=limits, strict=True).capture is None


@pytest.mark.parametrize("most", [4, 5, 199, 200])
def test_depth(most: int) -> None:
    """Arrays and objects can be nested up to the limit, in text and in Python objects."""
    limits = Limits(depth=most)
    as_deep, deeper = nested(most), nested(most + 1)
    for raw in (as_deep, {"a": 1, "b": as_deep[0], "c": [{}]}):
        for payload in both(capture(raw_response=raw)):
            assert refusal_of(payload, limits) is None
    for raw in (deeper, {"a": 1, "b": as_deep, "c": [{}]}):
        for payload in both(capture(raw_response=raw)):
            refusal = refusal_of(payload, limits)
            assert refusal is not None
            assert refusal.startswith("file:7: $")
            assert "arrays and objects inside one another" in refusal


@pytest.mark.parametrize("as_text", [False, True])
def test_any_depth(as_text: bool) -> None:
    """Any deeper nesting is refused, without a RecursionError."""
    if as_text:
        payload: Any = json.dumps(capture(raw_response="@")).replace('"@"', "[" * 10**6)
    else:
        payload = capture(raw_response=nested(10**5))
    assert "inside one another" in str(refusal_of(payload, Limits()))


@given(st.text(st.characters(codec="utf-8"), max_size=50), st.integers(-1, 1))
def test_line_bytes(text: str, over: int) -> None:
    """The length of a line is its bytes in UTF-8, for every type of line."""
    line = json.dumps(capture(raw_response=text), ensure_ascii=False)
    size = len(line.encode())
    limits = Limits(line_bytes=size - over)
    for payload in (line, line.encode()):
        refusal = refusal_of(payload, limits)
        if over > 0:
            assert refusal == (
                f"file:7: $: the line has {size:,} bytes: the limit is {size - over:,} (line_bytes)"
            )
        elif "\0" not in text:
            assert refusal is None


def test_many_problems() -> None:
    """A refusal lists a hundred problems, and reports that there are more."""
    markets = [{} for _ in range(2000)]
    for payload in both(capture(markets=markets)):
        refusal = validate(Item("file", 1, payload)).refusal
        assert refusal is not None
        assert len(refusal.problems) == 101
        assert str(refusal.problems[-1]) == "$: and more: these are the first 100"


def zeros(count: int) -> Iterator[bytes]:
    """Compress zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(count // 1_000_000):
        yield packer.compress(bytes(1_000_000))
    yield packer.flush()


GOOD = json.dumps(capture()).encode()
MUCH = {
    "a line of 100 MB": lambda: [b'"' + b"x" * 100_000_000, b"\n", GOOD],
    "a gzip bomb": lambda: zeros(200_000_000),
    "a million markets": lambda: [GOOD[:-2], b"{}," * 1_000_000, b"{}]}\n", GOOD],
    "100,000 levels": lambda: [b"[" * 100_000, b"\n", GOOD],
    "4 MB of unknown keys": lambda: [b"{", b'"x":1,' * 700_000, b'"x":1}\n', GOOD],
    "20 lines of 4 MB": lambda: [b"[" * 4_000_000 + b"\n"] * 20,
}

#: Prints a command's exit code and peak memory in KiB. (A direct child would count the memory of
#: this process at the fork.)
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("much", MUCH.values(), ids=MUCH)
def test_memory(much: Callable[[], Any], tmp_path: Path) -> None:
    """`oddsschema validate` uses a few hundred megabytes at most, for any input."""
    path = tmp_path / "much.ndjson"
    with path.open("wb") as file:
        file.writelines(much())
    command = [sys.executable, "-m", "oddsschema", "validate", str(path)]
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, check=True, text=True
    )
    exit_code, peak = map(int, measured.stdout.splitlines()[-1].split())
    assert exit_code == 1
    assert peak < 300 * 1024


@pytest.mark.parametrize(
    ("option", "payload"),
    [
        ("--max-line-bytes=400", capture(raw_response="x" * 400)),
        ("--max-depth=5", capture(raw_response=nested(6))),
        ("--max-markets=1", capture(markets=[market(1), market(2)])),
        ("--max-outcomes=1", capture(markets=[market(1)])),
        ("--max-gzip-bytes=1000", capture(raw_response="x" * 1000)),
    ],
)
def test_options(option: str, payload: dict[str, Any], tmp_path: Path) -> None:
    """Each limit is an option of `validate`; a refusal has file, line and limit."""
    path = tmp_path / "captures.ndjson.gz"
    path.write_bytes(gzip.compress(GOOD + b"\n" + json.dumps(payload).encode() + b"\n"))
    assert CliRunner().invoke(cli, ["validate", str(path)]).exit_code == 0
    result = CliRunner().invoke(cli, ["validate", option, str(path)])
    assert result.exit_code == 1
    assert f"refused: {path}:2: $" in result.stderr
    limit = option.removeprefix("--max-").partition("=")[0].replace("-", "_")
    assert f"({limit})\n" in result.stderr
    assert result.stdout.startswith("1 captures with 0 markets are valid, 1 captures refused, ")
