"""The base class of the tables: SQLModel tables that validate."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticSerializationError, core_schema, to_json
from sqlalchemy import CheckConstraint, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm.attributes import set_attribute
from sqlalchemy.sql.naming import conv
from sqlmodel import SQLModel
from sqlmodel.main import FieldInfoMetadata

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import column_check, column_type
from oddsschema.contracts.merging import mapper_of_fields
from oddsschema.contracts.row_validators import changes_validator, row_validator


class Table(AsyncAttrs, Contract):
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
        # SQLAlchemy calls it to map a table's class.
        __mapper_cls__ = staticmethod(mapper_of_fields)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        for base in cls.__bases__:
            if hasattr(base, "__table__"):
                raise TypeError(_no_subclass(cls, base))
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

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = super().__get_pydantic_core_schema__(source, handler)
        definition: dict[str, Any] = handler.resolve_ref_schema(schema)  # type: ignore[assignment]
        if hasattr(cls, "__table__") and definition["type"] != "function-wrap":
            # Rows inside other values, such as the body of a request, are created here. Pydantic
            # itself would call `__init__` with whatever keys the value has, or create a row that
            # SQLAlchemy does not know.
            row: Any = {key: value for key, value in definition.items() if key != "ref"}
            created = core_schema.no_info_wrap_validator_function(
                lambda value, create: value if isinstance(value, cls) else create(value),
                core_schema.lax_or_strict_schema(
                    core_schema.no_info_wrap_validator_function(
                        lambda value, _: cls.model_validate(value), row
                    ),
                    core_schema.with_info_plain_validator_function(cls._create_strictly),
                ),
                ref=definition["ref"],
                serialization=core_schema.wrap_serializer_function_ser_schema(
                    _dump, info_arg=True, schema=row
                ),
            )
            definition.clear()
            definition.update(created)
        return schema

    @classmethod
    def _create_strictly(cls, value: Any, info: ValidationInfo) -> Self:
        """Create a row without conversions between types, except for those from JSON."""
        if info.mode == "json":
            return cls.model_validate_json(to_json(value), strict=True)
        return cls.model_validate(value, strict=True)

    # The name leaves "self" to the keys of untrusted data: it is an unknown key like any other.
    def __init__(__row__, **data: Any) -> None:
        __row__._fill(data)

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
            obj = {**(obj if isinstance(obj, Mapping) else obj.model_dump()), **update}
        new = cls._new()
        new._fill(obj, **options)
        return new

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Create a row from a JSON object.

        Raises pydantic.ValidationError if the value breaks the contract.
        """
        new = cls._new()
        new._fill(json_data, is_json=True, **options)
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
        new._fill({**values, **update})
        fields_set = self.model_fields_set | new.__pydantic_fields_set__.difference(kept)
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

    def _fill(self, data: Any, *, is_json: bool = False, **options: Any) -> None:
        """Validate the data into this empty instance, and set its relationships.

        The relationships of other objects than mappings are left out: a related row would move
        from the object to this row.
        """
        is_mapping = isinstance(data, Mapping)
        validator = row_validator(type(self), with_relationships=is_mapping)
        validate: Callable[..., Any] = (
            validator.validate_json if is_json else validator.validate_python
        )
        instrumented = self.__dict__
        validate(dict(data) if is_mapping else data, self_instance=self, **options)
        values = self.__dict__
        # pydantic has replaced __dict__. Restore SQLAlchemy's, and set each value through it.
        object.__setattr__(self, "__dict__", instrumented)
        given = self.__pydantic_fields_set__
        fields = self.__pydantic_fields__
        for name, value in values.items():
            if name in fields or name in given:
                set_attribute(self, name, value)
        given.intersection_update(fields)

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were set. All fields of a stored row are."""
        if inspect(self).has_identity:
            return set(self.__pydantic_fields__)
        return self.__pydantic_fields_set__

    def __iter__(self) -> Any:
        return ((name, getattr(self, name)) for name in self.__pydantic_fields__)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__pydantic_fields__ or name in self.__sqlmodel_relationships__:
            self._change({name: value})
        else:
            SQLModel.__setattr__(self, name, value)

    def sqlmodel_update(
        self, obj: Mapping[str, Any] | BaseModel, *, update: Mapping[str, Any] | None = None
    ) -> Self:
        """Change fields to those of a mapping or an object, validated as one.

        Fields that a rule ties to each other can only be changed together. `update` replaces single
        values. Other keys and attributes are ignored, and the fields of an object that were not
        set.

        Raises pydantic.ValidationError if the result breaks the contract. No field changes then.
        """
        if isinstance(obj, BaseModel):
            obj = {name: getattr(obj, name) for name in obj.model_fields_set}
        fields = self.__pydantic_fields__
        self._change(
            {name: value for name, value in {**obj, **(update or {})}.items() if name in fields}
        )
        return self

    def _change(self, changes: Mapping[str, Any]) -> None:
        rules = [rule for rule in self.__rules__ if not changes.keys().isdisjoint(rule.fields)]
        tied = {field: getattr(self, field) for rule in rules for field in rule.fields}
        validated = changes_validator(type(self)).validate_python(changes, context=(rules, tied))
        for name, value in validated.items():
            set_attribute(self, name, value)
        self.__pydantic_fields_set__.update(validated.keys() & self.__pydantic_fields__.keys())


def _dump(row: Table, dump: Any, info: core_schema.SerializationInfo) -> Any:
    """Dump a row. Load the values that the dump needs, if they have expired or are deferred.

    Raises PydanticSerializationError if they cannot be loaded here.
    """
    loaded = row.__dict__
    for name in row.__pydantic_fields__:
        if name not in loaded and not _is_left_out(name, info.include, info.exclude):
            try:
                getattr(row, name)
            except SQLAlchemyError as error:
                raise PydanticSerializationError(
                    f"{type(row).__name__}.{name} has expired or was deferred, and cannot be "
                    f"loaded here: {error}. Refresh the row before its dump, open the session with "
                    "expire_on_commit=False, or leave the field out of the dump"
                ) from error
    if info.exclude_unset:
        row.__pydantic_fields_set__.update(row.model_fields_set)
    return dump(row)


def _is_left_out(name: str, include: Any, exclude: Any) -> bool:
    if include is not None and name not in include:
        return True
    if isinstance(exclude, Mapping):
        return exclude.get(name) in (True, ...)
    return exclude is not None and name in exclude


def _no_subclass(model: type[Any], table: type[Any]) -> str:
    contracts = [base.__name__ for base in table.__bases__ if not issubclass(base, Table)]
    bases = ", ".join(contracts) or "Contract"
    return (
        f"{model.__name__} cannot be a subclass of {table.__name__}, which is a table. For a model "
        f"with other fields, use the bases {bases}. For more columns, use a table of your own with "
        f"a foreign key to {table.__tablename__}"
    )
