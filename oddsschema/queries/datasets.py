"""A select over several datasets, each of which is a schema of its own."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, String, column, select, text

from oddsschema.database.literals import sql_with_literals
from oddsschema.database.urls import require_schema_name


def across(schemas: Iterable[str], statement: Any) -> Select[Any]:
    """Select the rows of a statement in several schemas, with a first column `dataset`.

    The statement is any select of this package, with its conditions: `across(["football",
    "tennis"], offers().where(...))`. Its rows come as plain columns. Ids repeat: the same id is
    another row in another dataset, and events are not matched across datasets. The order of the
    statement holds within a dataset at most. On Citus, each dataset is read on its node, and the
    coordinator collects all rows.

    Raises ValueError without a schema.
    """
    parts = []
    for schema in schemas:
        require_schema_name(schema)
        name = "'" + schema.replace("'", "''") + "'"
        rows = sql_with_literals(statement, schema=schema)
        parts.append(f"SELECT {name}::text AS dataset, rows.* FROM ({rows}) AS rows")
    if not parts:
        raise ValueError("across needs the name of a schema")
    # A colon would be a parameter to SQLAlchemy.
    sql = " UNION ALL ".join(parts).replace(":", "\\:")
    columns = [column(each.name, each.type) for each in statement.selected_columns]
    union = text(sql).columns(column("dataset", String), *columns).subquery("datasets")
    return select(*union.c)
