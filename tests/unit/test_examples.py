"""The pages on docs/examples show all files of the projects."""

import re

import pytest

from tests.support.paths import DOCS

#: Files that no page needs to show.
NOT_SHOWN = {"__init__.py"}

PROJECTS = sorted(path.parent.name for path in (DOCS / "examples").glob("*/pyproject.toml"))

#: Projects without a page of their own.
PAGES = {"workers": "synchronous"}


@pytest.mark.parametrize("project", PROJECTS)
def test_page_shows_the_project(project: str) -> None:
    """A page includes each file of its project under the file's name."""
    page = (DOCS / "how-to" / f"{PAGES.get(project, project)}.md").read_text(encoding="utf-8")
    included = rf'^```\w+ title="(.*)"\n--8<-- "(examples/{project}/.*)"\n```$'
    shown = dict(re.findall(included, page, re.MULTILINE))
    home = DOCS / "examples" / project
    files = {
        str(file.relative_to(home))
        for pattern in ("pyproject.toml", "alembic.ini", "*/**/*.py", "*/**/*.json")
        for file in home.glob(pattern)
        if file.name not in NOT_SHOWN
    }
    assert shown == {name: f"examples/{project}/{name}" for name in files}
