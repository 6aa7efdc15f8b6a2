"""The contracts and tables for programs in other languages: JSON Schema, SQL and a diagram."""

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
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement, SetTableComment

from oddsschema import capture, models
from oddsschema.adoption.report import AdoptReport
from oddsschema.contracts import outcomes
from oddsschema.contracts.base import Contract
from oddsschema.ingestion.report import IngestReport, ValidateReport
from oddsschema.migrations.report import CheckReport, RevisionReport
from oddsschema.models import Table, metadata
from oddsschema.queries.event_reports import EventOffers, MarketHistory
from oddsschema.queries.listing_reports import ListedEventList, ListedTournamentList
from oddsschema.retention import PruneReport, SizeReport
from oddsschema.scrapes.summaries import BatchList
from oddsschema.scrapes.unmapped import UnmappedMarketList

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
#: PostgreSQL's short names of its types. In Mermaid, a type must be a single word.
_SHORT_TYPES = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "DOUBLE PRECISION": "FLOAT8"}
#: The base classes, which have no fields.
_BASES = (Contract, Table)


def contracts_of(module: ModuleType) -> dict[str, type[BaseModel]]:
    """Return the contracts and tables that a module defines or imports, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Contract) and value not in _BASES
    }


#: The contracts and tables, by name. Their JSON Schemas describe the accepted JSON.
CONTRACTS = contracts_of(capture) | contracts_of(models) | contracts_of(outcomes)
#: The reports, by name. Their JSON Schemas describe the written JSON.
REPORTS: dict[str, type[BaseModel]] = {
    report.__name__: report
    for report in (
        *(AdoptReport, BatchList, CheckReport, EventOffers, IngestReport, ListedEventList),
        *(ListedTournamentList, MarketHistory, PruneReport, RevisionReport, SizeReport),
        *(UnmappedMarketList, ValidateReport),
    )
}
#: The reports that consist of contracts.
_OF_CONTRACTS = (
    *("EventOffers", "ListedEventList", "ListedTournamentList"),
    *("MarketHistory", "UnmappedMarketList"),
)
#: The names of all classes that have a JSON Schema.
NAMES = sorted([*CONTRACTS, *REPORTS])


class _UntitledFields(GenerateJsonSchema):
    """A generator of JSON Schemas without titles of fields, which only repeat the field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(name: str | None = None) -> JsonSchemaValue:
    """Build the JSON Schema (2020-12) of a class in `NAMES`, or of all of them under `$defs`.

    The schema of a contract or a table describes the JSON that `model_validate_json` accepts;
    docs/reference/contracts.md lists the exceptions. The schema of a report describes the JSON that
    `model_dump_json` writes. Raises KeyError if the name is unknown.
    """
    classes = CONTRACTS | REPORTS
    if name is not None:
        schema = classes[name].model_json_schema(
            schema_generator=_UntitledFields, mode=_schema_mode(name)
        )
        return {"$schema": _DIALECT, "$id": f"urn:oddsschema:{name}", **schema}
    _, schema = models_json_schema(
        [(classes[name], _schema_mode(name)) for name in NAMES],
        schema_generator=_UntitledFields,
        title="oddsschema",
    )
    return {"$schema": _DIALECT, "$id": "urn:oddsschema", **schema}


def _schema_mode(name: str) -> JsonSchemaMode:
    """Return pydantic's mode for a class in `NAMES`: contracts are read, reports are written."""
    # Reports of contracts refer to the definitions of those, which are for validation.
    is_of_contracts = name in CONTRACTS or name in _OF_CONTRACTS
    return "validation" if is_of_contracts else "serialization"


def sql() -> str:
    """Write the current tables and indexes as SQL, without the steps of the migrations.

    The SQL contains neither the reference data nor the revision. Use
    `oddsschema.migrations.upgrade` to create a database.
    """
    statements: list[Any] = []
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [CreateTable(table), *map(CreateIndex, indexes)]
        statements += [SetTableComment(table)] if table.comment else []
        settings = (ddl for ddl in table.dispatch.after_create if isinstance(ddl, DDLElement))
        statements += [ddl.against(table) for ddl in settings]
    return "\n\n".join(map(format_ddl, statements)) + "\n"


def format_ddl(statement: DDLElement) -> str:
    """Compile a DDL statement for PostgreSQL, with an indent of four spaces."""
    text = str(statement.compile(dialect=_POSTGRESQL)).strip()
    return re.sub(r" *\n\t*", "\n    ", text).replace("\n    )", "\n)") + ";"


def erd() -> str:
    """Write the tables as an entity-relationship diagram in Mermaid's language."""
    tables = metadata.sorted_tables
    lines = ["erDiagram"]
    for table in tables:
        lines += [f"    {table.name} {{", *map(erd_attribute, table.columns), "    }"]
    for table in tables:
        for key in sorted(table.foreign_key_constraints, key=lambda key: str(key.name)):
            # "||" is exactly one referred row, "|o" is one or none, "o{" is any number.
            referred = "|o" if any(column.nullable for column in key.columns) else "||"
            label = key.column_keys[-1]
            lines.append(f"    {key.referred_table.name} {referred}--o{{ {table.name} : {label}")
    return "\n".join(lines) + "\n"


def erd_attribute(column: Column[Any]) -> str:
    """Write a column for the diagram: its type, its name, its key, and "NULL" if it allows NULL."""
    element, *array = re.split(r"(?=\[)", column.type.compile(dialect=_POSTGRESQL))
    sql_type = "".join([_SHORT_TYPES.get(element, element), *array])
    key = next((key for key, applies in _KEYS.items() if applies(column)), None)
    null = '"NULL"' if column.nullable else None
    return "        " + " ".join(filter(None, [sql_type, column.name, key, null]))


def _is_unique(column: Column[Any]) -> bool:
    """Return whether a column alone has a UNIQUE constraint."""
    return any(
        isinstance(constraint, UniqueConstraint) and constraint.columns.keys() == [column.key]
        for constraint in column.table.constraints
    )


#: Mermaid's marks of a key, each with its condition. A column gets the first mark that applies.
_KEYS: dict[str, Callable[[Column[Any]], Any]] = {
    "PK": lambda column: column.primary_key,
    "FK": lambda column: column.foreign_keys,
    "UK": _is_unique,
}
