"""Contracts as validators of plain dicts: for bulk loading."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator, core_schema

#: A validator that runs after pydantic's own, and returns what it gets.
Check = Callable[[Any], Any]

#: `operator.attrgetter`, or `operator.itemgetter` where contracts are dicts of their fields.
Getter = Callable[..., Callable[[Any], Any]]

_ON_DICTS: dict[Check, Check] = {}


def on_objects_and_dicts(make: Callable[[Getter], Check]) -> Check:
    """A check that looks inside contracts, made once for objects and once for plain dicts.

    Returns the one for objects; `plain_validator` puts the other one in its place.
    """
    on_objects = make(attrgetter)
    _ON_DICTS[on_objects] = make(itemgetter)
    return on_objects


@cache
def plain_validator(contract: type[BaseModel]) -> SchemaValidator:
    """The contract's own validator, yielding dicts in the place of objects: for bulk loading.

    It accepts and refuses the same values, since it runs the same core schema with each model
    replaced by its fields, and costs about half.
    """
    contract.model_rebuild()
    return SchemaValidator(plain_schema(contract.__pydantic_core_schema__))


def plain_schema(schema: Any) -> Any:
    """Replace each model of a core schema by a typed dict of its fields."""
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
        return schema | {"function": _ON_DICTS.get(function, function)}
    return {
        key: value if key == "metadata" else plain_schema(value) for key, value in schema.items()
    }


def _plain_field(schema: Any) -> core_schema.TypedDictField:
    return core_schema.typed_dict_field(plain_schema(schema), required=schema["type"] != "default")
