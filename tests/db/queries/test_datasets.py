"""Selects over several datasets: each is a schema with tables of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import ingest, migrations
from oddsschema.database.urls import with_schema
from oddsschema.queries import Offer, across, closing_prices, fetch_rows, offers, prices
from tests.support.scrapes import scrapes

Run = Callable[..., Any]

NAMES = ["football", 'ten"nis: 2\\']


def test_across(empty_database: str, run: Run) -> None:
    """The rows are those of each dataset, with its name, under the conditions of the select."""

    async def body() -> None:
        urls = [with_schema(empty_database, name) for name in NAMES]
        for number, url in enumerate(urls):
            await migrations.upgrade(url, create_schema=True)
            await ingest(url, scrapes(range(number, 3), range(2)))
        some = (
            offers().where(Offer.betpawa_market_name != "a: 'b'\\").order_by(Offer.market_odds_id)
        )
        for select in (some, prices(), closing_prices()):
            wanted = [
                (name, *row)
                for name, url in zip(NAMES, urls, strict=True)
                for row in await fetch_rows(url, select)
            ]
            assert wanted
            found = await fetch_rows(empty_database, across(NAMES, select))
            assert sorted(found, key=repr) == sorted(wanted, key=repr)
        among = across(NAMES, offers())
        only = among.where(among.selected_columns.dataset == NAMES[0])
        assert {row[0] for row in await fetch_rows(empty_database, only)} == {NAMES[0]}

    run(body())
    with pytest.raises(ValueError, match="needs the name of a schema"):
        across([], offers())
