"""A row of each table that a migration changes, as SQL."""

ROWS = """
INSERT INTO tournaments (sport_id, name) SELECT id, 'Super League' FROM sports;
INSERT INTO events (tournament_id, sportradar_id, name, home_team, away_team, kickoff)
    SELECT id, '1', 'A - B', 'A', 'B', now() FROM tournaments;
INSERT INTO event_bookmakers (event_id, bookmaker_id, external_event_id)
    SELECT e.id, b.id, '1' FROM events AS e, bookmakers AS b WHERE b.slug = 'betpawa';
INSERT INTO scrape_batches DEFAULT VALUES;
INSERT INTO scrape_runs (batch_id) SELECT id FROM scrape_batches;
INSERT INTO scrape_errors (scrape_run_id, bookmaker_id, error_type, error_message)
    SELECT r.id, b.id, 'x', 'y' FROM scrape_runs AS r, bookmakers AS b WHERE b.slug = 'bet9ja';
INSERT INTO competitor_tournaments (source, sport_id, name, external_id)
    SELECT 'bet9ja', id, 'Super League', '1' FROM sports;
INSERT INTO competitor_events
    (source, tournament_id, betpawa_event_id, name, home_team, away_team, kickoff, external_id,
     sportradar_id)
    SELECT 'bet9ja', t.id, e.id, 'A - B', 'A', 'B', now(), '1', '1'
    FROM competitor_tournaments AS t, events AS e;
INSERT INTO competitor_odds_snapshots (competitor_event_id, scrape_run_id)
    SELECT e.id, r.id FROM competitor_events AS e, scrape_runs AS r;
"""
