"""Single alterations of a database, each with the one difference that it makes."""

from typing import NamedTuple

from oddsschema.release import MARK
from tests.support.views import under_views

#: Placeholders for the name and the text of a CHECK of competitor_market_odds.
CHECK, CHECK_TEXT = "{check}", "{check_text}"


class Tampering(NamedTuple):
    """An alteration, and the difference that it makes."""

    id: str
    sql: str
    what: str
    where: str
    expected: str | None
    found: str | None

    @property
    def statement(self) -> str:
        """The alteration, around which the views are made again if it changes a type."""
        return under_views(self.sql) if " TYPE " in self.sql else self.sql


#: Before an alteration: print the catalogs with quotes. `check` does not mind.
_QUOTED = "SET LOCAL quote_all_identifiers = on; "

_ID_SEQUENCE = "INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 NO CYCLE"
_FK = "fk_competitor_events_betpawa_event_id_events"
_FK_TEXT = "FOREIGN KEY (betpawa_event_id) REFERENCES events(id)"


def _fk(text: str) -> str:
    return f"ALTER TABLE competitor_events DROP CONSTRAINT {_FK}, ADD CONSTRAINT {_FK} {text}"


def _check(text: str) -> str:
    return (
        f"ALTER TABLE competitor_market_odds DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} {text}"
    )


def _index(name: str, definition: str) -> str:
    return f"DROP INDEX {name}; CREATE INDEX {name} ON {definition}"


def _invalid(index: str) -> str:
    # The remains of a failed CREATE INDEX CONCURRENTLY.
    return f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass"


