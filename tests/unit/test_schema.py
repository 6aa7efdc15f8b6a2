"""Schemas for other languages: JSON Schema, SQL, a diagram, and their published copies.

The published copies are the commands' output. To write them anew:

    ODDSSCHEMA_WRITE_SCHEMA=1 python -m pytest tests/unit/test_schema.py
"""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from oddsschema import IngestReport, ScrapeStatus
from oddsschema.cli import cli
from oddsschema.schema import NAMES, json_schema
from tests.support.paths import DOCS

#: The files in docs/schema and the commands that print them.
PUBLISHED = {
    "capture.schema.json": ["json", "Capture"],
    "ingest-report.schema.json": ["json", "IngestReport"],
    "oddsschema.schema.json": ["json"],
    "schema.sql": ["sql"],
    "erd.mmd": ["erd"],
}


# -- what it says ----------------------------------------------------------------------------------


def _models(schema: Any) -> Iterator[tuple[str, Any]]:
    """List every object with properties in a schema, with its name."""
    for name, definition in schema["$defs"].items():
        if "properties" in definition:
            yield name, definition


def test_every_field_is_described() -> None:
    """Each field of each contract, table and report is described, and each object too."""
    for name, model in _models(json_schema()):
        assert model["description"], name
        for field, schema in model["properties"].items():
            assert schema.get("description", "").endswith((".", "...")), f"{name}.{field}"


def test_units() -> None:
    """Descriptions have units: UTC for a time, decimal for odds, goals for a line."""
    units = {"UtcTime": "UTC", "Price": "decimal odds", "Line": "goals"}
    seen = set()
    for name, model in _models(json_schema()):
        for field, schema in model["properties"].items():
            found = json.dumps(schema)
            for scalar, unit in units.items():
                if f'"#/$defs/{scalar}"' in found:
                    seen.add(scalar)
                    assert unit.casefold() in schema["description"].casefold(), f"{name}.{field}"
    assert seen == set(units)


def test_patterns_are_portable() -> None:
    """Patterns use the syntax common to ECMA 262, Python, Java and Rust, without wide repeats."""

    def patterns(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (value[key] for key in value if key == "pattern")
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from patterns(item)

    found = set(patterns(json_schema()))
    assert len(found) > 5
    for pattern in found:
        is_one_class = re.fullmatch(r"\[[^\]]+\]", pattern)
        assert is_one_class or (pattern[0], pattern[-1]) == ("^", "$")
        assert {*re.findall(r"\\.", pattern)} <= {r"\."}
        assert {*re.findall(r"\(\?.", pattern)} <= {"(?:"}
        assert all(int(most) <= 1000 for most in re.findall(r"\{\d+,(\d+)\}", pattern))


def _reports(report: type[BaseModel]) -> st.SearchStrategy[BaseModel]:
    """Return a strategy for reports with any values of their fields' types."""

    def values(annotation: Any) -> st.SearchStrategy[Any]:
        if get_origin(annotation) is tuple:
            return st.lists(_reports(get_args(annotation)[0]), max_size=3).map(tuple)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return _reports(annotation)
        return st.from_type(annotation)

    fields = {
        name: values(field.annotation)
        for name, field in report.model_fields.items()
        if not field.exclude
    }
    return st.builds(report, **fields)


@given(st.data())
def test_reports_are_valid_by_their_schema(data: st.DataObject) -> None:
    """The JSON of a report is valid by the report's schema."""
    printed = json.loads(data.draw(_reports(IngestReport)).model_dump_json())
    validator = Draft202012Validator(json_schema("IngestReport"))
    validator.validate(printed)
    for part in (printed, *printed["runs"], *printed["refusals"]):
        for key in list(part):
            left = part.pop(key)
            assert not validator.is_valid(printed), key
            part[key] = left
    printed["status"] = data.draw(st.text().filter(lambda text: text not in {*ScrapeStatus}))
    assert not validator.is_valid(printed)
    printed |= {"status": "completed", "batch_id": "1"}
    assert not validator.is_valid(printed)


# -- what is printed, and published ----------------------------------------------------------------


@cache
def _printed(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["schema", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("file", PUBLISHED)
def test_published(file: str) -> None:
    """The copies in docs/schema are the commands' output."""
    path, printed = DOCS / "schema" / file, _printed(*PUBLISHED[file])
    if os.environ.get("ODDSSCHEMA_WRITE_SCHEMA"):
        path.write_text(printed, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("name", NAMES)
def test_each_has_its_own_document(name: str) -> None:
    """`schema json NAME` prints a document that is part of the full schema."""
    alone, every = json.loads(_printed("json", name.lower())), json.loads(_printed("json"))
    assert alone["$id"] == f"urn:oddsschema:{name}"
    assert alone["$schema"] == every["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert alone["title"] == name
    definitions = alone.pop("$defs", {})
    assert every["$defs"][name].items() <= alone.items()
    assert definitions.items() <= every["$defs"].items()


def test_unknown_name() -> None:
    """An unknown name is refused, with the known names."""
    result = CliRunner().invoke(cli, ["schema", "json", "Match"])
    assert result.exit_code == 2
    assert "Capture" in result.output
