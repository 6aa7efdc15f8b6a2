"""The base of all contracts and tables: the MetaData, the rules and the validation.

SQLModel's own `table=True` classes skip validation. The classes of this package validate:

- A `Contract` is a frozen, validated group of fields: a plain pydantic model.
- A `Table` (`oddsschema.contracts.table`) is a contract with a PostgreSQL table. Construction,
  `model_validate`, `model_validate_json` and assignment each validate once and raise
  `pydantic.ValidationError`. A refused assignment does not change the object. Loading from the
  database does not validate.
- A `Rule` checks several fields of a contract together.
- `plain_validator` (`oddsschema.contracts.bulk`) validates a contract at the speed of bulk
  loading: it runs the same core schema and returns dicts instead of objects.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy import MetaData
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel
from sqlmodel._compat import ModelMetaclass
from sqlmodel.main import SQLModelMetaclass

from oddsschema.contracts.bulk import FieldGetter, Validator, with_plain_variant

#: The MetaData of the oddsschema tables only: `SQLModel.metadata` does not change.
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
    """A rule over two or more fields of a contract.

    `check` receives the values of `fields` in their order. It raises ValueError when they break
    the rule. It may return values, by field, that replace those of the contract: a field that
    follows from the others is filled in by its rule.
    """

    fields: tuple[str, ...]
    check: Callable[..., Mapping[str, Any] | None]
    #: The rule as an SQL condition, if the fields are columns of a table.
    condition: str | None = None
    #: The last part of the name of its CHECK constraint.
    name: str | None = None
    #: The rule as JSON Schema, if JSON Schema can express it.
    json_schema: JsonSchemaValue | None = None
    #: The fields that the rule fills in when they are None.
    fills: tuple[str, ...] = ()
    #: The field that an error names, if it is the fault of a single field.
    culprit: str | None = None

    @cached_property
    def _values(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        return itemgetter(*self.fields)

    def apply(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the values of a contract; return those that the rule fills in.

        Raises ValueError, or pydantic.ValidationError with the place of the culprit.
        """
        try:
            return self.check(*self._values(values)) or {}
        except ValueError as error:
            if self.culprit is None:
                raise
            reason = PydanticCustomError("value_error", "{reason}", {"reason": str(error)})
            details: Any = {
                "type": reason,
                "loc": (self.culprit,),
                "input": values[self.culprit],
            }
            raise ValidationError.from_exception_data(type(error).__name__, [details]) from None


def all_given(*fields: str) -> JsonSchemaValue:
    """Build the JSON Schema of an object in which none of these fields is missing or null."""
    properties = {field: {"not": {"type": "null"}} for field in fields}
    return {"required": list(fields), "properties": properties}


def rules_validator(rules: tuple[Rule, ...]) -> Validator:
    """Build the validator that runs all rules, in their order, on a contract's fields."""

    def build(getter: FieldGetter) -> Validator:
        is_plain = getter is itemgetter

        def validate(value: Any) -> Any:
            values = value if is_plain else value.__dict__
            for rule in rules:
                if filled := rule.apply(values):
                    values.update(filled)
                    if not is_plain:
                        value.__pydantic_fields_set__.update(filled)
            return value

        return validate

    return with_plain_variant(build)


@dataclass_transform(kw_only_default=True, field_specifiers=(Field, FieldInfo))
class ContractMetaclass(SQLModelMetaclass):
    """The metaclass of contracts, which lets generic contracts validate.

    SQLModel's metaclass drops the arguments of `Page[Event]`: its items would be of any type.
    """

    def __new__(
        cls, name: str, bases: tuple[type[Any], ...], namespace: dict[str, Any], **options: Any
    ) -> Any:
        """Create a contract, or a generic contract with its arguments."""
        if "__pydantic_generic_metadata__" in options:
            return ModelMetaclass.__new__(cls, name, bases, namespace, **options)
        return super().__new__(cls, name, bases, namespace, **options)


class Contract(SQLModel, metaclass=ContractMetaclass, registry=registry(metadata=metadata)):
    """A validated, immutable group of fields. It refuses unknown keys."""

    # Most programs need few of the validators, so each is built at its first use. The value is 1,
    # not True: FastAPI makes a TypeAdapter for each body, which compares the value with True. With
    # True the TypeAdapter would also be built later, after FastAPI has stopped silencing pydantic's
    # warnings. (SQLModel declares its own type for the configuration.)
    model_config = ConfigDict(  # type: ignore[assignment]  # see above
        extra="forbid",
        frozen=True,
        defer_build=1,  # type: ignore[typeddict-item]  # see above
    )

    #: The rules over several fields, in the order of their execution.
    __rules__: ClassVar[tuple[Rule, ...]] = ()

    # SQLModel's versions of the next four methods run Python code for every object. A contract
    # would cost three times as much as a pydantic model. Only tables need that of the constructor.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102 - see above
        return object.__new__(cls)

    if not TYPE_CHECKING:  # mypy treats a class with an assigned __init__ as Any
        __init__ = BaseModel.__init__
        model_dump = BaseModel.model_dump
    # (SQLModel declares it without pydantic's return type.)
    __setattr__ = BaseModel.__setattr__  # type: ignore[assignment]  # see above

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        # Hypothesis loads this module when it is imported (oddsschema/plugins).
        if hypothesis := sys.modules.get("_oddsschema_hypothesis"):
            hypothesis.register(cls)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Validate a mapping or an object with the same attributes.

        Raises pydantic.ValidationError if the value breaks the contract.
        """
        validated: Self = super(SQLModel, cls).model_validate(obj, **options)
        return validated

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        # The rules are added inside the definition. The contract then keeps its name in a JSON
        # Schema, and the rules run once. (Each core schema is a TypedDict.)
        definition: dict[str, Any] = handler.resolve_ref_schema(schema)  # type: ignore[assignment]
        if cls.__rules__ and definition["type"] == "model":
            model: Any = {key: value for key, value in definition.items() if key != "ref"}
            validator = rules_validator(cls.__rules__)
            with_rules = core_schema.no_info_after_validator_function(
                validator, model, ref=definition["ref"]
            )
            definition.clear()
            definition.update(with_rules)
        return schema

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        rules = [rule.json_schema for rule in cls.__rules__ if rule.json_schema]
        if rules:
            handler.resolve_ref_schema(schema)["allOf"] = rules
        return schema


_Built = TypeVar("_Built", bound=Contract)


def loader(contract: type[_Built]) -> Callable[[dict[str, Any]], _Built]:
    """Return a function that builds a contract on values of all its fields, without validation.

    The object equals that of `model_construct`, which takes six times as long. It keeps the dict.
    All objects of a function share the set of their fields: they are immutable.
    """
    new, put, slots = object.__new__, object.__setattr__, BaseModel.__dict__
    put_fields_set = slots["__pydantic_fields_set__"].__set__
    put_extra = slots["__pydantic_extra__"].__set__
    put_private = slots["__pydantic_private__"].__set__
    fields_set = set(contract.model_fields)

    def load(values: dict[str, Any]) -> _Built:
        loaded = new(contract)
        put(loaded, "__dict__", values)
        put_fields_set(loaded, fields_set)
        put_extra(loaded, None)
        put_private(loaded, None)
        return loaded

    return load
