"""The pages on docs/examples show all files of the projects."""

import re

import pytest

from tests.support.paths import DOCS

#: Files that no page needs to show.
NOT_SHOWN = {"__init__.py"}


PROJECTS = ["scraper", "synchronous", "feeds", "api", "extending", "comparison", "admin"]


@pytest.mark.parametrize("project", PROJECTS)
def test_page_shows_the_project(project: str) -> None:
    """A page includes each file of its project under the file's name."""
    page = (DOCS / "how-to" / f"{project}.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r'^```\w+ title="(.*)"\n--8<-- "(.*)"\n```$', page, re.MULTILINE))
    home = DOCS / "examples" / project
    files = {
        str(file.relative_to(home))
        for pattern in ("pyproject.toml", "alembic.ini", "*/**/*.py", "*/**/*.json")
        for file in home.glob(pattern)
        if file.name not in NOT_SHOWN
    }
    assert shown == {name: f"examples/{project}/{name}" for name in files}
