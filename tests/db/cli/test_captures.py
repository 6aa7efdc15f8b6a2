"""`oddsschema ingest` prints refusals and doubts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from oddsschema.cli import cli
from oddsschema.database.urls import redact
from tests.support.scrapes import capture, written
from tests.support.sessions import fetch

Run = Callable[..., Any]


def ingested(database: str, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["ingest", "--url", database, *arguments])


def test_doubts_are_printed(database: str, run: Run, tmp_path: Path) -> None:
    """A doubt is a line on standard error and a count; the capture is stored, the exit code 0."""
    doubtful = capture("bet9ja", 1, 0)
    doubtful["competitor_event"]["tournament"]["country_iso"] = "XX"
    path = written(tmp_path / "captures.ndjson", [doubtful, capture("bet9ja", 2, 0)])
    result = ingested(database, str(path))
    assert result.exit_code == 0
    assert result.stderr.startswith(
        f"database: {redact(database)}\n"
        f"doubt: {path}:1: $.competitor_event.tournament.country_iso: 'XX' is no ISO 3166-1"
    )
    assert result.stdout.endswith(", 1 doubts\n")
    stored = "SELECT country_iso FROM competitor_tournaments ORDER BY id"
    assert set(run(fetch(database, stored))) == {(None,)}
    report = json.loads(ingested(database, "--json", str(path)).stdout)
    assert [(doubt["file"], doubt["line"]) for doubt in report["doubts"]] == [(str(path), 1)]
    assert [run_report["doubts"] for run_report in report["runs"]] == [1]


def test_strict(database: str, run: Run, tmp_path: Path) -> None:
    """With `--strict`, a doubtful capture is refused, kept as a reject, and not stored."""
    doubtful = capture("bet9ja", 1, 0)
    doubtful["competitor_event"]["tournament"]["country_iso"] = "XX"
    path = written(tmp_path / "captures.ndjson", [doubtful, capture("bet9ja", 2, 0)])
    rejects = tmp_path / "rejects.ndjson"
    result = ingested(database, "--strict", "--rejects", str(rejects), str(path))
    assert result.exit_code == 1
    refused = f"\nrefused: {path}:1: $.competitor_event.tournament.country_iso"
    assert refused in result.stderr
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(1,)]
    # Without the option, the reject is stored.
    assert ingested(database, str(rejects)).exit_code == 0
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(2,)]


def test_array(database: str, run: Run, tmp_path: Path) -> None:
    """A JSON array in place of lines stores nothing; the exit code is 1."""
    for indent in (None, 2):
        path = tmp_path / f"{indent}.json"
        path.write_text(json.dumps([capture("bet9ja", 1, 0)] * 100, indent=indent))
        result = ingested(database, str(path))
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 2
        assert "`jq -c '.[]'` makes lines of an array" in result.stderr
    assert run(fetch(database, "SELECT count(*) FROM competitor_odds_snapshots")) == [(0,)]
