CREATE INDEX idx_competitor_events_betpawa ON public.competitor_events USING btree (betpawa_event_id) WHERE (betpawa_event_id IS NOT NULL);
CREATE INDEX idx_competitor_events_kickoff ON public.competitor_events USING btree (kickoff);
CREATE INDEX idx_competitor_events_source ON public.competitor_events USING btree (source);
CREATE INDEX idx_competitor_events_sr_id ON public.competitor_events USING btree (sportradar_id);
CREATE INDEX idx_competitor_events_tournament ON public.competitor_events USING btree (tournament_id);
CREATE INDEX idx_competitor_market_odds_market ON public.competitor_market_odds USING btree (betpawa_market_id);
CREATE INDEX idx_competitor_market_odds_snapshot ON public.competitor_market_odds USING btree (snapshot_id);
CREATE INDEX idx_competitor_odds_snapshots_captured ON public.competitor_odds_snapshots USING btree (captured_at);
CREATE INDEX idx_competitor_odds_snapshots_event ON public.competitor_odds_snapshots USING btree (competitor_event_id);
CREATE INDEX idx_competitor_odds_snapshots_run ON public.competitor_odds_snapshots USING btree (scrape_run_id);
CREATE INDEX idx_competitor_tournaments_source ON public.competitor_tournaments USING btree (source);
CREATE INDEX idx_competitor_tournaments_sport ON public.competitor_tournaments USING btree (sport_id);
CREATE INDEX idx_competitor_tournaments_sr_id ON public.competitor_tournaments USING btree (sportradar_id) WHERE (sportradar_id IS NOT NULL);
CREATE INDEX idx_market_odds_market ON public.market_odds USING btree (betpawa_market_id);
CREATE INDEX idx_market_odds_snapshot ON public.market_odds USING btree (snapshot_id);
CREATE INDEX idx_scrape_batches_started ON public.scrape_batches USING btree (started_at);
CREATE INDEX idx_scrape_errors_bookmaker ON public.scrape_errors USING btree (bookmaker_id);
CREATE INDEX idx_scrape_errors_run ON public.scrape_errors USING btree (scrape_run_id);
CREATE INDEX idx_scrape_runs_batch ON public.scrape_runs USING btree (batch_id);
CREATE INDEX idx_scrape_runs_started ON public.scrape_runs USING btree (started_at);
CREATE INDEX idx_scrape_runs_status ON public.scrape_runs USING btree (status);
CREATE INDEX idx_snapshots_bookmaker ON public.odds_snapshots USING btree (bookmaker_id);
CREATE INDEX idx_snapshots_event ON public.odds_snapshots USING btree (event_id);
CREATE INDEX idx_snapshots_event_time ON public.odds_snapshots USING btree (event_id, captured_at DESC);
CREATE INDEX idx_snapshots_run ON public.odds_snapshots USING btree (scrape_run_id);
CREATE SEQUENCE bookmakers_id_seq AS integer OWNED BY bookmakers.id;
CREATE SEQUENCE competitor_events_id_seq AS integer OWNED BY competitor_events.id;
CREATE SEQUENCE competitor_market_odds_id_seq AS bigint OWNED BY competitor_market_odds.id;
CREATE SEQUENCE competitor_odds_snapshots_id_seq AS bigint OWNED BY competitor_odds_snapshots.id;
CREATE SEQUENCE competitor_tournaments_id_seq AS integer OWNED BY competitor_tournaments.id;
CREATE SEQUENCE event_bookmakers_id_seq AS integer OWNED BY event_bookmakers.id;
CREATE SEQUENCE events_id_seq AS integer OWNED BY events.id;
CREATE SEQUENCE market_odds_id_seq AS bigint OWNED BY market_odds.id;
CREATE SEQUENCE odds_snapshots_id_seq AS bigint OWNED BY odds_snapshots.id;
CREATE SEQUENCE scrape_batches_id_seq AS integer OWNED BY scrape_batches.id;
CREATE SEQUENCE scrape_errors_id_seq AS integer OWNED BY scrape_errors.id;
CREATE SEQUENCE scrape_runs_id_seq AS integer OWNED BY scrape_runs.id;
CREATE SEQUENCE sports_id_seq AS integer OWNED BY sports.id;
CREATE SEQUENCE tournaments_id_seq AS integer OWNED BY tournaments.id;
CREATE SEQUENCE unmapped_markets_id_seq AS integer OWNED BY unmapped_markets.id;
CREATE TABLE bookmakers (
    base_url character varying(500),
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    id integer NOT NULL DEFAULT nextval('bookmakers_id_seq'::regclass),
    is_active boolean NOT NULL DEFAULT true,
    logo_url character varying(500),
    name character varying(100) NOT NULL,
    slug character varying(100) NOT NULL,
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT ck_bookmakers_base_url CHECK (((ascii((base_url)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((base_url)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_bookmakers_created_at CHECK (((created_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_bookmakers_logo_url CHECK (((ascii((logo_url)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((logo_url)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_bookmakers_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_bookmakers_slug CHECK ((((slug)::text <> ''::text) AND (ascii((slug)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((slug)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_bookmakers_updated_at CHECK (((updated_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT pk_bookmakers PRIMARY KEY (id),
    CONSTRAINT uq_bookmakers_name UNIQUE (name),
    CONSTRAINT uq_bookmakers_slug UNIQUE (slug)
);
CREATE TABLE competitor_events (
    away_team character varying(255) NOT NULL,
    betpawa_event_id integer,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    deleted_at timestamp with time zone,
    event_url character varying(1000),
    external_id character varying(100) NOT NULL,
    home_team character varying(255) NOT NULL,
    id integer NOT NULL DEFAULT nextval('competitor_events_id_seq'::regclass),
    kickoff timestamp with time zone NOT NULL,
    name character varying(500) NOT NULL,
    source character varying(20) NOT NULL,
    sportradar_id character varying(100) NOT NULL,
    tournament_id integer NOT NULL,
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT ck_competitor_events_away_team CHECK ((((away_team)::text <> ''::text) AND (ascii((away_team)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((away_team)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_created_at CHECK (((created_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_events_deleted_at CHECK (((deleted_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (deleted_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_events_event_url CHECK (((ascii((event_url)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((event_url)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_external_id CHECK ((((external_id)::text <> ''::text) AND (ascii((external_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((external_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_home_team CHECK ((((home_team)::text <> ''::text) AND (ascii((home_team)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((home_team)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_kickoff CHECK (((kickoff >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (kickoff < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_events_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_source CHECK (((source)::text ~ '^[a-z0-9][a-z0-9_-]{0,19}$'::text)),
    CONSTRAINT ck_competitor_events_sportradar_id CHECK ((((sportradar_id)::text <> ''::text) AND (ascii((sportradar_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((sportradar_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_events_updated_at CHECK (((updated_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (updated_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT fk_competitor_events_betpawa_event_id_events FOREIGN KEY (betpawa_event_id) REFERENCES events(id) ON DELETE SET NULL,
    CONSTRAINT fk_competitor_events_tournament_id_competitor_tournaments FOREIGN KEY (tournament_id) REFERENCES competitor_tournaments(id) ON DELETE CASCADE,
    CONSTRAINT pk_competitor_events PRIMARY KEY (id),
    CONSTRAINT uq_competitor_events_source_external UNIQUE (source, external_id)
);
CREATE TABLE competitor_market_odds (
    betpawa_market_id character varying(50) NOT NULL,
    betpawa_market_name character varying(255) NOT NULL,
    competitor_event_id integer NOT NULL,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    id bigint NOT NULL DEFAULT nextval('competitor_market_odds_id_seq'::regclass),
    line double precision,
    outcomes jsonb NOT NULL,
    snapshot_id bigint NOT NULL,
    specifiers character varying(255),
    unavailable_at timestamp with time zone,
    CONSTRAINT ck_competitor_market_odds_betpawa_market_id CHECK ((((betpawa_market_id)::text <> ''::text) AND (ascii((betpawa_market_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((betpawa_market_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_market_odds_betpawa_market_name CHECK ((((betpawa_market_name)::text <> ''::text) AND (ascii((betpawa_market_name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((betpawa_market_name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_market_odds_handicap_away CHECK (((handicap_away > '-Infinity'::double precision) AND (handicap_away < 'Infinity'::double precision))),
    CONSTRAINT ck_competitor_market_odds_handicap_home CHECK (((handicap_home > '-Infinity'::double precision) AND (handicap_home < 'Infinity'::double precision))),
    CONSTRAINT ck_competitor_market_odds_handicap_line CHECK (((num_nulls(handicap_type, handicap_home, handicap_away) = 3) OR ((num_nulls(line, handicap_type, handicap_home, handicap_away) = 0) AND (handicap_away = (- handicap_home)) AND (line = handicap_home)))),
    CONSTRAINT ck_competitor_market_odds_handicap_type CHECK (((handicap_type)::text = ANY ((ARRAY['european'::character varying, 'asian'::character varying])::text[]))),
    CONSTRAINT ck_competitor_market_odds_line CHECK (((line > '-Infinity'::double precision) AND (line < 'Infinity'::double precision))),
    CONSTRAINT ck_competitor_market_odds_outcomes CHECK (
CASE
    WHEN (outcomes @@ 'strict ((((!($[*]."name".type() != "string") && !($[*]."name" == "")) && (!(+$[*]."odds" < 1.0) || !($[*]."odds" < 1.0) && !($[*]?(@."odds" == null)."is_active" != false))) && !($[*]."odds" > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)) && !($[*]."is_active".type() != "boolean"))'::jsonpath) THEN (((jsonb_array_length(outcomes) >= 1) AND (jsonb_array_length(outcomes) <= 500)) AND (((pg_column_compression(outcomes) IS NULL) AND (pg_column_size(outcomes) <= 255)) OR (NOT (outcomes @? '$[*]."name"?(@ like_regex "^.{255}." flag "s")'::jsonpath))))
    ELSE false
END),
    CONSTRAINT ck_competitor_market_odds_specifiers CHECK ((((specifiers)::text <> ''::text) AND (ascii((specifiers)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((specifiers)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_market_odds_unavailable_at CHECK (((unavailable_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (unavailable_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots FOREIGN KEY (competitor_event_id, snapshot_id) REFERENCES competitor_odds_snapshots(competitor_event_id, id) ON DELETE CASCADE,
    CONSTRAINT pk_competitor_market_odds PRIMARY KEY (id)
);
CREATE TABLE competitor_odds_snapshots (
    captured_at timestamp with time zone NOT NULL DEFAULT now(),
    competitor_event_id integer NOT NULL,
    confirmed_at timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
    id bigint NOT NULL DEFAULT nextval('competitor_odds_snapshots_id_seq'::regclass),
    is_complete boolean NOT NULL DEFAULT true,
    last_confirmed_at timestamp with time zone,
    raw_response jsonb,
    scrape_run_id integer,
    unknown_markets jsonb,
    CONSTRAINT ck_competitor_odds_snapshots_captured_at CHECK (((captured_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (captured_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_odds_snapshots_confirmed_at CHECK (((array_position(confirmed_at, NULL::timestamp with time zone) IS NULL) AND ('1970-01-01 00:00:00+00'::timestamp with time zone <= ALL (confirmed_at)) AND ('2201-01-01 00:00:00+00'::timestamp with time zone > ALL (confirmed_at)))),
    CONSTRAINT ck_competitor_odds_snapshots_last_confirmed_at CHECK (((last_confirmed_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (last_confirmed_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_odds_snapshots_raw_response CHECK ((NOT jsonb_path_exists(raw_response, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath))),
    CONSTRAINT ck_competitor_odds_snapshots_unknown_markets CHECK (((jsonb_typeof(unknown_markets) = 'array'::text) AND (NOT jsonb_path_exists(unknown_markets, 'strict $[*]?(@.type() != "array")'::jsonpath)) AND (NOT jsonb_path_exists(unknown_markets, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath)))),
    CONSTRAINT fk_competitor_odds_snapshots_event_id_competitor_events FOREIGN KEY (competitor_event_id) REFERENCES competitor_events(id) ON DELETE CASCADE,
    CONSTRAINT fk_competitor_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY (scrape_run_id) REFERENCES scrape_runs(id) ON DELETE SET NULL,
    CONSTRAINT pk_competitor_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_captured_at UNIQUE (competitor_event_id, captured_at),
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_id UNIQUE (competitor_event_id, id)
) WITH (fillfactor=60);
CREATE TABLE competitor_tournaments (
    country_iso character varying(3),
    country_raw character varying(100),
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    deleted_at timestamp with time zone,
    external_id character varying(100) NOT NULL,
    id integer NOT NULL DEFAULT nextval('competitor_tournaments_id_seq'::regclass),
    name character varying(255) NOT NULL,
    source character varying(20) NOT NULL,
    sport_id integer NOT NULL,
    sportradar_id character varying(100),
    CONSTRAINT ck_competitor_tournaments_country_iso CHECK (((country_iso)::text = ANY ((ARRAY['ABW'::character varying, 'AFG'::character varying, 'AGO'::character varying, 'AIA'::character varying, 'ALA'::character varying, 'ALB'::character varying, 'AND'::character varying, 'ARE'::character varying, 'ARG'::character varying, 'ARM'::character varying, 'ASM'::character varying, 'ATA'::character varying, 'ATF'::character varying, 'ATG'::character varying, 'AUS'::character varying, 'AUT'::character varying, 'AZE'::character varying, 'BDI'::character varying, 'BEL'::character varying, 'BEN'::character varying, 'BES'::character varying, 'BFA'::character varying, 'BGD'::character varying, 'BGR'::character varying, 'BHR'::character varying, 'BHS'::character varying, 'BIH'::character varying, 'BLM'::character varying, 'BLR'::character varying, 'BLZ'::character varying, 'BMU'::character varying, 'BOL'::character varying, 'BRA'::character varying, 'BRB'::character varying, 'BRN'::character varying, 'BTN'::character varying, 'BVT'::character varying, 'BWA'::character varying, 'CAF'::character varying, 'CAN'::character varying, 'CCK'::character varying, 'CHE'::character varying, 'CHL'::character varying, 'CHN'::character varying, 'CIV'::character varying, 'CMR'::character varying, 'COD'::character varying, 'COG'::character varying, 'COK'::character varying, 'COL'::character varying, 'COM'::character varying, 'CPV'::character varying, 'CRI'::character varying, 'CUB'::character varying, 'CUW'::character varying, 'CXR'::character varying, 'CYM'::character varying, 'CYP'::character varying, 'CZE'::character varying, 'DEU'::character varying, 'DJI'::character varying, 'DMA'::character varying, 'DNK'::character varying, 'DOM'::character varying, 'DZA'::character varying, 'ECU'::character varying, 'EGY'::character varying, 'ERI'::character varying, 'ESH'::character varying, 'ESP'::character varying, 'EST'::character varying, 'ETH'::character varying, 'FIN'::character varying, 'FJI'::character varying, 'FLK'::character varying, 'FRA'::character varying, 'FRO'::character varying, 'FSM'::character varying, 'GAB'::character varying, 'GBR'::character varying, 'GEO'::character varying, 'GGY'::character varying, 'GHA'::character varying, 'GIB'::character varying, 'GIN'::character varying, 'GLP'::character varying, 'GMB'::character varying, 'GNB'::character varying, 'GNQ'::character varying, 'GRC'::character varying, 'GRD'::character varying, 'GRL'::character varying, 'GTM'::character varying, 'GUF'::character varying, 'GUM'::character varying, 'GUY'::character varying, 'HKG'::character varying, 'HMD'::character varying, 'HND'::character varying, 'HRV'::character varying, 'HTI'::character varying, 'HUN'::character varying, 'IDN'::character varying, 'IMN'::character varying, 'IND'::character varying, 'IOT'::character varying, 'IRL'::character varying, 'IRN'::character varying, 'IRQ'::character varying, 'ISL'::character varying, 'ISR'::character varying, 'ITA'::character varying, 'JAM'::character varying, 'JEY'::character varying, 'JOR'::character varying, 'JPN'::character varying, 'KAZ'::character varying, 'KEN'::character varying, 'KGZ'::character varying, 'KHM'::character varying, 'KIR'::character varying, 'KNA'::character varying, 'KOR'::character varying, 'KWT'::character varying, 'LAO'::character varying, 'LBN'::character varying, 'LBR'::character varying, 'LBY'::character varying, 'LCA'::character varying, 'LIE'::character varying, 'LKA'::character varying, 'LSO'::character varying, 'LTU'::character varying, 'LUX'::character varying, 'LVA'::character varying, 'MAC'::character varying, 'MAF'::character varying, 'MAR'::character varying, 'MCO'::character varying, 'MDA'::character varying, 'MDG'::character varying, 'MDV'::character varying, 'MEX'::character varying, 'MHL'::character varying, 'MKD'::character varying, 'MLI'::character varying, 'MLT'::character varying, 'MMR'::character varying, 'MNE'::character varying, 'MNG'::character varying, 'MNP'::character varying, 'MOZ'::character varying, 'MRT'::character varying, 'MSR'::character varying, 'MTQ'::character varying, 'MUS'::character varying, 'MWI'::character varying, 'MYS'::character varying, 'MYT'::character varying, 'NAM'::character varying, 'NCL'::character varying, 'NER'::character varying, 'NFK'::character varying, 'NGA'::character varying, 'NIC'::character varying, 'NIU'::character varying, 'NLD'::character varying, 'NOR'::character varying, 'NPL'::character varying, 'NRU'::character varying, 'NZL'::character varying, 'OMN'::character varying, 'PAK'::character varying, 'PAN'::character varying, 'PCN'::character varying, 'PER'::character varying, 'PHL'::character varying, 'PLW'::character varying, 'PNG'::character varying, 'POL'::character varying, 'PRI'::character varying, 'PRK'::character varying, 'PRT'::character varying, 'PRY'::character varying, 'PSE'::character varying, 'PYF'::character varying, 'QAT'::character varying, 'REU'::character varying, 'ROU'::character varying, 'RUS'::character varying, 'RWA'::character varying, 'SAU'::character varying, 'SDN'::character varying, 'SEN'::character varying, 'SGP'::character varying, 'SGS'::character varying, 'SHN'::character varying, 'SJM'::character varying, 'SLB'::character varying, 'SLE'::character varying, 'SLV'::character varying, 'SMR'::character varying, 'SOM'::character varying, 'SPM'::character varying, 'SRB'::character varying, 'SSD'::character varying, 'STP'::character varying, 'SUR'::character varying, 'SVK'::character varying, 'SVN'::character varying, 'SWE'::character varying, 'SWZ'::character varying, 'SXM'::character varying, 'SYC'::character varying, 'SYR'::character varying, 'TCA'::character varying, 'TCD'::character varying, 'TGO'::character varying, 'THA'::character varying, 'TJK'::character varying, 'TKL'::character varying, 'TKM'::character varying, 'TLS'::character varying, 'TON'::character varying, 'TTO'::character varying, 'TUN'::character varying, 'TUR'::character varying, 'TUV'::character varying, 'TWN'::character varying, 'TZA'::character varying, 'UGA'::character varying, 'UKR'::character varying, 'UMI'::character varying, 'URY'::character varying, 'USA'::character varying, 'UZB'::character varying, 'VAT'::character varying, 'VCT'::character varying, 'VEN'::character varying, 'VGB'::character varying, 'VIR'::character varying, 'VNM'::character varying, 'VUT'::character varying, 'WLF'::character varying, 'WSM'::character varying, 'YEM'::character varying, 'ZAF'::character varying, 'ZMB'::character varying, 'ZWE'::character varying])::text[]))),
    CONSTRAINT ck_competitor_tournaments_country_raw CHECK (((ascii((country_raw)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((country_raw)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_tournaments_created_at CHECK (((created_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_tournaments_deleted_at CHECK (((deleted_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (deleted_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_competitor_tournaments_external_id CHECK ((((external_id)::text <> ''::text) AND (ascii((external_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((external_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_tournaments_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_competitor_tournaments_source CHECK (((source)::text ~ '^[a-z0-9][a-z0-9_-]{0,19}$'::text)),
    CONSTRAINT ck_competitor_tournaments_sportradar_id CHECK ((((sportradar_id)::text <> ''::text) AND (ascii((sportradar_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((sportradar_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT fk_competitor_tournaments_sport_id_sports FOREIGN KEY (sport_id) REFERENCES sports(id),
    CONSTRAINT pk_competitor_tournaments PRIMARY KEY (id),
    CONSTRAINT uq_competitor_tournaments_source_external UNIQUE (source, external_id)
);
CREATE TABLE event_bookmakers (
    bookmaker_id integer NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    event_id integer NOT NULL,
    event_url character varying(1000),
    external_event_id character varying(100) NOT NULL,
    id integer NOT NULL DEFAULT nextval('event_bookmakers_id_seq'::regclass),
    CONSTRAINT ck_event_bookmakers_created_at CHECK (((created_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_event_bookmakers_event_url CHECK (((ascii((event_url)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((event_url)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_event_bookmakers_external_event_id CHECK ((((external_event_id)::text <> ''::text) AND (ascii((external_event_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((external_event_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT fk_event_bookmakers_bookmaker_id_bookmakers FOREIGN KEY (bookmaker_id) REFERENCES bookmakers(id),
    CONSTRAINT fk_event_bookmakers_event_id_events FOREIGN KEY (event_id) REFERENCES events(id) ON DELETE CASCADE,
    CONSTRAINT pk_event_bookmakers PRIMARY KEY (id),
    CONSTRAINT uq_event_bookmakers_event_id_bookmaker_id UNIQUE (event_id, bookmaker_id)
);
CREATE TABLE events (
    away_team character varying(255) NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    home_team character varying(255) NOT NULL,
    id integer NOT NULL DEFAULT nextval('events_id_seq'::regclass),
    kickoff timestamp with time zone NOT NULL,
    name character varying(500) NOT NULL,
    sportradar_id character varying(100) NOT NULL,
    tournament_id integer NOT NULL,
    CONSTRAINT ck_events_away_team CHECK ((((away_team)::text <> ''::text) AND (ascii((away_team)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((away_team)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_events_created_at CHECK (((created_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (created_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_events_home_team CHECK ((((home_team)::text <> ''::text) AND (ascii((home_team)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((home_team)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_events_kickoff CHECK (((kickoff >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (kickoff < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_events_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_events_sportradar_id CHECK ((((sportradar_id)::text <> ''::text) AND (ascii((sportradar_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((sportradar_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT fk_events_tournament_id_tournaments FOREIGN KEY (tournament_id) REFERENCES tournaments(id) ON DELETE CASCADE,
    CONSTRAINT pk_events PRIMARY KEY (id),
    CONSTRAINT uq_events_sportradar_id UNIQUE (sportradar_id)
);
CREATE TABLE market_odds (
    betpawa_market_id character varying(50) NOT NULL,
    betpawa_market_name character varying(255) NOT NULL,
    event_id integer NOT NULL,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    id bigint NOT NULL DEFAULT nextval('market_odds_id_seq'::regclass),
    line double precision,
    outcomes jsonb NOT NULL,
    snapshot_id bigint NOT NULL,
    specifiers character varying(255),
    unavailable_at timestamp with time zone,
    CONSTRAINT ck_market_odds_betpawa_market_id CHECK ((((betpawa_market_id)::text <> ''::text) AND (ascii((betpawa_market_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((betpawa_market_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_market_odds_betpawa_market_name CHECK ((((betpawa_market_name)::text <> ''::text) AND (ascii((betpawa_market_name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((betpawa_market_name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_market_odds_handicap_away CHECK (((handicap_away > '-Infinity'::double precision) AND (handicap_away < 'Infinity'::double precision))),
    CONSTRAINT ck_market_odds_handicap_home CHECK (((handicap_home > '-Infinity'::double precision) AND (handicap_home < 'Infinity'::double precision))),
    CONSTRAINT ck_market_odds_handicap_line CHECK (((num_nulls(handicap_type, handicap_home, handicap_away) = 3) OR ((num_nulls(line, handicap_type, handicap_home, handicap_away) = 0) AND (handicap_away = (- handicap_home)) AND (line = handicap_home)))),
    CONSTRAINT ck_market_odds_handicap_type CHECK (((handicap_type)::text = ANY ((ARRAY['european'::character varying, 'asian'::character varying])::text[]))),
    CONSTRAINT ck_market_odds_line CHECK (((line > '-Infinity'::double precision) AND (line < 'Infinity'::double precision))),
    CONSTRAINT ck_market_odds_outcomes CHECK (
CASE
    WHEN (outcomes @@ 'strict ((((!($[*]."name".type() != "string") && !($[*]."name" == "")) && (!(+$[*]."odds" < 1.0) || !($[*]."odds" < 1.0) && !($[*]?(@."odds" == null)."is_active" != false))) && !($[*]."odds" > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)) && !($[*]."is_active".type() != "boolean"))'::jsonpath) THEN (((jsonb_array_length(outcomes) >= 1) AND (jsonb_array_length(outcomes) <= 500)) AND (((pg_column_compression(outcomes) IS NULL) AND (pg_column_size(outcomes) <= 255)) OR (NOT (outcomes @? '$[*]."name"?(@ like_regex "^.{255}." flag "s")'::jsonpath))))
    ELSE false
END),
    CONSTRAINT ck_market_odds_specifiers CHECK ((((specifiers)::text <> ''::text) AND (ascii((specifiers)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((specifiers)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_market_odds_unavailable_at CHECK (((unavailable_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (unavailable_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots FOREIGN KEY (event_id, snapshot_id) REFERENCES odds_snapshots(event_id, id) ON DELETE CASCADE,
    CONSTRAINT pk_market_odds PRIMARY KEY (id)
);
CREATE TABLE odds_snapshots (
    bookmaker_id integer NOT NULL,
    captured_at timestamp with time zone NOT NULL DEFAULT now(),
    confirmed_at timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
    event_id integer NOT NULL,
    id bigint NOT NULL DEFAULT nextval('odds_snapshots_id_seq'::regclass),
    is_complete boolean NOT NULL DEFAULT true,
    last_confirmed_at timestamp with time zone,
    raw_response jsonb,
    scrape_run_id integer,
    unknown_markets jsonb,
    CONSTRAINT ck_odds_snapshots_captured_at CHECK (((captured_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (captured_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_odds_snapshots_confirmed_at CHECK (((array_position(confirmed_at, NULL::timestamp with time zone) IS NULL) AND ('1970-01-01 00:00:00+00'::timestamp with time zone <= ALL (confirmed_at)) AND ('2201-01-01 00:00:00+00'::timestamp with time zone > ALL (confirmed_at)))),
    CONSTRAINT ck_odds_snapshots_last_confirmed_at CHECK (((last_confirmed_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (last_confirmed_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_odds_snapshots_raw_response CHECK ((NOT jsonb_path_exists(raw_response, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath))),
    CONSTRAINT ck_odds_snapshots_unknown_markets CHECK (((jsonb_typeof(unknown_markets) = 'array'::text) AND (NOT jsonb_path_exists(unknown_markets, 'strict $[*]?(@.type() != "array")'::jsonpath)) AND (NOT jsonb_path_exists(unknown_markets, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath)))),
    CONSTRAINT fk_odds_snapshots_bookmaker_id_bookmakers FOREIGN KEY (bookmaker_id) REFERENCES bookmakers(id),
    CONSTRAINT fk_odds_snapshots_event_id_events FOREIGN KEY (event_id) REFERENCES events(id) ON DELETE CASCADE,
    CONSTRAINT fk_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY (scrape_run_id) REFERENCES scrape_runs(id) ON DELETE SET NULL,
    CONSTRAINT pk_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT uq_odds_snapshots_event_id_bookmaker_id_captured_at UNIQUE (event_id, bookmaker_id, captured_at),
    CONSTRAINT uq_odds_snapshots_event_id_id UNIQUE (event_id, id)
) WITH (fillfactor=60);
CREATE TABLE scrape_batches (
    completed_at timestamp with time zone,
    id integer NOT NULL DEFAULT nextval('scrape_batches_id_seq'::regclass),
    notes text,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    status character varying(20) NOT NULL DEFAULT 'pending'::character varying,
    trigger character varying(50),
    CONSTRAINT ck_scrape_batches_completed_at CHECK (((completed_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (completed_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_scrape_batches_notes CHECK (((ascii(notes) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"(notes, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_scrape_batches_started_at CHECK (((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_scrape_batches_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'running'::character varying, 'completed'::character varying, 'partial'::character varying, 'failed'::character varying, 'connection_failed'::character varying])::text[]))),
    CONSTRAINT ck_scrape_batches_trigger CHECK (((ascii((trigger)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((trigger)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT pk_scrape_batches PRIMARY KEY (id)
);
CREATE TABLE scrape_errors (
    bookmaker_id integer,
    error_message text NOT NULL,
    error_type character varying(50) NOT NULL,
    event_id integer,
    id integer NOT NULL DEFAULT nextval('scrape_errors_id_seq'::regclass),
    occurred_at timestamp with time zone NOT NULL DEFAULT now(),
    scrape_run_id integer NOT NULL,
    CONSTRAINT ck_scrape_errors_error_message CHECK (((error_message <> ''::text) AND (ascii(error_message) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"(error_message, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_scrape_errors_error_type CHECK ((((error_type)::text <> ''::text) AND (ascii((error_type)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((error_type)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_scrape_errors_occurred_at CHECK (((occurred_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (occurred_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT fk_scrape_errors_bookmaker_id_bookmakers FOREIGN KEY (bookmaker_id) REFERENCES bookmakers(id) ON DELETE SET NULL,
    CONSTRAINT fk_scrape_errors_event_id_events FOREIGN KEY (event_id) REFERENCES events(id) ON DELETE SET NULL,
    CONSTRAINT fk_scrape_errors_scrape_run_id_scrape_runs FOREIGN KEY (scrape_run_id) REFERENCES scrape_runs(id) ON DELETE CASCADE,
    CONSTRAINT pk_scrape_errors PRIMARY KEY (id)
);
CREATE TABLE scrape_runs (
    batch_id integer,
    completed_at timestamp with time zone,
    events_failed integer NOT NULL DEFAULT 0,
    events_scraped integer NOT NULL DEFAULT 0,
    heartbeat_at timestamp with time zone,
    id integer NOT NULL DEFAULT nextval('scrape_runs_id_seq'::regclass),
    platform character varying(20),
    platform_timings jsonb,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    status character varying(20) NOT NULL DEFAULT 'pending'::character varying,
    trigger character varying(50),
    CONSTRAINT ck_scrape_runs_completed_at CHECK (((completed_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (completed_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_scrape_runs_events_failed CHECK ((events_failed >= 0)),
    CONSTRAINT ck_scrape_runs_events_scraped CHECK ((events_scraped >= 0)),
    CONSTRAINT ck_scrape_runs_heartbeat_at CHECK (((heartbeat_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (heartbeat_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_scrape_runs_platform CHECK (((platform)::text ~ '^[a-z0-9][a-z0-9_-]{0,19}$'::text)),
    CONSTRAINT ck_scrape_runs_platform_timings CHECK ((NOT jsonb_path_exists(platform_timings, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath))),
    CONSTRAINT ck_scrape_runs_started_at CHECK (((started_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (started_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_scrape_runs_status CHECK (((status)::text = ANY ((ARRAY['pending'::character varying, 'running'::character varying, 'completed'::character varying, 'partial'::character varying, 'failed'::character varying, 'connection_failed'::character varying])::text[]))),
    CONSTRAINT ck_scrape_runs_trigger CHECK (((ascii((trigger)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((trigger)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT fk_scrape_runs_batch_id_scrape_batches FOREIGN KEY (batch_id) REFERENCES scrape_batches(id) ON DELETE SET NULL,
    CONSTRAINT pk_scrape_runs PRIMARY KEY (id)
);
CREATE TABLE sports (
    id integer NOT NULL DEFAULT nextval('sports_id_seq'::regclass),
    name character varying(100) NOT NULL,
    slug character varying(100) NOT NULL,
    CONSTRAINT ck_sports_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_sports_slug CHECK ((((slug)::text <> ''::text) AND (ascii((slug)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((slug)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT pk_sports PRIMARY KEY (id),
    CONSTRAINT uq_sports_name UNIQUE (name),
    CONSTRAINT uq_sports_slug UNIQUE (slug)
);
CREATE TABLE tournaments (
    country character varying(100) NOT NULL DEFAULT 'Unknown'::character varying,
    id integer NOT NULL DEFAULT nextval('tournaments_id_seq'::regclass),
    name character varying(255) NOT NULL,
    sport_id integer NOT NULL,
    sportradar_id character varying(100),
    CONSTRAINT ck_tournaments_country CHECK ((((country)::text <> ''::text) AND (ascii((country)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((country)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_tournaments_name CHECK ((((name)::text <> ''::text) AND (ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_tournaments_sportradar_id CHECK ((((sportradar_id)::text <> ''::text) AND (ascii((sportradar_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((sportradar_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT fk_tournaments_sport_id_sports FOREIGN KEY (sport_id) REFERENCES sports(id),
    CONSTRAINT pk_tournaments PRIMARY KEY (id),
    CONSTRAINT uq_tournaments_sport_id_name_country UNIQUE (sport_id, name, country),
    CONSTRAINT uq_tournaments_sportradar_id UNIQUE (sportradar_id)
);
CREATE TABLE unmapped_markets (
    example jsonb,
    first_seen_at timestamp with time zone NOT NULL DEFAULT now(),
    id integer NOT NULL DEFAULT nextval('unmapped_markets_id_seq'::regclass),
    last_seen_at timestamp with time zone NOT NULL DEFAULT now(),
    market_id character varying(100) NOT NULL,
    name character varying(255),
    source character varying(20) NOT NULL,
    times_seen bigint NOT NULL,
    CONSTRAINT ck_unmapped_markets_example CHECK ((NOT jsonb_path_exists(example, 'strict $.**?(@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)'::jsonpath))),
    CONSTRAINT ck_unmapped_markets_first_seen_at CHECK (((first_seen_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (first_seen_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_unmapped_markets_last_seen_at CHECK (((last_seen_at >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (last_seen_at < '2201-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT ck_unmapped_markets_market_id CHECK ((((market_id)::text <> ''::text) AND (ascii((market_id)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((market_id)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_unmapped_markets_name CHECK (((ascii((name)::text) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])) AND (ascii("right"((name)::text, 1)) <> ALL (ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288])))),
    CONSTRAINT ck_unmapped_markets_source CHECK (((source)::text ~ '^[a-z0-9][a-z0-9_-]{0,19}$'::text)),
    CONSTRAINT ck_unmapped_markets_times_seen CHECK ((times_seen >= 0)),
    CONSTRAINT pk_unmapped_markets PRIMARY KEY (id),
    CONSTRAINT uq_unmapped_markets_source_market_id UNIQUE (source, market_id)
);
CREATE v odds_best_prices (
    away_team character varying(255),
    betpawa_market_id character varying(50),
    betpawa_market_name text,
    bookmakers character varying[],
    country character varying,
    event_id integer,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    home_team character varying(255),
    kickoff timestamp with time zone,
    line double precision,
    odds double precision,
    outcome text,
    specifiers character varying(255),
    sport character varying(100),
    sportradar_id character varying(100),
    tournament character varying(255)
);
CREATE v odds_closing_prices (
    age interval,
    away_team character varying(255),
    betpawa_market_id character varying(50),
    betpawa_market_name character varying(255),
    bookmaker character varying,
    competitor_event_id integer,
    country character varying,
    event_id integer,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    home_team character varying(255),
    is_active boolean,
    kickoff timestamp with time zone,
    line double precision,
    odds double precision,
    outcome text,
    seen_at timestamp with time zone,
    specifiers character varying(255),
    sport character varying(100),
    sportradar_id character varying(100),
    tournament character varying(255)
);
CREATE v odds_freshness (
    events integer,
    events_failed integer,
    last_captured_at timestamp with time zone,
    last_confirmed_at timestamp with time zone,
    markets bigint,
    platform character varying,
    run_completed_at timestamp with time zone,
    run_id integer,
    run_started_at timestamp with time zone,
    run_status character varying(20)
);
CREATE v odds_offers (
    away_team character varying(255),
    betpawa_market_id character varying(50),
    betpawa_market_name character varying(255),
    bookmaker character varying,
    competitor_event_id integer,
    country character varying,
    event_id integer,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    home_team character varying(255),
    is_active boolean,
    is_carried boolean,
    kickoff timestamp with time zone,
    line double precision,
    market_odds_id bigint,
    odds double precision,
    outcome text,
    seen_at timestamp with time zone,
    specifiers character varying(255),
    sport character varying(100),
    sportradar_id character varying(100),
    tournament character varying(255)
);
CREATE v odds_prices (
    away_team character varying(255),
    betpawa_market_id character varying(50),
    betpawa_market_name character varying(255),
    bookmaker character varying,
    competitor_event_id integer,
    country character varying,
    event_id integer,
    handicap_away double precision,
    handicap_home double precision,
    handicap_type character varying(50),
    home_team character varying(255),
    is_active boolean,
    kickoff timestamp with time zone,
    line double precision,
    odds double precision,
    outcome text,
    specifiers character varying(255),
    sport character varying(100),
    sportradar_id character varying(100),
    tournament character varying(255),
    valid_from timestamp with time zone,
    valid_to timestamp with time zone
);
