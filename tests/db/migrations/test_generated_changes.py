"""Autogenerate writes each kind of change of models as a careful reviewer would have it.

docs/reference/generated-revisions.md shows them. After a change of what autogenerate writes:

    ODDSSCHEMA_WRITE_GENERATED=1 python -m pytest \\
        tests/db/migrations/test_generated_changes.py -k page
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import Phase as HypothesisPhase
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData

from oddsschema.database.recorded_revisions import OWN_TABLE
from oddsschema.database.revision import HEAD
from oddsschema.migrations import autogenerate_options, script_location
from tests.support.catalog import catalog
from tests.support.generated_revisions import Project, connected
from tests.support.model_changes import CHANGES, OURS, PROJECT, our_models, project_models
from tests.support.paths import ROOT
from tests.unit.test_squawk import NEVER, broken_rules

Run = Callable[..., Any]

OUR_VERSIONS = script_location() / "versions"

PAGE = ROOT / "docs/reference/generated-revisions.md"

_REPLACED = {
    "check changed",
    "foreign key restricts",
    "primary key over more",
    "primary key with more",
}
_REINDEXED = {
    "index in another order",
    "index made partial",
    "index of another method",
    "index with more",
}
_RETYPED = {
    "column made text",
    "column of another collation",
    "column of another type",
    "column widened",
}

#: The rules that upgrades break by their nature: the reason, the kinds, and the kinds reversed.
BY_NATURE = {
    "ban-drop-constraint": (
        "the models have another constraint or none, or the CHECK was for SET NOT NULL",
        {*_REPLACED, *_RETYPED, "check removed", "column required", "foreign key removed"},
        {
            *_REPLACED,
            *_RETYPED,
            "check added",
            "column added",
            "column optional",
            "unique added",
            "unique not distinct",
        },
    ),
    "ban-drop-not-null": ("the models allow NULL", {"column optional"}, {"column required"}),
    "changing-column-type": (
        "PostgreSQL only changes the limit, or the models need a rewrite",
        _RETYPED,
        _RETYPED,
    ),
    "renaming-object": (
        "no program uses the names of constraints and indexes",
        {*_REINDEXED, "check renamed"},
        {*_REINDEXED, "check renamed"},
    ),
    "ban-drop-column": ("the models have the column no more", set(), {"column added"}),
    "ban-drop-table": ("the models have the table no more", set(), {"table added"}),
    "ban-drop-default": ("the models have no default", set(), {"default set"}),
    "require-concurrent-index-deletion": ("the table is dropped too", set(), {"table added"}),
}

#: The rules that downgrades break as well: they validate and create keys at once.
AT_ONCE = {
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-serial-primary-key-field",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
}


#: The kinds whose reverse is no change: a parameter that no model sets is the administrator's.
ONE_WAY = {"storage"}


def broken_by_nature(change: str, is_reversed: bool) -> set[str]:
    """Return the rules that an upgrade breaks by its nature."""
    return {
        rule
        for rule, (_, kinds, reversed_kinds) in BY_NATURE.items()
        if change in (reversed_kinds if is_reversed else kinds)
    }


@pytest.fixture(scope="module")
def with_tips(new_database: Callable[..., Any], template: str) -> Iterator[str]:
    """Return the URL of a database with the tables of the project, for clones only."""
    with new_database(template) as url:
        with connected(url) as connection:
            project_models().create_all(connection, [project_models().tables["tips"]])
            connection.commit()
        yield url


def changed(models: MetaData, change: str, where: tuple[str, Any]) -> MetaData:
    """Apply a change to models."""
    name, columns = where
    CHANGES[change](models.tables[name], columns)
    return models


def options(models: MetaData, former: MetaData, is_ours: bool) -> dict[str, Any]:
    """Return the options of an env.py."""
    if is_ours:
        names = {*models.tables, *former.tables}

        def include_name(name: str | None, kind: str, parents: Any) -> bool:
            return kind != "table" or name in names

        own = {"target_metadata": models, "include_name": include_name}
        return autogenerate_options() | own | {"version_table": OWN_TABLE}
    return autogenerate_options(models) | {"version_table": OWN_TABLE}


def sides(change: str) -> st.SearchStrategy[tuple[bool, bool]]:
    """Draw whether the models are ours, and whether the change is reversed.

    Hypothesis begins with the first pair, which is another one from kind to kind.
    """
    pairs = list(product([False, True], [False] if change in ONE_WAY else [False, True]))
    first = list(CHANGES).index(change) % len(pairs)
    return st.sampled_from([*pairs[first:], *pairs[:first]])


@pytest.mark.sampled(6)
@pytest.mark.parametrize("change", CHANGES)
@given(data=st.data())
# One example of each kind by default, all four by the profile "thorough". None is shrunk.
@settings(max_examples=max(1, settings().max_examples // 10), phases=[HypothesisPhase.generate])
def test_change(
    change: str,
    data: st.DataObject,
    with_tips: str,
    new_database: Callable[..., Any],
    run: Run,
) -> None:
    """The generated revisions lead to the catalog of the models, and back, by squawk's rules."""
    is_ours, is_reversed = data.draw(sides(change))
    make, where = (our_models, OURS) if is_ours else (project_models, PROJECT)
    plain, other = make(), changed(make(), change, where)
    start, target = (other, plain) if is_reversed else (plain, other)

    def built(models: MetaData, url: str) -> list[str]:
        """Return the catalog of the models, made by SQLAlchemy."""
        with connected(url) as connection:
            connection.execute(sa.text(f"DROP TABLE {where[0]} CASCADE"))
            models.create_all(connection, checkfirst=True)
            connection.commit()
        return list(run(catalog(url)))

    with (
        new_database(with_tips) as url,
        new_database(with_tips) as expected_url,
        tempfile.TemporaryDirectory() as directory,
    ):
        expected = built(target, expected_url)
        before = built(start, url)
        project = Project(
            Path(directory) / "project",
            lambda: options(target, start, is_ours),
            [OUR_VERSIONS],
        )
        with connected(url) as connection:
            base = {"head": HEAD} if is_ours else {"head": "base", "depends_on": "oddsschema_0003"}
            scripts = project.generate(connection, **base)
            project.upgrade(connection)
            assert run(catalog(url)) == expected
            last = scripts[-1].revision
            (nothing,) = project.generate(connection, rev_id="again", head=last)
            assert Path(nothing.path).read_text().count("    pass") == 2
            Path(nothing.path).unlink()
            sql = project.sql(f"{HEAD}:{last}" if is_ours else last)
            if not is_ours:
                limits, _, _ = sql.partition("BEGIN;")
                sql = f"{limits}BEGIN;\n-- {sql.partition('-- Running upgrade  -> changed')[2]}"
            rules = broken_rules(sql)
            assert rules.keys() - NEVER.keys() == broken_by_nature(change, is_reversed), rules
            base = HEAD if is_ours else f"{scripts[0].revision}@base"
            rules = broken_rules(project.sql(f"{last}:{base}", downgrade=True))
            either = broken_by_nature(change, True) | broken_by_nature(change, False)
            assert rules.keys() <= {*NEVER, *either, *AT_ONCE}, rules
            project.downgrade(connection, base)
            assert run(catalog(url)) == before


