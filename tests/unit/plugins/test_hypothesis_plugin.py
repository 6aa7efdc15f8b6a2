"""The plugin for Hypothesis: either import may be first, and each works alone."""

import os
import subprocess
import sys

import pytest

#: `find` reports its result like a failure.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

OBJECT = "st.from_type(oddsschema.CompetitorMarketOdds).filter(lambda market: market.outcomes)"
TRY = f"from hypothesis import find, strategies as st; find({OBJECT}, lambda market: True)"


@pytest.mark.parametrize(
    "order", ["import hypothesis, oddsschema", "import oddsschema, hypothesis"]
)
def test_either_import_may_come_first(order: str) -> None:
    """Both orders of imports work in a new process, without an import of the strategies."""
    check_in_new_process(f"{order}; {TRY}")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import oddsschema", "hypothesis"),
        ("import oddsschema, hypothesis", "oddsschema.strategies"),
        ("import hypothesis.strategies as st; st.from_type(int)", "oddsschema"),
        ("import hypothesis.strategies as st; st.from_type(int)", "sqlalchemy"),
    ],
)
def test_imports_are_independent(code: str, absent: str) -> None:
    """Neither package imports the other, nor the strategies before their use."""
    check_in_new_process(f"{code}; import sys; assert {absent!r} not in sys.modules")


def test_hypothesis_without_plugins() -> None:
    """HYPOTHESIS_NO_PLUGINS prevents the registration."""
    code = "import hypothesis, oddsschema, sys; assert '_oddsschema_hypothesis' not in sys.modules"
    check_in_new_process(code, HYPOTHESIS_NO_PLUGINS="1")


def check_in_new_process(code: str, **environment: str) -> None:
    """Run code in a new Python process; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
