"""The cost of validation: `python tests/benchmarks/objects.py`. Ratios of medians inside one run.

- a validated table object, against SQLModel's own constructor, which validates nothing;
- captures from bytes, validated as in ingestion, against the same contract as plain pydantic
  models (`rivals.CAPTURE`, which has no rules over several fields);
- importing this package, against importing sqlmodel.
"""

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import rivals
import workload
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from oddsschema import CompetitorMarketOdds
from oddsschema.ingestion.limits import DEFAULT_LIMITS
from oddsschema.ingestion.validation.validator import validate_capture


class Unvalidated(SQLModel, table=True):
    """`CompetitorMarketOdds` as a plain SQLModel class."""

    id: int | None = Field(default=None, primary_key=True)
    competitor_event_id: int | None = None
    snapshot_id: int | None = None
    betpawa_market_id: str
    betpawa_market_name: str
    line: float | None = None
    handicap_type: str | None = None
    handicap_home: float | None = None
    handicap_away: float | None = None
    specifiers: str | None = None
    outcomes: list = Field(sa_type=JSONB)


MARKET = {
    "betpawa_market_id": "3743",
    "betpawa_market_name": "1X2 - Full Time",
    "outcomes": [{"name": name, "odds": 2.5, "is_active": True} for name in ("1", "X", "2")],
}


def seconds(work: Callable[[], object]) -> float:
    """Time a call without the garbage collector."""
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    work()
    taken = time.perf_counter() - begin
    gc.enable()
    return taken


def imported(module: str) -> None:
    """Import a module in a new interpreter."""
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def compare(label: str, first: Callable[[], object], second: Callable[[], object]) -> None:
    """Print the ratio of two functions, timed in turns."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(11)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{label:<36}{a:>8.3f} s against {b:>8.3f} s: {ratio:.2f}")


def main() -> None:
    """Compare, and print."""
    lines = workload.captures(85_000)
    compare(
        "20,000 table objects",
        lambda: [CompetitorMarketOdds(**MARKET) for _ in range(20_000)],
        lambda: [Unvalidated(**MARKET) for _ in range(20_000)],
    )
    compare(
        "85,000 markets from bytes",
        lambda: [validate_capture(line, DEFAULT_LIMITS) for line in lines],
        lambda: [rivals.CAPTURE.validate_json(line) for line in lines],
    )
    compare("import", lambda: imported("oddsschema"), lambda: imported("sqlmodel"))


if __name__ == "__main__":
    main()
