"""The plain form of contracts for bulk loading: validators that return dicts."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator, core_schema

#: A function that runs after pydantic's own validation. It returns its argument or raises.
Validator = Callable[[Any], Any]

#: `operator.attrgetter` for objects, `operator.itemgetter` for dicts of the same fields.
FieldGetter = Callable[..., Callable[[Any], Any]]

#: The validators of objects, each with its variant for dicts.
_PLAIN_VARIANTS: dict[Validator, Validator] = {}


def with_plain_variant(build: Callable[[FieldGetter], Validator]) -> Validator:
    """Build a validator that reads the fields of contracts: for objects, and for plain dicts.

    Returns the validator for objects. `plain_validator` replaces it with the variant for dicts.
    """
    validator = build(attrgetter)
    _PLAIN_VARIANTS[validator] = build(itemgetter)
    return validator


@cache
def plain_validator(contract: type[BaseModel]) -> SchemaValidator:
    """Build the validator of a contract that returns dicts instead of objects.

    It runs the contract's own core schema with each model replaced by its fields. Therefore it
    accepts and refuses the same values as the contract. It takes about half the time.
    """
    contract.model_rebuild()
    return SchemaValidator(plain_schema(contract.__pydantic_core_schema__))


def plain_schema(schema: Any) -> Any:
    """Replace each model in a core schema with a typed dict of its fields."""
    if isinstance(schema, list):
        return [plain_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "model":
        fields = schema["schema"]["fields"]
        plain = core_schema.typed_dict_schema(
            {name: _plain_field(field["schema"]) for name, field in fields.items()},
            config=schema["config"],
            extra_behavior=schema["config"]["extra_fields_behavior"],
        )
        return plain | {"ref": schema["ref"]} if "ref" in schema else plain
    if schema.get("type") == "no-info":
        function = schema["function"]
        return schema | {"function": _PLAIN_VARIANTS.get(function, function)}
    return {
        key: value if key == "metadata" else plain_schema(value) for key, value in schema.items()
    }


def _plain_field(schema: Any) -> core_schema.TypedDictField:
    """Convert a model's field to a field of a typed dict: required unless it has a default."""
    return core_schema.typed_dict_field(plain_schema(schema), required=schema["type"] != "default")
