"""The full validator: a contract and the limits, stopping at the first thing that is wrong."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import plain_schema, plain_validator
from oddsschema.ingestion.limits import Limits


class UnknownKeyError(Exception):
    """What pydantic is stopped with at a key that the contract does not know."""


@cache
def door(contract: type[Contract], limits: Limits) -> SchemaValidator:
    """The contract's plain validator, as above. Raises ValidationError and UnknownKeyError.

    Of what holds the contract and the limits, it makes the same, at the same speed.
    """
    plain_validator(contract)  # builds the schema
    schema = plain_schema(contract.__pydantic_core_schema__)
    bounds = {"markets": limits.markets, "outcomes": limits.outcomes}
    return SchemaValidator(_stopping(schema, bounds, None))


def _stopping(schema: Any, bounds: Mapping[str, int], bound: int | None) -> Any:
    """A schema that stops. The bounds are those of fields, the bound that of the one we are in."""
    if isinstance(schema, list):
        return [_stopping(item, bounds, bound) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value if key == "metadata" else _stopping(value, bounds, bounds.get(key, bound))
        for key, value in schema.items()
    }
    if schema.get("type") == "tuple":
        made |= {"fail_fast": True, "max_length": bound}
    elif schema.get("type") == "typed-dict":
        made |= {"extra_behavior": "allow", "extras_schema": _UNKNOWN_KEY}
    return made


def _unknown_key(value: Any) -> Any:
    raise UnknownKeyError("there is a key that the contract does not know")


_UNKNOWN_KEY = core_schema.no_info_plain_validator_function(_unknown_key)
