"""What queries yield where it is no table: small contracts whose fields are columns as well."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sqlalchemy import CTE, ColumnElement, SelectBase, TableClause, column, table
from sqlalchemy.orm import Bundle
from sqlmodel.main import SQLModelMetaclass
from sqlmodel.sql.expression import Select, SelectOfScalar

from oddsschema.contracts.base import Contract
from oddsschema.contracts.columns import column_type


class _Columns(SQLModelMetaclass):
    """Gives the classes of rows their columns as attributes, as tables have them."""

    if not TYPE_CHECKING:  # which takes a class' attributes for what its objects' are

        def __getattr__(cls, name: str) -> Any:
            # Not those of a base: pydantic would take them for the defaults of the fields.
            source = cls.__dict__.get("__source__")
            if source is not None and name in source.c:
                return source.c[name]
            return super().__getattr__(name)


class Row(Contract, metaclass=_Columns):
    """What a query yields: values on an object, columns on its class.

    So `offers().where(Offer.event_id == 5)` composes. The objects are plain contracts that no
    session knows of, fit for an API's response. Loading validates nothing.
    """

    #: What its columns belong to, by the name that the query gives itself.
    __source__: ClassVar[TableClause]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if Row in cls.__bases__:
            fields = cls.__pydantic_fields__.items()
            columns = [column(name, column_type(field)) for name, field in fields]
            cls.__source__ = table(cls.__name__.lower(), *columns)


_Row = TypeVar("_Row", bound=Row)
_Value = TypeVar("_Value")


class _Bundle(Bundle[_Row]):
    """The columns of a row, which become an object."""

    inherit_cache = True

    def __init__(self, row: type[_Row]) -> None:
        super().__init__(row.__source__.name, *row.__source__.c, single_entity=True)
        self._row = row

    def create_row_processor(
        self,
        query: Any,
        procs: Sequence[Callable[[Any], Any]],
        labels: Sequence[str],
    ) -> Callable[[Any], _Row]:
        construct: Any = self._row.model_construct
        values = list(zip(labels, procs, strict=True))
        return lambda loaded: construct(**{label: value(loaded) for label, value in values})


def table_of(model: Any) -> Any:
    """The table of a class, whose columns are columns to a type checker as well."""
    return model.__table__


def selecting(row: type[_Row], source: SelectBase) -> SelectOfScalar[_Row]:
    """Rows from a select that has a column for each of their fields."""
    return SelectOfScalar(_Bundle(row)).add_cte(_named(row, source), nest_here=True)


def selecting_with(
    row: type[_Row], source: SelectBase, value: ColumnElement[_Value]
) -> Select[_Row, _Value]:
    """Rows, each with something that is computed of its columns."""
    statement: Select[_Row, _Value] = Select(_Bundle(row), value)
    return statement.add_cte(_named(row, source), nest_here=True)


def _named(row: type[Row], source: SelectBase) -> CTE:
    # A common table expression has the name by which the columns of the class know it. It is
    # written where it is used, so that the statement can be a part of another one.
    return source.cte(row.__source__.name)
