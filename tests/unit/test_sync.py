"""The synchronous functions have the names, arguments and results of the asynchronous ones."""

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import asyncpg
import pytest
from sqlalchemy import create_engine

import oddsschema
from oddsschema import migrations, queries, retention, scrapes, sync

#: Of asynchronous runs and batches alone: for `dispatch`, `heartbeat` and `batches`.
INTERNAL = {
    "Run": {"caller", "options", "raised", "record_sign_of_life", "take"},
    "Batch": {"close", "horizon", "options"},
}


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    """List the names, kinds and defaults of parameters."""
    listed = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in listed]


@pytest.mark.parametrize("module", [oddsschema, migrations, retention, scrapes])
def test_every_function_on_a_database_is_there(module: ModuleType) -> None:
    """Every public function that takes a target has a synchronous one with the same arguments."""
    names = []
    for name in module.__all__:
        function = getattr(module, name)
        if inspect.isfunction(function) and "target" in inspect.signature(function).parameters:
            names.append(name)
            assert parameters(getattr(sync, name)) == parameters(function)
            assert not inspect.iscoroutinefunction(getattr(sync, name))
    assert names and set(names) <= set(sync.__all__)


def test_plain_rows_are_there() -> None:
    """Rows are fetched with the same arguments. (They are streamed asynchronously alone.)"""
    assert parameters(sync.fetch_rows) == parameters(queries.fetch_rows)
    assert not inspect.iscoroutinefunction(sync.fetch_rows)


@pytest.mark.parametrize("kind", ["Run", "Batch"])
def test_every_method_is_there(kind: str) -> None:
    """Every public method of runs and batches is there, with the same arguments."""
    asynchronous, synchronous = getattr(oddsschema, kind), getattr(sync, kind)
    public = {name for name in vars(asynchronous) if not name.startswith("_")}
    for name in public - INTERNAL[kind]:
        function = getattr(asynchronous, name)
        if callable(function):
            assert parameters(getattr(synchronous, name)) == parameters(function)
        else:
            assert isinstance(getattr(synchronous, name), property)


def test_other_processes_find_every_function() -> None:
    """A function can be handed to a process of a pool."""
    for name in sync.__all__:
        exported = getattr(sync, name)
        if inspect.isroutine(exported):
            assert pickle.loads(pickle.dumps(exported)) is exported


def test_results_are_those_of_the_coroutines() -> None:
    """A derived function returns the result of its coroutine, in its annotation as well."""
    for name, module in {"prune": retention, "upgrade": migrations, "close_stale": scrapes}.items():
        returned = inspect.signature(getattr(sync, name)).return_annotation
        assert returned == inspect.signature(getattr(module, name)).return_annotation


class Pool(asyncpg.Pool):
    """A pool that needs no loop to be built."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    "target",
    [
        oddsschema.create_engine("postgresql://localhost/odds"),
        create_engine("postgresql+psycopg://localhost/odds"),
        Pool(),
        Pool,
        5,
        None,
    ],
    ids=lambda target: type(target).__name__,
)
def test_refused_targets(target: Any) -> None:
    """Each function refuses, in words, a target of another event loop or driver."""
    for function in (sync.current, sync.prune, sync.batch(target).__enter__):
        with pytest.raises(TypeError, match=r"should be given as a URL \(.*") as caught:
            if inspect.ismethod(function):
                function()
            else:
                function(target)
        assert "AsyncConnection" not in str(caught.value)


def test_import_starts_nothing() -> None:
    """The import starts no thread: a program may fork after it."""
    program = "import threading, oddsschema.sync; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", program], check=True)
