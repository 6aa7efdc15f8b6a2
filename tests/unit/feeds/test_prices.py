"""Prices of feeds: every format states the same decimal odds."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import Outcome
from oddsschema.contracts.odds_formats import other_format
from oddsschema.feeds import OddsFormat, decimal_odds

FORMATS = get_args(OddsFormat)
parts = st.integers(1, 999_999)
anything = (
    st.text(alphabet="0123456789+-./_eEvns x\N{MINUS SIGN}", max_size=8)
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.booleans()
    | st.none()
    | st.just(10**400)
)


@given(profit=parts, stake=parts)
def test_fractional(profit: int, stake: int) -> None:
    """A fraction, its number and its decimal odds are the same price."""
    odds = float(1 + Fraction(profit, stake))
    assert decimal_odds(f" {profit}/{stake} ") == odds
    assert decimal_odds(profit / stake, format="fractional") == pytest.approx(odds)
    assert decimal_odds(str(odds), format="decimal") == odds


@given(hundredths=st.integers(1, 100_000))
def test_hong_kong(hundredths: int) -> None:
    """A profit of 0.91 on 1 is 1.91, without an error of rounding."""
    profit, odds = Decimal(hundredths) / 100, float(1 + Decimal(hundredths) / 100)
    for price in (str(profit), float(profit), profit):
        assert decimal_odds(price, format="fractional") == odds


@given(profit=st.integers(100, 10**6))
def test_american(profit: int) -> None:
    """+120 wins 120 on 100, and -120 wins 100 on 120, as text and as a number."""
    wins, costs = float(1 + Fraction(profit, 100)), float(1 + Fraction(100, profit))
    for price in (f"+{profit}", f"{profit}", profit, float(profit), Decimal(profit)):
        assert decimal_odds(price, format="american") == wins
    for price in (f"-{profit}", f"\N{MINUS SIGN}{profit}", -profit):
        assert decimal_odds(price, format="american") == costs
        assert decimal_odds(price) == costs
    assert decimal_odds(f"+{profit}") == wins


@given(price=st.floats(-100, 100, exclude_min=True, exclude_max=True))
def test_no_american_price(price: float) -> None:
    """Numbers between -100 and 100 are no American odds: a decimal price is refused."""
    with pytest.raises(ValueError, match="is no price in american odds"):
        decimal_odds(price, format="american")


@given(thousandths=st.integers(1000, 10**7))
def test_thousandths(thousandths: int) -> None:
    """1850 thousandths are 1.85."""
    for price in (thousandths, str(thousandths)):
        assert decimal_odds(price, format="thousandths") == thousandths / 1000


@pytest.mark.parametrize("text", ["evens", "Evens", " EVEN", "evs"])
@pytest.mark.parametrize("format", ["american", "fractional", None])
def test_evens(text: str, format: OddsFormat | None) -> None:
    """Evens are 2.0 in the formats that have the word."""
    assert decimal_odds(text, format=format) == 2.0


@given(
    price=st.integers(0, 10**300) | st.floats(min_value=0, allow_nan=False, allow_infinity=False)
)
def test_numbers_without_a_sign_need_a_format(price: float) -> None:
    """A number without a sign could be of each format: it is not guessed."""
    for ambiguous in (price, f"{price:f}" if isinstance(price, float) else str(price)):
        with pytest.raises(ValueError, match="does not show its format: give format"):
            decimal_odds(ambiguous)


@given(odds=st.decimals(1, 1000, places=2), profit=parts, stake=parts)
def test_mixed_formats(odds: Decimal, profit: int, stake: int) -> None:
    """In a feed of two formats, a price that shows its format is of that, and others as stated."""
    for price in (str(odds), float(odds)):
        assert decimal_odds(price, otherwise="decimal") == float(odds)
    for price in (f"{profit}/{stake}", "EVS", f"+{100 + profit}"):
        assert decimal_odds(price, otherwise="decimal") == decimal_odds(price)


@pytest.mark.parametrize("format", [*FORMATS, None])
@pytest.mark.parametrize(
    "price", ["SP", "", None, True, "$1.95", "11-4", "N/A", "1/0", float("nan")]
)
def test_no_price(price: Any, format: OddsFormat | None) -> None:
    """A value that is a price in no format is refused as such, and not for its format."""
    with pytest.raises(ValueError, match=r"is no price: .* closed, and its odds are None"):
        decimal_odds(price, format=format)


def formats() -> st.SearchStrategy[OddsFormat | None]:
    """Build the strategy of formats and None."""
    return st.sampled_from([*FORMATS, None])


@given(price=anything, format=formats(), otherwise=formats())
def test_result_is_a_price_of_the_contract(
    price: Any, format: OddsFormat | None, otherwise: OddsFormat | None
) -> None:
    """Whatever is given, the result is stored as it is, or the error names the price."""
    try:
        odds = decimal_odds(price, format=format, otherwise=otherwise)
    except ValueError as error:
        assert repr(price) in str(error)
    else:
        assert Outcome(name="1", odds=odds).odds == odds


@given(price=st.integers(-99_999, -100) | st.builds("{}/{}".format, parts, parts))
def test_agrees_with_refusals(price: int | str) -> None:
    """The decimal value in the refusal of a price is the value that the price converts to."""
    shown = (other_format(price) or "").rpartition(" is ")[2]
    assert f"{decimal_odds(price):.3f}".rstrip("0").rstrip(".") == shown


def test_unknown_format() -> None:
    """A format that does not exist is refused with the formats that do."""
    with pytest.raises(ValueError, match="one of decimal, american, fractional, thousandths"):
        decimal_odds("1.85", format=json.loads('"hongkong"'))
