"""The site's reference of tables and views, generated from their classes."""

import re
from operator import attrgetter
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint

from oddsschema import Table, metadata
from oddsschema.queries.views import VIEWS, View


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace `<!-- all tables -->` and `<!-- all views -->` with the references."""
    tables = markdown.replace("<!-- all tables -->", _tables())
    return tables.replace("<!-- all views -->", _views())


def _views() -> str:
    return "\n\n".join(_view(name, view) for name, view in VIEWS.items())


def _view(name: str, view: View) -> str:
    lines = [
        f"## {name}",
        "",
        view.comment,
        "",
        "| column | type | meaning |",
        "| --- | --- | --- |",
    ]
    for column in view.row.__source__.columns:
        meaning = _one_line(view.comments[column.name])
        lines.append(f"| `{column.name}` | {_type(column)} | {meaning} |")
    return "\n".join(lines)


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
