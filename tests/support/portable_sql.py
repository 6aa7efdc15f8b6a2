"""The rules of SQL that Citus runs as PostgreSQL does, where a dataset is a schema on one node.

Citus refuses or breaks on everything else. All that keeps to the rules is right on plain
PostgreSQL, too. Found out on Citus 13.2.
"""

from collections.abc import Collection, Iterator
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import (
    AlterTableType,
    ConstrType,
    CTEMaterialize,
    OnConflictAction,
)

#: Functions that are VOLATILE. (The parser knows no catalog.)
VOLATILE = frozenset(
    ("clock_timestamp", "timeofday", "random", "gen_random_uuid", "nextval", "setval", "pg_sleep")
)

#: Functions of the current time, which are STABLE.
TIMES = frozenset(("now", "statement_timestamp", "transaction_timestamp", "localtimestamp"))

_WRITES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)


def broken_rules(sql: str) -> list[str]:
    """Return the rules that statements break. Raises ParseError of pglast."""
    return [rule for raw in parse_sql(sql) for rule in _broken(raw.stmt)]


def _broken(statement: Any) -> Iterator[str]:
    for node in _nodes(statement):
        match node:
            case ast.UpdateStmt():
                if any(_has(target, ast.A_Indices) for target in node.targetList):
                    yield "an array subscript in SET"
                if _functions(node) & VOLATILE:
                    yield "a VOLATILE function in UPDATE"
            case ast.OnConflictClause(action=OnConflictAction.ONCONFLICT_UPDATE):
                if any(_has(target, ast.A_Indices) for target in node.targetList):
                    yield "an array subscript in SET"
                if _functions(node) & (VOLATILE | TIMES) or _has(node, ast.SQLValueFunction):
                    yield "a time or a VOLATILE function in DO UPDATE SET"
            case ast.InsertStmt(selectStmt=ast.SelectStmt(valuesLists=None) as select):
                yield from _broken_insert(select, _with(statement) | _with(node))
            case ast.RangeTableSample():
                if any(_has(argument, ast.ParamRef) for argument in node.args):
                    yield "a parameter in TABLESAMPLE"
            case ast.AlterTableStmt():
                kinds = {command.subtype for command in node.cmds}
                if {AlterTableType.AT_DropConstraint, AlterTableType.AT_AddConstraint} <= kinds:
                    yield "DROP and ADD of a constraint in one statement"
            case ast.Constraint(contype=ConstrType.CONSTR_IDENTITY):
                yield "an identity column"
            case ast.CreateTrigStmt():
                yield "a trigger"
            case ast.MergeStmt():
                yield "MERGE"


def _broken_insert(select: ast.SelectStmt, tables: dict[str, Any]) -> Iterator[str]:
    """Yield the rules that an INSERT … SELECT breaks, which has these common table expressions."""
    names = tables.keys()
    conditions = [select.targetList, select.whereClause]
    if any(_real_tables(link, names) for part in conditions for link in _all(part, ast.SubLink)):
        yield "INSERT … SELECT with a subquery that reads a table: read it in a MATERIALIZED CTE"
    is_joined_only = _has(select.fromClause, ast.RangeFunction)
    if _real_tables(select.fromClause, names) and not is_joined_only:
        yield "INSERT … SELECT from a table: read it in a MATERIALIZED CTE"
    read = {table.relname for table in _all(select.fromClause, ast.RangeVar)}
    if is_joined_only and read & names:
        yield "INSERT … SELECT that joins a CTE to a function: join them in a MATERIALIZED CTE"
    for name, table in tables.items():
        is_kept = table.ctematerialized == CTEMaterialize.CTEMaterializeAlways
        if name in read and not is_kept and not isinstance(table.ctequery, _WRITES):
            yield f"INSERT … SELECT from {name}, which is not MATERIALIZED"


def _real_tables(node: Any, common: Collection[str]) -> list[str]:
    return [table.relname for table in _all(node, ast.RangeVar) if table.relname not in common]


def _functions(node: Any) -> set[str]:
    return {call.funcname[-1].sval for call in _all(node, ast.FuncCall)}


def _with(node: Any) -> dict[str, Any]:
    """Return the common table expressions of a statement by their names."""
    clause = getattr(node, "withClause", None)
    return {} if clause is None else {table.ctename: table for table in clause.ctes}


def _has(node: Any, kind: type) -> bool:
    return next(iter(_all(node, kind)), None) is not None


def _all(node: Any, kind: type) -> Iterator[Any]:
    return (inner for inner in _nodes(node) if isinstance(inner, kind))


def _nodes(node: Any) -> Iterator[Any]:
    """Yield a node and all nodes below it."""
    if isinstance(node, tuple):
        for inner in node:
            yield from _nodes(inner)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _nodes(getattr(node, name))
