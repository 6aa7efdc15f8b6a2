"""The page of guarantees: each test that it names exists, and each promise names a test."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "guarantees.md"
#: A test as the page names it.
NAMED = re.compile(r"`([\w/.]+\.py)::(\w+)`")
#: A row of a table of promises: the promise, the fault and the tests.
ROW = re.compile(r"^\| (?!promise|kind|---)(.+) \| (.+) \| (.+) \|$", re.MULTILINE)

TEXT = PAGE.read_text(encoding="utf-8")
PROMISES = TEXT.partition("## The soak")[0]


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))))
def test_exists(path: str, name: str) -> None:
    """The file has a test function of this name."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert name in names, f"{path} has no test {name}"


@pytest.mark.parametrize("promise", ROW.findall(PROMISES), ids=lambda row: row[0][:40])
def test_promise_has_a_test(promise: tuple[str, str, str]) -> None:
    """The last column of a promise names tests, and nothing else."""
    *_, tests = promise
    assert re.fullmatch(rf"{NAMED.pattern}(, {NAMED.pattern})*", tests), tests
