"""SQL in the texts of batches, runs and errors is stored as text."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

import oddsschema
from oddsschema.scrapes.summaries import newest_batches
from tests.support.hostile_texts import HOSTILE, SHORT_HOSTILE, structure, texts, words

Run = Callable[..., Any]


def test_batches_and_errors(database: str, run: Run) -> None:
    """SQL in triggers, notes, errors and their names is stored unchanged."""

    async def body() -> None:
        before = await structure(database)
        for text in HOSTILE:
            error = type(text, (Exception,), {})
            async with (
                oddsschema.batch(database, trigger=text, notes=text) as batch,
                batch.run("bet9ja"),
            ):
                raise error(text)
        assert await structure(database) == before
        found = await words(database, "scrape_batches", "trigger", "notes")
        assert found == [(text, text) for text in HOSTILE]
        found = await words(database, "scrape_runs", "trigger", "platform")
        assert found == [(text, "bet9ja") for text in HOSTILE]
        found = await words(database, "scrape_errors", "error_type", "error_message")
        assert found == [(text, f"{text}: {text}") for text in HOSTILE]
        assert [batch.runs[0].error for batch in await newest_batches(database, 100)] == [
            f"{text}: {text}" for text in reversed(HOSTILE)
        ]

    run(body())


def test_platforms_and_batch_ids(database: str, run: Run) -> None:
    """SQL in place of a platform or a batch's id is refused, and nothing is stored."""

    async def body() -> None:
        before = await structure(database), await texts(database)
        places = [(None, text) for text in SHORT_HOSTILE] + [(text, "bet9ja") for text in HOSTILE]
        for batch_id, platform in places:
            with pytest.raises(Exception) as raised:
                async with (
                    oddsschema.batch(database, batch_id=batch_id) as batch,  # type: ignore[arg-type]
                    batch.run(platform),
                ):
                    pass
            # Any refusal is right, but a syntax error would mean that the text got into SQL.
            assert not isinstance(raised.value, asyncpg.SyntaxOrAccessError)
        assert (await structure(database), await texts(database) - {"failed"}) == before

    run(body())
