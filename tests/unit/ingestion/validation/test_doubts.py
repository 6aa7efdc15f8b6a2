"""Doubts about captures: impossible prices, countries that are none, and the strict mode."""

import gzip
import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddsschema import Capture, IngestOptions
from oddsschema.ingestion import Item, validate
from oddsschema.ingestion.records import MarketRecord, OutcomeRecord
from oddsschema.ingestion.validation.doubts import price_doubt, specifier_doubt
from oddsschema.strategies import captures
from tests.support.paths import REAL_FEEDS, REAL_ODDS
from tests.support.scrapes import capture

#: Odds of books, and of lists that are no books.
PRICES = st.sampled_from([1.0, 1.2, 1.5, 1.9, 2.0, 2.5, 3.3, 120.0, 1850.0])
OUTCOMES = st.lists(
    st.tuples(PRICES, st.sampled_from([True, True, True, False])), min_size=1, max_size=4
)
MARKETS = st.lists(OUTCOMES, max_size=12)


def records(markets: list[list[tuple[float, bool]]]) -> list[MarketRecord]:
    """Build markets from the odds and states of their outcomes."""
    return [
        MarketRecord(
            str(number),
            "Market",
            tuple(OutcomeRecord(str(at), *outcome) for at, outcome in enumerate(outcomes)),
        )
        for number, outcomes in enumerate(markets)
    ]


@given(MARKETS)
@example([[(2.0, True), (2.0, True)]] * 2 + [[(120.0, True), (110.0, True)]] * 2)
def test_prices_are_doubted_by_the_median(markets: list[list[tuple[float, bool]]]) -> None:
    """Prices are doubted if, and only if, the median sum over at least three books is odd."""
    books = [
        sum(1 / odds for odds, _ in outcomes)
        for outcomes in markets
        if len(outcomes) in (2, 3) and all(is_active for _, is_active in outcomes)
    ]
    doubt = price_doubt(records(markets))
    assert (doubt is not None) == (len(books) >= 3 and not 0.85 <= median(books) <= 1.4)
    if doubt is not None:
        assert ("American" in doubt.reason) == (median(books) < 0.85)
        assert ("fractional" in doubt.reason) == (median(books) > 1.4)


SPECIFIERS = st.sampled_from([None, "minute=15", "total=2.5", "goalnr=1|hcp=0:1", "subtotal=1"])


@given(st.lists(SPECIFIERS))
def test_lines_in_specifiers_are_doubted(specifiers: list[str | None]) -> None:
    """Markets with `total` or `hcp` among their specifiers are one doubt, with their number."""
    markets = records([[(2.0, True)]] * len(specifiers))
    for market, given_ in zip(markets, specifiers, strict=True):
        market.specifiers = given_
    misplaced = [given_ for given_ in specifiers if given_ in ("total=2.5", "goalnr=1|hcp=0:1")]
    doubt = specifier_doubt(markets)
    assert (doubt is not None) == bool(misplaced)
    if doubt is not None:
        assert repr("hcp" if "hcp" in misplaced[0] else "total") in doubt.reason
        assert (f"{len(misplaced) - 1} more" in doubt.reason) == (len(misplaced) > 1)


@pytest.mark.parametrize("path", REAL_ODDS + REAL_FEEDS, ids=lambda path: path.name)
def test_real_prices_are_not_doubted(path: Path) -> None:
    """No capture of a real bookmaker has doubtful prices."""
    with gzip.open(path) as lines:
        for number, line in enumerate(lines, start=1):
            found = validate(Item(path.name, number, line))
            assert [doubt for doubt in found.doubts if doubt.problem.path == "$.markets"] == []
            # In another format, they are doubted, if the capture has enough books.
            if found.capture is None or sum(map(is_book, found.capture.markets)) < 3:
                continue
            thousandths = json.loads(line)
            for market in thousandths["markets"]:
                for outcome in market["outcomes"]:
                    outcome["odds"] = outcome.get("odds") and round(1000 * outcome["odds"])
            doubts = validate(Item(path.name, number, thousandths)).doubts
            assert [doubt.problem.path for doubt in doubts] == ["$.markets"]


def is_book(market: MarketRecord) -> bool:
    """Return whether a market has two or three outcomes, all open."""
    return len(market.outcomes) in (2, 3) and all(outcome.is_active for outcome in market.outcomes)


#: Values in the place of a country, most of which are no country.
COUNTRIES = st.sampled_from(["CH", "che", " NGA ", None, "XX", "England", "", "1"]) | st.recursive(
    st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=3,
)
ACCEPTED = {"CH": "CHE", "che": "CHE", " NGA ": "NGA"}


@given(country=COUNTRIES, form=st.sampled_from(["dict", "text", "str"]), is_spoilt=st.booleans())
def test_country_that_is_none(country: Any, form: str, is_spoilt: bool) -> None:
    """A country that is none becomes null and one doubt; the capture is accepted."""
    given_ = capture("bet9ja", 1, 0)
    given_["competitor_event"]["tournament"]["country_iso"] = country
    if is_spoilt:  # it is diagnosed then
        given_["markets"].append({})
    text = json.dumps(given_)
    item = Item("file", 7, {"dict": given_, "text": text.encode(), "str": text}[form])
    found = validate(item)
    assert found.capture is not None
    assert found.capture.competitor_event is not None
    known = ACCEPTED.get(country) if isinstance(country, str) else None
    assert found.capture.competitor_event.tournament.country_iso == known
    is_doubtful = country is not None and known is None
    assert [(doubt.file, doubt.line, doubt.problem.path) for doubt in found.doubts] == (
        [("file", 7, "$.competitor_event.tournament.country_iso")] if is_doubtful else []
    )
    assert (found.refusal is not None) == is_spoilt


@given(captures())
def test_strict_refuses_what_is_doubted(drawn: Capture) -> None:
    """With `strict`, a capture is refused for the problems that are doubts otherwise."""
    item = Item("file", 1, drawn.model_dump_json().encode())
    found, strict = validate(item), validate(item, strict=True)
    assert (strict.capture is None) == bool(found.doubts)
    assert strict.doubts == ()
    assert strict.platform == found.platform
    if strict.refusal is not None:
        assert strict.refusal.problems == tuple(doubt.problem for doubt in found.doubts)
        assert strict.refusal.capture == item.payload


def test_strict_is_no_default() -> None:
    """An ingestion is not strict by default."""
    assert not IngestOptions().strict
