"""Unknown markets: the markets of a snapshot that were refused, so that they keep their last state.

A refused market is named by its key, as far as it was readable: the whole key, `(id,)` for all
markets of that id, or `()` for all markets of the event. A shorter key names the markets that the
capture does not list. A market that has a state is also named by its whole key. Therefore:

- A market of the state is unknown if its whole key is among the keys.
- A market that the state lacks is unknown if any of the keys covers it.
"""

from collections.abc import Collection

from pydantic_core import from_json, to_json

from oddsschema.ingestion.records import MarketKey


def covers(unknown: Collection[MarketKey], key: MarketKey) -> bool:
    """Return whether the keys of refused markets name a market."""
    return bool(unknown) and (key in unknown or key[:1] in unknown or () in unknown)


def keys_json(unknown: Collection[MarketKey]) -> bytes | None:
    """Encode the keys of refused markets as JSON text; None without refused markets."""
    return to_json(sorted(unknown, key=repr)) if unknown else None


def stored_keys(document: str | None) -> frozenset[MarketKey]:
    """Read the keys of refused markets as they are stored, from JSON text.

    Keys of arrays and objects, which only other writers store, are left out.
    """
    keys = [] if document is None else from_json(document)
    return frozenset(
        tuple(key) for key in keys if not any(isinstance(value, list | dict) for value in key)
    )
