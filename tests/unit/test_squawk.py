"""The migrations as SQL, checked by squawk's rules for databases in use."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from oddsschema.migrations import script_location, upgrade_sql

#: Rules that apply to no revision, each with a reason.
NEVER = {
    "prefer-text-field": "VARCHAR(n) is in the plan; PostgreSQL widens one without a rewrite",
    "prefer-bigint-over-int": "the plan's small tables have INTEGER, the two large ones BIGINT",
    "prefer-identity": "SERIAL is in the plan, and Citus distributes no identity columns",
}

#: Rules that do not apply to single revisions, each with a reason.
_SCRAPE_RUNS = "scrape_runs is small, a row a platform a scrape; the column is new, so all are NULL"
NOT_IN = {
    "oddsschema_0003": {
        "adding-foreign-key-constraint": _SCRAPE_RUNS,
        "constraint-missing-not-valid": _SCRAPE_RUNS,
        "require-concurrent-index-creation": _SCRAPE_RUNS,
    },
    "oddsschema_0008": {
        "ban-drop-constraint": "each dropped CHECK is replaced in the same transaction: one by a "
        "stricter one of another name, so that older programs refuse the database, one by a wider",
    },
    "oddsschema_0010": {"constraint-missing-not-valid": _SCRAPE_RUNS},
}

REVISIONS = {
    script.revision: f"{script.down_revision or 'base'}:{script.revision}"
    for script in ScriptDirectory(str(script_location())).walk_revisions()
}


def broken_rules(sql: str) -> dict[str, str]:
    """Return the rules that SQL breaks, each with its last place and reason."""
    squawk = Path(sysconfig.get_path("scripts"), "squawk")
    done = subprocess.run(
        [squawk, "--reporter", "json", "--pg-version", "15", "--stdin-filepath", "upgrade.sql"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    lines = sql.splitlines()
    return {
        found["rule_name"]: f"{found['message']} {lines[found['line']]}"
        for found in json.loads(done.stdout)
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_migration(revision: str) -> None:
    """No revision blocks a database in use, except for a stated reason."""
    broken = broken_rules(upgrade_sql(REVISIONS[revision]))
    allowed = NOT_IN.get(revision, {})
    assert {rule: why for rule, why in broken.items() if rule not in {*NEVER, *allowed}} == {}
    assert allowed.keys() <= broken.keys(), "an exception that is not needed"


def test_exceptions() -> None:
    """Each exception is needed by some revision."""
    assert broken_rules(upgrade_sql()).keys() >= NEVER.keys()


def test_squawk_sees_a_table_that_is_held_up() -> None:
    """squawk reports an index whose creation blocks writers."""
    sql = f"{upgrade_sql(REVISIONS['oddsschema_0005'])}\nCREATE INDEX slow ON market_odds (line);"
    assert "require-concurrent-index-creation" in broken_rules(sql)
