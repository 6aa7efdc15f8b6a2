"""The validators of a table's rows: of whole rows, and of changes to them."""

from functools import cache
from typing import Any, cast

from pydantic_core import CoreSchema, SchemaValidator, core_schema
from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipDirection, RelationshipProperty
from sqlmodel import SQLModel

from oddsschema.contracts.base import Rule


@cache
def row_validator(table: type[SQLModel], *, with_relationships: bool) -> SchemaValidator:
    """Build the validator that fills an empty row, its `self_instance`.

    With relationships, it accepts related rows beside the fields.
    """
    definitions, schema = _definitions_and_schema(table)
    related = _relationships(table) if with_relationships else {}
    added = {
        name: core_schema.model_field(core_schema.with_default_schema(schema, default=None))
        for name, schema in related.items()
    }
    return _validator(definitions, _row_schema(schema, added))


@cache
def changes_validator(table: type[SQLModel]) -> SchemaValidator:
    """Build the validator of changes to a table's row, which does not change the row itself.

    It validates a dict of changed fields and relationships. Its context is the rules that tie
    changed fields, and the row's values of the fields that these rules tie.
    """
    definitions, schema = _definitions_and_schema(table)
    while schema["type"] != "model":
        schema = schema.get("lax_schema") or schema["schema"]

    def apply_rules(changes: dict[str, Any], info: core_schema.ValidationInfo) -> dict[str, Any]:
        rules, tied = cast(tuple[list[Rule], dict[str, Any]], info.context)
        tied |= changes
        for rule in rules:
            tied |= {field: None for field in rule.fills if field not in changes}
            filled = rule.apply(tied)
            tied |= filled
            changes |= filled
        return changes

    fields = schema["schema"]["fields"]
    changed = {name: _without_default(field) for name, field in fields.items()}
    changed |= _relationships(table)
    changes = core_schema.typed_dict_schema(
        {
            name: core_schema.typed_dict_field(schema, required=False)
            for name, schema in changed.items()
        },
        config=schema["config"],
    )
    with_rules = core_schema.with_info_after_validator_function(apply_rules, changes)
    return _validator(definitions, with_rules, schema["config"])


def _definitions_and_schema(table: type[SQLModel]) -> tuple[list[CoreSchema], Any]:
    table.model_rebuild()
    schema: Any = table.__pydantic_core_schema__
    if schema["type"] == "definitions":
        return schema["definitions"], schema["schema"]
    return [], schema


def _validator(definitions: list[CoreSchema], schema: Any, config: Any = None) -> SchemaValidator:
    if definitions:
        schema = core_schema.definitions_schema(schema, definitions)
    return SchemaValidator(schema, config)


def _row_schema(schema: Any, added: dict[str, core_schema.ModelField]) -> Any:
    """Copy a table's schema, with more fields, without the function that creates the rows."""
    if schema["type"] == "function-wrap":
        return _row_schema(schema["schema"], added)
    if schema["type"] == "lax-or-strict":
        return _row_schema(schema["lax_schema"], added)
    if schema["type"] == "model":
        fields = schema["schema"]
        return schema | {"schema": fields | {"fields": fields["fields"] | added}}
    return schema | {"schema": _row_schema(schema["schema"], added)}


def _relationships(table: type[SQLModel]) -> dict[str, CoreSchema]:
    """Build the schemas of a table's relationships, which accept only rows of the related class.

    JSON has no rows: a request cannot write into other tables than its own.
    """
    return {
        relationship.key: _relationship(relationship)
        for relationship in inspect(table).relationships
    }


def _relationship(relationship: RelationshipProperty[Any]) -> CoreSchema:
    related = relationship.mapper.class_
    row = core_schema.is_instance_schema(related, cls_repr=related.__name__)
    if relationship.uselist:
        is_list = relationship.collection_class in (None, list)
        return core_schema.list_schema(row) if is_list else core_schema.any_schema()
    is_required = relationship.direction is RelationshipDirection.MANYTOONE and not all(
        column.nullable for column in relationship.local_columns
    )
    return row if is_required else core_schema.nullable_schema(row)


def _without_default(field: Any) -> Any:
    schema = field["schema"]
    return schema["schema"] if schema["type"] == "default" else schema
