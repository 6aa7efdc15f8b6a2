"""`oddsschema validate` counts captures and markets, and prints bounded lines."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from oddsschema.cli import cli
from tests.support.scrapes import capture, ndjson, written


def validated(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["validate", *arguments])


def damaged() -> list[dict[str, Any]]:
    """Build captures: a good one, one with two bad markets, a bad one, and a doubtful one."""
    good, partly, bad, doubtful = (capture("bet9ja", event, 0) for event in range(4))
    partly["markets"][1:3] = [{}, {}]
    del bad["captured_at"]
    doubtful["competitor_event"]["tournament"]["country_iso"] = "XX"
    return [good, partly, bad, doubtful]


def test_counts(tmp_path: Path) -> None:
    """Captures and markets are counted as valid and as refused, and doubts apart from both."""
    path = written(tmp_path / "captures.ndjson", damaged())
    result = validated(str(path))
    assert result.exit_code == 1
    assert result.stdout == (
        "3 captures with 10 markets are valid, 1 captures refused, "
        "2 markets of valid captures refused, 1 doubts\n"
    )
    assert [line.partition(": $")[0] for line in result.stderr.splitlines()] == [
        f"refused: {path}:2",
        f"refused: {path}:3",
        f"doubt: {path}:4",
    ]
    report = json.loads(validated("--json", str(path)).stdout)
    assert {name: value for name, value in report.items() if isinstance(value, int)} == {
        "captures_valid": 3,
        "captures_refused": 1,
        "markets_valid": 10,
        "markets_refused": 2,
        "doubts_found": 1,
    }
    assert [refusal["line"] for refusal in report["refusals"]] == [2, 3]
    assert [doubt["line"] for doubt in report["doubts"]] == [4]


def test_strict(tmp_path: Path) -> None:
    """With `--strict`, a bad market and a doubt refuse their captures."""
    path = written(tmp_path / "captures.ndjson", damaged())
    result = validated("--strict", str(path))
    assert result.exit_code == 1
    assert result.stdout.startswith("1 captures with 4 markets are valid, 3 captures refused, ")
    assert "doubt" not in result.stdout + result.stderr


def test_doubts_alone_are_no_failure(tmp_path: Path) -> None:
    """The exit code is 0 if there are doubts and no refusals."""
    *_, doubtful = damaged()
    path = written(tmp_path / "captures.ndjson", [doubtful])
    result = validated(str(path))
    assert result.exit_code == 0
    assert result.stderr == (
        f"doubt: {path}:1: $.competitor_event.tournament.country_iso: "
        "'XX' is no ISO 3166-1 alpha-3 or alpha-2 country code: null is stored\n"
    )


def test_names_that_change(tmp_path: Path) -> None:
    """A name that changes between files is doubted."""
    first = written(tmp_path / "1.ndjson", [capture("bet9ja", 2, 0)])
    second = written(tmp_path / "2.ndjson", [capture("bet9ja", 2, 3)])
    assert f"doubt: {second}:1: $.competitor_event.away_team: " in (
        validated(str(first), str(second)).stderr
    )


JUNK = st.text(st.characters(codec="utf-8"), max_size=3).map(lambda text: text * 500)


@given(keys=st.lists(JUNK, min_size=1, max_size=15, unique=True), name=JUNK)
def test_lines_are_bounded(tmp_path_factory: Any, keys: list[str], name: str) -> None:
    """A line on standard error has a bounded length, and the number of problems beyond it."""
    bad = capture("bet9ja", 1, 0) | dict.fromkeys(keys, name)
    bad["competitor_event"]["tournament"]["country_iso"] = name
    bad["markets"] = [{"betpawa_market_id": name * 9, key: [name]} for key in keys]
    for market in capture("bet9ja", 1, 0, markets=20)["markets"]:
        bad["markets"].append(market | {"outcomes": [{"name": name, "odds": 2}] * 2})
    path = tmp_path_factory.mktemp("bounded") / "captures.ndjson"
    path.write_bytes(ndjson([bad]))
    result = validated(str(path))
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"refused: {path}:1: $")
    assert "more problems" in lines[0]
    # A control character is printed as six others.
    assert max(map(len, lines)) < 6 * 5_500


def test_array(tmp_path: Path) -> None:
    """A JSON array in place of lines is one line, whatever its form."""
    for number, indent in enumerate((None, 2)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps([capture("bet9ja", 1, 0)] * 1000, indent=indent))
        result = validated(str(path))
        assert result.exit_code == 1
        assert result.stderr == (
            f"refused: {path}:1: $: a JSON array in place of lines: write one capture a line; "
            "`jq -c '.[]'` makes lines of an array\n"
        )


def test_captures_of_the_future(tmp_path: Path) -> None:
    """A capture ahead of this machine's clock is refused; `--max-ahead` sets the limit."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    ahead = capture("bet9ja", 1, 0) | {"captured_at": tomorrow.isoformat()}
    path = written(tmp_path / "captures.ndjson", [ahead, capture("bet9ja", 2, 0)])
    result = validated(str(path))
    assert result.exit_code == 1
    assert result.stdout.startswith("1 captures with 4 markets are valid, 1 captures refused")
    assert "ahead of the clock of this machine" in result.stderr
    assert validated("--max-ahead", "23h", str(path)).exit_code == 1
    assert validated("--max-ahead", "25h", str(path)).exit_code == 0
    assert validated("--max-ahead", "none", str(path)).exit_code == 0
    assert validated("--max-ahead", "never", str(path)).exit_code == 2
