"""Let markets differ in specifiers, and closed outcomes have no price. Name refused markets.

The CHECKs apply to new rows; 0009 brings old rows into form and validates them. A CHECK that gets
another condition under another name makes older programs refuse the database: they would take
markets that differ in specifiers for one market.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "oddsschema_0008"
down_revision = "oddsschema_0007"
branch_labels = None
depends_on = None

# In the conditions, {} is the column.
WHITE_SPACE = """
9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
8202, 8232, 8233, 8239, 8287, 12288
"""
NO_WHITE_SPACE = f"NOT IN ({' '.join(WHITE_SPACE.split())})"
SPECIFIERS = (
    f"{{}} <> '' AND ascii({{}}) {NO_WHITE_SPACE} AND ascii(right({{}}, 1)) {NO_WHITE_SPACE}"
)
HANDICAP = "num_nulls(handicap_type, handicap_home, handicap_away) IN (0, 3)"
HANDICAP_LINE = (
    "num_nulls(handicap_type, handicap_home, handicap_away) = 3 "
    "OR num_nulls(line, handicap_type, handicap_home, handicap_away) = 0 "
    "AND handicap_away = -handicap_home AND line = handicap_home"
)
FLOAT_MAX = 2**1024 - 2**971  # the greatest float64
OUTCOMES = (
    "CASE WHEN {} @@ 'strict "
    '!($[*].name.type() != "string") && !($[*].name == "") && '
    f"PRICES && !($[*].odds > {FLOAT_MAX}) && "
    '!($[*].is_active.type() != "boolean")\' '
    "THEN jsonb_array_length({}) BETWEEN 1 AND 500 "
    "AND (pg_column_compression({}) IS NULL AND pg_column_size({}) <= 255 "
    'OR NOT {} @? \'$[*].name ? (@ like_regex "^.{255}." flag "s")\') '
    "ELSE false END"
)
ALL_PRICED = "!(+$[*].odds < 1.0)"
CLOSED = "!($[*].odds < 1.0) && !($[*] ? (@.odds == null).is_active != false)"
OLD_OUTCOMES = OUTCOMES.replace("PRICES", ALL_PRICED)
NEW_OUTCOMES = OUTCOMES.replace("PRICES", f"({ALL_PRICED} || {CLOSED})")
UNKNOWN_MARKETS = (
    "jsonb_typeof({}) = 'array' "
    "AND NOT jsonb_path_exists({}, 'strict $[*] ? (@.type() != \"array\")') "
    f"AND NOT jsonb_path_exists({{}}, 'strict $.** ? (@ < -{FLOAT_MAX} || @ > {FLOAT_MAX})')"
)

# In the order in which ingestion uses the tables.
SIDES = (
    {
        "snapshots": "competitor_odds_snapshots",
        "markets": "competitor_market_odds",
        "event": "competitor_event_id",
        "same": "",
    },
    {
        "snapshots": "odds_snapshots",
        "markets": "market_odds",
        "event": "event_id",
        "same": "AND earlier.bookmaker_id = s.bookmaker_id",
    },
)

TABLES = tuple(side[kind] for side in SIDES for kind in ("snapshots", "markets"))


def upgrade() -> None:
    op.lock_tables(*TABLES)
    for side in SIDES:
        table = side["snapshots"]
        op.add_column(table, sa.Column("unknown_markets", postgresql.JSONB(), nullable=True))
        _add_check(table, "unknown_markets", UNKNOWN_MARKETS)
        table = side["markets"]
        op.add_column(table, sa.Column("specifiers", sa.String(length=255), nullable=True))
        _add_check(table, "specifiers", SPECIFIERS)
        _add_check(table, "handicap_line", HANDICAP_LINE)
        _drop_check(table, "handicap")
        _drop_check(table, "outcomes")
        _add_check(table, "outcomes", NEW_OUTCOMES)


def _add_check(table: str, name: str, condition: str, *, not_valid: bool = True) -> None:
    # With NOT VALID, no row is read while the table is locked. 0009 validates.
    op.create_check_constraint(
        op.f(f"ck_{table}_{name}"),
        table,
        condition.replace("{}", name),
        postgresql_not_valid=not_valid,
    )


def _drop_check(table: str, name: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")


# -- downgrade -------------------------------------------------------------------------------------

HAS_PRICE = "outcomes @? '$[*] ? (@.odds != null)'"
LACKS_PRICE = "outcomes @? '$[*] ? (@.odds == null)'"

# Delete the markets that differ from others in their specifiers.
DELETE_SPECIFIERS = "DELETE FROM {markets} WHERE specifiers IS NOT NULL"

# Remove the outcomes without a price from markets that have prices as well.
REMOVE_OUTCOMES = f"""
UPDATE {{markets}} SET outcomes = jsonb_path_query_array(outcomes, '$[*] ? (@.odds != null)')
WHERE {LACKS_PRICE} AND {HAS_PRICE}
"""

# Take markets without any price off the offer, with their last outcomes that had prices: without a
# row of their own, older prices would apply again.
TAKE_OFF = f"""
WITH unpriced AS MATERIALIZED (
    SELECT m.id, s.captured_at, priced.outcomes
    FROM {{markets}} AS m
    JOIN {{snapshots}} AS s ON s.{{event}} = m.{{event}} AND s.id = m.snapshot_id
    CROSS JOIN LATERAL (
        SELECT p.outcomes
        FROM {{snapshots}} AS earlier
        JOIN {{markets}} AS p ON p.{{event}} = earlier.{{event}} AND p.snapshot_id = earlier.id
        WHERE earlier.{{event}} = s.{{event}} {{same}}
            AND (earlier.captured_at, p.id) < (s.captured_at, m.id)
            AND p.betpawa_market_id = m.betpawa_market_id
            AND p.line IS NOT DISTINCT FROM m.line
            AND p.handicap_type IS NOT DISTINCT FROM m.handicap_type
            AND p.{HAS_PRICE}
        ORDER BY earlier.captured_at DESC, p.id DESC
        LIMIT 1
    ) AS priced
    WHERE NOT m.{HAS_PRICE}
)
UPDATE {{markets}} AS m
SET outcomes = unpriced.outcomes,
    unavailable_at = COALESCE(m.unavailable_at, unpriced.captured_at)
