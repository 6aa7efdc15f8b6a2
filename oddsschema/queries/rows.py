"""Rows of queries that are no tables: small contracts whose fields are columns as well."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    SelectBase,
    TableClause,
    column,
    select,
    table,
)
from sqlalchemy.orm import Bundle
from sqlmodel.sql.expression import Select, SelectOfScalar

from oddsschema.contracts.base import Contract, ContractMetaclass, loader
from oddsschema.contracts.columns import column_type
from oddsschema.gc_threshold import RaisedThreshold


class _Columns(ContractMetaclass):
    """The metaclass that gives rows' classes their columns as attributes, as tables have them."""

    if not TYPE_CHECKING:  # a type checker gives a class' attributes the types of its objects'

        def __getattr__(cls, name: str) -> Any:
            # Not a base's columns: pydantic would take them for the defaults of the fields.
            source = cls.__dict__.get("__source__")
            if source is not None and name in source.c:
                return source.c[name]
            return super().__getattr__(name)


class Row(Contract, metaclass=_Columns):
    """A row of a query: values on an object, columns on its class.

    `offers().where(Offer.event_id == 5)` composes. The objects are plain contracts, unknown to the
    session, and fit for an API's response. Loading validates nothing.
    """

    #: The table of its columns, under the name of the query's common table expression.
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
    """The columns of a row, loaded as an object."""

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
        load, values, names = loader(self._row), _all_of(procs), tuple(labels)
        threshold = RaisedThreshold()
        threshold.open()

        # The threshold is raised as long as the result has this function.
        def process(loaded: Any, _threshold: RaisedThreshold = threshold) -> _Row:
            return load(dict(zip(names, values(loaded), strict=False)))

        return process


def _all_of(procs: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Sequence[Any]]:
    """Combine functions that each return a value of a loaded row."""
    if all(isinstance(proc, itemgetter) for proc in procs):
        places: list[Any] = [proc.__reduce__()[1][0] for proc in procs]
        side_by_side = range(places[0], places[0] + len(places))
        if places == [*side_by_side]:
            return itemgetter(slice(side_by_side.start, side_by_side.stop))
    return lambda loaded: [proc(loaded) for proc in procs]


class _InUnions:
    """A select whose common table expression stays inside it when it is part of a union.

    The selects of a union would write theirs, which have the same name, at its beginning.
    """

    def self_group(self, against: Any = None) -> Any:
        """Group the select as a part of another expression."""
        statement: Any = super()
        if isinstance(against, CompoundSelect):
            myself: Any = self
            statement = select(myself.subquery())
        return statement.self_group(against)


class _RowSelect(_InUnions, SelectOfScalar[_Row]):
    """A select of rows."""

    inherit_cache = True


class _RowSelectWith(_InUnions, Select[_Row, _Value]):
    """A select of rows, each with a value."""

    inherit_cache = True


def selecting(row: type[_Row], source: SelectBase) -> SelectOfScalar[_Row]:
    """Select rows from a select that has a column for each of their fields.

    Statements may share the source: the common table expression is their own.
    """
    return _RowSelect(_Bundle(row)).add_cte(_named(row, source), nest_here=True)


def selecting_with(
    row: type[_Row], source: SelectBase, value: ColumnElement[_Value]
) -> Select[_Row, _Value]:
    """Select rows, each with a value computed from its columns."""
    statement: Select[_Row, _Value] = _RowSelectWith(_Bundle(row), value)
    return statement.add_cte(_named(row, source), nest_here=True)


def _named(row: type[Row], source: SelectBase) -> CTE:
    # The columns of the class refer to the common table expression by this name. It is written
    # where it is used, so that the statement can be part of another one.
    return source.cte(row.__source__.name)
