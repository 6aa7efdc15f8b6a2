"""Country codes."""

import pycountry
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from oddsschema.contracts import scalars as types
from oddsschema.contracts.countries import ALPHA3, ALPHA3_OF_ALPHA2
from tests.support.white_space import WHITE_SPACE


def test_countries() -> None:
    """The table of countries is that of ISO 3166-1."""
    assert {country.alpha_2: country.alpha_3 for country in pycountry.countries} == ALPHA3_OF_ALPHA2


@given(st.sampled_from(sorted(ALPHA3_OF_ALPHA2)))
def test_country_codes_are_converted(alpha2: str) -> None:
    """Both codes of a country, in upper and lower case, become the alpha-3 code."""
    alpha3 = ALPHA3_OF_ALPHA2[alpha2]
    adapter = TypeAdapter(types.CountryIso)
    for code in (alpha2, alpha2.lower(), alpha3, alpha3.lower(), f" {alpha3} "):
        assert adapter.validate_python(code) == alpha3


@given(st.text() | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=3))
def test_other_country_codes_are_refused(code: str) -> None:
    """Text that is no code of ISO 3166-1 is refused."""
    known = {*ALPHA3, *ALPHA3_OF_ALPHA2}
    try:
        accepted = TypeAdapter(types.CountryIso).validate_python(code)
    except ValidationError:
        accepted = None
    assert (accepted in ALPHA3) == (code.strip(WHITE_SPACE).upper() in known)
