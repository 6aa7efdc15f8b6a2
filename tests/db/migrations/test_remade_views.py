"""Revisions that replace views, or change columns that views read."""

from collections.abc import Callable
from typing import Any

import pytest

from oddsschema import migrations
from oddsschema.database.revision import HEAD
from oddsschema.errors import MigrationError
from oddsschema.migrations import CheckState
from tests.support.next_revision import REVISION
from tests.support.sessions import execute, fetch, fetch_column

Run = Callable[..., Any]

SCRIPT = """
def upgrade() -> None:
    op.alter_under_views(
        ["ALTER TABLE events ALTER COLUMN home_team TYPE varchar(300)"],
        columns=["events.home_team"],
    )


def downgrade() -> None:
    op.alter_under_views(
        ["ALTER TABLE events ALTER COLUMN home_team TYPE varchar(255)"],
        columns=["events.home_team"],
    )
"""

#: A revision that appends a column to a view.
APPENDING = '''
SELECT = """
SELECT platform, last_captured_at, last_confirmed_at, run_id, run_status, run_started_at,
    run_completed_at, events, events_failed, markets, 'a\\\\b: :c' AS note
FROM (
    SELECT NULL::varchar AS platform, NULL::timestamptz AS last_captured_at,
        NULL::timestamptz AS last_confirmed_at, id AS run_id, status AS run_status,
        started_at AS run_started_at, completed_at AS run_completed_at,
        events_scraped AS events, events_failed, NULL::bigint AS markets
    FROM scrape_runs
) AS runs
"""


def upgrade() -> None:
    op.replace_view("odds_freshness", SELECT)
    op.execute("COMMENT ON COLUMN odds_freshness.note IS 'A note'")


def downgrade() -> None:
    raise NotImplementedError
'''

#: Everything that a view has besides its text.
STATE = """
SELECT c.relname::text, c.relowner::regrole::text, c.reloptions,
    ARRAY(SELECT acl::text FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner)))
        AS acl ORDER BY 1),
    ARRAY(SELECT a.attname || ' ' || a.attacl::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL ORDER BY 1),
    (SELECT string_agg(d.objsubid || d.description, ' ' ORDER BY d.objsubid)
        FROM pg_description AS d WHERE d.objoid = c.oid),
    pg_get_viewdef(c.oid)
FROM pg_class AS c WHERE c.relname LIKE 'odds\\_%' AND c.relkind = 'v' ORDER BY 1
"""

LENGTH = "SELECT atttypmod - 4 FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname = "


@pytest.fixture
def changed_column(write_revision: Callable[[str], None]) -> None:
    """Add the revision that changes a column to this release."""
    write_revision(SCRIPT)


def role(url: str, run: Run, name: str) -> str:
    """Create a role with a name of this database; return it."""
    database = run(fetch_column(url, "SELECT current_database()"))[0]
    full = f"{name}_{database}".lower().replace("-", "_")
    run(execute(url, f"CREATE ROLE {full}"))
    return full


@pytest.mark.usefixtures("changed_column")
@pytest.mark.parametrize("offline", [False, True], ids=["online", "SQL text"])
def test_views_are_as_they_were(offline: bool, database: str, run: Run) -> None:
    """Owner, grants, options and comments of the views survive the change of a column."""
    owner, reader, other = (role(database, run, name) for name in ("owner", "reader", "other"))
    run(
        execute(
            database,
            f"GRANT CREATE ON SCHEMA public TO {owner}",
            f"ALTER VIEW odds_offers OWNER TO {owner}",
            f"GRANT SELECT ON odds_offers TO {reader} WITH GRANT OPTION",
            f"REVOKE DELETE ON odds_offers FROM {owner}",
            "GRANT SELECT ON odds_prices TO PUBLIC",
            f"GRANT SELECT (odds, outcome) ON odds_best_prices TO {reader}",
            "ALTER VIEW odds_prices SET (security_barrier = true, security_invoker = true)",
            "COMMENT ON VIEW odds_prices IS 'Ours: it''s \"quoted\" \\ 100 %'",
            # A new view would have this grant.
            f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {other}",
        )
    )
    before = run(fetch(database, STATE))
    assert len(before) == 5
    if offline:
        run(execute(database, migrations.upgrade_sql(f"{HEAD}:{REVISION}")))
    else:
        run(migrations.upgrade(database))
    assert run(fetch_column(database, f"{LENGTH}'home_team'")) == [300]
    assert run(fetch(database, STATE)) == before
    run(migrations.downgrade(database, HEAD))
    assert run(fetch_column(database, f"{LENGTH}'home_team'")) == [255]
    assert run(fetch(database, STATE)) == before


