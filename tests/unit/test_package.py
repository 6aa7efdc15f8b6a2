"""The package as an importer sees it."""

import importlib
import pkgutil
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
