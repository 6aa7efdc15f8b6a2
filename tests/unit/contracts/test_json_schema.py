"""The agreement of contracts and JSON Schemas: both accept the same JSON.

docs/reference/contracts.md lists the exceptions.
"""

import gzip
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from oddsschema import Capture
from oddsschema.schema import json_schema
from oddsschema.strategies import captures, damaged_captures, json_values
from tests.support.paths import DOCS, REAL_FEEDS
from tests.support.schema_comparison import CONTRACTS, ONLY_CONTRACT, ONLY_SCHEMA, SCALARS
from tests.support.schema_values import ANYTHING, damaged_documents


@pytest.mark.parametrize("name", SCALARS)
@given(value=ANYTHING)
def test_scalars(name: str, value: Any) -> None:
    """A scalar and its schema agree on any JSON value."""
    SCALARS[name].assert_agreed(value)


@pytest.mark.parametrize("name", CONTRACTS)
@given(data=st.data())
def test_contracts(name: str, data: st.DataObject) -> None:
    """A contract and its schema agree on whole and on damaged JSON."""
    CONTRACTS[name].assert_agreed(data.draw(damaged_documents(name)))


@pytest.mark.parametrize("number", [1704801600, 1704801600000, 1704801600.5])
@pytest.mark.parametrize("as_text", [False, True])
def test_times_are_no_numbers(number: float, as_text: bool) -> None:
    """Contract and schema refuse a number as a time: its unit is unknown."""
    given_ = {"captured_at": str(number) if as_text else number}
    assert CONTRACTS["Snapshot"].blamed(given_)
    with pytest.raises(ValidationError, match="a time with an offset, as in 2024"):
        CONTRACTS["Snapshot"].keep(given_)


TEXTS = [
    pattern
    for definition in json_schema("Capture")["$defs"].values()
    if (pattern := definition.get("pattern"))
    and definition["title"].startswith(("Name", "Text", "Slug"))
]


@pytest.mark.parametrize("pattern", sorted(set(TEXTS)))
def test_patterns_are_quick_to_make_texts_of(pattern: str) -> None:
    """Hypothesis generates texts of a pattern quickly."""
    began = time.process_time()
    once = settings(max_examples=1, phases=[Phase.generate], database=None)
    find(st.from_regex(pattern), lambda text: True, settings=once)
    assert time.process_time() - began < 2


@given(captures())
def test_captures(capture: Capture) -> None:
    """Every capture is valid by the schema of captures."""
    CONTRACTS["Capture"].validator.validate(json.loads(capture.model_dump_json()))


@pytest.mark.parametrize("path", REAL_FEEDS, ids=lambda path: path.name)
def test_real_feeds(path: Path) -> None:
    """The captures of real feeds are valid by the schema of captures."""
    for line in gzip.decompress(path.read_bytes()).splitlines():
        CONTRACTS["Capture"].validator.validate(json.loads(line))


@given(damaged_captures())
def test_damaged_captures(capture: dict[str, Any]) -> None:
    """Contract and schema refuse the same damaged captures."""
    try:
        text = json.dumps(capture, allow_nan=False)
    except ValueError:  # a JSON Schema describes JSON only
        return
    CONTRACTS["Capture"].assert_agreed(json.loads(text))


@given(json_values())
def test_anything_is_no_capture(value: Any) -> None:
    """Contract and schema refuse any value that is no object."""
    CONTRACTS["Capture"].assert_agreed(value)


def _capture(**changed: Any) -> dict[str, Any]:
    """Build a competitor's capture with changed parts."""
    return {
        "captured_at": "2024-01-09T12:00:00Z",
        "competitor_event": {
            "source": "bet9ja",
            "external_id": "1",
            "sportradar_id": "2",
            "name": "A - B",
            "home_team": "A",
            "away_team": "B",
            "kickoff": "2024-01-20T17:00:00Z",
            "tournament": {
                "external_id": "3",
                "name": "Cup",
                "sport": {"slug": "football", "name": "Football"},
            }
            | changed.pop("tournament", {}),
        },
        "markets": [],
    } | changed


def _market(*names: str, **changed: Any) -> dict[str, Any]:
    outcomes = [{"name": name, "odds": 2.5} for name in names or ["1"]]
    return {"betpawa_market_id": "1", "betpawa_market_name": "1X2", "outcomes": outcomes} | changed


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


#: A contract and a value for each exception.
EXAMPLES: dict[str, tuple[str, Any]] = {
    "two outcomes of a market with one name": ("Market", _market("1", "1")),
    "two markets of a capture that are the same": (
        "Capture",
        _capture(markets=[_market("1"), _market("2")]),
    ),
    "a tournament whose `source` is another than its event's": (
        "Capture",
        _capture(tournament={"source": "sportybet"}),
    ),
    "a time in UTC's 1969 or 2201 by its offset": (
        "Snapshot",
        {"captured_at": "1970-01-01T00:30:00+01:00"},
    ),
    "a handicap whose line or away goals do not follow from its home goals": (
        "Market",
        _market(handicap_type="asian", handicap_home=-1, handicap_away=-1),
    ),
    "specifiers with one name twice": ("Market", _market(specifiers="minute=1|minute=2")),
    "JSON that is nested deeper than Python's parser goes": (
        "Snapshot",
        {"raw_response": _nested(250)},
    ),
    "a number in other words than plain digits": ("Market", _market(line="1e2")),
    "a time in another year than UTC's": (
        "Snapshot",
        {"captured_at": "1969-12-31T23:30:00-01:00"},
    ),
    "text that is short enough once it is trimmed": (
        "Market",
        _market(betpawa_market_id=" " * 50 + "1"),
    ),
    "blank text in the place of a SportRadar id that may be left out": (
        "CapturedCompetitorEvent",
        _capture()["competitor_event"] | {"sportradar_id": " "},
    ),
    "an id of -2^63 that is written as a float": ("MarketOdds", _market(id=-(2.0**63))),
    "an integer that is rounded to the greatest float": (
        "Market",
        _market(line=2**1024 - 2**970 - 1),
    ),
}


@pytest.mark.parametrize("exception", [*ONLY_SCHEMA, *ONLY_CONTRACT])
def test_exceptions(exception: str) -> None:
    """For each exception, either only the schema or only the contract accepts the example."""
    name, value = EXAMPLES[exception]
    contract = CONTRACTS[name]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        assert bool(contract.blamed(value)) == (exception in ONLY_CONTRACT)
    finally:
        sys.setrecursionlimit(limit)
    if exception in ONLY_CONTRACT:
        contract.keep(value)
    else:
        with pytest.raises(ValidationError):
            contract.keep(value)


def test_exceptions_are_documented() -> None:
    """The documentation lists these exceptions in this order."""
    text = (DOCS / "reference" / "contracts.md").read_text(encoding="utf-8")
    exceptions = text.partition("### Limits of JSON Schema")[2]
    documented = re.findall(r"^- (.*)$", exceptions, re.MULTILINE)
    known = [*ONLY_SCHEMA, *ONLY_CONTRACT]
    assert len(documented) == len(known)
    assert all(
        line.startswith(exception) for line, exception in zip(documented, known, strict=True)
    )
