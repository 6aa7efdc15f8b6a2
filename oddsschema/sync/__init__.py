"""The functions of this package for synchronous programs, over a background event loop.

>>> from oddsschema import sync
>>> sync.upgrade(url)
>>> with sync.batch(url) as batch, batch.run("sportybet") as run:
...     run.ingest(captures)

The names, the arguments and the results are those of the asynchronous functions: of `oddsschema`,
`oddsschema.migrations`, `oddsschema.queries` and `oddsschema.scrapes`. A target is a URL, or an
async function that opens a connection. All threads may call them; a thread that runs an event loop
(a notebook's) is blocked meanwhile. The modules:

- `batches`: batches and runs
- `sources`: sources of captures, which the calling thread reads
- `targets`: targets that belong to no event loop
- `background_loop`: the loop, its thread, and the calls to it
"""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from oddsschema import adoption, distribution, migrations, queries, retention, scrapes
from oddsschema.sync.background_loop import loop_of_process
from oddsschema.sync.batches import Batch, Ingester, Run, batch, connect, ingest
from oddsschema.sync.sources import Source
from oddsschema.sync.targets import Target, require_own

__all__ = [
    "Batch",
    "Ingester",
    "Run",
    "Source",
    "Target",
    "adopt",
    "batch",
    "check",
    "close_stale",
    "connect",
    "current",
    "distribute",
    "downgrade",
    "fetch_rows",
    "hand_over",
    "ingest",
    "newest_batches",
    "plan_downgrade",
    "prune",
    "prune_ahead",
    "size",
    "stale_batches",
    "undistribute",
    "upgrade",
]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def synchronous(
    function: Callable[_Parameters, Coroutine[Any, Any, _Result]],
) -> Callable[_Parameters, _Result]:
    """Return a function with the same arguments and result that waits for the coroutine."""

    @wraps(function)
    def call(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        require_own(args[0] if args else kwargs.get("target"))
        return loop_of_process().call(function, *args, **kwargs)

    # Its own place, by which `multiprocessing` finds it in other processes.
    call.__module__ = __name__
    return call


adopt = synchronous(adoption.adopt)

distribute = synchronous(distribution.distribute)
undistribute = synchronous(distribution.undistribute)

check = synchronous(migrations.check)
current = synchronous(migrations.current)
downgrade = synchronous(migrations.downgrade)
hand_over = synchronous(migrations.hand_over)
plan_downgrade = synchronous(migrations.plan_downgrade)
upgrade = synchronous(migrations.upgrade)

fetch_rows = synchronous(queries.fetch_rows)

prune = synchronous(retention.prune)
prune_ahead = synchronous(retention.prune_ahead)
size = synchronous(retention.size)

close_stale = synchronous(scrapes.close_stale)
newest_batches = synchronous(scrapes.newest_batches)
stale_batches = synchronous(scrapes.stale_batches)
