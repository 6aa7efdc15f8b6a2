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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from sqlalchemy import CheckConstraint, MetaData, inspect
from sqlalchemy.orm import registry
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.sql.naming import conv
from sqlmodel import SQLModel
from sqlmodel.main import FieldInfoMetadata

from oddsschema.columns import column_check, column_type

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
        # There once Hypothesis has been imported, which loads it (oddsschema/entry_points).
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


# -- plain values ----------------------------------------------------------------------------------


@cache
def plain_validator(contract: type[Contract]) -> SchemaValidator:
    """The contract's own validator, yielding dicts in the place of objects: for bulk loading.

    It accepts and refuses the same values, since it runs the same core schema with each model
    replaced by its fields, and costs about half.
    """
    contract.model_rebuild()
    return SchemaValidator(_plain(contract.__pydantic_core_schema__))


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
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
    return {key: value if key == "metadata" else _plain(value) for key, value in schema.items()}


def _plain_field(schema: Any) -> core_schema.TypedDictField:
    return core_schema.typed_dict_field(_plain(schema), required=schema["type"] != "default")


# -- tables ----------------------------------------------------------------------------------------


class Table(Contract):
    """A contract with a PostgreSQL table: the contracts, then `Table`, then `table=True`.

    Relationships are passed to the constructor beside the fields. What PostgreSQL or a relationship
    fills (ids, server times, foreign keys) may be left out.
    """

    model_config = ConfigDict(frozen=False)

    # A table's rows are mutable objects with an identity in a session: not to be hashed by value,
    # which is how Python spells it, and mypy does not know.
    __hash__ = None  # type: ignore[assignment]
    # Loading makes objects with __new__ alone: SQLModel's prepares what pydantic expects of them.
    if not TYPE_CHECKING:  # to mypy, a class whose __new__ was assigned is Any
        __new__ = SQLModel.__new__

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for field in cls.__pydantic_fields__.values():
            said = [mark for mark in field.metadata if isinstance(mark, FieldInfoMetadata)]
            rest = [mark for mark in field.metadata if not isinstance(mark, FieldInfoMetadata)]
            known = said[0] if said else FieldInfoMetadata()
            # A new list: fields inherited from a contract share theirs with it.
            field.metadata = [replace(known, sa_type=column_type(field)), *rest]
        given = cls.__dict__.get("__table_args__", ())
        cls.__table_args__ = (*cls._checks(), *([given] if isinstance(given, dict) else given))

    @classmethod
    def _checks(cls) -> Iterator[CheckConstraint]:
        """The CHECKs that follow from the fields' types and from the rules."""
        fields = cls.__pydantic_fields__.items()
        conditions = [(name, column_check(name, field)) for name, field in fields]
        for name, condition in [
            *conditions,
            *((rule.name, rule.condition) for rule in cls.__rules__),
        ]:
            if condition is not None:
                yield CheckConstraint(condition, name=conv(f"ck_{cls.__tablename__}_{name}"))

    def __init__(self, **data: Any) -> None:
        self._fill(self.__pydantic_validator__.validate_python, data)

    @classmethod
    def model_validate(
        cls,
        obj: Any,
        *,
        update: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Self:
        """Validate a mapping or an object with the same attributes into a new row.

        Raises pydantic.ValidationError. `update` replaces single values of a mapping.
        """
        if update:
            fields = obj if isinstance(obj, Mapping) else obj.model_dump()
            obj = {**fields, **update}
        new = cls._new()
        new._fill(cls.__pydantic_validator__.validate_python, obj, **options)
        return new

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate a JSON object into a new row. Raises pydantic.ValidationError."""
        new = cls._new()
        new._fill(cls.__pydantic_validator__.validate_json, json_data, **options)
        return new

    @classmethod
    def _new(cls) -> Self:
        """An empty instance that SQLAlchemy knows, made without running __init__."""
        new: Self = inspect(cls).class_manager.new_instance()
        return new

    def _fill(self, validate: Callable[..., Any], data: Any, **options: Any) -> None:
        related: dict[str, Any] = {}
        if isinstance(data, Mapping):
            names = self.__sqlmodel_relationships__
            related = {name: data[name] for name in data if name in names}
            data = {name: data[name] for name in data if name not in names} if related else data
        instrumented = self.__dict__
        validate(data, self_instance=self, **options)
        values = self.__dict__
        # pydantic has put a new __dict__ in place; SQLAlchemy's comes back, and learns each value.
        object.__setattr__(self, "__dict__", instrumented)
        for name, value in values.items():
            set_attribute(self, name, value)
        for name, value in related.items():
            set_attribute(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__pydantic_fields__:
            SQLModel.__setattr__(self, name, value)
            return
        rules = [rule for rule in self.__rules__ if name in rule.fields]
        known = {field: getattr(self, field) for rule in rules for field in rule.fields}
        validated: Any = _assignment_validator(type(self)).validate_assignment(known, name, value)
        set_attribute(self, name, validated[0][name])
        self.__pydantic_fields_set__.add(name)


@cache
def _assignment_validator(table: type[Table]) -> SchemaValidator:
    """Validates one field and the rules whose fields are all known, and touches no object."""
    table.model_rebuild()
    schema: Any = table.__pydantic_core_schema__
    definitions: list[Any] = []
    while schema["type"] != "model":
        definitions = schema.get("definitions", definitions)
        schema = schema["schema"]

    def check(output: tuple[dict[str, Any], Any, set[str]]) -> Any:
        values = output[0]
        for rule in table.__rules__:
            if all(field in values for field in rule.fields):
                rule.check(*[values[field] for field in rule.fields])
        return output

    fields: Any = core_schema.no_info_after_validator_function(check, schema["schema"])
    if definitions:
        fields = core_schema.definitions_schema(fields, definitions)
    return SchemaValidator(fields, schema["config"])
