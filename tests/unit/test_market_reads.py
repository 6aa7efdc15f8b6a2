"""Documented programs that read market tables by hand say that the rows are changes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import DOCS, ROOT

#: A read of market rows: in SQL, by a class of SQLAlchemy, or through a snapshot's relationship.
READ = re.compile(
    r"\b(?:FROM|JOIN)\s+(?:ONLY\s+)?(?:\w+\.)?\"?(?:competitor_)?market_odds\b"
    r"|\b(?:select|select_from|join|outerjoin|get|get_one|aliased)\([^)\n]*\b(?:Competitor)?MarketOdds\b"
    r"|\bsnapshots?(?:\[[^\]]*\])?\.markets\b",
    re.IGNORECASE,
)
#: The sentence that says it, in the code or in the paragraph before it.
EXPLANATION = re.compile(r"each\s+(?:row\s+)?is\s+a\s+change", re.IGNORECASE)
FENCE = re.compile(r"^```", re.MULTILINE)


def programs(path: Path) -> Iterator[str]:
    """List the programs of a file: a page's blocks of code, each with the paragraph before it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield text
        return
    prose, *parts = FENCE.split(text)
    for code, after in zip(parts[::2], parts[1::2], strict=True):
        yield prose.strip().rpartition("\n\n")[2] + code
        prose = after


FILES = [
    ROOT / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((DOCS / "examples").rglob("*.py")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_reads_of_market_rows_are_explained(path: Path) -> None:
    """A program that reads market rows says that each is a change, and not an offer."""
    for program in programs(path):
        if READ.search(program):
            assert EXPLANATION.search(program), program


@pytest.mark.parametrize(
    "read",
    [
        "SELECT * FROM market_odds",
        "select m from x join public.competitor_market_odds as m",
        "session.scalars(select(MarketOdds).where(MarketOdds.snapshot_id == newest))",
        "newest = event.snapshots[-1].markets",
        "for market in snapshot.markets:",
    ],
)
def test_reads_are_found(read: str) -> None:
    """Each way to read market rows is recognized."""
    assert READ.search(read)
