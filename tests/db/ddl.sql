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
CREATE TABLE bookmakers (
    base_url character varying(500),
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    id integer NOT NULL DEFAULT nextval('bookmakers_id_seq'::regclass),
    is_active boolean NOT NULL DEFAULT true,
    logo_url character varying(500),
    name character varying(100) NOT NULL,
    slug character varying(100) NOT NULL,
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT pk_bookmakers PRIMARY KEY (id),
    CONSTRAINT uq_bookmakers_name UNIQUE (name),
    CONSTRAINT uq_bookmakers_slug UNIQUE (slug)
);
CREATE TABLE competitor_events (
    away_team character varying(255) NOT NULL,
    betpawa_event_id integer,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    deleted_at timestamp with time zone,
    external_id character varying(100) NOT NULL,
    home_team character varying(255) NOT NULL,
    id integer NOT NULL DEFAULT nextval('competitor_events_id_seq'::regclass),
    kickoff timestamp with time zone NOT NULL,
    name character varying(500) NOT NULL,
    source character varying(20) NOT NULL,
    sportradar_id character varying(100) NOT NULL,
    tournament_id integer NOT NULL,
    updated_at timestamp with time zone NOT NULL DEFAULT now(),
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
    CONSTRAINT fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots FOREIGN KEY (competitor_event_id, snapshot_id) REFERENCES competitor_odds_snapshots(competitor_event_id, id) ON DELETE CASCADE,
    CONSTRAINT pk_competitor_market_odds PRIMARY KEY (id)
);
CREATE TABLE competitor_odds_snapshots (
    captured_at timestamp with time zone NOT NULL DEFAULT now(),
    competitor_event_id integer NOT NULL,
    id bigint NOT NULL DEFAULT nextval('competitor_odds_snapshots_id_seq'::regclass),
    raw_response jsonb,
    scrape_run_id integer,
    CONSTRAINT fk_competitor_odds_snapshots_event_id_competitor_events FOREIGN KEY (competitor_event_id) REFERENCES competitor_events(id) ON DELETE CASCADE,
    CONSTRAINT fk_competitor_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY (scrape_run_id) REFERENCES scrape_runs(id) ON DELETE SET NULL,
    CONSTRAINT pk_competitor_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_captured_at UNIQUE (competitor_event_id, captured_at),
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_id UNIQUE (competitor_event_id, id)
);
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
    CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots FOREIGN KEY (event_id, snapshot_id) REFERENCES odds_snapshots(event_id, id) ON DELETE CASCADE,
    CONSTRAINT pk_market_odds PRIMARY KEY (id)
);
CREATE TABLE odds_snapshots (
    bookmaker_id integer NOT NULL,
    captured_at timestamp with time zone NOT NULL DEFAULT now(),
    event_id integer NOT NULL,
    id bigint NOT NULL DEFAULT nextval('odds_snapshots_id_seq'::regclass),
    raw_response jsonb,
    scrape_run_id integer,
    CONSTRAINT fk_odds_snapshots_bookmaker_id_bookmakers FOREIGN KEY (bookmaker_id) REFERENCES bookmakers(id),
    CONSTRAINT fk_odds_snapshots_event_id_events FOREIGN KEY (event_id) REFERENCES events(id) ON DELETE CASCADE,
    CONSTRAINT fk_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY (scrape_run_id) REFERENCES scrape_runs(id) ON DELETE SET NULL,
    CONSTRAINT pk_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT uq_odds_snapshots_event_id_bookmaker_id_captured_at UNIQUE (event_id, bookmaker_id, captured_at),
    CONSTRAINT uq_odds_snapshots_event_id_id UNIQUE (event_id, id)
);
CREATE TABLE scrape_batches (
    completed_at timestamp with time zone,
    id integer NOT NULL DEFAULT nextval('scrape_batches_id_seq'::regclass),
    notes text,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    status character varying(20) NOT NULL DEFAULT 'pending'::character varying,
    trigger character varying(50),
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
    id integer NOT NULL DEFAULT nextval('scrape_runs_id_seq'::regclass),
    platform character varying(20),
    platform_timings jsonb,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    status character varying(20) NOT NULL DEFAULT 'pending'::character varying,
    trigger character varying(50),
    CONSTRAINT fk_scrape_runs_batch_id_scrape_batches FOREIGN KEY (batch_id) REFERENCES scrape_batches(id) ON DELETE SET NULL,
    CONSTRAINT pk_scrape_runs PRIMARY KEY (id)
);
CREATE TABLE sports (
    id integer NOT NULL DEFAULT nextval('sports_id_seq'::regclass),
    name character varying(100) NOT NULL,
    slug character varying(100) NOT NULL,
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
    CONSTRAINT fk_tournaments_sport_id_sports FOREIGN KEY (sport_id) REFERENCES sports(id),
    CONSTRAINT pk_tournaments PRIMARY KEY (id),
    CONSTRAINT uq_tournaments_sport_id_name_country UNIQUE (sport_id, name, country),
    CONSTRAINT uq_tournaments_sportradar_id UNIQUE (sportradar_id)
);
