"""The exceptions: their data, their messages, and their way from process to process."""

import copy
import dataclasses
import multiprocessing
import pickle
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsschema import errors
from oddsschema.database.revision import HEAD
from oddsschema.errors import EmbeddedPostgresMissingError, NotMigratedError, OddsSchemaError

#: Data for each type of a required attribute.
EXAMPLES: dict[Any, Any] = {
    str: "text",
    str | None: None,
    int: 7,
    timedelta: timedelta(seconds=0.3),
    bool: False,
    tuple[tuple[str, datetime, str], ...]: (("7", datetime(2026, 1, 9, tzinfo=UTC), "A - B"),),
    Mapping[str, Sequence[str]]: {"public": ["events"]},
}


def _tree(root: type[OddsSchemaError]) -> Iterator[type[OddsSchemaError]]:
    """Yield a class and all of its subclasses."""
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


TREE = list(_tree(OddsSchemaError))


def _types(kind: type[OddsSchemaError]) -> dict[str, Any]:
    """The types of a class's attributes, by name."""
    if not dataclasses.is_dataclass(kind):
        return {}
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _built(kind: type[OddsSchemaError]) -> st.SearchStrategy[OddsSchemaError]:
    """Errors of a class, with any data of its types."""
    if kind is EmbeddedPostgresMissingError:
        return st.builds(kind)
    if types := _types(kind):
        return st.builds(kind, **{name: st.from_type(type_) for name, type_ in types.items()})
    return st.builds(kind, st.text())


def _example(kind: type[OddsSchemaError]) -> OddsSchemaError:
    """An error of a class, with some data."""
    if kind is EmbeddedPostgresMissingError:
        return kind()
    if types := _types(kind):
        return kind(**{name: EXAMPLES.get(type_, ("text",)) for name, type_ in types.items()})
    return kind("text")


@given(st.sampled_from(TREE).flatmap(_built), st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickle_and_copy(error: OddsSchemaError, protocol: int) -> None:
    """Pickle and copy keep an error's class, message, attributes and notes."""
    error.add_note("a note")
    for other in (
        pickle.loads(pickle.dumps(error, protocol)),
        copy.copy(error),
        copy.deepcopy(error),
    ):
        assert type(other) is type(error)
        assert (str(other), other.args) == (str(error), error.args)
        assert vars(other) == vars(error)


def test_pool() -> None:
    """A multiprocessing.Pool raises every error of its workers. None makes it wait for ever."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for kind in TREE:
            error = _example(kind)
            result = pool.apply_async(exec, ("raise error", {"error": error}))
            with pytest.raises(kind) as raised:
                result.get(timeout=60)
            assert type(raised.value) is kind
            assert str(raised.value) == str(error)
            assert vars(raised.value) == vars(error)


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_documented(kind: type[OddsSchemaError]) -> None:
    """Each class has a docstring of its own, and a place in the tree of the module's docstring."""
    assert kind.__doc__
    assert not kind.__doc__.startswith(kind.__name__)  # as a dataclass's default does
    assert kind.__name__ in (errors.__doc__ or "")


def _not_migrated(current: str | None, *others: str) -> str:
    return str(NotMigratedError(current=current, head=HEAD, others=others))


def test_not_migrated() -> None:
    """The message of NotMigratedError names the state and the cure."""
    assert _not_migrated(None).endswith(
        f"this release needs {HEAD}: upgrade the database (run 'oddsschema upgrade')"
    )
    assert _not_migrated("oddsschema_0001").endswith(
        "upgrade the database (run 'oddsschema upgrade')"
    )
    assert _not_migrated("oddsschema_9999").endswith(
        "upgrade the package (install a newer oddsschema)"
    )
    assert _not_migrated(None, "theirs").endswith("run that project's 'alembic upgrade heads'")
