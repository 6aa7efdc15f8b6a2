"""The options of ingestions and prunes: values that they refuse."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oddsschema.sync
from oddsschema import IngestOptions, PruneOptions
from oddsschema.strategies.objects import slugs

DURATIONS = [
    (options, field.name)
    for options in (IngestOptions, PruneOptions)
    for field in fields(options)
    if isinstance(field.default, timedelta)
]


@pytest.mark.parametrize(("options", "name"), DURATIONS)
@given(duration=st.timedeltas(max_value=timedelta(microseconds=-1)))
def test_negative_durations(options: type, name: str, duration: timedelta) -> None:
    """A negative duration is refused, with the name of the option."""
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        options(**{name: duration})


@pytest.mark.parametrize(
    "reference", ["", "BetPawa", "bet pawa", " betpawa", "-pawa", "b" * 21, "é", None, 7]
)
def test_reference_that_is_no_slug(reference: Any) -> None:
    """A reference bookmaker that no platform can have as its slug is refused at once."""
    with pytest.raises(ValueError, match=r"reference must be the slug .*: " + repr(reference)):
        IngestOptions(reference=reference)


@given(reference=slugs())
def test_reference(reference: str) -> None:
    """Any slug may be the reference bookmaker."""
    assert IngestOptions(reference=reference).reference == reference


#: A database that no test reaches: a value is refused before.
NOWHERE = "postgresql://localhost:1/nowhere?connect_timeout=1"


def _parameters() -> Iterator[tuple[Callable[..., Any], str]]:
    """Yield the public functions with a parameter that is a duration, and its name."""
    for module in (oddsschema, oddsschema.migrations, oddsschema.sync):
        for function in (getattr(module, name) for name in module.__all__):
            if inspect.isfunction(function):
                for name, parameter in inspect.signature(function).parameters.items():
                    kind = parameter.annotation
                    if timedelta in (kind, *get_args(kind)):
                        yield function, name


def _call(function: Callable[..., Any], **arguments: Any) -> None:
    """Call a function of any kind: plain, async, or a generator."""
    required = {
        "target": NOWHERE,
        "url": NOWHERE,
        "keep": timedelta(1),
        "revision": "base",
        "schema": "odds",
        "context": None,
    }
    parameters = inspect.signature(function).parameters
    result = function(
        **{name: required[name] for name in required if name in parameters} | arguments
    )
    if inspect.iscoroutine(result):
        asyncio.run(result)
    elif isinstance(result, AbstractContextManager):
        result.__enter__()


@pytest.mark.parametrize(("function", "name"), list(_parameters()))
def test_parameters_that_are_no_duration(function: Callable[..., Any], name: str) -> None:
    """A number in place of a duration is refused with the parameter's name, before any work."""
    with pytest.raises(TypeError, match=rf"^{name} must be a timedelta, such as .*: 30$"):
        _call(function, **{name: 30})


@pytest.mark.parametrize(("options", "name"), DURATIONS)
@pytest.mark.parametrize("value", [30, "1h"])
def test_fields_that_are_no_duration(options: type, name: str, value: Any) -> None:
    """A number or a text in place of a duration is refused, with the name of the option."""
    with pytest.raises(TypeError, match=rf"^{name} must be a timedelta, such as .*: {value!r}$"):
        options(**{name: value})
