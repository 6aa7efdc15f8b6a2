"""The base class of the tables: SQLModel tables that validate."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

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

    #: The fields besides the id that name a row for people, in `str(row)`.
    __named_by__: ClassVar[tuple[str, ...]] = ("name",)

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

    def __str__(self) -> str:
        """Name the row for people, by the values that are loaded: "Event 12: Basel - Zurich"."""
        identity, *named = (self.__dict__.get(name) for name in ("id", *self.__named_by__))
        title = type(self).__name__ if identity is None else f"{type(self).__name__} {identity}"
        names = [
            f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)
            for value in named
            if value is not None
        ]
        return f"{title}: {', '.join(names)}" if names else title

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

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Create a new row with the values of this one, unknown to any session, and validate it.

        `update` replaces fields and relationships. A field that a rule fills in follows from the
        new values. The primary key is copied as well: replace it by None for a second row beside
        this one. Values that are not loaded, or have expired, are loaded. Relationships are not
        copied, but for those of a `deep` copy: it has copies of the related rows that are loaded.

        Raises pydantic.ValidationError if the result breaks the contract.
        """
        return self._copied(update or {}, {} if deep else None)

    def copy(  # type: ignore[override]  # without the options of pydantic's deprecated method
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Create a new row: the older name of `model_copy`."""
        return self.model_copy(update=update, deep=deep)

    def __copy__(self) -> Self:
        return self._copied({}, None)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._copied({}, {} if memo is None else memo)

    def _copied(self, update: Mapping[str, Any], memo: dict[int, Any] | None) -> Self:
        """Create a new row with these updates; it is a deep copy if a `memo` is given."""
        filled = {
            field
            for rule in self.__rules__
            if not update.keys().isdisjoint(rule.fields)
            for field in rule.fills
        }
        kept = [name for name in self.__pydantic_fields__ if name not in filled | update.keys()]
        values = {name: getattr(self, name) for name in kept}
        if memo is not None:
            values = deepcopy(values, memo)
        new = self._new()
        new._fill(new.__pydantic_validator__.validate_python, {**values, **update})
        fields_set = self.__pydantic_fields_set__ | new.__pydantic_fields_set__.difference(kept)
        object.__setattr__(new, "__pydantic_fields_set__", fields_set)
        if memo is not None:
            memo[id(self)] = new
            for name in self.__sqlmodel_relationships__:
                if name in self.__dict__ and name not in update:
                    related = self.__dict__[name]
                    # SQLAlchemy's list knows the row that it belongs to.
                    related = list(related) if isinstance(related, list) else related
                    set_attribute(new, name, deepcopy(related, memo))
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
