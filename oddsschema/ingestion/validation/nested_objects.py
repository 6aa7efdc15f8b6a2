"""The objects in a capture: contracts and rows of tables in the place of dicts.

A scraper's parser may return `Market(...)`, `MarketOdds(...)` or `CompetitorEvent(...)`, and put
them into a dict.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from oddsschema.capture import Capture
from oddsschema.contracts.columns import unwrap_annotation


def with_dicts(capture: Any) -> Any:
    """Copy a capture with each object in it replaced by a dict of the fields that a capture has.

    Of a table's row, ids and other columns that a capture does not have are left out. Relationships
    that are loaded are taken. Anything else is left for the validation.
    """
    return _plain(capture, Capture)


def _plain(value: Any, contract: type[BaseModel]) -> Any:
    if isinstance(value, BaseModel):
        value = dict(_fields(value, contract))
    if not isinstance(value, Mapping):
        return value
    inner = _inner_contracts(contract)
    plain = {**value}
    for name in inner.keys() & value.keys():
        items = value[name]
        plain[name] = (
            [_plain(item, inner[name]) for item in items]
            if isinstance(items, list | tuple)
            else _plain(items, inner[name])
        )
    return plain


def _fields(row: BaseModel, contract: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object that the contract has."""
    for name in contract.model_fields:
        if name in type(row).model_fields:
            yield name, getattr(row, name)
        elif name in vars(row):  # a relationship
            yield name, vars(row)[name]


@cache
def _inner_contracts(contract: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Map the fields of a contract that hold objects, or tuples of them, to their contracts."""
    found = {}
    for name, field in contract.model_fields.items():
        python_type, _ = unwrap_annotation(field.rebuild_annotation())
        for inner in (python_type, *get_args(python_type)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found[name] = inner
    return found
