"""The recipe that widens a column beside readers and writers, in any alembic.

    def upgrade() -> None:
        op.widen_column("events", "name", "varchar(1000)", checks={
            "ck_events_name": "name <> ''",
        })

PostgreSQL accepts a longer limit without a look at the rows, but it verifies the CHECKs of a column
with a new type, for every row, while it keeps readers and writers away. The recipe drops the CHECKs
and adds them as NOT VALID in the same statement, which reads no row. Another statement validates
them, beside readers and writers, once the first is committed.

Our views that read the column are made again around the first statement.

A revision with this operation is not transactional: it has nothing else in it. After a kill in the
middle, it is run again. In a transaction of the caller's, which is never committed, the rows are
read while the table is locked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text

from oddsschema.migrations.concurrent_indexes import may_commit, outside_of_transaction
from oddsschema.migrations.remade_views import remake_views, run_block

_TEXT = re.compile(r"(?:character varying|varchar)(?:\((\d+)\))?|(text)", re.IGNORECASE)


class Widening(NamedTuple):
    """The statements that widen a column."""

    #: Change the type, and replace the CHECKs. It reads no row.
    change: str
    #: Validate the CHECKs, in a later transaction. Empty without any.
    validate: str


def widening(table: str, column: str, type_: str, checks: Mapping[str, str]) -> Widening:
    """Return the statements that give a column a wider type.

    `checks` has the CHECKs of the column: definitions ("CHECK (...)") by names. Names are quoted as
    SQL needs it.
    """
    actions = [
        *(f"DROP CONSTRAINT IF EXISTS {name}" for name in checks),
        f"ALTER COLUMN {column} TYPE {type_}",
        *(f"ADD CONSTRAINT {name} {checks[name]} NOT VALID" for name in checks),
    ]
    validations = ", ".join(f"VALIDATE CONSTRAINT {name}" for name in checks)
    return Widening(
        f"ALTER TABLE {table} {', '.join(actions)}",
        f"ALTER TABLE {table} {validations}" if checks else "",
    )


def is_wider(new: str, old: str) -> bool:
    """Return whether each value of a type of text fits into another one, with a longer limit."""
    found, former = _TEXT.fullmatch(new), _TEXT.fullmatch(old)
    if found is None or former is None or new.lower() == old.lower():
        return False
    if found[1] is None:
        return True
    return former[1] is not None and int(former[1]) < int(found[1])


@Operations.register_operation("widen_column")
@dataclass
class WidenColumn(MigrateOperation):
    """The change of a column to a wider type."""

    table: str
    column: str
    type_: str
    checks: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def widen_column(
        cls,
        operations: Operations,
        table: str,
        column: str,
        type_: str,
        *,
        checks: Mapping[str, str],
    ) -> None:
        """Give a column a wider type of text, as PostgreSQL names it: "varchar(1000)", "text".

        `checks` has the conditions of the CHECKs of this column, by their names. A CHECK that is
        left out is verified under the lock.
        """
        operations.invoke(cls(table, column, type_, checks))


@Operations.implementation_for(WidenColumn)
def widen_column(operations: Operations, wanted: WidenColumn) -> None:
    """Widen a column, and validate its CHECKs outside of any transaction if that is possible."""
    context = operations.get_context()
    quote = context.impl.dialect.identifier_preparer.quote
    table, column = quote(wanted.table), quote(wanted.column)
    statements = widening(
        table,
        column,
        wanted.type_,
        {quote(name): f"CHECK ({condition})" for name, condition in wanted.checks.items()},
    )
    change = remake_views(
        [statements.change], columns=[f"{quote(wanted.table)}.{quote(wanted.column)}"]
    )
    run_block(operations, change)
    if not may_commit(context):
        _execute(operations, statements.validate)
        return
    with outside_of_transaction(context):
        _execute(operations, statements.validate)


def _execute(operations: Operations, statement: str) -> None:
    if statement:
        # A colon begins a parameter otherwise.
        operations.execute(text(statement.replace(":", r"\:")))
