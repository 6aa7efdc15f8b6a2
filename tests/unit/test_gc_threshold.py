"""The raised threshold of the garbage collector."""

import gc
from collections.abc import Iterator

import pytest

from oddsschema.gc_threshold import RaisedThreshold


@pytest.fixture(autouse=True)
def own_threshold() -> Iterator[None]:
    """Give each test a setting, and restore that of the program."""
    before = gc.get_threshold()
    gc.set_threshold(701, 11, 12)
    yield
    gc.set_threshold(*before)


def test_thresholds_nest() -> None:
    """The end of the last object restores the program's setting, in any order."""
    first, second = RaisedThreshold(), RaisedThreshold()
    first.open()
    second.open()
    first.close()
    first.close()
    assert gc.get_threshold() == (400_000, 11, 12)
    assert gc.isenabled()
    second.close()
    assert gc.get_threshold() == (701, 11, 12)


def test_the_last_reference_ends_it() -> None:
    """An object that nobody closes ends with its last reference."""
    threshold = RaisedThreshold()
    threshold.open()
    del threshold
    assert gc.get_threshold() == (701, 11, 12)


def test_an_error_ends_it() -> None:
    """An error inside restores the program's setting."""
    with pytest.raises(KeyError), RaisedThreshold():
        raise KeyError
    assert gc.get_threshold() == (701, 11, 12)


@pytest.mark.parametrize("threshold", [0, 500_000])
def test_settings_that_collect_less_stay(threshold: int) -> None:
    """A threshold of 0, and a greater one, stay."""
    gc.set_threshold(threshold, 11, 12)
    with RaisedThreshold():
        assert gc.get_threshold() == (threshold, 11, 12)
    assert gc.get_threshold() == (threshold, 11, 12)
