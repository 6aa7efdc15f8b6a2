CREATE TABLE bookmakers (
    name VARCHAR(100) NOT NULL,
    slug VARCHAR(100) NOT NULL,
    id SERIAL NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    base_url VARCHAR(500),
    logo_url VARCHAR(500),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_bookmakers PRIMARY KEY (id),
    CONSTRAINT uq_bookmakers_name UNIQUE (name),
    CONSTRAINT uq_bookmakers_slug UNIQUE (slug),
    CONSTRAINT ck_bookmakers_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_bookmakers_slug CHECK (slug <> '' AND ascii(slug) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(slug, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_bookmakers_base_url CHECK (ascii(base_url) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(base_url, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_bookmakers_logo_url CHECK (ascii(logo_url) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(logo_url, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_bookmakers_created_at CHECK (created_at >= '1970-01-01 00:00:00+00:00' AND created_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_bookmakers_updated_at CHECK (updated_at >= '1970-01-01 00:00:00+00:00' AND updated_at < '2201-01-01 00:00:00+00:00')
);

CREATE TABLE scrape_batches (
    id SERIAL NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    trigger VARCHAR(50),
    notes TEXT,
    CONSTRAINT pk_scrape_batches PRIMARY KEY (id),
    CONSTRAINT ck_scrape_batches_started_at CHECK (started_at >= '1970-01-01 00:00:00+00:00' AND started_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_scrape_batches_completed_at CHECK (completed_at >= '1970-01-01 00:00:00+00:00' AND completed_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_scrape_batches_status CHECK (status IN ('pending', 'running', 'completed', 'partial', 'failed', 'connection_failed')),
    CONSTRAINT ck_scrape_batches_trigger CHECK (ascii(trigger) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(trigger, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_scrape_batches_notes CHECK (ascii(notes) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(notes, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288))
);

CREATE INDEX idx_scrape_batches_started ON scrape_batches (started_at);

CREATE TABLE sports (
    name VARCHAR(100) NOT NULL,
    slug VARCHAR(100) NOT NULL,
    id SERIAL NOT NULL,
    CONSTRAINT pk_sports PRIMARY KEY (id),
    CONSTRAINT uq_sports_name UNIQUE (name),
    CONSTRAINT uq_sports_slug UNIQUE (slug),
    CONSTRAINT ck_sports_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_sports_slug CHECK (slug <> '' AND ascii(slug) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(slug, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288))
);

COMMENT ON TABLE sports IS 'oddsschema_0016 serves programs from oddsschema_0015';

CREATE TABLE unmapped_markets (
    source VARCHAR(20) NOT NULL,
    market_id VARCHAR(100) NOT NULL,
    name VARCHAR(255),
    example JSONB,
    id SERIAL NOT NULL,
    first_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    times_seen BIGINT NOT NULL,
    CONSTRAINT pk_unmapped_markets PRIMARY KEY (id),
    CONSTRAINT uq_unmapped_markets_source_market_id UNIQUE (source, market_id),
    CONSTRAINT ck_unmapped_markets_source CHECK (source ~ '^[a-z0-9][a-z0-9_-]{0,19}$'),
    CONSTRAINT ck_unmapped_markets_market_id CHECK (market_id <> '' AND ascii(market_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(market_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_unmapped_markets_name CHECK (ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_unmapped_markets_example CHECK (NOT jsonb_path_exists(example, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT ck_unmapped_markets_first_seen_at CHECK (first_seen_at >= '1970-01-01 00:00:00+00:00' AND first_seen_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_unmapped_markets_last_seen_at CHECK (last_seen_at >= '1970-01-01 00:00:00+00:00' AND last_seen_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_unmapped_markets_times_seen CHECK (times_seen >= 0)
);

CREATE TABLE competitor_tournaments (
    name VARCHAR(255) NOT NULL,
    sportradar_id VARCHAR(100),
    source VARCHAR(20) NOT NULL,
    external_id VARCHAR(100) NOT NULL,
    country_raw VARCHAR(100),
    country_iso VARCHAR(3),
    id SERIAL NOT NULL,
    sport_id INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_competitor_tournaments PRIMARY KEY (id),
    CONSTRAINT uq_competitor_tournaments_source_external UNIQUE (source, external_id),
    CONSTRAINT ck_competitor_tournaments_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_tournaments_sportradar_id CHECK (sportradar_id <> '' AND ascii(sportradar_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(sportradar_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_tournaments_source CHECK (source ~ '^[a-z0-9][a-z0-9_-]{0,19}$'),
    CONSTRAINT ck_competitor_tournaments_external_id CHECK (external_id <> '' AND ascii(external_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(external_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_tournaments_country_raw CHECK (ascii(country_raw) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(country_raw, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_tournaments_country_iso CHECK (country_iso IN ('ABW', 'AFG', 'AGO', 'AIA', 'ALA', 'ALB', 'AND', 'ARE', 'ARG', 'ARM', 'ASM', 'ATA', 'ATF', 'ATG', 'AUS', 'AUT', 'AZE', 'BDI', 'BEL', 'BEN', 'BES', 'BFA', 'BGD', 'BGR', 'BHR', 'BHS', 'BIH', 'BLM', 'BLR', 'BLZ', 'BMU', 'BOL', 'BRA', 'BRB', 'BRN', 'BTN', 'BVT', 'BWA', 'CAF', 'CAN', 'CCK', 'CHE', 'CHL', 'CHN', 'CIV', 'CMR', 'COD', 'COG', 'COK', 'COL', 'COM', 'CPV', 'CRI', 'CUB', 'CUW', 'CXR', 'CYM', 'CYP', 'CZE', 'DEU', 'DJI', 'DMA', 'DNK', 'DOM', 'DZA', 'ECU', 'EGY', 'ERI', 'ESH', 'ESP', 'EST', 'ETH', 'FIN', 'FJI', 'FLK', 'FRA', 'FRO', 'FSM', 'GAB', 'GBR', 'GEO', 'GGY', 'GHA', 'GIB', 'GIN', 'GLP', 'GMB', 'GNB', 'GNQ', 'GRC', 'GRD', 'GRL', 'GTM', 'GUF', 'GUM', 'GUY', 'HKG', 'HMD', 'HND', 'HRV', 'HTI', 'HUN', 'IDN', 'IMN', 'IND', 'IOT', 'IRL', 'IRN', 'IRQ', 'ISL', 'ISR', 'ITA', 'JAM', 'JEY', 'JOR', 'JPN', 'KAZ', 'KEN', 'KGZ', 'KHM', 'KIR', 'KNA', 'KOR', 'KWT', 'LAO', 'LBN', 'LBR', 'LBY', 'LCA', 'LIE', 'LKA', 'LSO', 'LTU', 'LUX', 'LVA', 'MAC', 'MAF', 'MAR', 'MCO', 'MDA', 'MDG', 'MDV', 'MEX', 'MHL', 'MKD', 'MLI', 'MLT', 'MMR', 'MNE', 'MNG', 'MNP', 'MOZ', 'MRT', 'MSR', 'MTQ', 'MUS', 'MWI', 'MYS', 'MYT', 'NAM', 'NCL', 'NER', 'NFK', 'NGA', 'NIC', 'NIU', 'NLD', 'NOR', 'NPL', 'NRU', 'NZL', 'OMN', 'PAK', 'PAN', 'PCN', 'PER', 'PHL', 'PLW', 'PNG', 'POL', 'PRI', 'PRK', 'PRT', 'PRY', 'PSE', 'PYF', 'QAT', 'REU', 'ROU', 'RUS', 'RWA', 'SAU', 'SDN', 'SEN', 'SGP', 'SGS', 'SHN', 'SJM', 'SLB', 'SLE', 'SLV', 'SMR', 'SOM', 'SPM', 'SRB', 'SSD', 'STP', 'SUR', 'SVK', 'SVN', 'SWE', 'SWZ', 'SXM', 'SYC', 'SYR', 'TCA', 'TCD', 'TGO', 'THA', 'TJK', 'TKL', 'TKM', 'TLS', 'TON', 'TTO', 'TUN', 'TUR', 'TUV', 'TWN', 'TZA', 'UGA', 'UKR', 'UMI', 'URY', 'USA', 'UZB', 'VAT', 'VCT', 'VEN', 'VGB', 'VIR', 'VNM', 'VUT', 'WLF', 'WSM', 'YEM', 'ZAF', 'ZMB', 'ZWE')),
    CONSTRAINT ck_competitor_tournaments_created_at CHECK (created_at >= '1970-01-01 00:00:00+00:00' AND created_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_tournaments_deleted_at CHECK (deleted_at >= '1970-01-01 00:00:00+00:00' AND deleted_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_competitor_tournaments_sport_id_sports FOREIGN KEY(sport_id) REFERENCES sports (id)
);

CREATE INDEX idx_competitor_tournaments_source ON competitor_tournaments (source);

CREATE INDEX idx_competitor_tournaments_sport ON competitor_tournaments (sport_id);

CREATE INDEX idx_competitor_tournaments_sr_id ON competitor_tournaments (sportradar_id) WHERE sportradar_id IS NOT NULL;

CREATE TABLE scrape_runs (
    id SERIAL NOT NULL,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    events_scraped INTEGER DEFAULT 0 NOT NULL,
    events_failed INTEGER DEFAULT 0 NOT NULL,
    trigger VARCHAR(50),
    platform_timings JSONB,
    batch_id INTEGER,
    platform VARCHAR(20),
    heartbeat_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_scrape_runs PRIMARY KEY (id),
    CONSTRAINT ck_scrape_runs_status CHECK (status IN ('pending', 'running', 'completed', 'partial', 'failed', 'connection_failed')),
    CONSTRAINT ck_scrape_runs_started_at CHECK (started_at >= '1970-01-01 00:00:00+00:00' AND started_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_scrape_runs_completed_at CHECK (completed_at >= '1970-01-01 00:00:00+00:00' AND completed_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_scrape_runs_events_scraped CHECK (events_scraped >= 0),
    CONSTRAINT ck_scrape_runs_events_failed CHECK (events_failed >= 0),
    CONSTRAINT ck_scrape_runs_trigger CHECK (ascii(trigger) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(trigger, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_scrape_runs_platform_timings CHECK (NOT jsonb_path_exists(platform_timings, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT ck_scrape_runs_platform CHECK (platform ~ '^[a-z0-9][a-z0-9_-]{0,19}$'),
    CONSTRAINT ck_scrape_runs_heartbeat_at CHECK (heartbeat_at >= '1970-01-01 00:00:00+00:00' AND heartbeat_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_scrape_runs_batch_id_scrape_batches FOREIGN KEY(batch_id) REFERENCES scrape_batches (id) ON DELETE SET NULL
);

CREATE INDEX idx_scrape_runs_batch ON scrape_runs (batch_id);

CREATE INDEX idx_scrape_runs_started ON scrape_runs (started_at);

CREATE INDEX idx_scrape_runs_status ON scrape_runs (status);

CREATE TABLE tournaments (
    name VARCHAR(255) NOT NULL,
    sportradar_id VARCHAR(100),
    country VARCHAR(100) DEFAULT 'Unknown' NOT NULL,
    id SERIAL NOT NULL,
    sport_id INTEGER NOT NULL,
    CONSTRAINT pk_tournaments PRIMARY KEY (id),
    CONSTRAINT uq_tournaments_sportradar_id UNIQUE (sportradar_id),
    CONSTRAINT uq_tournaments_sport_id_name_country UNIQUE (sport_id, name, country),
    CONSTRAINT ck_tournaments_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_tournaments_sportradar_id CHECK (sportradar_id <> '' AND ascii(sportradar_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(sportradar_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_tournaments_country CHECK (country <> '' AND ascii(country) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(country, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT fk_tournaments_sport_id_sports FOREIGN KEY(sport_id) REFERENCES sports (id)
);

CREATE TABLE events (
    sportradar_id VARCHAR(100) NOT NULL,
    name VARCHAR(500) NOT NULL,
    home_team VARCHAR(255) NOT NULL,
    away_team VARCHAR(255) NOT NULL,
    kickoff TIMESTAMP WITH TIME ZONE NOT NULL,
    id SERIAL NOT NULL,
    tournament_id INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id),
    CONSTRAINT uq_events_sportradar_id UNIQUE (sportradar_id),
    CONSTRAINT ck_events_sportradar_id CHECK (sportradar_id <> '' AND ascii(sportradar_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(sportradar_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_events_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_events_home_team CHECK (home_team <> '' AND ascii(home_team) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(home_team, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_events_away_team CHECK (away_team <> '' AND ascii(away_team) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(away_team, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_events_kickoff CHECK (kickoff >= '1970-01-01 00:00:00+00:00' AND kickoff < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_events_created_at CHECK (created_at >= '1970-01-01 00:00:00+00:00' AND created_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_events_tournament_id_tournaments FOREIGN KEY(tournament_id) REFERENCES tournaments (id) ON DELETE CASCADE
);

CREATE TABLE competitor_events (
    sportradar_id VARCHAR(100) NOT NULL,
    name VARCHAR(500) NOT NULL,
    home_team VARCHAR(255) NOT NULL,
    away_team VARCHAR(255) NOT NULL,
    kickoff TIMESTAMP WITH TIME ZONE NOT NULL,
    event_url VARCHAR(1000),
    source VARCHAR(20) NOT NULL,
    external_id VARCHAR(100) NOT NULL,
    id SERIAL NOT NULL,
    tournament_id INTEGER NOT NULL,
    betpawa_event_id INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_competitor_events PRIMARY KEY (id),
    CONSTRAINT uq_competitor_events_source_external UNIQUE (source, external_id),
    CONSTRAINT ck_competitor_events_sportradar_id CHECK (sportradar_id <> '' AND ascii(sportradar_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(sportradar_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_name CHECK (name <> '' AND ascii(name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_home_team CHECK (home_team <> '' AND ascii(home_team) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(home_team, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_away_team CHECK (away_team <> '' AND ascii(away_team) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(away_team, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_kickoff CHECK (kickoff >= '1970-01-01 00:00:00+00:00' AND kickoff < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_events_event_url CHECK (ascii(event_url) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(event_url, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_source CHECK (source ~ '^[a-z0-9][a-z0-9_-]{0,19}$'),
    CONSTRAINT ck_competitor_events_external_id CHECK (external_id <> '' AND ascii(external_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(external_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_events_created_at CHECK (created_at >= '1970-01-01 00:00:00+00:00' AND created_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_events_updated_at CHECK (updated_at >= '1970-01-01 00:00:00+00:00' AND updated_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_events_deleted_at CHECK (deleted_at >= '1970-01-01 00:00:00+00:00' AND deleted_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_competitor_events_tournament_id_competitor_tournaments FOREIGN KEY(tournament_id) REFERENCES competitor_tournaments (id) ON DELETE CASCADE,
    CONSTRAINT fk_competitor_events_betpawa_event_id_events FOREIGN KEY(betpawa_event_id) REFERENCES events (id) ON DELETE SET NULL
);

CREATE INDEX idx_competitor_events_betpawa ON competitor_events (betpawa_event_id) WHERE betpawa_event_id IS NOT NULL;

CREATE INDEX idx_competitor_events_kickoff ON competitor_events (kickoff);

CREATE INDEX idx_competitor_events_source ON competitor_events (source);

CREATE INDEX idx_competitor_events_sr_id ON competitor_events (sportradar_id);

CREATE INDEX idx_competitor_events_tournament ON competitor_events (tournament_id);

CREATE TABLE event_bookmakers (
    event_url VARCHAR(1000),
    external_event_id VARCHAR(100) NOT NULL,
    id SERIAL NOT NULL,
    event_id INTEGER NOT NULL,
    bookmaker_id INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_event_bookmakers PRIMARY KEY (id),
    CONSTRAINT uq_event_bookmakers_event_id_bookmaker_id UNIQUE (event_id, bookmaker_id),
    CONSTRAINT ck_event_bookmakers_event_url CHECK (ascii(event_url) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(event_url, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_event_bookmakers_external_event_id CHECK (external_event_id <> '' AND ascii(external_event_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(external_event_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_event_bookmakers_created_at CHECK (created_at >= '1970-01-01 00:00:00+00:00' AND created_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_event_bookmakers_event_id_events FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT fk_event_bookmakers_bookmaker_id_bookmakers FOREIGN KEY(bookmaker_id) REFERENCES bookmakers (id)
);

CREATE TABLE odds_snapshots (
    captured_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    raw_response JSONB,
    is_complete BOOLEAN DEFAULT true NOT NULL,
    last_confirmed_at TIMESTAMP WITH TIME ZONE,
    confirmed_at TIMESTAMP WITH TIME ZONE[] DEFAULT '{}' NOT NULL,
    unknown_markets JSONB,
    id BIGSERIAL NOT NULL,
    event_id INTEGER NOT NULL,
    bookmaker_id INTEGER NOT NULL,
    scrape_run_id INTEGER,
    CONSTRAINT pk_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT uq_odds_snapshots_event_id_bookmaker_id_captured_at UNIQUE (event_id, bookmaker_id, captured_at),
    CONSTRAINT uq_odds_snapshots_event_id_id UNIQUE (event_id, id),
    CONSTRAINT ck_odds_snapshots_captured_at CHECK (captured_at >= '1970-01-01 00:00:00+00:00' AND captured_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_odds_snapshots_raw_response CHECK (NOT jsonb_path_exists(raw_response, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT ck_odds_snapshots_last_confirmed_at CHECK (last_confirmed_at >= '1970-01-01 00:00:00+00:00' AND last_confirmed_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_odds_snapshots_confirmed_at CHECK (array_position(confirmed_at, NULL) IS NULL AND '1970-01-01 00:00:00+00:00' <= ALL (confirmed_at) AND '2201-01-01 00:00:00+00:00' > ALL (confirmed_at)),
    CONSTRAINT ck_odds_snapshots_unknown_markets CHECK (jsonb_typeof(unknown_markets) = 'array' AND NOT jsonb_path_exists(unknown_markets, 'strict $[*] ? (@.type() != "array")') AND NOT jsonb_path_exists(unknown_markets, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT fk_odds_snapshots_event_id_events FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE,
    CONSTRAINT fk_odds_snapshots_bookmaker_id_bookmakers FOREIGN KEY(bookmaker_id) REFERENCES bookmakers (id),
    CONSTRAINT fk_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY(scrape_run_id) REFERENCES scrape_runs (id) ON DELETE SET NULL
);

CREATE INDEX idx_snapshots_bookmaker ON odds_snapshots (bookmaker_id);

CREATE INDEX idx_snapshots_event ON odds_snapshots (event_id);

CREATE INDEX idx_snapshots_event_time ON odds_snapshots (event_id, captured_at DESC);

CREATE INDEX idx_snapshots_run ON odds_snapshots (scrape_run_id);

ALTER TABLE odds_snapshots SET (fillfactor = 60);

CREATE TABLE scrape_errors (
    id SERIAL NOT NULL,
    scrape_run_id INTEGER NOT NULL,
    bookmaker_id INTEGER,
    event_id INTEGER,
    error_type VARCHAR(50) NOT NULL,
    error_message TEXT NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_scrape_errors PRIMARY KEY (id),
    CONSTRAINT ck_scrape_errors_error_type CHECK (error_type <> '' AND ascii(error_type) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(error_type, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_scrape_errors_error_message CHECK (error_message <> '' AND ascii(error_message) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(error_message, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_scrape_errors_occurred_at CHECK (occurred_at >= '1970-01-01 00:00:00+00:00' AND occurred_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT fk_scrape_errors_scrape_run_id_scrape_runs FOREIGN KEY(scrape_run_id) REFERENCES scrape_runs (id) ON DELETE CASCADE,
    CONSTRAINT fk_scrape_errors_bookmaker_id_bookmakers FOREIGN KEY(bookmaker_id) REFERENCES bookmakers (id) ON DELETE SET NULL,
    CONSTRAINT fk_scrape_errors_event_id_events FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE SET NULL
);

CREATE INDEX idx_scrape_errors_bookmaker ON scrape_errors (bookmaker_id);

CREATE INDEX idx_scrape_errors_run ON scrape_errors (scrape_run_id);

CREATE TABLE competitor_odds_snapshots (
    captured_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    raw_response JSONB,
    is_complete BOOLEAN DEFAULT true NOT NULL,
    last_confirmed_at TIMESTAMP WITH TIME ZONE,
    confirmed_at TIMESTAMP WITH TIME ZONE[] DEFAULT '{}' NOT NULL,
    unknown_markets JSONB,
    id BIGSERIAL NOT NULL,
    competitor_event_id INTEGER NOT NULL,
    scrape_run_id INTEGER,
    CONSTRAINT pk_competitor_odds_snapshots PRIMARY KEY (id),
    CONSTRAINT fk_competitor_odds_snapshots_event_id_competitor_events FOREIGN KEY(competitor_event_id) REFERENCES competitor_events (id) ON DELETE CASCADE,
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_captured_at UNIQUE (competitor_event_id, captured_at),
    CONSTRAINT uq_competitor_odds_snapshots_competitor_event_id_id UNIQUE (competitor_event_id, id),
    CONSTRAINT ck_competitor_odds_snapshots_captured_at CHECK (captured_at >= '1970-01-01 00:00:00+00:00' AND captured_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_odds_snapshots_raw_response CHECK (NOT jsonb_path_exists(raw_response, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT ck_competitor_odds_snapshots_last_confirmed_at CHECK (last_confirmed_at >= '1970-01-01 00:00:00+00:00' AND last_confirmed_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_odds_snapshots_confirmed_at CHECK (array_position(confirmed_at, NULL) IS NULL AND '1970-01-01 00:00:00+00:00' <= ALL (confirmed_at) AND '2201-01-01 00:00:00+00:00' > ALL (confirmed_at)),
    CONSTRAINT ck_competitor_odds_snapshots_unknown_markets CHECK (jsonb_typeof(unknown_markets) = 'array' AND NOT jsonb_path_exists(unknown_markets, 'strict $[*] ? (@.type() != "array")') AND NOT jsonb_path_exists(unknown_markets, 'strict $.** ? (@ < -179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368 || @ > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368)')),
    CONSTRAINT fk_competitor_odds_snapshots_scrape_run_id_scrape_runs FOREIGN KEY(scrape_run_id) REFERENCES scrape_runs (id) ON DELETE SET NULL
);

CREATE INDEX idx_competitor_odds_snapshots_captured ON competitor_odds_snapshots (captured_at);

CREATE INDEX idx_competitor_odds_snapshots_event ON competitor_odds_snapshots (competitor_event_id);

CREATE INDEX idx_competitor_odds_snapshots_run ON competitor_odds_snapshots (scrape_run_id);

ALTER TABLE competitor_odds_snapshots SET (fillfactor = 60);

CREATE TABLE market_odds (
    betpawa_market_id VARCHAR(50) NOT NULL,
    betpawa_market_name VARCHAR(255) NOT NULL,
    line DOUBLE PRECISION,
    handicap_type VARCHAR(50),
    handicap_home DOUBLE PRECISION,
    handicap_away DOUBLE PRECISION,
    specifiers VARCHAR(255),
    outcomes JSONB NOT NULL,
    unavailable_at TIMESTAMP WITH TIME ZONE,
    id BIGSERIAL NOT NULL,
    event_id INTEGER NOT NULL,
    snapshot_id BIGINT NOT NULL,
    CONSTRAINT pk_market_odds PRIMARY KEY (id),
    CONSTRAINT fk_market_odds_snapshot_id_odds_snapshots FOREIGN KEY(event_id, snapshot_id) REFERENCES odds_snapshots (event_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_market_odds_betpawa_market_id CHECK (betpawa_market_id <> '' AND ascii(betpawa_market_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(betpawa_market_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_market_odds_betpawa_market_name CHECK (betpawa_market_name <> '' AND ascii(betpawa_market_name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(betpawa_market_name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_market_odds_line CHECK (line > '-Infinity' AND line < 'Infinity'),
    CONSTRAINT ck_market_odds_handicap_type CHECK (handicap_type IN ('european', 'asian')),
    CONSTRAINT ck_market_odds_handicap_home CHECK (handicap_home > '-Infinity' AND handicap_home < 'Infinity'),
    CONSTRAINT ck_market_odds_handicap_away CHECK (handicap_away > '-Infinity' AND handicap_away < 'Infinity'),
    CONSTRAINT ck_market_odds_specifiers CHECK (specifiers <> '' AND ascii(specifiers) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(specifiers, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_market_odds_outcomes CHECK (CASE WHEN outcomes @@ 'strict !($[*].name.type() != "string") && !($[*].name == "") && (!(+$[*].odds < 1.0) || !($[*].odds < 1.0) && !($[*] ? (@.odds == null).is_active != false)) && !($[*].odds > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368) && !($[*].is_active.type() != "boolean")' THEN jsonb_array_length(outcomes) BETWEEN 1 AND 500 AND (pg_column_compression(outcomes) IS NULL AND pg_column_size(outcomes) <= 255 OR NOT outcomes @? '$[*].name ? (@ like_regex "^.{255}." flag "s")') ELSE false END),
    CONSTRAINT ck_market_odds_unavailable_at CHECK (unavailable_at >= '1970-01-01 00:00:00+00:00' AND unavailable_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_market_odds_handicap_line CHECK (num_nulls(handicap_type, handicap_home, handicap_away) = 3 OR num_nulls(line, handicap_type, handicap_home, handicap_away) = 0 AND handicap_away = -handicap_home AND line = handicap_home)
);

CREATE INDEX idx_market_odds_market ON market_odds (betpawa_market_id);

CREATE INDEX idx_market_odds_snapshot ON market_odds (snapshot_id);

CREATE TABLE competitor_market_odds (
    betpawa_market_id VARCHAR(50) NOT NULL,
    betpawa_market_name VARCHAR(255) NOT NULL,
    line DOUBLE PRECISION,
    handicap_type VARCHAR(50),
    handicap_home DOUBLE PRECISION,
    handicap_away DOUBLE PRECISION,
    specifiers VARCHAR(255),
    outcomes JSONB NOT NULL,
    unavailable_at TIMESTAMP WITH TIME ZONE,
    id BIGSERIAL NOT NULL,
    competitor_event_id INTEGER NOT NULL,
    snapshot_id BIGINT NOT NULL,
    CONSTRAINT pk_competitor_market_odds PRIMARY KEY (id),
    CONSTRAINT fk_competitor_market_odds_snapshot_id_competitor_odds_snapshots FOREIGN KEY(competitor_event_id, snapshot_id) REFERENCES competitor_odds_snapshots (competitor_event_id, id) ON DELETE CASCADE,
    CONSTRAINT ck_competitor_market_odds_betpawa_market_id CHECK (betpawa_market_id <> '' AND ascii(betpawa_market_id) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(betpawa_market_id, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_market_odds_betpawa_market_name CHECK (betpawa_market_name <> '' AND ascii(betpawa_market_name) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(betpawa_market_name, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_market_odds_line CHECK (line > '-Infinity' AND line < 'Infinity'),
    CONSTRAINT ck_competitor_market_odds_handicap_type CHECK (handicap_type IN ('european', 'asian')),
    CONSTRAINT ck_competitor_market_odds_handicap_home CHECK (handicap_home > '-Infinity' AND handicap_home < 'Infinity'),
    CONSTRAINT ck_competitor_market_odds_handicap_away CHECK (handicap_away > '-Infinity' AND handicap_away < 'Infinity'),
    CONSTRAINT ck_competitor_market_odds_specifiers CHECK (specifiers <> '' AND ascii(specifiers) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288) AND ascii(right(specifiers, 1)) NOT IN (9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)),
    CONSTRAINT ck_competitor_market_odds_outcomes CHECK (CASE WHEN outcomes @@ 'strict !($[*].name.type() != "string") && !($[*].name == "") && (!(+$[*].odds < 1.0) || !($[*].odds < 1.0) && !($[*] ? (@.odds == null).is_active != false)) && !($[*].odds > 179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123348274797826204144723168738177180919299881250404026184124858368) && !($[*].is_active.type() != "boolean")' THEN jsonb_array_length(outcomes) BETWEEN 1 AND 500 AND (pg_column_compression(outcomes) IS NULL AND pg_column_size(outcomes) <= 255 OR NOT outcomes @? '$[*].name ? (@ like_regex "^.{255}." flag "s")') ELSE false END),
    CONSTRAINT ck_competitor_market_odds_unavailable_at CHECK (unavailable_at >= '1970-01-01 00:00:00+00:00' AND unavailable_at < '2201-01-01 00:00:00+00:00'),
    CONSTRAINT ck_competitor_market_odds_handicap_line CHECK (num_nulls(handicap_type, handicap_home, handicap_away) = 3 OR num_nulls(line, handicap_type, handicap_home, handicap_away) = 0 AND handicap_away = -handicap_home AND line = handicap_home)
);

CREATE INDEX idx_competitor_market_odds_market ON competitor_market_odds (betpawa_market_id);

CREATE INDEX idx_competitor_market_odds_snapshot ON competitor_market_odds (snapshot_id);
