"""The real feeds of one match, BetPawa's and SportyBet's, line up side by side."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlmodel.ext.asyncio.session import AsyncSession

from oddsschema import ingest, queries
from oddsschema.cli import cli
from oddsschema.database.connections import sqlalchemy_connect
from oddsschema.queries import BestPrice, Offer
from tests.support.paths import REAL_FEEDS

Run = Callable[..., Any]

pytestmark = pytest.mark.skipif(not REAL_FEEDS, reason="the real feeds are not beside the clone")

#: SportyBet's ids of four markets, each with BetPawa's.
MARKETS = {"1": "3743", "18": "5000", "29": "3795", "10": "4693"}

#: The table of these markets.
TABLE = """\
1X2 - FT (3743)
  1                                4.71          4.87*
  X                                4.66          4.68*
  2                                1.68*         1.66
  overround                        2.2%          2.1%
Both Teams To Score - FT (3795)
  Yes                              1.61*         1.59
  No                               2.39*         2.35
  overround                        4.0%          5.4%
Double Chance - FT (4693)
  1X                               2.21*         2.20
  X2                               1.21*         1.20
  12                               1.22*         1.22*
  overround                        4.9%          5.4%
Total Score Over/Under - FT (5000), line 0.5
  Over                             1.03*         1.03*
  Under                           15.26         15.50*
  overround                        3.6%          3.5%
Total Score Over/Under - FT (5000), line 1.5
  Over                             1.17*         1.17*
  Under                            5.39          5.40*
  overround                        4.0%          4.0%
Over/Under (5000), line 2
  Over                                -          1.23
  Under                               -          4.40
  overround                           -          4.0%
Total Score Over/Under - FT (5000), line 2.5
  Over                             1.53*         1.53*
  Under                            2.58          2.60*
  overround                        4.1%          3.8%
Over/Under (5000), line 3
  Over                                -          1.82
  Under                               -          2.05
  overround                           -          3.7%
Total Score Over/Under - FT (5000), line 3.5
  Over                             2.31*         2.30
  Under                            1.65*         1.65*
  overround                        3.9%          4.1%
Over/Under (5000), line 4
  Over                                -          3.30
  Under                               -          1.36
  overround                           -          3.8%
Total Score Over/Under - FT (5000), line 4.5
  Over                             3.97          4.00*
  Under                            1.27*         1.27*
  overround                        3.9%          3.7%
Over/Under (5000), line 5
  Over                                -          6.70
  Under                               -          1.12
  overround                           -          4.2%
Total Score Over/Under - FT (5000), line 5.5
  Over                             7.41*         7.40
  Under                            1.10*         1.10*
  overround                        4.4%          4.4%
Over/Under (5000), line 6
  Over                                -         13.00
  Under                               -          1.04
  overround                           -          3.8%"""


@pytest.fixture
def url(database: str, run: Run) -> str:
    """Return the URL of a database with the match; SportyBet's markets have BetPawa's ids."""
    taken = []
    for name in ("betpawa-football", "sportybet-football"):
        (path,) = (path for path in REAL_FEEDS if path.name == f"{name}.ndjson.gz")
        capture = json.loads(gzip.decompress(path.read_bytes()))
        for market in capture["markets"]:
            if "competitor_event" in capture:
                market_id = market["betpawa_market_id"]
                market["betpawa_market_id"] = MARKETS.get(market_id, f"sportybet:{market_id}")
        taken.append(capture)
    assert run(ingest(database, taken)).all_stored
    return database


def test_markets_stand_side_by_side(url: str) -> None:
    """1X2, double chance, both to score and totals have one row for each outcome."""
    output = CliRunner().invoke(cli, ["history", "--url", url, "66457014"]).output
    sections = re.split(r"\n(?! )", output)
    shown = [text for text in sections if any(f" ({name})" in text for name in MARKETS.values())]
    assert "\n".join(shown) == TABLE


def test_outcomes_stay_as_they_were_written(url: str, run: Run) -> None:
    """Offers have the bookmaker's own names; best prices have the common ones."""

    async def read() -> tuple[Any, Any]:
        total = Offer.betpawa_market_id == "5000", Offer.line == 2.5
        offers = queries.offers().where(*total).order_by(Offer.bookmaker)
        best = queries.best_prices(queries.offers().where(*total)).order_by(BestPrice.outcome)
        async with sqlalchemy_connect(url) as connection, AsyncSession(connection) as session:
            return (await session.exec(offers)).all(), (await session.exec(best)).all()

    offers, best = run(read())
    assert [[outcome.name for outcome in offer.outcomes] for offer in offers] == [
        ["Over", "Under"],
        ["Over 2.5", "Under 2.5"],
    ]
    assert [(price.outcome, price.odds, price.bookmakers) for price in best] == [
        ("Over", 1.53, ("betpawa", "sportybet")),
        ("Under", 2.6, ("sportybet",)),
    ]
