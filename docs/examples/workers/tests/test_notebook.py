import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

#: The cells of a notebook, in both ways.
CELLS = {
    "synchronous": """
from oddsschema import sync
report = sync.ingest(url, captures)
[str(batch) for batch in sync.newest_batches(url, 5)]
""",
    "asynchronous": """
import oddsschema
report = await oddsschema.ingest(url, captures)
""",
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_cell(cell: str, fetch: Callable[[str], list[Any]]) -> None:
    """A cell ingests while the event loop of the notebook runs."""
    from odds_workers.site import fetch_events

    shell = InteractiveShell.instance()
    captures = [event for _, event in fetch_events("bet9ja") if isinstance(event, dict)]
    shell.push({"url": os.environ["DATABASE_URL"], "captures": captures})
    try:
        # A kernel runs each cell as a coroutine on its own loop.
        result = asyncio.run(shell.run_cell_async(cell, transformed_cell=cell))
        result.raise_error()
        assert shell.user_ns["report"].total.captures_stored == 10
    finally:
        InteractiveShell.clear_instance()
    assert fetch("SELECT count(*) FROM competitor_odds_snapshots") == [(10,)]
