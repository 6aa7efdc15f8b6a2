"""Views that are replaced, and views that are dropped and made again around a change of a table.

PostgreSQL changes no column that a view reads. A revision gives the change to an operation of
alembic:

    op.alter_under_views(
        ["ALTER TABLE events ALTER COLUMN name TYPE varchar(600)"], columns=["events.name"]
    )

Our views that read the column have the same owner, grants, options and comments afterwards. A view
of somebody else that reads the column, or one of our views, is named before anything is changed,
and nothing is dropped with CASCADE. A revision that appends columns to a view replaces it, which
touches no view of others:

    op.replace_view("odds_offers", "SELECT ...")

Both are blocks of PL/pgSQL, so that they also work as SQL text.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from alembic.operations import MigrateOperation, Operations

from oddsschema.queries.views import VIEWS

# Given a schema, names are looked up there, and never among temporary tables first.
_BLOCK = """
DO $remake$
DECLARE
    path text := current_setting('search_path');
    place text := {schema};
    {variables}
BEGIN
    PERFORM set_config('search_path', {search_path}, true);
    {body}
    PERFORM set_config('search_path', path, true);
END $remake$;
"""

_VARIABLES = """
    definitions jsonb := {definitions};
    views oid[];
    others text;
    made text[] := '{{}}';
    of_columns text[] := '{{}}';
    statement text;
    view record;
"""

_REMAKE = """
WITH RECURSIVE readers AS (
    SELECT DISTINCT d.refobjid AS relation, d.refobjsubid AS number, r.ev_class AS view
    FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> d.refobjid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
), dropped AS (
    SELECT found.view FROM (
        SELECT r.view
        FROM unnest({columns}) AS given (name)
        CROSS JOIN parse_ident(given.name) AS part
        JOIN pg_attribute AS a ON a.attrelid = to_regclass(quote_ident(part[1]))
            AND a.attname = part[2]
        JOIN readers AS r ON r.relation = a.attrelid AND r.number IN (0, a.attnum)
        UNION
        SELECT c.oid FROM unnest({remade}) AS given (name)
        JOIN pg_class AS c ON c.oid = to_regclass(given.name) AND c.relkind = 'v'
    ) AS found
    UNION
    SELECT r.view FROM dropped JOIN readers AS r ON r.relation = dropped.view
)
SELECT array_agg(dropped.view) INTO views FROM dropped;

SELECT string_agg(found.name, ', ' ORDER BY found.name) INTO others FROM (
    SELECT CASE c.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view '
        ELSE 'rule of ' END || c.oid::regclass AS name
    FROM pg_class AS c
    WHERE c.oid = ANY (views) AND NOT (
        c.relkind = 'v' AND c.relname = ANY ({ours})
        AND c.relnamespace = quote_ident(current_schema())::regnamespace
    )
    UNION ALL
    SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger AS t WHERE t.tgrelid = ANY (views) AND NOT t.tgisinternal
    UNION ALL
    SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass)
    FROM pg_rewrite AS r WHERE r.ev_class = ANY (views) AND r.rulename <> '_RETURN'
) AS found;
IF others IS NOT NULL THEN
    RAISE EXCEPTION USING
        MESSAGE = 'the views of oddsschema are made again, and others depend on them or on the '
            || 'same columns: ' || others,
        ERRCODE = 'dependent_objects_still_exist',
        HINT = 'Drop these, run the change again, and create them again.';
END IF;

FOR view IN
    SELECT c.*, c.oid AS id, c.oid::regclass::text AS name
    FROM pg_class AS c WHERE c.oid = ANY (views) ORDER BY c.oid
