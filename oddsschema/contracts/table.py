"""The base class of the tables: SQLModel tables that validate."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import BaseModel, ConfigDict
from pydantic_core import SchemaValidator, core_schema
from sqlalchemy import CheckConstraint, inspect
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.sql.naming import conv
from sqlmodel import SQLModel
from sqlmodel.main import FieldInfoMetadata

from oddsschema.contracts.base import Contract, Rule
from oddsschema.contracts.columns import column_check, column_type


class Table(Contract):
    """A contract with a PostgreSQL table.

    A table class lists its contracts, then `Table`, then `table=True`. Its constructor also takes
    relationships. Fields that PostgreSQL or a relationship fills (ids, server times, foreign keys)
    may be left out.
    """

    model_config = ConfigDict(frozen=False)

    # Rows are mutable and have an identity in a session: they must not be hashed by value. Python
    # disables hashing with None, which mypy does not accept.
    __hash__ = None  # type: ignore[assignment]  # see above
    # Loading creates objects with __new__ alone. SQLModel's __new__ sets the attributes that
    # pydantic needs.
    if not TYPE_CHECKING:  # mypy treats a class with an assigned __new__ as Any
        __new__ = SQLModel.__new__

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for field in cls.__pydantic_fields__.values():
            own = [mark for mark in field.metadata if isinstance(mark, FieldInfoMetadata)]
            others = [mark for mark in field.metadata if not isinstance(mark, FieldInfoMetadata)]
            column = own[0] if own else FieldInfoMetadata()
            # The list is new because a field inherited from a contract shares the contract's list.
            field.metadata = [replace(column, sa_type=column_type(field)), *others]
        arguments = cls.__dict__.get("__table_args__", ())
        arguments = (arguments,) if isinstance(arguments, dict) else arguments
        cls.__table_args__ = (*cls._checks(), *arguments)

    @classmethod
    def _checks(cls) -> Iterator[CheckConstraint]:
        """Yield the CHECKs that derive from the fields' types and from the rules."""
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
        """Create a row from a mapping or from an object with the same attributes.

        `update` replaces single values of it.

        Raises pydantic.ValidationError if the value breaks the contract.
        """
        if update:
            fields = obj if isinstance(obj, Mapping) else obj.model_dump()
            obj = {**fields, **update}
        new = cls._new()
        new._fill(cls.__pydantic_validator__.validate_python, obj, **options)
        return new

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Create a row from a JSON object.

        Raises pydantic.ValidationError if the value breaks the contract.
        """
        new = cls._new()
        new._fill(cls.__pydantic_validator__.validate_json, json_data, **options)
        return new

    @classmethod
    def _new(cls) -> Self:
        """Create an empty instance that SQLAlchemy knows, without running `__init__`."""
        new: Self = inspect(cls).class_manager.new_instance()
        return new

    def _fill(self, validate: Callable[..., Any], data: Any, **options: Any) -> None:
        """Validate the data into this empty instance, and set its relationships."""
        related: dict[str, Any] = {}
        if isinstance(data, Mapping):
            names = self.__sqlmodel_relationships__
            related = {name: data[name] for name in data if name in names}
            data = {name: data[name] for name in data if name not in names} if related else data
        instrumented = self.__dict__
        validate(data, self_instance=self, **options)
        values = self.__dict__
        # pydantic has replaced __dict__. Restore SQLAlchemy's, and set each value through it.
        object.__setattr__(self, "__dict__", instrumented)
        for name, value in values.items():
            set_attribute(self, name, value)
        for name, value in related.items():
            set_attribute(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__pydantic_fields__:
            SQLModel.__setattr__(self, name, value)
            return
        self._change({name: value})

    def sqlmodel_update(
        self, obj: Mapping[str, Any] | BaseModel, *, update: Mapping[str, Any] | None = None
    ) -> Self:
        """Change fields to those of a mapping or an object, validated as one.

        Fields that a rule ties to each other can only be changed together. `update` replaces single
        values. Other keys and attributes are ignored.

        Raises pydantic.ValidationError if the result breaks the contract. No field changes then.
        """
        values = obj if isinstance(obj, Mapping) else dict(obj)
        fields = self.__pydantic_fields__
        self._change(
            {name: value for name, value in {**values, **(update or {})}.items() if name in fields}
        )
        return self

    def _change(self, changes: Mapping[str, Any]) -> None:
        rules = [rule for rule in self.__rules__ if not changes.keys().isdisjoint(rule.fields)]
        tied = {field: getattr(self, field) for rule in rules for field in rule.fields}
        validated = changes_validator(type(self)).validate_python(changes, context=(rules, tied))
        for name, value in validated.items():
            set_attribute(self, name, value)
        self.__pydantic_fields_set__.update(validated)


@cache
def changes_validator(table: type[Table]) -> SchemaValidator:
    """Build the validator of changes to a table's row, which does not change the row itself.

    It validates a dict of changed fields. Its context is the rules that tie changed fields, and
    the row's values of the fields that these rules tie.
    """
    table.model_rebuild()
    schema: Any = table.__pydantic_core_schema__
    definitions: list[Any] = []
    while schema["type"] != "model":
        definitions = schema.get("definitions", definitions)
        schema = schema["schema"]

    def apply_rules(changes: dict[str, Any], info: core_schema.ValidationInfo) -> dict[str, Any]:
        rules, tied = cast(tuple[list[Rule], dict[str, Any]], info.context)
        tied |= changes
        for rule in rules:
            tied |= {field: None for field in rule.fills if field not in changes}
            filled = rule.apply(tied)
            tied |= filled
            changes |= filled
        return changes

    fields: Any = core_schema.with_info_after_validator_function(
        apply_rules,
        core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(_without_default(field), required=False)
                for name, field in schema["schema"]["fields"].items()
            },
            config=schema["config"],
        ),
    )
    if definitions:
        fields = core_schema.definitions_schema(fields, definitions)
    return SchemaValidator(fields, schema["config"])


def _without_default(field: Any) -> Any:
    schema = field["schema"]
    return schema["schema"] if schema["type"] == "default" else schema
