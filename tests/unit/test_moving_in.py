"""The names on the page about moving in."""

import re

import pytest
from sqlalchemy import inspect

import oddsschema
from tests.support.paths import DOCS

PAGE = (DOCS / "how-to" / "moving-in.md").read_text(encoding="utf-8")
RENAMED = re.findall(r"^\| `(\w+)\.(\w+)` \| `(\w+)\.(\w+)` \|$", PAGE, re.MULTILINE)


def test_page_has_the_names() -> None:
    """The table of relationships has rows."""
    assert RENAMED


@pytest.mark.parametrize(("their_class", "theirs", "our_class", "ours"), RENAMED)
def test_renamed_relationship(their_class: str, theirs: str, our_class: str, ours: str) -> None:
    """A relationship has the new name alone."""
    relationships = inspect(getattr(oddsschema, our_class)).relationships
    assert their_class == our_class
    assert ours in relationships
    assert theirs not in relationships


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(?:await )?oddsschema\.([\w.]+)", PAGE))))
def test_name_exists(name: str) -> None:
    """A name of the package on the page exists."""
    value = oddsschema
    for part in name.split("."):
        value = getattr(value, part)