LOOP
    made := made || format('CREATE VIEW %s%s AS %s', view.name,
        ' WITH (' || array_to_string(view.reloptions, ', ') || ')',
        coalesce(definitions ->> view.relname, pg_get_viewdef(view.id)));
    made := made || format('ALTER VIEW %s OWNER TO %s', view.name, view.relowner::regrole);
    made := made || ARRAY(
        SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', view.name, found.grantee)
        FROM (
            SELECT CASE granted.grantee WHEN 0 THEN 'PUBLIC'
                ELSE granted.grantee::regrole::text END AS grantee
            FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS granted
            WHERE d.defaclobjtype = 'r' AND d.defaclrole = current_user::regrole
                AND d.defaclnamespace IN (0, view.relnamespace)
                AND granted.grantee <> view.relowner
            UNION ALL
            SELECT view.relowner::regrole::text WHERE view.relacl IS NOT NULL
        ) AS found
    );
    made := made || ARRAY(
        SELECT format('GRANT %s ON %s TO %s%s', granted.privilege_type, view.name,
            CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM aclexplode(view.relacl) AS granted
    );
    made := made || ARRAY(
        SELECT format('COMMENT ON VIEW %s IS %L', view.name, obj_description(view.id, 'pg_class'))
    );
    of_columns := of_columns || ARRAY(
        SELECT format('GRANT %s (%I) ON %s TO %s%s', granted.privilege_type, a.attname, view.name,
            CASE granted.grantee WHEN 0 THEN 'PUBLIC' ELSE granted.grantee::regrole::text END,
            CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_attribute AS a, aclexplode(a.attacl) AS granted
        WHERE a.attrelid = view.id AND a.attnum > 0
    ) || ARRAY(
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', view.name, a.attname, d.description)
        FROM pg_attribute AS a
        JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass
            AND (d.objoid, d.objsubid) = (a.attrelid, a.attnum)
        WHERE a.attrelid = view.id AND a.attnum > 0
    );
END LOOP;
SELECT 'DROP VIEW ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) INTO statement
FROM pg_class AS c WHERE c.oid = ANY (views);
IF statement IS NOT NULL THEN EXECUTE statement; END IF;
{statements}
FOREACH statement IN ARRAY made LOOP EXECUTE statement; END LOOP;
FOREACH statement IN ARRAY of_columns LOOP
    BEGIN EXECUTE statement; EXCEPTION WHEN undefined_column THEN NULL; END;
END LOOP;
"""

# A view that is replaced keeps its owner, grants and comments, but not its options.
_REPLACE = """
    EXECUTE format('CREATE OR REPLACE VIEW %s%s AS %s', {name}, (
        SELECT ' WITH (' || array_to_string(c.reloptions, ', ') || ')'
        FROM pg_class AS c WHERE c.oid = to_regclass({name})
    ), {definition});
"""


def remake_views(
    statements: Sequence[str] = (),
    *,
    columns: Collection[str] = (),
    definitions: Mapping[str, str] | None = None,
    remade: Collection[str] = (),
    schema: str | None = None,
) -> str:
    """Return the SQL that runs statements while our views that read some columns are dropped.

    `columns` are "table.column", quoted as SQL needs it. The views are made again as they were, or
    by their `definitions`; those named in `remade` too. The tables are in `schema`, quoted as SQL
    needs it, or in the first schema of the search path.

    PostgreSQL raises dependent_objects_still_exist (2BP01), before any change, if views of others,
    or triggers or rules on ours, would have to be dropped.
    """
    body = _REMAKE.format(
        columns=_array(columns),
        remade=_array(remade),
        ours=_array(VIEWS),
        statements=" ".join(f"EXECUTE {_literal(each)};" for each in statements),
    )
    pairs = ", ".join(
        f"{_literal(name)}, {_literal(definition)}"
        for name, definition in (definitions or {}).items()
    )
    variables = _VARIABLES.format(definitions=f"jsonb_build_object({pairs})")
    return _block(body, variables, schema)


def make_view(name: str, definition: str, schema: str) -> str:
    """Return the SQL that creates a view in a schema, quoted as SQL needs it."""
    create = _literal(f"CREATE VIEW {name} AS {definition}")
    return _block(f"EXECUTE {create};", "", schema)


def replace_view(name: str, definition: str, schema: str | None = None) -> str:
    """Return the SQL that replaces a view, to which the definition may append columns."""
    return _block(_REPLACE.format(name=_literal(name), definition=_literal(definition)), "", schema)


def _block(body: str, variables: str, schema: str | None) -> str:
    block = _BLOCK.format(
        schema="quote_ident(current_schema())" if schema is None else _literal(schema),
        search_path="path" if schema is None else "place || ', pg_temp'",
        variables=variables,
        body=body,
    )
    # In one line, as reports print repairs. Literals have no line breaks.
    return re.sub(r"\s*\n\s*", " ", block).strip()


def _array(names: Collection[str]) -> str:
    return f"ARRAY[{', '.join(map(_literal, names))}]::text[]"


def _literal(value: str) -> str:
    # E'' has the same meaning whatever standard_conforming_strings is.
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"E'{escaped}'"


@Operations.register_operation("alter_under_views")
@dataclass
class AlterUnderViews(MigrateOperation):
    """A change of tables, for which views are dropped and made again."""

    statements: Sequence[str]
    columns: Collection[str]
    definitions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def alter_under_views(
        cls,
        operations: Operations,
        statements: Sequence[str],
        *,
        columns: Collection[str],
        definitions: Mapping[str, str] | None = None,
    ) -> None:
        """Run statements that change columns, "table.column", which our views read.

        `definitions` are new texts of views by name; the others are made again as they were.
        """
        operations.invoke(cls(statements, columns, definitions or {}))


@Operations.register_operation("replace_view")
@dataclass
class ReplaceView(MigrateOperation):
    """The replacement of a view."""

    name: str
    definition: str

    @classmethod
    def replace_view(cls, operations: Operations, name: str, definition: str) -> None:
        """Replace a view. Its new definition may append columns, and changes no other."""
        operations.invoke(cls(name, definition))


@Operations.implementation_for(AlterUnderViews)
def alter_under_views(operations: Operations, wanted: AlterUnderViews) -> None:
    """Run the statements between the removal and the creation of the views."""
    run_block(
        operations,
        remake_views(wanted.statements, columns=wanted.columns, definitions=wanted.definitions),
    )


@Operations.implementation_for(ReplaceView)
def replace(operations: Operations, wanted: ReplaceView) -> None:
    """Replace the view."""
    run_block(operations, replace_view(wanted.name, wanted.definition))


def run_block(operations: Operations, sql: str) -> None:
    """Run a block, or write it as SQL text."""
    # As it is: to SQLAlchemy, a colon or a % in it would have a meaning.
    context = operations.get_context()
    if context.as_sql or context.connection is None:
        context.impl.static_output(sql)
    else:
        context.connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
