"""Mixins for the views of admin frameworks: rows are built and changed by validation.

An admin framework builds an empty object and sets one attribute after the other. A table refuses
both. With these mixins, a view of SQLAdmin or starlette-admin validates a whole form, and shows
each problem at its field. The package does not depend on the frameworks.
"""

from oddsschema.admin.sqladmin_view import SQLAdminView
from oddsschema.admin.starlette_admin_view import StarletteAdminView

__all__ = ["SQLAdminView", "StarletteAdminView"]
