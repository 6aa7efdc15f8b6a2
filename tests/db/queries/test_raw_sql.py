"""The page that compares this package with plain SQL: the same rows, and the costs of its table.

Rewrite the table with `ODDSSCHEMA_WRITE_COSTS=1 pytest tests/db/queries/test_raw_sql.py`.
"""

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import asyncpg

from oddsschema.database.statements import compiled
from tests.support import bulk_history
from tests.support.paths import ROOT
from tests.support.statements import explain_sql

Run = Callable[..., Any]

PAGE = ROOT / "docs/how-to/raw-sql.md"
#: A question of the page: its heading, its Python, its SQL.
QUESTION = re.compile(
    r"^## (.+?)\n\n```python\n(.+?)^```\n\n.+?\n\n```sql\n(.+?)^```$", re.DOTALL | re.MULTILINE
)
TABLE = re.compile(r"(?<=<!-- costs -->\n).*?(?=<!-- end of costs -->)", re.DOTALL)
HEAD = """\
| question | lines of Python | lines of SQL | rows | buffers, Python / SQL |
| --- | --- | --- | --- | --- |
"""
#: A plan depends on the version of PostgreSQL.
ROOM = 1.5


class Cost(NamedTuple):
    """A row of the table."""

    question: str
    python_lines: int
    sql_lines: int
    rows: int
    #: The buffers of Python and of SQL.
    buffers: tuple[int, int]

    @property
    def line(self) -> str:
        """The row as text."""
        counts = (self.python_lines, self.sql_lines, self.rows)
        of_python, of_sql = self.buffers
        return f"| {self.question} | {' | '.join(map(str, counts))} | {of_python} / {of_sql} |\n"


def lines_of(text: str) -> int:
    """Count the lines that are neither empty nor an import."""
    return sum(bool(line) and not line.startswith("from ") for line in text.splitlines())


async def cost(connection: Any, question: str, python: str, sql: str) -> Cost:
    """Ask a question in both ways, compare the rows, and return the cost."""
    names: dict[str, Any] = {}
    exec(python, names)
    statement, arguments = compiled(names["statement"])
    found = await connection.fetch(sql)
    columns = tuple(found[0].keys())
    rows = [
        tuple(row[name] for name in columns)
        for row in await connection.fetch(statement, *arguments)
    ]
    assert sorted(rows, key=repr) == sorted(map(tuple, found), key=repr)
    buffers = []
    for text, values in ((statement, arguments), (sql, [])):
        plan = (await explain_sql(connection, text, values))["Plan"]
        buffers.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    first, second = buffers
    return Cost(question, lines_of(python), lines_of(sql), len(rows), (first, second))


def test_costs(new_database: Callable[..., Any], template: str, run: Run) -> None:
    """Both ways have the same rows; the lines, rows and buffers are those of the table."""
    page = PAGE.read_text(encoding="utf-8")

    async def measure(url: str) -> list[Cost]:
        connection = await asyncpg.connect(url)
        await bulk_history.fill(connection, rows=30_000, events=20)
        costs = [await cost(connection, *question) for question in QUESTION.findall(page)]
        await connection.close()
        return costs

    with new_database(template) as url:
        costs = run(measure(url))
    assert len(costs) == page.count("\n## ")
    if os.environ.get("ODDSSCHEMA_WRITE_COSTS"):
        table = HEAD + "".join(cost.line for cost in costs)
        PAGE.write_text(TABLE.sub(lambda _: table, page), encoding="utf-8")
        return
    (written,) = TABLE.findall(page)
    shown = [line.split(" | ") for line in written.removeprefix(HEAD).splitlines()]
    assert [cost.line.split(" | ")[:-1] for cost in costs] == [cells[:-1] for cells in shown]
    for measured, cells in zip(costs, shown, strict=True):
        stated = map(int, re.findall(r"\d+", cells[-1]))
        for now, then in zip(measured.buffers, stated, strict=True):
            assert now <= ROOM * then, measured
