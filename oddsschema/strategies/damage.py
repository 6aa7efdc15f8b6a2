"""The strategy of damaged captures, most of which break the contract."""

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
    """Draw a capture as a dict with a single change.

    The change replaces, removes or adds a value, or repeats an item of an array. It can be in any
    place of the capture. Most drawn captures break the contract, some do not.
    """
    capture: dict[str, Any] = draw(captures()).model_dump(mode="json")
    places = list(_json_places(capture))
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


def _json_places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each key and index of a JSON document, after the object or array that contains it."""
    for key in container if isinstance(container, dict) else range(len(container)):
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _json_places(container[key])