FROM unpriced
WHERE m.id = unpriced.id
"""

# Delete the other markets without any price: they had none before either.
DELETE_UNPRICED = f"DELETE FROM {{markets}} WHERE NOT {HAS_PRICE}"

LOSSES = (
    (DELETE_SPECIFIERS, "{} rows of markets with specifiers were deleted"),
    (REMOVE_OUTCOMES, "the outcomes without a price were removed from {} rows"),
    (TAKE_OFF, "{} rows without any price became rows of markets that are no longer offered"),
    (DELETE_UNPRICED, "{} rows without any price, of markets that never had one, were deleted"),
)


def downgrade() -> None:
    """Delete or change, and count, the rows that the older form cannot hold."""
    # Others could store more of what is deleted.
    op.lock_tables(*TABLES)
    for side in SIDES:
        for statement, loss in LOSSES:
            _print_loss(statement.format(**side), f"{side['markets']}: {loss}")
    for side in SIDES:
        op.drop_column(side["snapshots"], "unknown_markets")
        table = side["markets"]
        op.drop_column(table, "specifiers")
        _drop_check(table, "handicap_line")
        _add_check(table, "handicap", HANDICAP, not_valid=False)
        _drop_check(table, "outcomes")
        _add_check(table, "outcomes", OLD_OUTCOMES, not_valid=False)


def _print_loss(statement: str, loss: str) -> None:
    """Run a statement, and print the number of its rows, unless the output is SQL text."""
    context = op.get_context()
    if context.as_sql:
        op.execute(statement)
        return
    rows = op.get_bind().exec_driver_sql(statement).rowcount
    if rows and context.config is not None:
        context.config.print_stdout(loss.format(rows))
