"""The contracts and the tables for programs in other languages: JSON Schema, SQL, a diagram."""

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaMode,
    JsonSchemaValue,
    models_json_schema,
)
from sqlalchemy import Column, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from oddsschema import capture, models
from oddsschema.contracts import outcomes
from oddsschema.contracts.base import Contract, metadata
from oddsschema.ingestion.report import IngestReport

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
#: PostgreSQL's own short names; a type of Mermaid's is one word.
_SHORT_TYPES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "DOUBLE PRECISION": "FLOAT8"}


def _contracts(module: ModuleType) -> dict[str, type[BaseModel]]:
    return {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, Contract) and one is not Contract
    }


#: What has a JSON Schema, by name: contracts and tables as they are accepted, ...
ACCEPTED = _contracts(capture) | _contracts(models) | _contracts(outcomes)
#: ... and reports as they are printed.
PRINTED: dict[str, type[BaseModel]] = {IngestReport.__name__: IngestReport}
NAMES = sorted([*ACCEPTED, *PRINTED])


class _Untitled(GenerateJsonSchema):
    """Without a title for each field, which says no more than its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(name: str | None = None) -> JsonSchemaValue:
    """The JSON Schema (2020-12) of one of `NAMES`, or of all of them under `$defs`.

    That of a contract or a table says which JSON `model_validate_json` accepts; docs/contracts.md
    lists the exceptions. That of a report says what `--json` prints. Raises KeyError.
    """
    if name is not None:
        one, mode = (ACCEPTED | PRINTED)[name], _mode(name)
        found = one.model_json_schema(schema_generator=_Untitled, mode=mode)
        return {"$schema": _DIALECT, "$id": f"urn:oddsschema:{name}", **found}
    every = [((ACCEPTED | PRINTED)[name], _mode(name)) for name in NAMES]
    _, found = models_json_schema(every, schema_generator=_Untitled, title="oddsschema")
    return {"$schema": _DIALECT, "$id": "urn:oddsschema", **found}


def _mode(name: str) -> JsonSchemaMode:
    return "validation" if name in ACCEPTED else "serialization"


def sql() -> str:
    """The tables as SQL: each as it is now, not how the migrations led to it.

    It makes the tables, but no rows of reference data and no record of the revision: a database is
    made by `oddsschema upgrade`.
    """
    statements: list[Any] = []
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [CreateTable(table), *map(CreateIndex, indexes)]
    return "\n\n".join(map(_tidy, statements)) + "\n"


def _tidy(statement: DDLElement) -> str:
    text = str(statement.compile(dialect=_POSTGRESQL)).strip()
    return re.sub(r" *\n\t*", "\n    ", text).replace("\n    )", "\n)") + ";"


def erd() -> str:
    """The tables as an entity-relationship diagram in Mermaid's language."""
    tables = metadata.sorted_tables
    lines = ["erDiagram"]
    for table in tables:
        lines += [f"    {table.name} {{", *map(_attribute, table.columns), "    }"]
    for table in tables:
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            # A row refers to one row, or to none where it may; any number refer to that.
            one = "|o" if any(column.nullable for column in key.columns) else "||"
            label = key.column_keys[-1]
            lines.append(f"    {key.referred_table.name} {one}--o{{ {table.name} : {label}")
    return "\n".join(lines) + "\n"


def _attribute(column: Column[Any]) -> str:
    """A column's type, name, key and whether it may be NULL."""
    name = column.type.compile(dialect=_POSTGRESQL)
    key = next((key for key, holds in _KEYS.items() if holds(column)), None)
    null = '"NULL"' if column.nullable else None
    return "        " + " ".join(
        filter(None, [_SHORT_TYPES.get(name, name), column.name, key, null])
    )


def _is_unique(column: Column[Any]) -> bool:
    constraints = [one for one in column.table.constraints if isinstance(one, UniqueConstraint)]
    return any(one.columns.keys() == [column.key] for one in constraints)


#: What Mermaid marks as a key; of two, the first.
_KEYS: dict[str, Callable[[Column[Any]], Any]] = {
    "PK": lambda column: column.primary_key,
    "FK": lambda column: column.foreign_keys,
    "UK": _is_unique,
}
