"""The package as an importer sees it."""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
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


def test_importing_the_package_imports_no_library() -> None:
    """The paths above cost nothing until they are used."""
    program = """if True:
        import sys
        import oddsschema
        slow = {"asyncio", "asyncpg", "alembic", "pydantic", "sqlalchemy", "hypothesis", "tenacity"}
        assert not slow & set(sys.modules), slow & set(sys.modules)
        assert not [name for name in sys.modules if name.startswith("oddsschema.")]
        """
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", ["Batch", "Sport", "Table", "ingest", "metadata"])
def test_every_name_that_needs_a_table_brings_all_of_them(name: str) -> None:
    """The MetaData is complete, and the relationships find their classes, whatever comes first."""
    program = f"""if True:
        from oddsschema import {name}
        from sqlalchemy.orm import configure_mappers
        configure_mappers()
        from oddsschema.contracts.base import metadata
        print(*sorted(metadata.tables))
        """
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == sorted(oddsschema.metadata.tables)


def imports_for_type_checkers() -> dict[str, str]:
    """The names that type checkers see in the package, each with its module."""
    tree = ast.parse(Path(str(oddsschema.__file__)).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname or alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_type_checkers_see_the_names_that_programs_get() -> None:
    """A name has the same module for both; `__all__` has the names, and the modules come beside."""
    seen = imports_for_type_checkers()
    submodules = {name for name, module in seen.items() if module == "oddsschema"}
    assert sorted(seen.keys() - submodules) == sorted(oddsschema.__all__)
    for name in oddsschema.__all__:
        value = getattr(importlib.import_module(seen[name]), name)
        assert getattr(oddsschema, name) is value
        assert oddsschema.__getattr__(name) is value
    rooms = {module.name for module in pkgutil.iter_modules(oddsschema.__path__)}
    # The rest is internal, or loaded by programs that name it: the command line, plugins.
    internal = {"cli", "gc_threshold", "plugins", "reference", "release", "signals", "__main__"}
    assert submodules == rooms - internal
    for name in submodules:
        assert oddsschema.__getattr__(name) is importlib.import_module(f"oddsschema.{name}")
    assert {*seen, "__version__"} - {"strategies"} <= set(dir(oddsschema))


def test_unknown_name() -> None:
    """A name that the package does not have is an AttributeError, which `hasattr` relies on."""
    with pytest.raises(AttributeError, match="'oddsschema' has no attribute 'Bet'"):
        oddsschema.__getattr__("Bet")
