"""The full validator, within limits: it stops at the first bad market, outcome or unknown key.

pydantic notes every error. A line in which everything is wrong would take a thousand times the
line's memory.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from oddsschema.contracts.base import Contract
from oddsschema.contracts.bulk import plain_schema, plain_validator
from oddsschema.ingestion.limits import Limits


class UnknownKeyError(Exception):
    """The error that stops pydantic at a key that the contract does not know."""


@cache
def bounded_validator(contract: type[Contract], limits: Limits) -> SchemaValidator:
    """Build a contract's validator to dicts that stops early and enforces the limits.

    It accepts the same values as `plain_validator`, at the same speed. Its methods raise
    ValidationError and UnknownKeyError.
    """
    plain_validator(contract)  # builds the schema
    schema = plain_schema(contract.__pydantic_core_schema__)
    lengths = {"markets": limits.markets, "outcomes": limits.outcomes}
    return SchemaValidator(_bounded(schema, lengths, None))


def _bounded(schema: Any, lengths: Mapping[str, int], length: int | None) -> Any:
    """Make a schema stop early. `lengths` are the limits by field, `length` the current field's."""
    if isinstance(schema, list):
        return [_bounded(item, lengths, length) for item in schema]
    if not isinstance(schema, dict):
        return schema
    bounded = {
        key: value if key == "metadata" else _bounded(value, lengths, lengths.get(key, length))
        for key, value in schema.items()
    }
    if schema.get("type") == "tuple":
        bounded |= {"fail_fast": True, "max_length": length}
    elif schema.get("type") == "typed-dict":
        bounded |= {"extra_behavior": "allow", "extras_schema": _UNKNOWN_KEY}
    return bounded


def _unknown_key(value: Any) -> Any:
    raise UnknownKeyError("the object has a key that the contract does not know")


_UNKNOWN_KEY = core_schema.no_info_plain_validator_function(_unknown_key)
