"""Add CHECKs for the rules of the contracts. They apply to new rows; 0005 validates old rows.

NOT VALID means that no table is read while it is locked.
"""

from alembic import op

revision = "oddsschema_0004"
down_revision = "oddsschema_0003"
branch_labels = None
depends_on = None

# In the conditions, {} is the column.
WHITE_SPACE = """
9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
8202, 8232, 8233, 8239, 8287, 12288
"""
NO_WHITE_SPACE = f"NOT IN ({' '.join(WHITE_SPACE.split())})"
TEXT = f"ascii({{}}) {NO_WHITE_SPACE} AND ascii(right({{}}, 1)) {NO_WHITE_SPACE}"
NAME = f"{{}} <> '' AND {TEXT}"
SLUG = "{} ~ '^[a-z0-9][a-z0-9_-]{0,19}$'"
STATUS = "{} IN ('pending', 'running', 'completed', 'partial', 'failed', 'connection_failed')"
TIME = "{} >= '1970-01-01 00:00:00+00:00' AND {} < '2201-01-01 00:00:00+00:00'"
COUNT = "{} >= 0"
FINITE = "{} > '-Infinity' AND {} < 'Infinity'"
HANDICAP_TYPE = "{} IN ('european', 'asian')"
HANDICAP = "num_nulls(handicap_type, handicap_home, handicap_away) IN (0, 3)"
FLOAT_MAX = 2**1024 - 2**971  # the greatest float64
JSON = f"NOT jsonb_path_exists({{}}, 'strict $.** ? (@ < -{FLOAT_MAX} || @ > {FLOAT_MAX})')"
OUTCOMES = (
    "CASE WHEN {} @@ 'strict "
    '!($[*].name.type() != "string") && !($[*].name == "") && '
    f"!(+$[*].odds < 1.0) && !($[*].odds > {FLOAT_MAX}) && "
    '!($[*].is_active.type() != "boolean")\' '
    "THEN jsonb_array_length({}) BETWEEN 1 AND 500 "
    "AND (pg_column_compression({}) IS NULL AND pg_column_size({}) <= 255 "
    'OR NOT {} @? \'$[*].name ? (@ like_regex "^.{255}." flag "s")\') '
    "ELSE false END"
)
COUNTRIES = """
ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR
BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG
COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH
FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY
HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM
KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL
MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU
SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA
TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB
VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
"""
COUNTRY = f"{{}} IN ({', '.join(map(repr, COUNTRIES.split()))})"

CHECKS = {
    "bookmakers": {
        "name": NAME,
        "slug": NAME,
        "base_url": TEXT,
        "logo_url": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
    },
    "scrape_batches": {
        "started_at": TIME,
        "completed_at": TIME,
        "status": STATUS,
        "trigger": TEXT,
        "notes": TEXT,
    },
    "sports": {
        "name": NAME,
        "slug": NAME,
    },
    "competitor_tournaments": {
        "name": NAME,
        "sportradar_id": NAME,
        "source": SLUG,
        "external_id": NAME,
        "country_raw": TEXT,
        "country_iso": COUNTRY,
        "created_at": TIME,
        "deleted_at": TIME,
    },
    "scrape_runs": {
        "status": STATUS,
        "started_at": TIME,
        "completed_at": TIME,
        "events_scraped": COUNT,
        "events_failed": COUNT,
        "trigger": TEXT,
        "platform_timings": JSON,
        "platform": SLUG,
    },
    "tournaments": {
        "name": NAME,
        "sportradar_id": NAME,
        "country": NAME,
    },
    "events": {
        "sportradar_id": NAME,
        "name": NAME,
        "home_team": NAME,
        "away_team": NAME,
        "kickoff": TIME,
        "created_at": TIME,
    },
    "competitor_events": {
        "sportradar_id": NAME,
        "name": NAME,
        "home_team": NAME,
        "away_team": NAME,
        "kickoff": TIME,
        "source": SLUG,
        "external_id": NAME,
        "created_at": TIME,
        "updated_at": TIME,
        "deleted_at": TIME,
    },
    "event_bookmakers": {
        "external_event_id": NAME,
        "event_url": TEXT,
        "created_at": TIME,
    },
    "odds_snapshots": {
        "captured_at": TIME,
        "raw_response": JSON,
    },
    "scrape_errors": {
        "error_type": NAME,
        "error_message": NAME,
        "occurred_at": TIME,
    },
    "competitor_odds_snapshots": {
        "captured_at": TIME,
        "raw_response": JSON,
    },
    "market_odds": {
        "betpawa_market_id": NAME,
        "betpawa_market_name": NAME,
        "line": FINITE,
        "handicap_type": HANDICAP_TYPE,
        "handicap_home": FINITE,
        "handicap_away": FINITE,
        "outcomes": OUTCOMES,
        "handicap": HANDICAP,
    },
    "competitor_market_odds": {
        "betpawa_market_id": NAME,
        "betpawa_market_name": NAME,
        "line": FINITE,
        "handicap_type": HANDICAP_TYPE,
        "handicap_home": FINITE,
        "handicap_away": FINITE,
        "outcomes": OUTCOMES,
        "handicap": HANDICAP,
    },
}


def upgrade() -> None:
    op.lock_tables(*CHECKS)
    for table, checks in CHECKS.items():
        for name, condition in checks.items():
            op.create_check_constraint(
                op.f(f"ck_{table}_{name}"),
                table,
                condition.replace("{}", name),
                postgresql_not_valid=True,
            )


def downgrade() -> None:
    op.lock_tables(*CHECKS)
    for table, checks in CHECKS.items():
        for name in checks:
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
