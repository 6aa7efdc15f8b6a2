"""The text of the views in the revisions."""

from typing import Any

from alembic.script import ScriptDirectory

from oddsschema.migrations import script_location
from oddsschema.queries.views import VIEWS
from tests.support.view_texts import reduced


def of_revisions(name: str) -> dict[str, Any]:
    """Return a mapping by views of the revisions, of which a later one replaces entries."""
    scripts = ScriptDirectory(str(script_location())).walk_revisions()
    found: dict[str, Any] = {}
    for script in reversed(list(scripts)):
        found |= getattr(script.module, name, {})
    return found


def test_views_are_the_packages_selects() -> None:
    """The revisions create the views that the package's selects describe."""
    assert {name: reduced(text) for name, text in of_revisions("VIEWS").items()} == {
        name: reduced(view.sql) for name, view in VIEWS.items()
    }


def test_each_column_has_a_comment() -> None:
    """The revisions comment each view and each of its columns, in the order of the columns."""
    assert {name: (view.comment, view.comments) for name, view in VIEWS.items()} == of_revisions(
        "COMMENTS"
    )
    for view in VIEWS.values():
        names = [column.name for column in view.select().selected_columns]
        assert list(view.comments) == names
        assert all(view.comments.values())


def test_no_view_is_ordered() -> None:
    """A view has no order of its own, which every reader would pay for."""
    for view in VIEWS.values():
        assert not getattr(view.select(), "_order_by_clauses", ())
