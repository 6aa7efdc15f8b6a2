"""Captures that somebody broke."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from oddsschema.strategies.scalars import CHARACTERS, json_values
from oddsschema.strategies.scrapes import captures

_JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 1e400, float("nan"), 2**63, "", " ", "\0", "x\0", "\ud800"),
    *("x" * 2000, "2024-01-09T12:00:00", "1969-12-31T23:59:59Z", "asian", "XXX", [], {}),
)
_ODD_KEYS = ("\0", "\ud800", "id", "source")


@st.composite
def damaged_captures(draw: st.DrawFn, /) -> dict[str, Any]:
    """A capture as a dict in which one value was replaced, removed or added, or one item doubled.

    Most of them break the contract, in every place where it can be broken; some still hold it.
    """
    capture: dict[str, Any] = draw(captures()).model_dump(mode="json")
    places = list(_places(capture))
    container, key = places[draw(st.integers(0, len(places) - 1))]
    damage = draw(st.sampled_from(("replace", "replace", "remove", "add")))
    if damage == "remove":
        del container[key]
    elif damage == "replace":
        container[key] = draw(st.sampled_from(_JUNK) | json_values())
    elif isinstance(container, list):
        container.append(container[key])
    else:
        container[draw(st.text(CHARACTERS) | st.sampled_from(_ODD_KEYS))] = draw(json_values())
    return capture


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every key or index of a JSON document, with the object or array that it is in."""
    for key in container if isinstance(container, dict) else range(len(container)):
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])
