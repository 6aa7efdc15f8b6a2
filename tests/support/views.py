"""Alterations of tables whose columns the views read."""

from oddsschema.migrations.remade_views import remake_views
from oddsschema.queries.views import VIEWS

#: The names of the views, for DROP VIEW.
ALL_VIEWS = ", ".join(VIEWS)


def under_views(sql: str) -> str:
    """Return the SQL that runs statements while the views are dropped, and makes them again."""
    return remake_views([sql], remade=VIEWS)