def upgrade_of(script: str) -> str:
    """Return the body of a revision's function `upgrade`."""
    (body,) = re.findall(r"^def upgrade\(\) -> None:\n(.*?)\n\n\ndef ", script, re.M | re.S)
    return dedent("\n".join(line for line in body.splitlines() if "# ###" not in line))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("change", CHANGES)
def test_page(change: str, with_tips: str, tmp_path: Path) -> None:
    """The page shows each kind of change, with the revisions that come out."""
    models = changed(project_models(), change, PROJECT)
    project = Project(tmp_path / "project", lambda: options(models, models, False), [OUR_VERSIONS])
    with connected(with_tips) as connection:
        scripts = project.generate(connection, head="base", depends_on="oddsschema_0003")
    code = "\n".join(
        f"# {script.revision}\n{upgrade_of(Path(script.path).read_text())}\n" for script in scripts
    )
    title = change.capitalize()
    block = f'```python title="upgrade"\n{code}```'
    expected = f"{title}\n\n{CHANGES[change].__doc__}\n\n{block}\n"
    begin, *sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    shown = {section.partition("\n")[0]: section for section in sections}
    titles = [kind.capitalize() for kind in CHANGES]
    if os.environ.get("ODDSSCHEMA_WRITE_GENERATED"):
        shown[title] = expected
        written = [shown[kind] for kind in titles if kind in shown]
        PAGE.write_text("\n## ".join([begin, *written]), encoding="utf-8")
    else:
        assert list(shown) == titles
    assert shown[title] == expected
