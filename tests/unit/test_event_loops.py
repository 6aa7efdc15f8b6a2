"""The asynchronous functions need asyncio, and refuse trio in words."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import trio

import oddsschema
from oddsschema import migrations, scrapes

#: A URL that no server answers: the refusal precedes the connection.
NOWHERE = "postgresql://nobody@localhost:1/nowhere"

#: The values of required arguments.
ARGUMENTS = {
    "keep": timedelta(days=1),
    "revision": "base",
    "schema": "odds",
    "source": [],
}

FUNCTIONS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (oddsschema, migrations, scrapes)
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
    and "target" in inspect.signature(getattr(module, name)).parameters
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_trio_is_refused(name: str) -> None:
    """Under trio, every function that works on a database says that it needs asyncio."""
    function: Callable[..., Any] = FUNCTIONS[name]
    required = {
        parameter: ARGUMENTS[parameter]
        for parameter, details in inspect.signature(function).parameters.items()
        if details.default is details.empty and parameter != "target"
    }

    async def call() -> None:
        called = function(NOWHERE, **required)
        if isinstance(called, Awaitable):
            await called
        else:
            async with called:
                pass

    with pytest.raises(RuntimeError, match="works on asyncio, and not on trio"):
        trio.run(call)