TAMPERINGS = [
    # -- tables
    Tampering(
        "table dropped",
        "DROP TABLE scrape_errors",
        *("table", "scrape_errors", "table", None),
    ),
    Tampering(
        "table dropped with foreign keys",
        "DROP TABLE competitor_odds_snapshots CASCADE",
        *("table", "competitor_odds_snapshots", "table", None),
    ),
    Tampering(
        "table renamed",
        "ALTER TABLE competitor_events RENAME TO rivals",
        *("table name", "rivals", "competitor_events", "rivals"),
    ),
    Tampering(
        "table unlogged",
        "ALTER TABLE market_odds SET UNLOGGED",
        *("table", "market_odds", "table", "unlogged table"),
    ),
    # -- columns
    Tampering(
        "column added",
        "ALTER TABLE events ADD COLUMN venue text",
        *("column", "events.venue", None, "text"),
    ),
    Tampering(
        "column added with a foreign key and an index",
        "ALTER TABLE events ADD COLUMN venue text REFERENCES sports (name) UNIQUE",
        *("column", "events.venue", None, "text"),
    ),
    Tampering(
        "column added that is computed",
        "ALTER TABLE events ADD COLUMN teams text GENERATED ALWAYS AS (home_team) STORED",
        "column",
        "events.teams",
        None,
        "text GENERATED ALWAYS AS (home_team) STORED",
    ),
    Tampering(
        "column dropped",
        "ALTER TABLE scrape_batches DROP COLUMN notes",
        *("column", "scrape_batches.notes", "text", None),
    ),
    Tampering(
        "column dropped with an index and a CHECK",
        "ALTER TABLE competitor_market_odds DROP COLUMN betpawa_market_id CASCADE",
        "column",
        "competitor_market_odds.betpawa_market_id",
        "character varying(50) NOT NULL",
        None,
    ),
    Tampering(
        "column dropped with keys",
        "ALTER TABLE competitor_odds_snapshots DROP COLUMN id CASCADE",
        "column",
        "competitor_odds_snapshots.id",
        "bigint DEFAULT nextval('competitor_odds_snapshots_id_seq'::regclass) NOT NULL",
        None,
    ),
    Tampering(
        "column renamed",
        "ALTER TABLE competitor_events RENAME COLUMN source TO platform",
        *("column name", "competitor_events.platform", "source", "platform"),
    ),
    Tampering(
        "column widened",
        "ALTER TABLE events ALTER COLUMN name TYPE varchar(1000)",
        "column type",
        "events.name",
        "character varying(500)",
        "character varying(1000)",
    ),
    Tampering(
        "column narrowed",
        "ALTER TABLE competitor_market_odds ALTER COLUMN id TYPE integer",
        *("column type", "competitor_market_odds.id", "bigint", "integer"),
    ),
    Tampering(
        "column of another type, with a default and a CHECK",
        "ALTER TABLE scrape_runs ALTER COLUMN status TYPE text",
        *("column type", "scrape_runs.status", "character varying(20)", "text"),
    ),
    Tampering(
        "column of another number",
        "ALTER TABLE market_odds ALTER COLUMN line TYPE numeric(8, 2)",
        *("column type", "market_odds.line", "double precision", "numeric(8,2)"),
    ),
    Tampering(
        "column without time zone",
        "ALTER TABLE competitor_events ALTER COLUMN kickoff TYPE timestamp",
        "column type",
        "competitor_events.kickoff",
        "timestamp with time zone",
        "timestamp without time zone",
    ),
    Tampering(
        "column of another collation",
        'ALTER TABLE events ALTER COLUMN home_team TYPE varchar(255) COLLATE "C"',
        "column type",
        "events.home_team",
        "character varying(255)",
        'character varying(255) COLLATE "C"',
    ),
    Tampering(
        "NOT NULL dropped",
        "ALTER TABLE market_odds ALTER COLUMN outcomes DROP NOT NULL",
        *("column nullability", "market_odds.outcomes", "NOT NULL", "NULL"),
    ),
    Tampering(
        "NOT NULL added",
        "ALTER TABLE odds_snapshots ALTER COLUMN scrape_run_id SET NOT NULL",
        *("column nullability", "odds_snapshots.scrape_run_id", "NULL", "NOT NULL"),
    ),
    Tampering(
        "default dropped",
        "ALTER TABLE events ALTER COLUMN created_at DROP DEFAULT",
        *("column default", "events.created_at", "now()", None),
    ),
    Tampering(
        "default changed",
        "ALTER TABLE scrape_runs ALTER COLUMN events_scraped SET DEFAULT 1",
        *("column default", "scrape_runs.events_scraped", "0", "1"),
    ),
    Tampering(
        "default added",
        "ALTER TABLE market_odds ALTER COLUMN line SET DEFAULT 0",
        *("column default", "market_odds.line", None, "0"),
    ),
    Tampering(
        "column renamed that constraints name",
        "ALTER TABLE sports RENAME COLUMN slug TO code",
        *("column name", "sports.code", "slug", "code"),
    ),
    Tampering(
        "column added with a default",
        "ALTER TABLE sports ADD COLUMN code integer NOT NULL DEFAULT 0",
        *("column", "sports.code", None, "integer DEFAULT 0 NOT NULL"),
    ),
    Tampering(
        "column added that counts",
        "ALTER TABLE sports ADD COLUMN code integer GENERATED ALWAYS AS IDENTITY",
        *("column", "sports.code", None, "integer GENERATED ALWAYS AS IDENTITY NOT NULL"),
    ),
    Tampering(
        "column dropped with a default",
        "ALTER TABLE bookmakers DROP COLUMN is_active",
        *("column", "bookmakers.is_active", "boolean DEFAULT true NOT NULL", None),
    ),
    Tampering(
        "column of limited text",
        "ALTER TABLE scrape_batches ALTER COLUMN notes TYPE varchar(500)",
        *("column type", "scrape_batches.notes", "text", "character varying(500)"),
    ),
    Tampering(
        "column of shorter text, with a CHECK",
        "ALTER TABLE events ALTER COLUMN away_team TYPE varchar(250)",
        "column type",
        "events.away_team",
        "character varying(255)",
        "character varying(250)",
    ),
    Tampering(
        "column of shorter text, in the condition of an index",
        "ALTER TABLE competitor_tournaments ALTER COLUMN sportradar_id TYPE varchar(99)",
        "column type",
        "competitor_tournaments.sportradar_id",
        "character varying(100)",
        "character varying(99)",
    ),
    Tampering(
        "column of greater numbers",
        "ALTER TABLE scrape_runs ALTER COLUMN events_scraped TYPE bigint",
        *("column type", "scrape_runs.events_scraped", "integer", "bigint"),
    ),
    Tampering(
        "column of whole seconds",
        "ALTER TABLE events ALTER COLUMN created_at TYPE timestamptz(0)",
        "column type",
        "events.created_at",
        "timestamp with time zone",
        "timestamp(0) with time zone",
    ),
    Tampering(
        "NOT NULL dropped below a foreign key",
        "ALTER TABLE market_odds ALTER COLUMN event_id DROP NOT NULL",
        *("column nullability", "market_odds.event_id", "NOT NULL", "NULL"),
    ),
    Tampering(
        "default of another function",
        "ALTER TABLE bookmakers ALTER COLUMN created_at SET DEFAULT clock_timestamp()",
        *("column default", "bookmakers.created_at", "now()", "clock_timestamp()"),
    ),
    Tampering(
        "default turned round",
        "ALTER TABLE bookmakers ALTER COLUMN is_active SET DEFAULT false",
        *("column default", "bookmakers.is_active", "true", "false"),
    ),
    Tampering(
        "default of an array dropped",
        "ALTER TABLE odds_snapshots ALTER COLUMN confirmed_at DROP DEFAULT",
        "column default",
        "odds_snapshots.confirmed_at",
        "'{}'::timestamp with time zone[]",
        None,
    ),
    # -- sequences
    Tampering(
        "default of an id dropped",
        "ALTER TABLE events ALTER COLUMN id DROP DEFAULT",
        *("column default", "events.id", "nextval('events_id_seq'::regclass)", None),
    ),
    Tampering(
        "sequence dropped with a default",
        "DROP SEQUENCE competitor_events_id_seq CASCADE",
        "sequence",
        "competitor_events.competitor_events_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        None,
    ),
    Tampering(
        "sequence of another type",
        "ALTER SEQUENCE events_id_seq AS smallint",
        "sequence",
        "events.events_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        "AS smallint INCREMENT BY 1 MINVALUE 1 MAXVALUE 32767 NO CYCLE",
    ),
    Tampering(
        "sequence with another increment",
        "ALTER SEQUENCE events_id_seq INCREMENT BY 2",
        "sequence",
        "events.events_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        f"AS integer {_ID_SEQUENCE.replace('BY 1', 'BY 2')}",
    ),
    Tampering(
        "sequence that starts over",
        "ALTER SEQUENCE sports_id_seq CYCLE",
        "sequence",
        "sports.sports_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        f"AS integer {_ID_SEQUENCE.replace('NO CYCLE', 'CYCLE')}",
    ),
    Tampering(
        "sequence that no column owns",
        "ALTER SEQUENCE sports_id_seq OWNED BY NONE",
        *("sequence owner", "sports.sports_id_seq", "sports.id", None),
    ),
    Tampering(
        "sequence renamed",
        "ALTER SEQUENCE sports_id_seq RENAME TO sports_ids",
        *("sequence name", "sports.sports_ids", "sports_id_seq", "sports_ids"),
    ),
    Tampering(
        "sequence unlogged",
        "ALTER SEQUENCE tournaments_id_seq SET UNLOGGED",
        "sequence",
        "tournaments.tournaments_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        f"AS integer {_ID_SEQUENCE} UNLOGGED",
    ),
    Tampering(
        "sequence behind its column",
        "ALTER SEQUENCE bookmakers_id_seq RESTART",  # which is rolled back, unlike setval
        "sequence position",
        "bookmakers.bookmakers_id_seq",
        "a next id above 3",
        "1",
    ),
    Tampering(
        "sequence with another minimum",
        "ALTER SEQUENCE sports_id_seq MINVALUE 0",
        "sequence",
        "sports.sports_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        f"AS integer {_ID_SEQUENCE.replace('MINVALUE 1', 'MINVALUE 0')}",
    ),
    Tampering(
        "sequence with a lower maximum",
        "ALTER SEQUENCE sports_id_seq MAXVALUE 1000",
        "sequence",
        "sports.sports_id_seq",
        f"AS integer {_ID_SEQUENCE}",
        f"AS integer {_ID_SEQUENCE.replace('2147483647', '1000')}",
    ),
    Tampering(
        "sequence of large ids narrowed",
        "ALTER SEQUENCE market_odds_id_seq AS integer",
        "sequence",
        "market_odds.market_odds_id_seq",
        f"AS bigint {_ID_SEQUENCE.replace('2147483647', '9223372036854775807')}",
        f"AS integer {_ID_SEQUENCE}",
    ),
    Tampering(
        "sequence that another table owns",
        "ALTER SEQUENCE sports_id_seq OWNED BY events.id",
        *("sequence owner", "sports.sports_id_seq", "sports.id", None),
    ),
    # -- keys
    Tampering(
        "primary key dropped",
        "ALTER TABLE market_odds DROP CONSTRAINT pk_market_odds",
        *("primary key", "market_odds.pk_market_odds", "PRIMARY KEY (id)", None),
    ),
    Tampering(
        "primary key dropped with foreign keys",
        "ALTER TABLE scrape_runs DROP CONSTRAINT pk_scrape_runs CASCADE",
        *("primary key", "scrape_runs.pk_scrape_runs", "PRIMARY KEY (id)", None),
    ),
    Tampering(
        "primary key over other columns",
        "ALTER TABLE market_odds DROP CONSTRAINT pk_market_odds, "
        "ADD CONSTRAINT pk_market_odds PRIMARY KEY (event_id, id)",
        "primary key",
        "market_odds.pk_market_odds",
        "PRIMARY KEY (id)",
        "PRIMARY KEY (event_id, id)",
    ),
    Tampering(
        "primary key whose index is invalid",
        _invalid("pk_events"),
        *("primary key", "events.pk_events", "PRIMARY KEY (id)", "PRIMARY KEY (id) INVALID"),
    ),
    Tampering(
        "unique constraint dropped",
        "ALTER TABLE events DROP CONSTRAINT uq_events_sportradar_id",
        "unique constraint",
        "events.uq_events_sportradar_id",
        "UNIQUE (sportradar_id)",
        None,
    ),
    Tampering(
        "unique constraint over fewer columns",
        "ALTER TABLE tournaments DROP CONSTRAINT uq_tournaments_sport_id_name_country, "
        "ADD CONSTRAINT uq_tournaments_sport_id_name_country UNIQUE (sport_id, name)",
        "unique constraint",
        "tournaments.uq_tournaments_sport_id_name_country",
        "UNIQUE (sport_id, name, country)",
        "UNIQUE (sport_id, name)",
    ),
    Tampering(
        "unique constraint in which NULLs are equal",
        "ALTER TABLE tournaments DROP CONSTRAINT uq_tournaments_sportradar_id, "
        "ADD CONSTRAINT uq_tournaments_sportradar_id UNIQUE NULLS NOT DISTINCT (sportradar_id)",
        "unique constraint",
        "tournaments.uq_tournaments_sportradar_id",
        "UNIQUE (sportradar_id)",
        "UNIQUE NULLS NOT DISTINCT (sportradar_id)",
    ),
    Tampering(
        "unique constraint that waits for the commit",
        "ALTER TABLE sports DROP CONSTRAINT uq_sports_slug, "
        "ADD CONSTRAINT uq_sports_slug UNIQUE (slug) DEFERRABLE INITIALLY DEFERRED",
        "unique constraint",
        "sports.uq_sports_slug",
        "UNIQUE (slug)",
        "UNIQUE (slug) DEFERRABLE INITIALLY DEFERRED",
    ),
    Tampering(
        "unique constraint changed below a foreign key",
        "ALTER TABLE odds_snapshots DROP CONSTRAINT uq_odds_snapshots_event_id_id CASCADE, "
        "ADD CONSTRAINT uq_odds_snapshots_event_id_id UNIQUE (event_id, id) INCLUDE (bookmaker_id);"
        "ALTER TABLE market_odds ADD CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots "
        "FOREIGN KEY (event_id, snapshot_id) REFERENCES odds_snapshots (event_id, id) "
        "ON DELETE CASCADE",
        "unique constraint",
        "odds_snapshots.uq_odds_snapshots_event_id_id",
        "UNIQUE (event_id, id)",
        "UNIQUE (event_id, id) INCLUDE (bookmaker_id)",
    ),
    Tampering(
        "unique constraint renamed",
        "ALTER TABLE sports RENAME CONSTRAINT uq_sports_slug TO sports_slug_key",
        "unique constraint name",
        "sports.sports_slug_key",
        "uq_sports_slug",
        "sports_slug_key",
    ),
    Tampering(
        "unique constraint added",
        "ALTER TABLE events ADD CONSTRAINT once UNIQUE (name, kickoff)",
        *("unique constraint", "events.once", None, "UNIQUE (name, kickoff)"),
    ),
    Tampering(
        "exclusion constraint added",
        "ALTER TABLE events ADD CONSTRAINT once EXCLUDE USING btree (name WITH =)",
        *("exclusion constraint", "events.once", None, "EXCLUDE USING btree (name WITH =)"),
    ),
    Tampering(
        "primary key renamed",
        "ALTER TABLE sports RENAME CONSTRAINT pk_sports TO sports_pkey",
        *("primary key name", "sports.sports_pkey", "pk_sports", "sports_pkey"),
    ),
    Tampering(
        "primary key with more in it",
        "ALTER TABLE market_odds DROP CONSTRAINT pk_market_odds, "
        "ADD CONSTRAINT pk_market_odds PRIMARY KEY (id) INCLUDE (line)",
        "primary key",
        "market_odds.pk_market_odds",
        "PRIMARY KEY (id)",
        "PRIMARY KEY (id) INCLUDE (line)",
    ),
    Tampering(
        "unique constraint whose index is invalid",
        _invalid("uq_sports_slug"),
        *("unique constraint", "sports.uq_sports_slug", "UNIQUE (slug)", "UNIQUE (slug) INVALID"),
    ),
    Tampering(
        "unique constraint in another order",
        "ALTER TABLE tournaments DROP CONSTRAINT uq_tournaments_sport_id_name_country, "
        "ADD CONSTRAINT uq_tournaments_sport_id_name_country UNIQUE (name, sport_id, country)",
        "unique constraint",
        "tournaments.uq_tournaments_sport_id_name_country",
        "UNIQUE (sport_id, name, country)",
        "UNIQUE (name, sport_id, country)",
    ),
    # -- foreign keys
    Tampering(
        "foreign key dropped",
        f"ALTER TABLE competitor_events DROP CONSTRAINT {_FK}",
        *("foreign key", f"competitor_events.{_FK}", f"{_FK_TEXT} ON DELETE SET NULL", None),
    ),
    Tampering(
        "foreign key with another ON DELETE",
        _fk(f"{_FK_TEXT} ON DELETE CASCADE"),
        "foreign key",
        f"competitor_events.{_FK}",
        f"{_FK_TEXT} ON DELETE SET NULL",
        f"{_FK_TEXT} ON DELETE CASCADE",
    ),
    Tampering(
        "foreign key with another ON UPDATE",
        _fk(f"{_FK_TEXT} ON UPDATE CASCADE ON DELETE SET NULL"),
        "foreign key",
        f"competitor_events.{_FK}",
        f"{_FK_TEXT} ON DELETE SET NULL",
        f"{_FK_TEXT} ON UPDATE CASCADE ON DELETE SET NULL",
    ),
    Tampering(
        "foreign key that waits for the commit",
        f"ALTER TABLE competitor_events ALTER CONSTRAINT {_FK} DEFERRABLE INITIALLY DEFERRED",
        "foreign key",
        f"competitor_events.{_FK}",
        f"{_FK_TEXT} ON DELETE SET NULL",
        f"{_FK_TEXT} ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED",
    ),
    Tampering(
        "foreign key not validated",
        _fk(f"{_FK_TEXT} ON DELETE SET NULL NOT VALID"),
        "foreign key",
        f"competitor_events.{_FK}",
        f"{_FK_TEXT} ON DELETE SET NULL",
        f"{_FK_TEXT} ON DELETE SET NULL NOT VALID",
    ),
    Tampering(
        "foreign keys not enforced",
        "ALTER TABLE event_bookmakers DISABLE TRIGGER ALL",
        "disabled triggers",
        "event_bookmakers",
        None,
        "those of fk_event_bookmakers_bookmaker_id_bookmakers, fk_event_bookmakers_event_id_events",
    ),
    Tampering(
        "foreign key that matches in full",
        "ALTER TABLE market_odds DROP CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots, "
        "ADD CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots FOREIGN KEY (event_id, "
        "snapshot_id) REFERENCES odds_snapshots (event_id, id) MATCH FULL ON DELETE CASCADE",
        "foreign key",
        "market_odds.fk_market_odds_snapshot_id_odds_snapshots",
        "FOREIGN KEY (event_id, snapshot_id) REFERENCES odds_snapshots(event_id, id) "
        "ON DELETE CASCADE",
        "FOREIGN KEY (event_id, snapshot_id) REFERENCES odds_snapshots(event_id, id) "
        "MATCH FULL ON DELETE CASCADE",
    ),
    Tampering(
        "foreign key renamed",
        f"ALTER TABLE competitor_events RENAME CONSTRAINT {_FK} TO linked",
        *("foreign key name", "competitor_events.linked", _FK, "linked"),
    ),
    Tampering(
        "foreign key added",
        "ALTER TABLE sports ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES sports (id)",
        *("foreign key", "sports.own", None, "FOREIGN KEY (id) REFERENCES sports(id)"),
    ),
    Tampering(
        "foreign key that names the columns to set",
        _fk(f"{_FK_TEXT} ON DELETE SET NULL (betpawa_event_id)"),
        "foreign key",
        f"competitor_events.{_FK}",
        f"{_FK_TEXT} ON DELETE SET NULL",
        f"{_FK_TEXT} ON DELETE SET NULL (betpawa_event_id)",
    ),
    # -- CHECKs
    Tampering(
        "CHECK dropped",
        f"ALTER TABLE competitor_market_odds DROP CONSTRAINT {CHECK}",
        *("check constraint", f"competitor_market_odds.{CHECK}", CHECK_TEXT, None),
    ),
    Tampering(
        "CHECK with another text",
        _check("CHECK (line > 0)"),
        "check constraint",
        f"competitor_market_odds.{CHECK}",
        CHECK_TEXT,
        "CHECK ((line > (0)::double precision))",
    ),
    Tampering(
        "CHECK not validated",
        _check(f"{CHECK_TEXT} NOT VALID"),
        "check constraint",
        f"competitor_market_odds.{CHECK}",
        CHECK_TEXT,
        f"{CHECK_TEXT} NOT VALID",
    ),
    Tampering(
        "CHECK renamed",
        f"ALTER TABLE competitor_market_odds RENAME CONSTRAINT {CHECK} TO sane",
        *("check constraint name", "competitor_market_odds.sane", CHECK, "sane"),
    ),
    Tampering(
        "CHECK added",
        "ALTER TABLE competitor_market_odds ADD CONSTRAINT whole CHECK (line = floor(line))",
        "check constraint",
        "competitor_market_odds.whole",
        None,
        "CHECK ((line = floor(line)))",
    ),
    Tampering(
        "CHECK that children do not inherit",
        _check(f"{CHECK_TEXT} NO INHERIT"),
        "check constraint",
        f"competitor_market_odds.{CHECK}",
        CHECK_TEXT,
        f"{CHECK_TEXT} NO INHERIT",
    ),
    Tampering(
        "CHECK that accepts everything",
        _check("CHECK (true)"),
        "check constraint",
        f"competitor_market_odds.{CHECK}",
        CHECK_TEXT,
        "CHECK (true)",
    ),
    Tampering(
        "CHECK added for new rows",
        "ALTER TABLE competitor_market_odds "
        "ADD CONSTRAINT whole CHECK (line = floor(line)) NOT VALID",
        "check constraint",
        "competitor_market_odds.whole",
        None,
        "CHECK ((line = floor(line))) NOT VALID",
    ),
    Tampering(
        "CHECK dropped in a session that quotes all names",
        f"{_QUOTED}ALTER TABLE competitor_market_odds DROP CONSTRAINT {CHECK}",
        *("check constraint", f"competitor_market_odds.{CHECK}", CHECK_TEXT, None),
    ),
    # -- indexes
    Tampering(
        "index dropped",
        "DROP INDEX idx_competitor_events_kickoff",
        "index",
        "competitor_events.idx_competitor_events_kickoff",
        "USING btree (kickoff)",
        None,
    ),
    Tampering(
        "index over other columns",
        _index("idx_competitor_events_kickoff", "competitor_events (kickoff, source)"),
        "index",
        "competitor_events.idx_competitor_events_kickoff",
        "USING btree (kickoff)",
        "USING btree (kickoff, source)",
    ),
    Tampering(
        "index by another method",
        _index("idx_market_odds_market", "market_odds USING hash (betpawa_market_id)"),
        "index",
        "market_odds.idx_market_odds_market",
        "USING btree (betpawa_market_id)",
        "USING hash (betpawa_market_id)",
    ),
    Tampering(
        "index in another order",
        _index("idx_snapshots_event_time", "odds_snapshots (event_id, captured_at)"),
        "index",
        "odds_snapshots.idx_snapshots_event_time",
        "USING btree (event_id, captured_at DESC)",
        "USING btree (event_id, captured_at)",
    ),
    Tampering(
        "index with NULLs at another end",
        _index("idx_scrape_runs_batch", "scrape_runs (batch_id NULLS FIRST)"),
        "index",
        "scrape_runs.idx_scrape_runs_batch",
        "USING btree (batch_id)",
        "USING btree (batch_id NULLS FIRST)",
    ),
    Tampering(
        "index of another operator class",
        _index("idx_competitor_events_source", "competitor_events (source varchar_pattern_ops)"),
        "index",
        "competitor_events.idx_competitor_events_source",
        "USING btree (source)",
        "USING btree (source varchar_pattern_ops)",
    ),
    Tampering(
        "index with more in it",
        _index("idx_market_odds_snapshot", "market_odds (snapshot_id) INCLUDE (line)"),
        "index",
        "market_odds.idx_market_odds_snapshot",
        "USING btree (snapshot_id)",
        "USING btree (snapshot_id) INCLUDE (line)",
    ),
    Tampering(
        "index no longer partial",
        _index("idx_competitor_events_betpawa", "competitor_events (betpawa_event_id)"),
        "index",
        "competitor_events.idx_competitor_events_betpawa",
        "USING btree (betpawa_event_id) WHERE (betpawa_event_id IS NOT NULL)",
        "USING btree (betpawa_event_id)",
    ),
    Tampering(
        "index made partial",
        _index("idx_scrape_runs_status", "scrape_runs (status) WHERE completed_at IS NULL"),
        "index",
        "scrape_runs.idx_scrape_runs_status",
        "USING btree (status)",
        "USING btree (status) WHERE (completed_at IS NULL)",
    ),
    Tampering(
        "index made unique",
        "DROP INDEX idx_competitor_events_kickoff; "
        "CREATE UNIQUE INDEX idx_competitor_events_kickoff ON competitor_events (kickoff)",
        "index",
        "competitor_events.idx_competitor_events_kickoff",
        "USING btree (kickoff)",
        "UNIQUE USING btree (kickoff)",
    ),
    Tampering(
        "index renamed",
        "ALTER INDEX idx_scrape_runs_started RENAME TO runs_by_start",
        *("index name", "scrape_runs.runs_by_start", "idx_scrape_runs_started", "runs_by_start"),
    ),
    Tampering(
        "index invalid",
        _invalid("idx_competitor_events_kickoff"),
        "index",
        "competitor_events.idx_competitor_events_kickoff",
        "USING btree (kickoff)",
        "USING btree (kickoff) INVALID",
    ),
    Tampering(
        "index added that is unique",
        "CREATE UNIQUE INDEX once ON events (lower(name), kickoff) NULLS NOT DISTINCT",
        "index",
        "events.once",
        None,
        "UNIQUE USING btree (lower((name)::text), kickoff) NULLS NOT DISTINCT",
    ),
    Tampering(
        "index added that is invalid",
        f"CREATE INDEX half_made ON events (name); {_invalid('half_made')}",
        *("index", "events.half_made", None, "USING btree (name) INVALID"),
    ),
    Tampering(
        "index with its columns in another order",
        _index("idx_snapshots_event_time", "odds_snapshots (captured_at DESC, event_id)"),
        "index",
        "odds_snapshots.idx_snapshots_event_time",
        "USING btree (event_id, captured_at DESC)",
        "USING btree (captured_at DESC, event_id)",
    ),
    Tampering(
        "index of ranges",
        _index("idx_competitor_events_kickoff", "competitor_events USING brin (kickoff)"),
        "index",
        "competitor_events.idx_competitor_events_kickoff",
        "USING btree (kickoff)",
        "USING brin (kickoff)",
    ),
    Tampering(
        "index of an expression",
        _index("idx_competitor_events_source", "competitor_events (lower(source))"),
        "index",
        "competitor_events.idx_competitor_events_source",
        "USING btree (source)",
        "USING btree (lower((source)::text))",
    ),
    Tampering(
        "index with another condition",
        _index(
            "idx_competitor_events_betpawa",
            "competitor_events (betpawa_event_id) WHERE betpawa_event_id > 7",
        ),
        "index",
        "competitor_events.idx_competitor_events_betpawa",
        "USING btree (betpawa_event_id) WHERE (betpawa_event_id IS NOT NULL)",
        "USING btree (betpawa_event_id) WHERE (betpawa_event_id > 7)",
    ),
    Tampering(
        "index of another collation",
        _index("idx_competitor_events_source", 'competitor_events (source COLLATE "C")'),
        "index",
        "competitor_events.idx_competitor_events_source",
        "USING btree (source)",
        'USING btree (source COLLATE "C")',
    ),
    Tampering(
        "index dropped in a session that quotes all names",
        f"{_QUOTED}DROP INDEX idx_competitor_events_betpawa",
        "index",
        "competitor_events.idx_competitor_events_betpawa",
        "USING btree (betpawa_event_id) WHERE (betpawa_event_id IS NOT NULL)",
        None,
    ),
    # -- what acts on rows
    Tampering(
        "trigger added",
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER swallow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
        "trigger",
        "events.swallow",
        None,
        "CREATE TRIGGER swallow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION swallow()",
    ),
    Tampering(
        "rule added",
        "CREATE RULE keep AS ON DELETE TO events DO INSTEAD NOTHING",
        "rule",
        "events.keep",
        None,
        "CREATE RULE keep AS ON DELETE TO public.events DO INSTEAD NOTHING",
    ),
    Tampering(
        "row level security enabled",
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        *("row level security", "events", None, "enabled"),
    ),
    Tampering(
        "trigger added for statements",
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER swallow AFTER INSERT ON events EXECUTE FUNCTION swallow()",
        "trigger",
        "events.swallow",
        None,
        "CREATE TRIGGER swallow AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION "
        "swallow()",
    ),
    Tampering(
        "rule added beside updates",
        "CREATE RULE more AS ON UPDATE TO events DO ALSO DELETE FROM scrape_errors",
        "rule",
        "events.more",
        None,
        "CREATE RULE more AS ON UPDATE TO public.events DO  DELETE FROM scrape_errors",
    ),
    Tampering(
        "row level security for the owner too",
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        *("row level security", "events", None, "forced"),
    ),
    Tampering(
        "row level security with a policy",
        "ALTER TABLE sports ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY football ON sports USING (slug = 'football')",
        *("row level security", "sports", None, "enabled"),
    ),
    # -- inheritance
    Tampering(
        "table added that inherits",
        "CREATE TABLE old_events () INHERITS (events)",
        *("inheriting table", "events.old_events", None, "INHERITS (events)"),
    ),
    Tampering(
        "table made a partition",
        "CREATE TABLE all_errors (LIKE scrape_errors) PARTITION BY LIST (error_type);"
        "ALTER TABLE all_errors ATTACH PARTITION scrape_errors DEFAULT",
        *("partition", "scrape_errors.all_errors", None, "DEFAULT"),
    ),
    Tampering(
        "table added that inherits, in a session that quotes all names",
        f"{_QUOTED}CREATE TABLE old_events (venue text) INHERITS (events)",
        *("inheriting table", "events.old_events", None, "INHERITS (events)"),
    ),
    Tampering(
        "table that inherits",
        "CREATE TABLE names (name varchar(100) NOT NULL); ALTER TABLE sports INHERIT names",
        *("parent table", "sports.names", None, "INHERITS (names)"),
    ),
    Tampering(
        "table that inherits from another schema",
        "CREATE SCHEMA other; CREATE TABLE other.names (name varchar(100) NOT NULL);"
        "ALTER TABLE sports INHERIT other.names",
        *("parent table", "sports.other.names", None, "INHERITS (other.names)"),
    ),
    Tampering(
        "table made a partition of a value",
        "CREATE TABLE all_errors (LIKE scrape_errors) PARTITION BY LIST (error_type);"
        "DELETE FROM scrape_errors;"
        "ALTER TABLE all_errors ATTACH PARTITION scrape_errors FOR VALUES IN ('timeout')",
        *("partition", "scrape_errors.all_errors", None, "FOR VALUES IN ('timeout')"),
    ),
    # -- the mark of the programs
    Tampering(
        "mark removed",
        "COMMENT ON TABLE sports IS NULL",
        *("table comment", "sports", f"'{MARK}'", None),
    ),
    Tampering(
        "mark of an older revision",
        "COMMENT ON TABLE sports IS 'oddsschema_0001 serves programs from oddsschema_0001'",
        "table comment",
        "sports",
        f"'{MARK}'",
        "'oddsschema_0001 serves programs from oddsschema_0001'",
    ),
    Tampering(
        "mark on another table",
        f"COMMENT ON TABLE events IS '{MARK}'",
        *("table comment", "events", None, f"'{MARK}'"),
    ),
    # -- the revision
    Tampering(
        "an old revision recorded beside the newest",
        "INSERT INTO oddsschema_version VALUES ('oddsschema_0001')",
        "revision",
        "oddsschema_version",
        "only {head}",
        "also oddsschema_0001",
    ),
]
