"""The site's reference of tables, generated from the table classes."""

import re
from operator import attrgetter
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint

from oddsschema import Table, metadata


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace `<!-- all tables -->` with the reference."""
    return markdown.replace("<!-- all tables -->", _tables())


def _tables() -> str:
    classes = {
        model.__tablename__: model for model in Table.__subclasses__() if model.metadata is metadata
    }
    return "\n\n".join(_table(classes[table.name]) for table in metadata.sorted_tables)


def _table(model: type[Table]) -> str:
    table = model.__table__
    lines = [
        f"## {table.name}",
        "",
        f"{_one_line(model.__doc__)} In Python: `oddsschema.{model.__name__}`.",
        "",
        "| column | type | | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for column in table.columns:
        field = model.model_fields[column.key]
        nullability = "" if column.nullable else "NOT NULL"
        lines.append(
            f"| `{column.key}` | {_type(column)} | {nullability} | {_one_line(field.description)} |"
        )
    lines.append("")
    for constraint in sorted(table.constraints, key=attrgetter("name")):
        columns = ", ".join(constraint.columns.keys())
        if isinstance(constraint, UniqueConstraint):
            lines.append(f"- unique: {columns}")
        elif isinstance(constraint, ForeignKeyConstraint):
            target = constraint.elements[0].column.table.name
            action = f", on delete {constraint.ondelete.lower()}" if constraint.ondelete else ""
            lines.append(f"- {columns} → [{target}](#{target}){action}")
    for index in sorted(table.indexes, key=attrgetter("name")):
        lines.append(_index(index))
    return "\n".join(lines)


def _index(index: Index) -> str:
    where = index.dialect_options["postgresql"].get("where")
    partial = f" where {where}" if where is not None else ""
    return f"- index `{index.name}`: {', '.join(map(str, index.expressions))}{partial}"


def _type(column: Any) -> str:
    from sqlalchemy.dialects.postgresql import dialect

    name: str = column.type.compile(dialect=dialect())
    return re.sub(r"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", name)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split()).replace("|", "\\|")
