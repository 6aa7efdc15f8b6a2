"""docs/architecture.md lists every module. After a change of a module's docstring:

ODDSSCHEMA_WRITE_ARCHITECTURE=1 python -m pytest tests/unit/test_architecture.py
"""

import ast
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- modules -->\n", "<!-- end of modules -->\n"


def purpose(path: Path) -> str:
    """The first paragraph of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def modules() -> str:
    """Every module of the package with its purpose, a list for each room."""
    lines = []
    paths = sorted((ROOT / "oddsschema").rglob("*.py"), key=lambda path: (path.parent, path.stem))
    room = None
    for path in paths:
        if path.parent != room:
            room = path.parent
            lines += ["", f"### {room.relative_to(ROOT)}/", ""]
        lines.append(f"- `{path.name}`: {purpose(path)}")
    return "\n".join(lines) + "\n\n"


def test_the_architecture_page_lists_every_module() -> None:
    """The list of modules on the page is that of the package, with the docstrings' first lines."""
    before, rest = PAGE.read_text().split(BEGIN)
    listed, after = rest.split(END)
    if os.environ.get("ODDSSCHEMA_WRITE_ARCHITECTURE"):
        PAGE.write_text(before + BEGIN + modules() + END + after)
    else:
        assert listed == modules()
