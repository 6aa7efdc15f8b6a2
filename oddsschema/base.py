"""What every contract and every table is built on: the MetaData, the validation, the column types.

SQLModel's own `table=True` classes skip validation. Ours do not:

- A `Contract` is a frozen, validated bundle of fields: a plain pydantic model.
- A `Table` adds a PostgreSQL table and stays a contract: construction, `model_validate`,
  `model_validate_json` and assignment each validate once and raise `pydantic.ValidationError`;
  a refused assignment leaves the object as it was; loading from the database validates nothing.
- A `Rule` holds over several fields of a contract.
- `plain_validator` is a contract at the speed of bulk loading: the same core schema, yielding
  dicts instead of objects.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from sqlalchemy import Boolean, Double, MetaData, String, Text, inspect, text
from sqlalchemy.orm import registry
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel
from sqlmodel.main import FieldInfoMetadata
from sqlmodel.sql.sqltypes import UTCDateTime

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

    # Validators are built when they are first needed: most programs need few of them. (SQLModel
    # declares a type of its own for the configuration, which pydantic's is not.)
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # type: ignore[assignment]

    #: The rules over several fields, in the order in which they are checked.
    __rules__: ClassVar[tuple[Rule, ...]] = ()

    # SQLModel's own versions of these run Python code for every object, which makes a contract
    # three times as dear as a pydantic model; without tables there is nothing for them to do.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - see above
        return object.__new__(cls)

    __init__ = BaseModel.__init__
    # (SQLModel's is declared without the return type of pydantic's.)
    __setattr__ = BaseModel.__setattr__  # type: ignore[assignment]

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
        if cls.__rules__:
            check = _rules_check(cls.__rules__)
            schema = core_schema.no_info_after_validator_function(check, schema)
        return schema


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


# -- columns ---------------------------------------------------------------------------------------


def column_type(field: FieldInfo) -> TypeEngine[Any]:
    """The SQL type that a field's scalar implies; a type given in its `Annotated` comes first."""
    python_type, marks = unwrapped(field.rebuild_annotation())
    for mark in marks:
        if isinstance(mark, TypeEngine):
            return mark
    if issubclass(python_type, str):
        lengths = [mark.max_length for mark in marks if isinstance(mark, MaxLen)]
        return String(lengths[0]) if lengths else Text()
    if issubclass(python_type, bool):
        return Boolean()
    if issubclass(python_type, float):
        return Double()
    if issubclass(python_type, datetime):
        return UTCDateTime()
    raise TypeError(f"{python_type} needs an SQL type in its Annotated[...]")


def unwrapped(annotation: Any) -> tuple[Any, list[Any]]:
    """A field's Python type without Annotated and None, and all that was said in its Annotated."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (arg for arg in get_args(annotation) if arg is not NoneType)
    if get_origin(annotation) is not Annotated:
        return annotation, []
    inner, *said = get_args(annotation)
    python_type, marks = unwrapped(inner)
    for mark in said:
        if isinstance(mark, FieldInfo):
            marks.extend(mark.metadata)
        elif isinstance(mark, StringConstraints):
            marks.extend(mark)
        else:
            marks.append(mark)
    return python_type, marks


def foreign_key(target: str, *, ondelete: Any = None, nullable: bool = False) -> Any:
    """A reference to `table.column`, left out at construction when something else fills it."""
    on_delete = {} if ondelete is None else {"ondelete": ondelete}
    return Field(default=None, foreign_key=target, nullable=nullable, **on_delete)


def server_time() -> Any:
    """A time that PostgreSQL fills with now() when it is left out."""
    return Field(default=None, nullable=False, sa_column_kwargs={"server_default": text("now()")})


def defaulted(value: Any) -> Any:
    """A NOT NULL column whose default stands in the database as well as in Python."""
    literal = str(value) if isinstance(value, str) else text(str(value).lower())
    return Field(default=value, nullable=False, sa_column_kwargs={"server_default": literal})


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