@pytest.mark.usefixtures("changed_column")
def test_check_knows_the_revision(database: str, run: Run) -> None:
    """`check` builds the same tables and views from such a revision."""
    run(migrations.upgrade(database))
    assert run(migrations.check(database)).state is CheckState.CLEAN


@pytest.mark.usefixtures("changed_column")
@pytest.mark.parametrize(
    ("create", "name", "drop"),
    [
        ("CREATE VIEW mine AS SELECT odds FROM odds_prices", "view mine", "DROP VIEW mine"),
        (
            "CREATE MATERIALIZED VIEW mine AS SELECT home_team FROM events",
            "materialized view mine",
            "DROP MATERIALIZED VIEW mine",
        ),
        (
            "CREATE SCHEMA bi; CREATE VIEW bi.odds_offers AS SELECT * FROM odds_offers;"
            "CREATE VIEW bi.more AS SELECT * FROM bi.odds_offers",
            "view bi.more, view bi.odds_offers",
            "DROP SCHEMA bi CASCADE",
        ),
        (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER no_insert INSTEAD OF INSERT ON odds_offers"
            " FOR EACH ROW EXECUTE FUNCTION refuse()",
            "trigger no_insert on odds_offers",
            "DROP TRIGGER no_insert ON odds_offers",
        ),
    ],
    ids=["view", "materialized view", "views of a schema", "trigger"],
)
def test_views_of_others_are_named(
    create: str, name: str, drop: str, database: str, run: Run
) -> None:
    """The error names everything that others built on the views or the column; nothing changes."""
    run(execute(database, create))
    before = run(fetch(database, STATE))
    with pytest.raises(MigrationError, match=f"same columns: {name}\n"):
        run(migrations.upgrade(database))
    assert run(fetch(database, STATE)) == before
    assert run(migrations.current(database)) == HEAD
    run(execute(database, drop))
    run(migrations.upgrade(database))
    assert run(migrations.current(database)) == REVISION


@pytest.mark.usefixtures("changed_column")
def test_views_of_others_elsewhere(database: str, run: Run) -> None:
    """A view of another table's column, or of another column, does not matter."""
    run(
        execute(
            database,
            "CREATE VIEW mine AS SELECT id, kickoff FROM events",
            "CREATE VIEW more AS SELECT platform FROM odds_freshness",
        )
    )
    run(migrations.upgrade(database))
    assert run(fetch_column(database, f"{LENGTH}'home_team'")) == [300]


def test_columns_are_appended(
    write_revision: Callable[[str], None], database: str, run: Run
) -> None:
    """A view is replaced under the views of others, and keeps its grants and options."""
    write_revision(APPENDING)
    reader = role(database, run, "reader")
    run(
        execute(
            database,
            f"GRANT SELECT ON odds_freshness TO {reader}",
            "ALTER VIEW odds_freshness SET (security_barrier = true)",
            "CREATE VIEW mine AS SELECT platform FROM odds_freshness",
        )
    )
    before = {row[0]: row[1:5] for row in run(fetch(database, STATE))}
    run(migrations.upgrade(database))
    assert {row[0]: row[1:5] for row in run(fetch(database, STATE))} == before
    run(execute(database, "INSERT INTO scrape_runs (status) VALUES ('completed')"))
    assert run(fetch_column(database, "SELECT note FROM odds_freshness")) == [r"a\b: :c"]
    assert run(migrations.check(database)).state is CheckState.CLEAN
