import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from oddsschema.database.urls import redact
from oddsschema.embedded import ephemeral

PROGRAM = [sys.executable, "-W", "error", "-c", "from oddsschema.cli import main; main()"]


def environment(home: Path) -> dict[str, str]:
    """Return a newcomer's environment: an empty home, no database, a terminal of 80 columns.

    Root's server is at /var/lib/oddsschema for any home; the demonstration touches only its own
    database there.
    """
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
    return kept | {"HOME": str(home), "COLUMNS": "80", "PYTHONUTF8": "1"}


def test_demo(tmp_path: Path) -> None:
    """The demonstration shows both batches, an event's prices, their moves, and the next steps."""
    began = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, "demo"],
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 20
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    batches = [
        r"  Batch 1  betpawa ✓ \d+ events \d+ market rows",
        r"           sportybet ✓ \d+ events \d+ market rows",
        r"           bet9ja ✓ \d+ events \d+ market rows",
        r"  Batch 2  betpawa ✓ \d+ events \d+ market rows",
        r"           sportybet ✓ \d+ events \d+ market rows",
        r"           bet9ja ✗ ConnectionError: bet9ja.com did not answer within 30 s",
    ]
    assert re.search("\n".join(["", *batches, ""]), done.stdout)
    assert re.search(r"\n +BetPawa +SportyBet +Bet9ja\n", done.stdout)
    assert re.search(r"\n  as of +batch 2 +batch 2 +batch 1\n", done.stdout)
    overrounds = re.findall(r"\n  overround +(\d+\.\d)%", done.stdout)
    assert len(overrounds) > 1
    assert all(4 < float(overround) < 8 for overround in overrounds)
    assert re.search(r"\n  \S.* (BetPawa|SportyBet) +\d+\.\d\d → \d+\.\d\d\n", done.stdout)
    assert re.search(r"\n  oddsschema upgrade ", done.stdout)


def test_best_price_is_marked(tmp_path: Path) -> None:
    """The highest open price in each row, and no other, has the mark."""
    done = subprocess.run(
        [*PROGRAM, "demo"],
        env=environment(tmp_path),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    rows = re.findall(r"\n  .{20}((?: +\d+\.\d\d[ *]?| +suspended| +-){3})(?=\n)", done.stdout)
    assert len(rows) == 7
    for row in rows:
        prices = re.findall(r"(\d+\.\d\d)(\*?)", row)
        best = max(float(price) for price, _ in prices)
        assert [mark == "*" for _, mark in prices] == [float(price) == best for price, _ in prices]


def test_simulated_captures_can_be_ingested(tmp_path: Path) -> None:
    """`oddsschema simulate --scrapes 1 | oddsschema ingest -` stores one batch of all platforms."""
    with ephemeral() as server:
        env = environment(tmp_path) | {"DATABASE_URL": server.url}
        subprocess.run([*PROGRAM, "upgrade"], env=env, check=True, capture_output=True)
        with subprocess.Popen(
            [*PROGRAM, "simulate", "--scrapes", "1"], env=env, stdout=subprocess.PIPE
        ) as simulated:
            done = subprocess.run(
                [*PROGRAM, "ingest", "-"],
                env=env,
                stdin=simulated.stdout,
                capture_output=True,
                encoding="utf-8",
            )
        assert (simulated.returncode, done.returncode) == (0, 0)
        assert done.stderr == f"database: {redact(server.url)}\n"
        assert re.search(r"betpawa ✓ .*sportybet ✓ .*bet9ja ✓ ", done.stdout)
        assert "0 refused" in done.stdout


def test_simulate_ends_quietly_when_its_reader_does(tmp_path: Path) -> None:
    """A closed pipe ends an endless stream with exit code 0 and no message."""
    with subprocess.Popen(
        [*PROGRAM, "simulate"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as simulated:
        assert simulated.stdout
        assert simulated.stderr
        json.loads(simulated.stdout.readline())
        simulated.stdout.close()
        assert simulated.stderr.read() == b""
    assert simulated.returncode == 0


def test_simulate_ends_quietly_on_ctrl_c(tmp_path: Path) -> None:
    """Ctrl-C ends a paced stream at a whole line, with the shell's exit code and no message."""
    with subprocess.Popen(
        [*PROGRAM, "simulate", "--rate", "10", "--platform", "bet9ja"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as simulated:
        assert simulated.stdout
        first = json.loads(simulated.stdout.readline())
        simulated.send_signal(2)
        rest, errors = simulated.communicate(timeout=30)
    assert first["competitor_event"]["source"] == "bet9ja"
    assert rest == b"" or rest.endswith(b"\n")
    assert (errors, simulated.returncode) == (b"", 130)


def test_rate(tmp_path: Path) -> None:
    """Ten captures at 20 a second take nearly half a second: the first is immediate."""
    command = [*PROGRAM, "simulate", "--scrapes", "1", "--platform", "bet9ja", "--rate", "20"]
    with subprocess.Popen(command, env=environment(tmp_path), stdout=subprocess.PIPE) as simulated:
        assert simulated.stdout
        came = [time.monotonic() for _ in simulated.stdout]
    assert len(came) == 10
    assert came[-1] - came[0] > 0.3
