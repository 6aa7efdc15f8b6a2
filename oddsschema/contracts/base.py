"""What every contract and every table is built on: the MetaData, the validation.

SQLModel's own `table=True` classes skip validation. Ours do not:

- A `Contract` is a frozen, validated bundle of fields: a plain pydantic model.
- A `Table` adds a PostgreSQL table and stays a contract: construction, `model_validate`,
  `model_validate_json` and assignment each validate once and raise `pydantic.ValidationError`;
  a refused assignment leaves the object as it was; loading from the database validates nothing.
- A `Rule` holds over several fields of a contract.
- `plain_validator` is a contract at the speed of bulk loading: the same core schema, yielding
  dicts instead of objects.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from oddsschema.contracts.bulk import Check, Getter, on_objects_and_dicts

#: The tables of oddsschema and nothing else: `SQLModel.metadata` stays as it was.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


@dataclass(frozen=True)
class Rule:
    """A rule over two or more fields: `check` gets their values, raises ValueError when broken."""

    fields: tuple[str, ...]
    check: Callable[..., None]
    #: The same as SQL, where the fields are columns of a table.
    condition: str | None = None
    #: What its CHECK is called.
    name: str | None = None
    #: The same as JSON Schema, as far as that can say it.
    json_schema: JsonSchemaValue | None = None


def all_given(*fields: str) -> JsonSchemaValue:
    """JSON Schema: an object that has all these fields, and none of them null."""
    properties = {field: {"not": {"type": "null"}} for field in fields}
    return {"required": list(fields), "properties": properties}


def all_or_none(name: str, *fields: str) -> Rule:
    """The rule that these fields are given together or not at all."""

    def check(*values: object) -> None:
        if 0 < values.count(None) < len(values):
            raise ValueError(f"{', '.join(fields)} must be given together, or none of them")

    none = {"properties": {field: {"type": "null"} for field in fields}}
    return Rule(
        fields,
        check,
        condition=f"num_nulls({', '.join(fields)}) IN (0, {len(fields)})",
        name=name,
        json_schema={"anyOf": [none, all_given(*fields)]},
    )


def _rules_check(rules: tuple[Rule, ...]) -> Check:
    def make(getter: Getter) -> Check:
        checks = [(rule.check, getter(*rule.fields)) for rule in rules]

        def check(value: Any) -> Any:
            for hold, fields in checks:
                hold(*fields(value))
            return value

        return check

    return on_objects_and_dicts(make)


class Contract(SQLModel, registry=registry(metadata=metadata)):
    """A validated, immutable bundle of fields. Unknown keys are refused."""

    # Validators are built when they are first needed: most programs need few of them. Not `True`: a
    # TypeAdapter, which FastAPI makes for each body, compares with it, and would be put off too, to
    # where FastAPI does not silence pydantic's warnings any more. (SQLModel declares a type of its
    # own for the configuration, which pydantic's is not.)
    model_config = ConfigDict(  # type: ignore[assignment]
        extra="forbid",
        frozen=True,
        defer_build=1,  # type: ignore[typeddict-item]  # above
    )

    #: The rules over several fields, in the order in which they are checked.
    __rules__: ClassVar[tuple[Rule, ...]] = ()

    # SQLModel's own versions of these run Python code for every object, which makes a contract
    # three times as dear as a pydantic model; without tables there is nothing for them to do.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - see above
        return object.__new__(cls)

    if not TYPE_CHECKING:  # to mypy, a class whose __init__ was assigned is Any
        __init__ = BaseModel.__init__
    # (SQLModel's is declared without the return type of pydantic's.)
    __setattr__ = BaseModel.__setattr__  # type: ignore[assignment]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        # There once Hypothesis has been imported, which loads it (oddsschema/plugins).
        if hypothesis := sys.modules.get("_oddsschema_hypothesis"):
            hypothesis.register(cls)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate a mapping or an object. Raises pydantic.ValidationError."""
        validated: Self = super(SQLModel, cls).model_validate(obj, **options)
        return validated

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        # Within the definition: the contract keeps its name in a JSON Schema, and is checked once.
        defined: dict[str, Any] = handler.resolve_ref_schema(schema)  # type: ignore[assignment] # a TypedDict each
        if cls.__rules__ and defined["type"] == "model":
            model: Any = {key: value for key, value in defined.items() if key != "ref"}
            check = _rules_check(cls.__rules__)
            ruled = core_schema.no_info_after_validator_function(check, model, ref=defined["ref"])
            defined.clear()
            defined.update(ruled)
        return schema

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(core)
        said = [rule.json_schema for rule in cls.__rules__ if rule.json_schema]
        if said:
            handler.resolve_ref_schema(found)["allOf"] = said
        return found
