"""The package as an importer sees it."""

import importlib
import os
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import oddsschema

MODULES = [
    module.name
    for module in pkgutil.walk_packages(oddsschema.__path__, "oddsschema.")
    # Plugins are loaded by pytest and Hypothesis as top-level modules; __main__ runs the program.
    if not module.name.startswith(("oddsschema.plugins", "oddsschema.__main__"))
]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_a_module(name: str) -> None:
    """`import a.b.c as x` binds the module: no package exports a function of a module's name."""
    importlib.import_module(name)
    scope: dict[str, object] = {}
    exec(f"import {name} as imported", scope)
    assert isinstance(scope["imported"], ModuleType)
    assert scope["imported"].__name__ == name


#: Paths in the docs.
PATHS = [
    *("queries.offers", "migrations.upgrade", "schema.json_schema", "simulate.simulate"),
    *("feeds.utc", "strategies.captures", "embedded.EmbeddedPostgres", "Limits", "size"),
    *("adopt", "adoption.AdoptProgress", "AdoptReport", "__version__"),
]

#: Forks, so that each path is the first one to be used after the import.
AFTER_THE_IMPORT = """
import operator, os, sys
import oddsschema

for path in sys.argv[1:]:
    if not (child := os.fork()):
        operator.attrgetter(path)(oddsschema)
        assert path.partition(".")[0] in dir(oddsschema)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, path
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_documented_paths_work_after_importing_the_package_alone() -> None:
    """`import oddsschema` is all that a program needs for the paths that the docs print."""
    subprocess.run([sys.executable, "-c", AFTER_THE_IMPORT, *PATHS], check=True)


def test_importing_the_package_imports_no_module_that_only_some_programs_need() -> None:
    """The paths above cost nothing until they are used."""
    program = """if True:
        import sys
        import oddsschema
        slow = {"alembic", "asyncpg", "hypothesis", "tenacity", "oddsschema.schema"}
        assert not slow & set(sys.modules), slow & set(sys.modules)
        """
    subprocess.run([sys.executable, "-c", program], check=True)
