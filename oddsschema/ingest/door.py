"""The contracts as ingestion holds values to them: within limits, and no further than it must be.

pydantic notes everything that is wrong. Of a line in which everything is, that would take a
thousand times the memory of the line; so these stop at the first bad market, outcome or unknown
key.

What nearly every line holds goes in by a narrow way, where numbers are numbers and text has no NUL:
it saves a call of Python for each price, and a regular expression for each text. What does not get
through there has the whole door.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

from oddsschema.base import Contract, _plain, plain_validator
from oddsschema.capture import Capture
from oddsschema.ingest.limits import Limits
from oddsschema.types import NO_NUL, no_bool

#: A capture that was validated into dicts: see `oddsschema.base.plain_validator`.
PlainCapture = dict[str, Any]


class UnknownKeyError(Exception):
    """What pydantic is stopped with at a key that the contract does not know."""


def admit(payload: Any, limits: Limits) -> PlainCapture:
    """A capture from JSON text, or from values. Raises ValidationError and UnknownKeyError."""
    capture: PlainCapture
    if not isinstance(payload, bytes | str):
        capture = door(Capture, limits).validate_python(payload)
        return capture
    if not _may_hold_nul(payload):
        with suppress(ValidationError, UnknownKeyError):
            capture = _narrow_way(limits).validate_json(payload)
            return capture
    capture = door(Capture, limits).validate_json(payload)
    return capture


def _may_hold_nul(text: bytes | str) -> bool:
    """Whether JSON text spells a NUL; a bare one would be no JSON."""
    return b"\\u0000" in text if isinstance(text, bytes) else "\\u0000" in text


@cache
def door(contract: type[Contract], limits: Limits) -> SchemaValidator:
    """The contract's plain validator, as above. Raises ValidationError and UnknownKeyError.

    Of what holds the contract and the limits, it makes the same, at the same speed.
    """
    plain_validator(contract)  # builds the schema
    schema = _plain(contract.__pydantic_core_schema__)
    return SchemaValidator(_stopping(schema, _bounds(limits), None))


@cache
def _narrow_way(limits: Limits) -> SchemaValidator:
    """The door for captures as JSON text without NUL, less what does not come in by it."""
    plain_validator(Capture)  # builds the schema
    schema = _narrowed(_plain(Capture.__pydantic_core_schema__))
    return SchemaValidator(_stopping(schema, _bounds(limits), None))


def _narrowed(schema: Any) -> Any:
    """A schema that makes the same of what it takes, and takes less."""
    if isinstance(schema, list):
        return list(map(_narrowed, schema))
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "function-before" and schema["function"]["function"] is no_bool:
        return schema["schema"] | {"strict": True}
    made = {key: value if key == "metadata" else _narrowed(value) for key, value in schema.items()}
    if schema.get("type") == "str" and schema.get("pattern") == NO_NUL:
        del made["pattern"]
    return made


def _bounds(limits: Limits) -> dict[str, int]:
    return {"markets": limits.markets, "outcomes": limits.outcomes}


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
