"""Create the views: flat rows of odds for programs that read SQL alone.

A later revision appends columns by `op.replace_view`, and changes none.
"""

from alembic import op
from sqlalchemy import text

revision = "oddsschema_0016"
down_revision = "oddsschema_0015"
branch_labels = None
depends_on = None

# The oldest revision whose programs live with the tables.
programs_from = "oddsschema_0015"

MARK = f"{revision} serves programs from {programs_from}"
MARK_BEFORE = "oddsschema_0015 serves programs from oddsschema_0015"

VIEWS = {
    "odds_offers": """
SELECT anon_1.event_id, anon_1.competitor_event_id, anon_1.sportradar_id, anon_1.bookmaker,
anon_1.home_team, anon_1.away_team, anon_1.sport, anon_1.country, anon_1.tournament,
anon_1.betpawa_market_id, anon_1.betpawa_market_name, anon_1.line, anon_1.handicap_type,
anon_1.handicap_home, anon_1.handicap_away, anon_1.specifiers, anon_1.kickoff,
anon_1.outcome, anon_1.odds, anon_1.is_active, anon_1.seen_at, anon_1.market_odds_id,
anon_1.is_carried FROM (SELECT events.id AS event_id, CAST(NULL AS INTEGER) AS
competitor_event_id, events.sportradar_id AS sportradar_id, bookmakers.slug AS bookmaker,
events.home_team AS home_team, events.away_team AS away_team, sports.slug AS sport,
tournaments.country AS country, tournaments.name AS tournament, events.kickoff AS kickoff,
markets_of_last.betpawa_market_id AS betpawa_market_id, markets_of_last.betpawa_market_name
AS betpawa_market_name, markets_of_last.line AS line, markets_of_last.handicap_type AS
handicap_type, markets_of_last.handicap_home AS handicap_home, markets_of_last.handicap_away
AS handicap_away, markets_of_last.specifiers AS specifiers, outcome.name AS outcome,
outcome.odds AS odds, coalesce(outcome.is_active, true) AS is_active, bounds.seen_at AS
seen_at, markets_of_last.id AS market_odds_id, markets_of_last.is_carried AS is_carried FROM
events JOIN event_bookmakers ON events.id = event_bookmakers.event_id JOIN bookmakers ON
bookmakers.id = event_bookmakers.bookmaker_id JOIN tournaments ON tournaments.id =
events.tournament_id JOIN sports ON sports.id = tournaments.sport_id JOIN LATERAL (SELECT
(SELECT keyframes.captured_at FROM odds_snapshots AS keyframes WHERE keyframes.event_id =
events.id AND keyframes.bookmaker_id = bookmakers.id AND keyframes.is_complete AND
keyframes.captured_at <= statement_timestamp() ORDER BY keyframes.captured_at DESC LIMIT 1)
AS keyframe_at, greatest(last.captured_at, CASE WHEN (last.last_confirmed_at IS NULL OR
last.last_confirmed_at <= statement_timestamp()) THEN last.last_confirmed_at ELSE (SELECT
max(instants.at) AS max_1 FROM unnest(last.confirmed_at) AS instants(at) WHERE instants.at
<= statement_timestamp()) END) AS seen_at, last.unknown_markets AS unknown_markets FROM
odds_snapshots AS last WHERE last.event_id = events.id AND last.bookmaker_id = bookmakers.id
AND last.captured_at <= statement_timestamp() ORDER BY last.captured_at DESC LIMIT 1) AS
bounds ON true JOIN LATERAL (SELECT on_offer.betpawa_market_id AS betpawa_market_id,
on_offer.line AS line, on_offer.handicap_type AS handicap_type, on_offer.specifiers AS
specifiers, on_offer.captured_at AS captured_at, on_offer.id AS id, on_offer.unavailable_at
AS unavailable_at, on_offer.betpawa_market_name AS betpawa_market_name,
on_offer.handicap_home AS handicap_home, on_offer.handicap_away AS handicap_away,
on_offer.outcomes AS outcomes, unknown.key IS NOT NULL AS is_carried FROM LATERAL (WITH
changes AS (SELECT DISTINCT ON (markets.betpawa_market_id, markets.line,
markets.handicap_type, markets.specifiers) markets.betpawa_market_id AS betpawa_market_id,
markets.line AS line, markets.handicap_type AS handicap_type, markets.specifiers AS
specifiers, snapshots.captured_at AS captured_at, markets.id AS id, markets.unavailable_at
AS unavailable_at, markets.betpawa_market_name AS betpawa_market_name, markets.handicap_home
AS handicap_home, markets.handicap_away AS handicap_away, markets.outcomes AS outcomes FROM
odds_snapshots AS snapshots JOIN market_odds AS markets ON markets.event_id =
snapshots.event_id AND markets.snapshot_id = snapshots.id WHERE snapshots.event_id =
events.id AND snapshots.bookmaker_id = bookmakers.id AND snapshots.captured_at >
bounds.keyframe_at AND snapshots.captured_at <= statement_timestamp() ORDER BY
markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers,
snapshots.captured_at DESC, markets.id DESC) SELECT changes.betpawa_market_id AS
betpawa_market_id, changes.line AS line, changes.handicap_type AS handicap_type,
changes.specifiers AS specifiers, changes.captured_at AS captured_at, changes.id AS id,
changes.unavailable_at AS unavailable_at, changes.betpawa_market_name AS
betpawa_market_name, changes.handicap_home AS handicap_home, changes.handicap_away AS
handicap_away, changes.outcomes AS outcomes FROM changes WHERE changes.unavailable_at IS
NULL UNION ALL SELECT markets.betpawa_market_id AS betpawa_market_id, markets.line AS line,
markets.handicap_type AS handicap_type, markets.specifiers AS specifiers,
snapshots.captured_at AS captured_at, markets.id AS id, markets.unavailable_at AS
unavailable_at, markets.betpawa_market_name AS betpawa_market_name, markets.handicap_home AS
handicap_home, markets.handicap_away AS handicap_away, markets.outcomes AS outcomes FROM
odds_snapshots AS snapshots JOIN market_odds AS markets ON markets.event_id =
snapshots.event_id AND markets.snapshot_id = snapshots.id WHERE snapshots.event_id =
events.id AND snapshots.bookmaker_id = bookmakers.id AND snapshots.captured_at =
bounds.keyframe_at AND markets.unavailable_at IS NULL AND ((markets.betpawa_market_id,
coalesce(markets.line, 'NaN'::float8), coalesce(markets.handicap_type, ''),
coalesce(markets.specifiers, '')) NOT IN (SELECT changes.betpawa_market_id,
coalesce(changes.line, 'NaN'::float8) AS coalesce_1, coalesce(changes.handicap_type, '') AS
coalesce_2, coalesce(changes.specifiers, '') AS coalesce_3 FROM changes))) AS on_offer LEFT
OUTER JOIN jsonb_array_elements(bounds.unknown_markets) AS unknown(key) ON unknown.key =
CASE WHEN (bounds.unknown_markets IS NOT NULL) THEN
jsonb_build_array(on_offer.betpawa_market_id, on_offer.line, on_offer.handicap_type,
on_offer.specifiers) END) AS markets_of_last ON true JOIN LATERAL (SELECT CASE WHEN
(count(*) OVER (PARTITION BY named.common) = 1) THEN named.common ELSE named.name END AS
name, named.name AS written, named.odds AS odds, named.is_active AS is_active FROM (SELECT
found.name AS name, found.odds AS odds, found.is_active AS is_active, CASE WHEN
(least(found.text, found.text_with_marks, found.short, found.short_with_marks) =
greatest(found.text, found.text_with_marks, found.short, found.short_with_marks)) THEN
least(found.text, found.text_with_marks, found.short, found.short_with_marks) ELSE
found.name END AS common FROM (SELECT spelled.name AS name, spelled.odds AS odds,
spelled.is_active AS is_active, spelled.names ->> spelled.text AS text, spelled.names ->>
spelled.text_with_marks AS text_with_marks, spelled.names ->> spelled.short AS short,
spelled.names ->> spelled.short_with_marks AS short_with_marks FROM (SELECT texts.name AS
name, texts.odds AS odds, texts.is_active AS is_active, texts.names AS names, texts.text AS
text, texts.short AS short, CASE WHEN (texts.home = texts.away) THEN texts.text WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.text, texts.away, 'A'),
texts.home, 'H') ELSE replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS
text_with_marks, CASE WHEN (texts.home = texts.away) THEN texts.short WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.short, texts.away,
'A'), texts.home, 'H') ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A')
END AS short_with_marks FROM (SELECT reduced.name AS name, reduced.odds AS odds,
reduced.is_active AS is_active, reduced.text AS text, reduced.home AS home, reduced.away AS
away, CASE WHEN (abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS
DOUBLE PRECISION) - CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2),
''), '0') AS DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text,
-length(reduced.number)) END AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X",
"12": "12", "x2": "X2", "1/1": "1/1", "1/x": "1/X", "1/2": "1/2", "x/1": "X/1",
"x/x": "X/X", "x/2": "X/2", "2/1": "2/1", "2/x": "2/X", "2/2": "2/2", "yes": "Yes",
"no": "No", "over": "Over", "under": "Under", "odd": "Odd", "even": "Even", "H": "1",
"draw": "X", "tie": "X", "A": "2", "Hordraw": "1X", "draworH": "1X", "1orx": "1X",
"HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2", "Aordraw": "X2", "xor2": "X2",
"H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1", "draw/draw": "X/X",
"draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2", "gg": "Yes", "ng": "No",
"home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X", "homeoraway": "12",
"awayorhome": "12", "draworaway": "X2", "awayordraw": "X2", "home/home": "1/1",
"home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1", "draw/away": "X/2",
"away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS names FROM (SELECT
written.name AS name, written.odds AS odds, written.is_active AS is_active, CASE WHEN NOT
('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1",
"1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1",
"2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under",
"Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(markets_of_last.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(events.home_team COLLATE "C"), ' ', ''), '\u00a0', '') AS home,
replace(replace(lower(events.away_team COLLATE "C"), ' ', ''), '\u00a0', '') AS away,
markets_of_last.line AS line FROM jsonb_to_recordset(markets_of_last.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true) AS anon_1 UNION ALL SELECT
anon_2.event_id, anon_2.competitor_event_id, anon_2.sportradar_id, anon_2.bookmaker,
anon_2.home_team, anon_2.away_team, anon_2.sport, anon_2.country, anon_2.tournament,
anon_2.betpawa_market_id, anon_2.betpawa_market_name, anon_2.line, anon_2.handicap_type,
anon_2.handicap_home, anon_2.handicap_away, anon_2.specifiers, anon_2.kickoff,
anon_2.outcome, anon_2.odds, anon_2.is_active, anon_2.seen_at, anon_2.market_odds_id,
anon_2.is_carried FROM (SELECT competitor_events.betpawa_event_id AS event_id,
competitor_events.id AS competitor_event_id, competitor_events.sportradar_id AS
sportradar_id, competitor_events.source AS bookmaker, competitor_events.home_team AS
home_team, competitor_events.away_team AS away_team, sports.slug AS sport,
coalesce(tournaments.country, competitor_tournaments.country_raw, 'Unknown') AS country,
coalesce(tournaments.name, competitor_tournaments.name) AS tournament,
competitor_events.kickoff AS kickoff, markets_of_last.betpawa_market_id AS
betpawa_market_id, markets_of_last.betpawa_market_name AS betpawa_market_name,
markets_of_last.line AS line, markets_of_last.handicap_type AS handicap_type,
markets_of_last.handicap_home AS handicap_home, markets_of_last.handicap_away AS
handicap_away, markets_of_last.specifiers AS specifiers, outcome.name AS outcome,
outcome.odds AS odds, coalesce(outcome.is_active, true) AS is_active, bounds.seen_at AS
seen_at, markets_of_last.id AS market_odds_id, markets_of_last.is_carried AS is_carried FROM
competitor_events JOIN competitor_tournaments ON competitor_tournaments.id =
competitor_events.tournament_id LEFT OUTER JOIN events AS matched_event ON matched_event.id
= competitor_events.betpawa_event_id LEFT OUTER JOIN tournaments ON tournaments.id =
matched_event.tournament_id JOIN sports ON sports.id = coalesce(tournaments.sport_id,
competitor_tournaments.sport_id) JOIN LATERAL (SELECT (SELECT keyframes.captured_at FROM
competitor_odds_snapshots AS keyframes WHERE keyframes.competitor_event_id =
competitor_events.id AND keyframes.is_complete AND keyframes.captured_at <=
statement_timestamp() ORDER BY keyframes.captured_at DESC LIMIT 1) AS keyframe_at,
greatest(last.captured_at, CASE WHEN (last.last_confirmed_at IS NULL OR
last.last_confirmed_at <= statement_timestamp()) THEN last.last_confirmed_at ELSE (SELECT
max(instants.at) AS max_2 FROM unnest(last.confirmed_at) AS instants(at) WHERE instants.at
<= statement_timestamp()) END) AS seen_at, last.unknown_markets AS unknown_markets FROM
competitor_odds_snapshots AS last WHERE last.competitor_event_id = competitor_events.id AND
last.captured_at <= statement_timestamp() ORDER BY last.captured_at DESC LIMIT 1) AS bounds
ON true JOIN LATERAL (SELECT on_offer.betpawa_market_id AS betpawa_market_id, on_offer.line
AS line, on_offer.handicap_type AS handicap_type, on_offer.specifiers AS specifiers,
on_offer.captured_at AS captured_at, on_offer.id AS id, on_offer.unavailable_at AS
unavailable_at, on_offer.betpawa_market_name AS betpawa_market_name, on_offer.handicap_home
AS handicap_home, on_offer.handicap_away AS handicap_away, on_offer.outcomes AS outcomes,
unknown.key IS NOT NULL AS is_carried FROM LATERAL (WITH changes AS (SELECT DISTINCT ON
(markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers)
markets.betpawa_market_id AS betpawa_market_id, markets.line AS line, markets.handicap_type
AS handicap_type, markets.specifiers AS specifiers, snapshots.captured_at AS captured_at,
markets.id AS id, markets.unavailable_at AS unavailable_at, markets.betpawa_market_name AS
betpawa_market_name, markets.handicap_home AS handicap_home, markets.handicap_away AS
handicap_away, markets.outcomes AS outcomes FROM competitor_odds_snapshots AS snapshots JOIN
competitor_market_odds AS markets ON markets.competitor_event_id =
snapshots.competitor_event_id AND markets.snapshot_id = snapshots.id WHERE
snapshots.competitor_event_id = competitor_events.id AND snapshots.captured_at >
bounds.keyframe_at AND snapshots.captured_at <= statement_timestamp() ORDER BY
markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers,
snapshots.captured_at DESC, markets.id DESC) SELECT changes.betpawa_market_id AS
betpawa_market_id, changes.line AS line, changes.handicap_type AS handicap_type,
changes.specifiers AS specifiers, changes.captured_at AS captured_at, changes.id AS id,
changes.unavailable_at AS unavailable_at, changes.betpawa_market_name AS
betpawa_market_name, changes.handicap_home AS handicap_home, changes.handicap_away AS
handicap_away, changes.outcomes AS outcomes FROM changes WHERE changes.unavailable_at IS
NULL UNION ALL SELECT markets.betpawa_market_id AS betpawa_market_id, markets.line AS line,
markets.handicap_type AS handicap_type, markets.specifiers AS specifiers,
snapshots.captured_at AS captured_at, markets.id AS id, markets.unavailable_at AS
unavailable_at, markets.betpawa_market_name AS betpawa_market_name, markets.handicap_home AS
handicap_home, markets.handicap_away AS handicap_away, markets.outcomes AS outcomes FROM
competitor_odds_snapshots AS snapshots JOIN competitor_market_odds AS markets ON
markets.competitor_event_id = snapshots.competitor_event_id AND markets.snapshot_id =
snapshots.id WHERE snapshots.competitor_event_id = competitor_events.id AND
snapshots.captured_at = bounds.keyframe_at AND markets.unavailable_at IS NULL AND
((markets.betpawa_market_id, coalesce(markets.line, 'NaN'::float8),
coalesce(markets.handicap_type, ''), coalesce(markets.specifiers, '')) NOT IN (SELECT
changes.betpawa_market_id, coalesce(changes.line, 'NaN'::float8) AS coalesce_4,
coalesce(changes.handicap_type, '') AS coalesce_5, coalesce(changes.specifiers, '') AS
coalesce_6 FROM changes))) AS on_offer LEFT OUTER JOIN
jsonb_array_elements(bounds.unknown_markets) AS unknown(key) ON unknown.key = CASE WHEN
(bounds.unknown_markets IS NOT NULL) THEN jsonb_build_array(on_offer.betpawa_market_id,
on_offer.line, on_offer.handicap_type, on_offer.specifiers) END) AS markets_of_last ON true
JOIN LATERAL (SELECT CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN
named.common ELSE named.name END AS name, named.name AS written, named.odds AS odds,
named.is_active AS is_active FROM (SELECT found.name AS name, found.odds AS odds,
found.is_active AS is_active, CASE WHEN (least(found.text, found.text_with_marks,
found.short, found.short_with_marks) = greatest(found.text, found.text_with_marks,
found.short, found.short_with_marks)) THEN least(found.text, found.text_with_marks,
found.short, found.short_with_marks) ELSE found.name END AS common FROM (SELECT spelled.name
AS name, spelled.odds AS odds, spelled.is_active AS is_active, spelled.names ->>
spelled.text AS text, spelled.names ->> spelled.text_with_marks AS text_with_marks,
spelled.names ->> spelled.short AS short, spelled.names ->> spelled.short_with_marks AS
short_with_marks FROM (SELECT texts.name AS name, texts.odds AS odds, texts.is_active AS
is_active, texts.names AS names, texts.text AS text, texts.short AS short, CASE WHEN
(texts.home = texts.away) THEN texts.text WHEN (length(texts.home) < length(texts.away))
THEN replace(replace(texts.text, texts.away, 'A'), texts.home, 'H') ELSE
replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS text_with_marks, CASE
WHEN (texts.home = texts.away) THEN texts.short WHEN (length(texts.home) <
length(texts.away)) THEN replace(replace(texts.short, texts.away, 'A'), texts.home, 'H')
ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A') END AS short_with_marks
FROM (SELECT reduced.name AS name, reduced.odds AS odds, reduced.is_active AS is_active,
reduced.text AS text, reduced.home AS home, reduced.away AS away, CASE WHEN
(abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS DOUBLE PRECISION)
- CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2), ''), '0') AS
DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text, -length(reduced.number)) END
AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X", "12": "12", "x2": "X2", "1/1": "1/1",
"1/x": "1/X", "1/2": "1/2", "x/1": "X/1", "x/x": "X/X", "x/2": "X/2", "2/1": "2/1",
"2/x": "2/X", "2/2": "2/2", "yes": "Yes", "no": "No", "over": "Over", "under": "Under",
"odd": "Odd", "even": "Even", "H": "1", "draw": "X", "tie": "X", "A": "2", "Hordraw": "1X",
"draworH": "1X", "1orx": "1X", "HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2",
"Aordraw": "X2", "xor2": "X2", "H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1",
"draw/draw": "X/X", "draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2",
"gg": "Yes", "ng": "No", "home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X",
"homeoraway": "12", "awayorhome": "12", "draworaway": "X2", "awayordraw": "X2",
"home/home": "1/1", "home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1",
"draw/away": "X/2", "away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS
names FROM (SELECT written.name AS name, written.odds AS odds, written.is_active AS
is_active, CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12",
"X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X",
"X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No",
"Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(markets_of_last.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(competitor_events.home_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS home, replace(replace(lower(competitor_events.away_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS away, markets_of_last.line AS line FROM jsonb_to_recordset(markets_of_last.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true WHERE
competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS NULL) AS
anon_2
""",
    "odds_prices": """
WITH pricespan AS (SELECT anon_1.event_id AS event_id, anon_1.competitor_event_id AS
competitor_event_id, anon_1.sportradar_id AS sportradar_id, anon_1.bookmaker AS bookmaker,
anon_1.home_team AS home_team, anon_1.away_team AS away_team, anon_1.sport AS sport,
anon_1.country AS country, anon_1.tournament AS tournament, anon_1.betpawa_market_id AS
betpawa_market_id, anon_1.betpawa_market_name AS betpawa_market_name, anon_1.line AS line,
anon_1.handicap_type AS handicap_type, anon_1.handicap_home AS handicap_home,
anon_1.handicap_away AS handicap_away, anon_1.specifiers AS specifiers, anon_1.kickoff AS
kickoff, anon_1.outcome AS outcome, anon_1.odds AS odds, anon_1.is_active AS is_active,
anon_1.valid_from AS valid_from, anon_1.valid_to AS valid_to FROM (SELECT events.id AS
event_id, CAST(NULL AS INTEGER) AS competitor_event_id, events.sportradar_id AS
sportradar_id, bookmakers.slug AS bookmaker, events.home_team AS home_team, events.away_team
AS away_team, sports.slug AS sport, tournaments.country AS country, tournaments.name AS
tournament, events.kickoff AS kickoff, found.betpawa_market_id AS betpawa_market_id,
found.betpawa_market_name AS betpawa_market_name, found.line AS line, found.handicap_type AS
handicap_type, found.handicap_home AS handicap_home, found.handicap_away AS handicap_away,
found.specifiers AS specifiers, found.outcome AS outcome, found.odds AS odds,
found.is_active AS is_active, found.valid_from AS valid_from, found.valid_to AS valid_to
FROM events JOIN event_bookmakers ON events.id = event_bookmakers.event_id JOIN bookmakers
ON bookmakers.id = event_bookmakers.bookmaker_id JOIN tournaments ON tournaments.id =
events.tournament_id JOIN sports ON sports.id = tournaments.sport_id JOIN LATERAL (SELECT
marked.betpawa_market_id AS betpawa_market_id, marked.betpawa_market_name AS
betpawa_market_name, marked.line AS line, marked.handicap_type AS handicap_type,
marked.handicap_home AS handicap_home, marked.handicap_away AS handicap_away,
marked.specifiers AS specifiers, marked.valid_from AS valid_from, marked.outcome AS outcome,
marked.odds AS odds, marked.is_active AS is_active, CASE WHEN (lead(marked.valid_from) OVER
(PARTITION BY marked.betpawa_market_id, marked.line, marked.handicap_type,
marked.specifiers, marked.outcome ORDER BY marked.valid_from) IS NULL) THEN marked.last_end
ELSE lead(marked.ended_at) OVER (PARTITION BY marked.betpawa_market_id, marked.line,
marked.handicap_type, marked.specifiers, marked.outcome ORDER BY marked.valid_from) END AS
valid_to FROM (SELECT of_outcomes.betpawa_market_id AS betpawa_market_id,
of_outcomes.betpawa_market_name AS betpawa_market_name, of_outcomes.line AS line,
of_outcomes.handicap_type AS handicap_type, of_outcomes.handicap_home AS handicap_home,
of_outcomes.handicap_away AS handicap_away, of_outcomes.specifiers AS specifiers,
of_outcomes.valid_from AS valid_from, of_outcomes.valid_to AS valid_to, of_outcomes.outcome
AS outcome, of_outcomes.odds AS odds, of_outcomes.is_active AS is_active,
lag(of_outcomes.valid_to) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) IS DISTINCT FROM of_outcomes.valid_from OR of_outcomes.odds
IS DISTINCT FROM lag(of_outcomes.odds) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) OR of_outcomes.is_active IS DISTINCT FROM
lag(of_outcomes.is_active) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) AS is_start, lag(of_outcomes.valid_to) OVER (PARTITION BY
of_outcomes.betpawa_market_id, of_outcomes.line, of_outcomes.handicap_type,
of_outcomes.specifiers, of_outcomes.outcome ORDER BY of_outcomes.valid_from) AS ended_at,
last_value(of_outcomes.valid_to) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS
last_end FROM (WITH rows_with_names AS (SELECT spans.betpawa_market_id AS betpawa_market_id,
spans.betpawa_market_name AS betpawa_market_name, spans.line AS line, spans.handicap_type AS
handicap_type, spans.handicap_home AS handicap_home, spans.handicap_away AS handicap_away,
spans.specifiers AS specifiers, spans.outcomes AS outcomes, spans.valid_from AS valid_from,
spans.valid_to AS valid_to, jsonb_build_array(spans.line,
jsonb_path_query_array(spans.outcomes, '$[*].name')) AS written FROM (SELECT
followed.betpawa_market_id AS betpawa_market_id, followed.betpawa_market_name AS
betpawa_market_name, followed.line AS line, followed.handicap_type AS handicap_type,
followed.handicap_home AS handicap_home, followed.handicap_away AS handicap_away,
followed.specifiers AS specifiers, followed.outcomes AS outcomes, followed.captured_at AS
valid_from, least(followed.next_at, followed.next_keyframe_at) AS valid_to FROM (SELECT
markets.betpawa_market_id AS betpawa_market_id, markets.betpawa_market_name AS
betpawa_market_name, markets.line AS line, markets.handicap_type AS handicap_type,
markets.handicap_home AS handicap_home, markets.handicap_away AS handicap_away,
markets.specifiers AS specifiers, markets.outcomes AS outcomes, markets.unavailable_at AS
unavailable_at, snapshots.captured_at AS captured_at, snapshots.next_keyframe_at AS
next_keyframe_at, lead(snapshots.captured_at) OVER (PARTITION BY markets.betpawa_market_id,
markets.line, markets.handicap_type, markets.specifiers ORDER BY snapshots.captured_at,
markets.id) AS next_at FROM (SELECT of_listing.id AS id, of_listing.captured_at AS
captured_at, min(of_listing.captured_at) FILTER (WHERE of_listing.is_complete) OVER (ORDER
BY of_listing.captured_at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS
next_keyframe_at FROM odds_snapshots AS of_listing WHERE of_listing.event_id = events.id AND
of_listing.bookmaker_id = bookmakers.id AND of_listing.captured_at <= statement_timestamp())
AS snapshots JOIN market_odds AS markets ON markets.snapshot_id = snapshots.id WHERE
markets.event_id = events.id) AS followed WHERE followed.unavailable_at IS NULL AND
followed.next_at IS DISTINCT FROM followed.captured_at) AS spans), labels AS MATERIALIZED
(SELECT some_rows.written AS written, jsonb_object_agg(outcome_of_some.written,
outcome_of_some.name) AS common FROM (SELECT DISTINCT ON (rows_with_names.written)
rows_with_names.betpawa_market_id AS betpawa_market_id, rows_with_names.betpawa_market_name
AS betpawa_market_name, rows_with_names.line AS line, rows_with_names.handicap_type AS
handicap_type, rows_with_names.handicap_home AS handicap_home, rows_with_names.handicap_away
AS handicap_away, rows_with_names.specifiers AS specifiers, rows_with_names.outcomes AS
outcomes, rows_with_names.valid_from AS valid_from, rows_with_names.valid_to AS valid_to,
rows_with_names.written AS written FROM rows_with_names) AS some_rows JOIN LATERAL (SELECT
CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN named.common ELSE named.name
END AS name, named.name AS written, named.odds AS odds, named.is_active AS is_active FROM
(SELECT found.name AS name, found.odds AS odds, found.is_active AS is_active, CASE WHEN
(least(found.text, found.text_with_marks, found.short, found.short_with_marks) =
greatest(found.text, found.text_with_marks, found.short, found.short_with_marks)) THEN
least(found.text, found.text_with_marks, found.short, found.short_with_marks) ELSE
found.name END AS common FROM (SELECT spelled.name AS name, spelled.odds AS odds,
spelled.is_active AS is_active, spelled.names ->> spelled.text AS text, spelled.names ->>
spelled.text_with_marks AS text_with_marks, spelled.names ->> spelled.short AS short,
spelled.names ->> spelled.short_with_marks AS short_with_marks FROM (SELECT texts.name AS
name, texts.odds AS odds, texts.is_active AS is_active, texts.names AS names, texts.text AS
text, texts.short AS short, CASE WHEN (texts.home = texts.away) THEN texts.text WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.text, texts.away, 'A'),
texts.home, 'H') ELSE replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS
text_with_marks, CASE WHEN (texts.home = texts.away) THEN texts.short WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.short, texts.away,
'A'), texts.home, 'H') ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A')
END AS short_with_marks FROM (SELECT reduced.name AS name, reduced.odds AS odds,
reduced.is_active AS is_active, reduced.text AS text, reduced.home AS home, reduced.away AS
away, CASE WHEN (abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS
DOUBLE PRECISION) - CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2),
''), '0') AS DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text,
-length(reduced.number)) END AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X",
"12": "12", "x2": "X2", "1/1": "1/1", "1/x": "1/X", "1/2": "1/2", "x/1": "X/1",
"x/x": "X/X", "x/2": "X/2", "2/1": "2/1", "2/x": "2/X", "2/2": "2/2", "yes": "Yes",
"no": "No", "over": "Over", "under": "Under", "odd": "Odd", "even": "Even", "H": "1",
"draw": "X", "tie": "X", "A": "2", "Hordraw": "1X", "draworH": "1X", "1orx": "1X",
"HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2", "Aordraw": "X2", "xor2": "X2",
"H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1", "draw/draw": "X/X",
"draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2", "gg": "Yes", "ng": "No",
"home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X", "homeoraway": "12",
"awayorhome": "12", "draworaway": "X2", "awayordraw": "X2", "home/home": "1/1",
"home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1", "draw/away": "X/2",
"away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS names FROM (SELECT
written.name AS name, written.odds AS odds, written.is_active AS is_active, CASE WHEN NOT
('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1",
"1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1",
"2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under",
"Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(some_rows.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2",
"1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1",
"X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes",
"No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ?
written.name) THEN replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END
FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS number,
replace(replace(lower(events.home_team COLLATE "C"), ' ', ''), '\u00a0', '') AS home,
replace(replace(lower(events.away_team COLLATE "C"), ' ', ''), '\u00a0', '') AS away,
some_rows.line AS line FROM jsonb_to_recordset(some_rows.outcomes) AS written(name TEXT,
odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced) AS texts) AS
spelled) AS found) AS named) AS outcome_of_some ON true GROUP BY some_rows.written) SELECT
rows_with_names.betpawa_market_id AS betpawa_market_id, rows_with_names.betpawa_market_name
AS betpawa_market_name, rows_with_names.line AS line, rows_with_names.handicap_type AS
handicap_type, rows_with_names.handicap_home AS handicap_home, rows_with_names.handicap_away
AS handicap_away, rows_with_names.specifiers AS specifiers, rows_with_names.valid_from AS
valid_from, rows_with_names.valid_to AS valid_to, labels.common ->> outcome.name AS outcome,
outcome.odds AS odds, coalesce(outcome.is_active, true) AS is_active FROM rows_with_names
JOIN labels ON labels.written = rows_with_names.written JOIN
jsonb_to_recordset(rows_with_names.outcomes) AS outcome(name TEXT, odds DOUBLE PRECISION,
is_active BOOLEAN) ON true) AS of_outcomes) AS marked WHERE marked.is_start) AS found ON
true) AS anon_1 UNION ALL SELECT anon_2.event_id AS event_id, anon_2.competitor_event_id AS
competitor_event_id, anon_2.sportradar_id AS sportradar_id, anon_2.bookmaker AS bookmaker,
anon_2.home_team AS home_team, anon_2.away_team AS away_team, anon_2.sport AS sport,
anon_2.country AS country, anon_2.tournament AS tournament, anon_2.betpawa_market_id AS
betpawa_market_id, anon_2.betpawa_market_name AS betpawa_market_name, anon_2.line AS line,
anon_2.handicap_type AS handicap_type, anon_2.handicap_home AS handicap_home,
anon_2.handicap_away AS handicap_away, anon_2.specifiers AS specifiers, anon_2.kickoff AS
kickoff, anon_2.outcome AS outcome, anon_2.odds AS odds, anon_2.is_active AS is_active,
anon_2.valid_from AS valid_from, anon_2.valid_to AS valid_to FROM (SELECT
competitor_events.betpawa_event_id AS event_id, competitor_events.id AS competitor_event_id,
competitor_events.sportradar_id AS sportradar_id, competitor_events.source AS bookmaker,
competitor_events.home_team AS home_team, competitor_events.away_team AS away_team,
sports.slug AS sport, coalesce(tournaments.country, competitor_tournaments.country_raw,
'Unknown') AS country, coalesce(tournaments.name, competitor_tournaments.name) AS
tournament, competitor_events.kickoff AS kickoff, found.betpawa_market_id AS
betpawa_market_id, found.betpawa_market_name AS betpawa_market_name, found.line AS line,
found.handicap_type AS handicap_type, found.handicap_home AS handicap_home,
found.handicap_away AS handicap_away, found.specifiers AS specifiers, found.outcome AS
outcome, found.odds AS odds, found.is_active AS is_active, found.valid_from AS valid_from,
found.valid_to AS valid_to FROM competitor_events JOIN competitor_tournaments ON
competitor_tournaments.id = competitor_events.tournament_id LEFT OUTER JOIN events AS
matched_event ON matched_event.id = competitor_events.betpawa_event_id LEFT OUTER JOIN
tournaments ON tournaments.id = matched_event.tournament_id JOIN sports ON sports.id =
coalesce(tournaments.sport_id, competitor_tournaments.sport_id) JOIN LATERAL (SELECT
marked.betpawa_market_id AS betpawa_market_id, marked.betpawa_market_name AS
betpawa_market_name, marked.line AS line, marked.handicap_type AS handicap_type,
marked.handicap_home AS handicap_home, marked.handicap_away AS handicap_away,
marked.specifiers AS specifiers, marked.valid_from AS valid_from, marked.outcome AS outcome,
marked.odds AS odds, marked.is_active AS is_active, CASE WHEN (lead(marked.valid_from) OVER
(PARTITION BY marked.betpawa_market_id, marked.line, marked.handicap_type,
marked.specifiers, marked.outcome ORDER BY marked.valid_from) IS NULL) THEN marked.last_end
ELSE lead(marked.ended_at) OVER (PARTITION BY marked.betpawa_market_id, marked.line,
marked.handicap_type, marked.specifiers, marked.outcome ORDER BY marked.valid_from) END AS
valid_to FROM (SELECT of_outcomes.betpawa_market_id AS betpawa_market_id,
of_outcomes.betpawa_market_name AS betpawa_market_name, of_outcomes.line AS line,
of_outcomes.handicap_type AS handicap_type, of_outcomes.handicap_home AS handicap_home,
of_outcomes.handicap_away AS handicap_away, of_outcomes.specifiers AS specifiers,
of_outcomes.valid_from AS valid_from, of_outcomes.valid_to AS valid_to, of_outcomes.outcome
AS outcome, of_outcomes.odds AS odds, of_outcomes.is_active AS is_active,
lag(of_outcomes.valid_to) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) IS DISTINCT FROM of_outcomes.valid_from OR of_outcomes.odds
IS DISTINCT FROM lag(of_outcomes.odds) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) OR of_outcomes.is_active IS DISTINCT FROM
lag(of_outcomes.is_active) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from) AS is_start, lag(of_outcomes.valid_to) OVER (PARTITION BY
of_outcomes.betpawa_market_id, of_outcomes.line, of_outcomes.handicap_type,
of_outcomes.specifiers, of_outcomes.outcome ORDER BY of_outcomes.valid_from) AS ended_at,
last_value(of_outcomes.valid_to) OVER (PARTITION BY of_outcomes.betpawa_market_id,
of_outcomes.line, of_outcomes.handicap_type, of_outcomes.specifiers, of_outcomes.outcome
ORDER BY of_outcomes.valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS
last_end FROM (WITH rows_with_names AS (SELECT spans.betpawa_market_id AS betpawa_market_id,
spans.betpawa_market_name AS betpawa_market_name, spans.line AS line, spans.handicap_type AS
handicap_type, spans.handicap_home AS handicap_home, spans.handicap_away AS handicap_away,
spans.specifiers AS specifiers, spans.outcomes AS outcomes, spans.valid_from AS valid_from,
spans.valid_to AS valid_to, jsonb_build_array(spans.line,
jsonb_path_query_array(spans.outcomes, '$[*].name')) AS written FROM (SELECT
followed.betpawa_market_id AS betpawa_market_id, followed.betpawa_market_name AS
betpawa_market_name, followed.line AS line, followed.handicap_type AS handicap_type,
followed.handicap_home AS handicap_home, followed.handicap_away AS handicap_away,
followed.specifiers AS specifiers, followed.outcomes AS outcomes, followed.captured_at AS
valid_from, least(followed.next_at, followed.next_keyframe_at) AS valid_to FROM (SELECT
markets.betpawa_market_id AS betpawa_market_id, markets.betpawa_market_name AS
betpawa_market_name, markets.line AS line, markets.handicap_type AS handicap_type,
markets.handicap_home AS handicap_home, markets.handicap_away AS handicap_away,
markets.specifiers AS specifiers, markets.outcomes AS outcomes, markets.unavailable_at AS
unavailable_at, snapshots.captured_at AS captured_at, snapshots.next_keyframe_at AS
next_keyframe_at, lead(snapshots.captured_at) OVER (PARTITION BY markets.betpawa_market_id,
markets.line, markets.handicap_type, markets.specifiers ORDER BY snapshots.captured_at,
markets.id) AS next_at FROM (SELECT of_listing.id AS id, of_listing.captured_at AS
captured_at, min(of_listing.captured_at) FILTER (WHERE of_listing.is_complete) OVER (ORDER
BY of_listing.captured_at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS
next_keyframe_at FROM competitor_odds_snapshots AS of_listing WHERE
of_listing.competitor_event_id = competitor_events.id AND of_listing.captured_at <=
statement_timestamp()) AS snapshots JOIN competitor_market_odds AS markets ON
markets.snapshot_id = snapshots.id WHERE markets.competitor_event_id = competitor_events.id)
AS followed WHERE followed.unavailable_at IS NULL AND followed.next_at IS DISTINCT FROM
followed.captured_at) AS spans), labels AS MATERIALIZED (SELECT some_rows.written AS
written, jsonb_object_agg(outcome_of_some.written, outcome_of_some.name) AS common FROM
(SELECT DISTINCT ON (rows_with_names.written) rows_with_names.betpawa_market_id AS
betpawa_market_id, rows_with_names.betpawa_market_name AS betpawa_market_name,
rows_with_names.line AS line, rows_with_names.handicap_type AS handicap_type,
rows_with_names.handicap_home AS handicap_home, rows_with_names.handicap_away AS
handicap_away, rows_with_names.specifiers AS specifiers, rows_with_names.outcomes AS
outcomes, rows_with_names.valid_from AS valid_from, rows_with_names.valid_to AS valid_to,
rows_with_names.written AS written FROM rows_with_names) AS some_rows JOIN LATERAL (SELECT
CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN named.common ELSE named.name
END AS name, named.name AS written, named.odds AS odds, named.is_active AS is_active FROM
(SELECT found.name AS name, found.odds AS odds, found.is_active AS is_active, CASE WHEN
(least(found.text, found.text_with_marks, found.short, found.short_with_marks) =
greatest(found.text, found.text_with_marks, found.short, found.short_with_marks)) THEN
least(found.text, found.text_with_marks, found.short, found.short_with_marks) ELSE
found.name END AS common FROM (SELECT spelled.name AS name, spelled.odds AS odds,
spelled.is_active AS is_active, spelled.names ->> spelled.text AS text, spelled.names ->>
spelled.text_with_marks AS text_with_marks, spelled.names ->> spelled.short AS short,
spelled.names ->> spelled.short_with_marks AS short_with_marks FROM (SELECT texts.name AS
name, texts.odds AS odds, texts.is_active AS is_active, texts.names AS names, texts.text AS
text, texts.short AS short, CASE WHEN (texts.home = texts.away) THEN texts.text WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.text, texts.away, 'A'),
texts.home, 'H') ELSE replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS
text_with_marks, CASE WHEN (texts.home = texts.away) THEN texts.short WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.short, texts.away,
'A'), texts.home, 'H') ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A')
END AS short_with_marks FROM (SELECT reduced.name AS name, reduced.odds AS odds,
reduced.is_active AS is_active, reduced.text AS text, reduced.home AS home, reduced.away AS
away, CASE WHEN (abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS
DOUBLE PRECISION) - CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2),
''), '0') AS DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text,
-length(reduced.number)) END AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X",
"12": "12", "x2": "X2", "1/1": "1/1", "1/x": "1/X", "1/2": "1/2", "x/1": "X/1",
"x/x": "X/X", "x/2": "X/2", "2/1": "2/1", "2/x": "2/X", "2/2": "2/2", "yes": "Yes",
"no": "No", "over": "Over", "under": "Under", "odd": "Odd", "even": "Even", "H": "1",
"draw": "X", "tie": "X", "A": "2", "Hordraw": "1X", "draworH": "1X", "1orx": "1X",
"HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2", "Aordraw": "X2", "xor2": "X2",
"H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1", "draw/draw": "X/X",
"draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2", "gg": "Yes", "ng": "No",
"home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X", "homeoraway": "12",
"awayorhome": "12", "draworaway": "X2", "awayordraw": "X2", "home/home": "1/1",
"home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1", "draw/away": "X/2",
"away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS names FROM (SELECT
written.name AS name, written.odds AS odds, written.is_active AS is_active, CASE WHEN NOT
('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1",
"1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1",
"2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under",
"Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(some_rows.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2",
"1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1",
"X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes",
"No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ?
written.name) THEN replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END
FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS number,
replace(replace(lower(competitor_events.home_team COLLATE "C"), ' ', ''), '\u00a0', '') AS home,
replace(replace(lower(competitor_events.away_team COLLATE "C"), ' ', ''), '\u00a0', '') AS away,
some_rows.line AS line FROM jsonb_to_recordset(some_rows.outcomes) AS written(name TEXT,
odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced) AS texts) AS
spelled) AS found) AS named) AS outcome_of_some ON true GROUP BY some_rows.written) SELECT
rows_with_names.betpawa_market_id AS betpawa_market_id, rows_with_names.betpawa_market_name
AS betpawa_market_name, rows_with_names.line AS line, rows_with_names.handicap_type AS
handicap_type, rows_with_names.handicap_home AS handicap_home, rows_with_names.handicap_away
AS handicap_away, rows_with_names.specifiers AS specifiers, rows_with_names.valid_from AS
valid_from, rows_with_names.valid_to AS valid_to, labels.common ->> outcome.name AS outcome,
outcome.odds AS odds, coalesce(outcome.is_active, true) AS is_active FROM rows_with_names
JOIN labels ON labels.written = rows_with_names.written JOIN
jsonb_to_recordset(rows_with_names.outcomes) AS outcome(name TEXT, odds DOUBLE PRECISION,
is_active BOOLEAN) ON true) AS of_outcomes) AS marked WHERE marked.is_start) AS found ON
true WHERE competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS
NULL) AS anon_2) SELECT pricespan.event_id, pricespan.competitor_event_id,
pricespan.sportradar_id, pricespan.bookmaker, pricespan.home_team, pricespan.away_team,
pricespan.sport, pricespan.country, pricespan.tournament, pricespan.betpawa_market_id,
pricespan.betpawa_market_name, pricespan.line, pricespan.handicap_type,
pricespan.handicap_home, pricespan.handicap_away, pricespan.specifiers, pricespan.kickoff,
pricespan.outcome, pricespan.odds, pricespan.is_active, pricespan.valid_from,
pricespan.valid_to FROM pricespan
""",
    "odds_closing_prices": """
SELECT anon_1.event_id, anon_1.competitor_event_id, anon_1.sportradar_id, anon_1.bookmaker,
anon_1.home_team, anon_1.away_team, anon_1.sport, anon_1.country, anon_1.tournament,
anon_1.betpawa_market_id, anon_1.betpawa_market_name, anon_1.line, anon_1.handicap_type,
anon_1.handicap_home, anon_1.handicap_away, anon_1.specifiers, anon_1.kickoff,
anon_1.outcome, anon_1.odds, anon_1.is_active, anon_1.seen_at, anon_1.age FROM (SELECT
events.id AS event_id, CAST(NULL AS INTEGER) AS competitor_event_id, events.sportradar_id AS
sportradar_id, bookmakers.slug AS bookmaker, events.home_team AS home_team, events.away_team
AS away_team, sports.slug AS sport, tournaments.country AS country, tournaments.name AS
tournament, events.kickoff AS kickoff, closing_prices.betpawa_market_id AS
betpawa_market_id, closing_prices.betpawa_market_name AS betpawa_market_name,
closing_prices.line AS line, closing_prices.handicap_type AS handicap_type,
closing_prices.handicap_home AS handicap_home, closing_prices.handicap_away AS
handicap_away, closing_prices.specifiers AS specifiers, outcome.name AS outcome,
outcome.odds AS odds, coalesce(outcome.is_active, true) AS is_active, closing_prices.seen_at
AS seen_at, events.kickoff - closing_prices.seen_at AS age FROM events JOIN event_bookmakers
ON events.id = event_bookmakers.event_id JOIN bookmakers ON bookmakers.id =
event_bookmakers.bookmaker_id JOIN tournaments ON tournaments.id = events.tournament_id JOIN
sports ON sports.id = tournaments.sport_id JOIN LATERAL (SELECT closing.betpawa_market_id AS
betpawa_market_id, closing.betpawa_market_name AS betpawa_market_name, closing.line AS line,
closing.handicap_type AS handicap_type, closing.handicap_home AS handicap_home,
closing.handicap_away AS handicap_away, closing.specifiers AS specifiers, closing.outcomes
AS outcomes, closing.until AS until, seen.seen_at AS seen_at FROM (SELECT DISTINCT ON
(rows.betpawa_market_id, rows.line, rows.handicap_type, rows.specifiers)
rows.betpawa_market_id AS betpawa_market_id, rows.betpawa_market_name AS
betpawa_market_name, rows.line AS line, rows.handicap_type AS handicap_type,
rows.handicap_home AS handicap_home, rows.handicap_away AS handicap_away, rows.specifiers AS
specifiers, rows.outcomes AS outcomes, least(rows.next_at, rows.next_keyframe_at,
least(events.kickoff, statement_timestamp())) AS until FROM (SELECT markets.id AS id,
markets.betpawa_market_id AS betpawa_market_id, markets.betpawa_market_name AS
betpawa_market_name, markets.line AS line, markets.handicap_type AS handicap_type,
markets.handicap_home AS handicap_home, markets.handicap_away AS handicap_away,
markets.specifiers AS specifiers, markets.outcomes AS outcomes, markets.unavailable_at IS
NULL AS is_available, snapshots.captured_at AS captured_at, snapshots.next_keyframe_at AS
next_keyframe_at, snapshots.last_seen_at AS last_seen_at, lead(snapshots.captured_at) OVER
(PARTITION BY markets.betpawa_market_id, markets.line, markets.handicap_type,
markets.specifiers ORDER BY snapshots.captured_at, markets.id) AS next_at FROM (SELECT
of_listing.id AS id, of_listing.captured_at AS captured_at, min(of_listing.captured_at)
FILTER (WHERE of_listing.is_complete) OVER (ORDER BY of_listing.captured_at DESC ROWS
BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_keyframe_at,
max(greatest(of_listing.captured_at, CASE WHEN (of_listing.last_confirmed_at IS NULL OR
of_listing.last_confirmed_at < least(events.kickoff, statement_timestamp())) THEN
of_listing.last_confirmed_at ELSE (SELECT max(instants.at) AS max_1 FROM
unnest(of_listing.confirmed_at) AS instants(at) WHERE instants.at < least(events.kickoff,
statement_timestamp())) END)) OVER () AS last_seen_at FROM odds_snapshots AS of_listing
WHERE of_listing.event_id = events.id AND of_listing.bookmaker_id = bookmakers.id AND
of_listing.captured_at < least(events.kickoff, statement_timestamp())) AS snapshots JOIN
market_odds AS markets ON markets.snapshot_id = snapshots.id WHERE markets.event_id =
events.id) AS rows WHERE rows.is_available AND jsonb_path_query_array(rows.outcomes,
'$[*] ? (!(@.is_active == false))') != '[]' ORDER BY rows.betpawa_market_id, rows.line,
rows.handicap_type, rows.specifiers, rows.captured_at DESC, rows.id DESC) AS closing JOIN
LATERAL (SELECT greatest(last.captured_at, CASE WHEN (last.last_confirmed_at IS NULL OR
last.last_confirmed_at < closing.until) THEN last.last_confirmed_at ELSE (SELECT
max(instants.at) AS max_2 FROM unnest(last.confirmed_at) AS instants(at) WHERE instants.at <
closing.until) END) AS seen_at FROM odds_snapshots AS last WHERE last.event_id = events.id
AND last.bookmaker_id = bookmakers.id AND last.captured_at < closing.until ORDER BY
last.captured_at DESC LIMIT 1) AS seen ON true) AS closing_prices ON true JOIN LATERAL
(SELECT CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN named.common ELSE
named.name END AS name, named.name AS written, named.odds AS odds, named.is_active AS
is_active FROM (SELECT found.name AS name, found.odds AS odds, found.is_active AS is_active,
CASE WHEN (least(found.text, found.text_with_marks, found.short, found.short_with_marks) =
greatest(found.text, found.text_with_marks, found.short, found.short_with_marks)) THEN
least(found.text, found.text_with_marks, found.short, found.short_with_marks) ELSE
found.name END AS common FROM (SELECT spelled.name AS name, spelled.odds AS odds,
spelled.is_active AS is_active, spelled.names ->> spelled.text AS text, spelled.names ->>
spelled.text_with_marks AS text_with_marks, spelled.names ->> spelled.short AS short,
spelled.names ->> spelled.short_with_marks AS short_with_marks FROM (SELECT texts.name AS
name, texts.odds AS odds, texts.is_active AS is_active, texts.names AS names, texts.text AS
text, texts.short AS short, CASE WHEN (texts.home = texts.away) THEN texts.text WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.text, texts.away, 'A'),
texts.home, 'H') ELSE replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS
text_with_marks, CASE WHEN (texts.home = texts.away) THEN texts.short WHEN
(length(texts.home) < length(texts.away)) THEN replace(replace(texts.short, texts.away,
'A'), texts.home, 'H') ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A')
END AS short_with_marks FROM (SELECT reduced.name AS name, reduced.odds AS odds,
reduced.is_active AS is_active, reduced.text AS text, reduced.home AS home, reduced.away AS
away, CASE WHEN (abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS
DOUBLE PRECISION) - CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2),
''), '0') AS DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text,
-length(reduced.number)) END AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X",
"12": "12", "x2": "X2", "1/1": "1/1", "1/x": "1/X", "1/2": "1/2", "x/1": "X/1",
"x/x": "X/X", "x/2": "X/2", "2/1": "2/1", "2/x": "2/X", "2/2": "2/2", "yes": "Yes",
"no": "No", "over": "Over", "under": "Under", "odd": "Odd", "even": "Even", "H": "1",
"draw": "X", "tie": "X", "A": "2", "Hordraw": "1X", "draworH": "1X", "1orx": "1X",
"HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2", "Aordraw": "X2", "xor2": "X2",
"H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1", "draw/draw": "X/X",
"draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2", "gg": "Yes", "ng": "No",
"home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X", "homeoraway": "12",
"awayorhome": "12", "draworaway": "X2", "awayordraw": "X2", "home/home": "1/1",
"home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1", "draw/away": "X/2",
"away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS names FROM (SELECT
written.name AS name, written.odds AS odds, written.is_active AS is_active, CASE WHEN NOT
('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1",
"1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1",
"2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under",
"Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(closing_prices.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(events.home_team COLLATE "C"), ' ', ''), '\u00a0', '') AS home,
replace(replace(lower(events.away_team COLLATE "C"), ' ', ''), '\u00a0', '') AS away,
closing_prices.line AS line FROM jsonb_to_recordset(closing_prices.outcomes) AS written(name
TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced) AS texts) AS
spelled) AS found) AS named) AS outcome ON true) AS anon_1 UNION ALL SELECT anon_2.event_id,
anon_2.competitor_event_id, anon_2.sportradar_id, anon_2.bookmaker, anon_2.home_team,
anon_2.away_team, anon_2.sport, anon_2.country, anon_2.tournament, anon_2.betpawa_market_id,
anon_2.betpawa_market_name, anon_2.line, anon_2.handicap_type, anon_2.handicap_home,
anon_2.handicap_away, anon_2.specifiers, anon_2.kickoff, anon_2.outcome, anon_2.odds,
anon_2.is_active, anon_2.seen_at, anon_2.age FROM (SELECT competitor_events.betpawa_event_id
AS event_id, competitor_events.id AS competitor_event_id, competitor_events.sportradar_id AS
sportradar_id, competitor_events.source AS bookmaker, competitor_events.home_team AS
home_team, competitor_events.away_team AS away_team, sports.slug AS sport,
coalesce(tournaments.country, competitor_tournaments.country_raw, 'Unknown') AS country,
coalesce(tournaments.name, competitor_tournaments.name) AS tournament,
competitor_events.kickoff AS kickoff, closing_prices.betpawa_market_id AS betpawa_market_id,
closing_prices.betpawa_market_name AS betpawa_market_name, closing_prices.line AS line,
closing_prices.handicap_type AS handicap_type, closing_prices.handicap_home AS
handicap_home, closing_prices.handicap_away AS handicap_away, closing_prices.specifiers AS
specifiers, outcome.name AS outcome, outcome.odds AS odds, coalesce(outcome.is_active, true)
AS is_active, closing_prices.seen_at AS seen_at, competitor_events.kickoff -
closing_prices.seen_at AS age FROM competitor_events JOIN competitor_tournaments ON
competitor_tournaments.id = competitor_events.tournament_id LEFT OUTER JOIN events AS
matched_event ON matched_event.id = competitor_events.betpawa_event_id LEFT OUTER JOIN
tournaments ON tournaments.id = matched_event.tournament_id JOIN sports ON sports.id =
coalesce(tournaments.sport_id, competitor_tournaments.sport_id) JOIN LATERAL (SELECT
closing.betpawa_market_id AS betpawa_market_id, closing.betpawa_market_name AS
betpawa_market_name, closing.line AS line, closing.handicap_type AS handicap_type,
closing.handicap_home AS handicap_home, closing.handicap_away AS handicap_away,
closing.specifiers AS specifiers, closing.outcomes AS outcomes, closing.until AS until,
seen.seen_at AS seen_at FROM (SELECT DISTINCT ON (rows.betpawa_market_id, rows.line,
rows.handicap_type, rows.specifiers) rows.betpawa_market_id AS betpawa_market_id,
rows.betpawa_market_name AS betpawa_market_name, rows.line AS line, rows.handicap_type AS
handicap_type, rows.handicap_home AS handicap_home, rows.handicap_away AS handicap_away,
rows.specifiers AS specifiers, rows.outcomes AS outcomes, least(rows.next_at,
rows.next_keyframe_at, least(competitor_events.kickoff, statement_timestamp())) AS until
FROM (SELECT markets.id AS id, markets.betpawa_market_id AS betpawa_market_id,
markets.betpawa_market_name AS betpawa_market_name, markets.line AS line,
markets.handicap_type AS handicap_type, markets.handicap_home AS handicap_home,
markets.handicap_away AS handicap_away, markets.specifiers AS specifiers, markets.outcomes
AS outcomes, markets.unavailable_at IS NULL AS is_available, snapshots.captured_at AS
captured_at, snapshots.next_keyframe_at AS next_keyframe_at, snapshots.last_seen_at AS
last_seen_at, lead(snapshots.captured_at) OVER (PARTITION BY markets.betpawa_market_id,
markets.line, markets.handicap_type, markets.specifiers ORDER BY snapshots.captured_at,
markets.id) AS next_at FROM (SELECT of_listing.id AS id, of_listing.captured_at AS
captured_at, min(of_listing.captured_at) FILTER (WHERE of_listing.is_complete) OVER (ORDER
BY of_listing.captured_at DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS
next_keyframe_at, max(greatest(of_listing.captured_at, CASE WHEN
(of_listing.last_confirmed_at IS NULL OR of_listing.last_confirmed_at <
least(competitor_events.kickoff, statement_timestamp())) THEN of_listing.last_confirmed_at
ELSE (SELECT max(instants.at) AS max_3 FROM unnest(of_listing.confirmed_at) AS instants(at)
WHERE instants.at < least(competitor_events.kickoff, statement_timestamp())) END)) OVER ()
AS last_seen_at FROM competitor_odds_snapshots AS of_listing WHERE
of_listing.competitor_event_id = competitor_events.id AND of_listing.captured_at <
least(competitor_events.kickoff, statement_timestamp())) AS snapshots JOIN
competitor_market_odds AS markets ON markets.snapshot_id = snapshots.id WHERE
markets.competitor_event_id = competitor_events.id) AS rows WHERE rows.is_available AND
jsonb_path_query_array(rows.outcomes, '$[*] ? (!(@.is_active == false))') != '[]' ORDER BY
rows.betpawa_market_id, rows.line, rows.handicap_type, rows.specifiers, rows.captured_at
DESC, rows.id DESC) AS closing JOIN LATERAL (SELECT greatest(last.captured_at, CASE WHEN
(last.last_confirmed_at IS NULL OR last.last_confirmed_at < closing.until) THEN
last.last_confirmed_at ELSE (SELECT max(instants.at) AS max_4 FROM unnest(last.confirmed_at)
AS instants(at) WHERE instants.at < closing.until) END) AS seen_at FROM
competitor_odds_snapshots AS last WHERE last.competitor_event_id = competitor_events.id AND
last.captured_at < closing.until ORDER BY last.captured_at DESC LIMIT 1) AS seen ON true) AS
closing_prices ON true JOIN LATERAL (SELECT CASE WHEN (count(*) OVER (PARTITION BY
named.common) = 1) THEN named.common ELSE named.name END AS name, named.name AS written,
named.odds AS odds, named.is_active AS is_active FROM (SELECT found.name AS name, found.odds
AS odds, found.is_active AS is_active, CASE WHEN (least(found.text, found.text_with_marks,
found.short, found.short_with_marks) = greatest(found.text, found.text_with_marks,
found.short, found.short_with_marks)) THEN least(found.text, found.text_with_marks,
found.short, found.short_with_marks) ELSE found.name END AS common FROM (SELECT spelled.name
AS name, spelled.odds AS odds, spelled.is_active AS is_active, spelled.names ->>
spelled.text AS text, spelled.names ->> spelled.text_with_marks AS text_with_marks,
spelled.names ->> spelled.short AS short, spelled.names ->> spelled.short_with_marks AS
short_with_marks FROM (SELECT texts.name AS name, texts.odds AS odds, texts.is_active AS
is_active, texts.names AS names, texts.text AS text, texts.short AS short, CASE WHEN
(texts.home = texts.away) THEN texts.text WHEN (length(texts.home) < length(texts.away))
THEN replace(replace(texts.text, texts.away, 'A'), texts.home, 'H') ELSE
replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS text_with_marks, CASE
WHEN (texts.home = texts.away) THEN texts.short WHEN (length(texts.home) <
length(texts.away)) THEN replace(replace(texts.short, texts.away, 'A'), texts.home, 'H')
ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A') END AS short_with_marks
FROM (SELECT reduced.name AS name, reduced.odds AS odds, reduced.is_active AS is_active,
reduced.text AS text, reduced.home AS home, reduced.away AS away, CASE WHEN
(abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS DOUBLE PRECISION)
- CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2), ''), '0') AS
DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text, -length(reduced.number)) END
AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X", "12": "12", "x2": "X2", "1/1": "1/1",
"1/x": "1/X", "1/2": "1/2", "x/1": "X/1", "x/x": "X/X", "x/2": "X/2", "2/1": "2/1",
"2/x": "2/X", "2/2": "2/2", "yes": "Yes", "no": "No", "over": "Over", "under": "Under",
"odd": "Odd", "even": "Even", "H": "1", "draw": "X", "tie": "X", "A": "2", "Hordraw": "1X",
"draworH": "1X", "1orx": "1X", "HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2",
"Aordraw": "X2", "xor2": "X2", "H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1",
"draw/draw": "X/X", "draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2",
"gg": "Yes", "ng": "No", "home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X",
"homeoraway": "12", "awayorhome": "12", "draworaway": "X2", "awayordraw": "X2",
"home/home": "1/1", "home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1",
"draw/away": "X/2", "away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS
names FROM (SELECT written.name AS name, written.odds AS odds, written.is_active AS
is_active, CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12",
"X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X",
"X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No",
"Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(closing_prices.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(competitor_events.home_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS home, replace(replace(lower(competitor_events.away_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS away, closing_prices.line AS line FROM jsonb_to_recordset(closing_prices.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true WHERE
competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS NULL) AS
anon_2
""",
    "odds_best_prices": """
SELECT anon_1.sport, anon_1.country, anon_1.tournament, anon_1.betpawa_market_id,
anon_1.betpawa_market_name, anon_1.line, anon_1.handicap_type, anon_1.handicap_home,
anon_1.handicap_away, anon_1.specifiers, anon_1.event_id, anon_1.sportradar_id,
anon_1.home_team, anon_1.away_team, anon_1.kickoff, anon_1.outcome, anon_1.odds,
anon_1.bookmakers FROM (SELECT listed_event.id AS event_id, listed_event.sportradar_id AS
sportradar_id, listed_event.name AS name, listed_event.home_team AS home_team,
listed_event.away_team AS away_team, listed_event.kickoff AS kickoff, sports.slug AS sport,
tournaments.country AS country, tournaments.name AS tournament, best.betpawa_market_id AS
betpawa_market_id, best.betpawa_market_name AS betpawa_market_name, best.line AS line,
best.handicap_type AS handicap_type, best.handicap_home AS handicap_home, best.handicap_away
AS handicap_away, best.specifiers AS specifiers, best.outcome AS outcome, best.odds AS odds,
best.bookmakers AS bookmakers FROM events AS listed_event JOIN tournaments ON tournaments.id
= listed_event.tournament_id JOIN sports ON sports.id = tournaments.sport_id JOIN LATERAL
(SELECT DISTINCT ON (prices.betpawa_market_id, prices.line, prices.handicap_type,
prices.specifiers, prices.outcome) prices.betpawa_market_id AS betpawa_market_id,
prices.betpawa_market_name AS betpawa_market_name, prices.line AS line, prices.handicap_type
AS handicap_type, prices.handicap_home AS handicap_home, prices.handicap_away AS
handicap_away, prices.specifiers AS specifiers, prices.outcome AS outcome, prices.odds AS
odds, prices.bookmakers AS bookmakers FROM (SELECT open_outcomes.betpawa_market_id AS
betpawa_market_id, open_outcomes.line AS line, open_outcomes.handicap_type AS handicap_type,
open_outcomes.specifiers AS specifiers, open_outcomes.outcome AS outcome,
max(open_outcomes.betpawa_market_name) AS betpawa_market_name,
max(open_outcomes.handicap_home) AS handicap_home, max(open_outcomes.handicap_away) AS
handicap_away, open_outcomes.odds AS odds, array_agg(DISTINCT open_outcomes.bookmaker ORDER
BY open_outcomes.bookmaker) AS bookmakers FROM LATERAL (SELECT
markets_of_last.betpawa_market_id AS betpawa_market_id, markets_of_last.betpawa_market_name
AS betpawa_market_name, markets_of_last.line AS line, markets_of_last.handicap_type AS
handicap_type, markets_of_last.handicap_home AS handicap_home, markets_of_last.handicap_away
AS handicap_away, markets_of_last.specifiers AS specifiers, bookmakers.slug AS bookmaker,
outcome.name AS outcome, outcome.odds AS odds FROM events JOIN event_bookmakers ON events.id
= event_bookmakers.event_id JOIN bookmakers ON bookmakers.id = event_bookmakers.bookmaker_id
JOIN LATERAL (SELECT (SELECT keyframes.captured_at FROM odds_snapshots AS keyframes WHERE
keyframes.event_id = events.id AND keyframes.bookmaker_id = bookmakers.id AND
keyframes.is_complete AND keyframes.captured_at <= statement_timestamp() ORDER BY
keyframes.captured_at DESC LIMIT 1) AS keyframe_at, greatest(last.captured_at, CASE WHEN
(last.last_confirmed_at IS NULL OR last.last_confirmed_at <= statement_timestamp()) THEN
last.last_confirmed_at ELSE (SELECT max(instants.at) AS max_1 FROM unnest(last.confirmed_at)
AS instants(at) WHERE instants.at <= statement_timestamp()) END) AS seen_at,
last.unknown_markets AS unknown_markets FROM odds_snapshots AS last WHERE last.event_id =
events.id AND last.bookmaker_id = bookmakers.id AND last.captured_at <=
statement_timestamp() ORDER BY last.captured_at DESC LIMIT 1) AS bounds ON true JOIN LATERAL
(SELECT on_offer.betpawa_market_id AS betpawa_market_id, on_offer.line AS line,
on_offer.handicap_type AS handicap_type, on_offer.specifiers AS specifiers,
on_offer.captured_at AS captured_at, on_offer.id AS id, on_offer.unavailable_at AS
unavailable_at, on_offer.betpawa_market_name AS betpawa_market_name, on_offer.handicap_home
AS handicap_home, on_offer.handicap_away AS handicap_away, on_offer.outcomes AS outcomes,
unknown.key IS NOT NULL AS is_carried FROM LATERAL (WITH changes AS (SELECT DISTINCT ON
(markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers)
markets.betpawa_market_id AS betpawa_market_id, markets.line AS line, markets.handicap_type
AS handicap_type, markets.specifiers AS specifiers, snapshots.captured_at AS captured_at,
markets.id AS id, markets.unavailable_at AS unavailable_at, markets.betpawa_market_name AS
betpawa_market_name, markets.handicap_home AS handicap_home, markets.handicap_away AS
handicap_away, markets.outcomes AS outcomes FROM odds_snapshots AS snapshots JOIN
market_odds AS markets ON markets.event_id = snapshots.event_id AND markets.snapshot_id =
snapshots.id WHERE snapshots.event_id = events.id AND snapshots.bookmaker_id = bookmakers.id
AND snapshots.captured_at > bounds.keyframe_at AND snapshots.captured_at <=
statement_timestamp() ORDER BY markets.betpawa_market_id, markets.line,
markets.handicap_type, markets.specifiers, snapshots.captured_at DESC, markets.id DESC)
SELECT changes.betpawa_market_id AS betpawa_market_id, changes.line AS line,
changes.handicap_type AS handicap_type, changes.specifiers AS specifiers,
changes.captured_at AS captured_at, changes.id AS id, changes.unavailable_at AS
unavailable_at, changes.betpawa_market_name AS betpawa_market_name, changes.handicap_home AS
handicap_home, changes.handicap_away AS handicap_away, changes.outcomes AS outcomes FROM
changes WHERE changes.unavailable_at IS NULL UNION ALL SELECT markets.betpawa_market_id AS
betpawa_market_id, markets.line AS line, markets.handicap_type AS handicap_type,
markets.specifiers AS specifiers, snapshots.captured_at AS captured_at, markets.id AS id,
markets.unavailable_at AS unavailable_at, markets.betpawa_market_name AS
betpawa_market_name, markets.handicap_home AS handicap_home, markets.handicap_away AS
handicap_away, markets.outcomes AS outcomes FROM odds_snapshots AS snapshots JOIN
market_odds AS markets ON markets.event_id = snapshots.event_id AND markets.snapshot_id =
snapshots.id WHERE snapshots.event_id = events.id AND snapshots.bookmaker_id = bookmakers.id
AND snapshots.captured_at = bounds.keyframe_at AND markets.unavailable_at IS NULL AND
((markets.betpawa_market_id, coalesce(markets.line, 'NaN'::float8),
coalesce(markets.handicap_type, ''), coalesce(markets.specifiers, '')) NOT IN (SELECT
changes.betpawa_market_id, coalesce(changes.line, 'NaN'::float8) AS coalesce_1,
coalesce(changes.handicap_type, '') AS coalesce_2, coalesce(changes.specifiers, '') AS
coalesce_3 FROM changes))) AS on_offer LEFT OUTER JOIN
jsonb_array_elements(bounds.unknown_markets) AS unknown(key) ON unknown.key = CASE WHEN
(bounds.unknown_markets IS NOT NULL) THEN jsonb_build_array(on_offer.betpawa_market_id,
on_offer.line, on_offer.handicap_type, on_offer.specifiers) END) AS markets_of_last ON true
JOIN LATERAL (SELECT CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN
named.common ELSE named.name END AS name, named.name AS written, named.odds AS odds,
named.is_active AS is_active FROM (SELECT found.name AS name, found.odds AS odds,
found.is_active AS is_active, CASE WHEN (least(found.text, found.text_with_marks,
found.short, found.short_with_marks) = greatest(found.text, found.text_with_marks,
found.short, found.short_with_marks)) THEN least(found.text, found.text_with_marks,
found.short, found.short_with_marks) ELSE found.name END AS common FROM (SELECT spelled.name
AS name, spelled.odds AS odds, spelled.is_active AS is_active, spelled.names ->>
spelled.text AS text, spelled.names ->> spelled.text_with_marks AS text_with_marks,
spelled.names ->> spelled.short AS short, spelled.names ->> spelled.short_with_marks AS
short_with_marks FROM (SELECT texts.name AS name, texts.odds AS odds, texts.is_active AS
is_active, texts.names AS names, texts.text AS text, texts.short AS short, CASE WHEN
(texts.home = texts.away) THEN texts.text WHEN (length(texts.home) < length(texts.away))
THEN replace(replace(texts.text, texts.away, 'A'), texts.home, 'H') ELSE
replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS text_with_marks, CASE
WHEN (texts.home = texts.away) THEN texts.short WHEN (length(texts.home) <
length(texts.away)) THEN replace(replace(texts.short, texts.away, 'A'), texts.home, 'H')
ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A') END AS short_with_marks
FROM (SELECT reduced.name AS name, reduced.odds AS odds, reduced.is_active AS is_active,
reduced.text AS text, reduced.home AS home, reduced.away AS away, CASE WHEN
(abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS DOUBLE PRECISION)
- CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2), ''), '0') AS
DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text, -length(reduced.number)) END
AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X", "12": "12", "x2": "X2", "1/1": "1/1",
"1/x": "1/X", "1/2": "1/2", "x/1": "X/1", "x/x": "X/X", "x/2": "X/2", "2/1": "2/1",
"2/x": "2/X", "2/2": "2/2", "yes": "Yes", "no": "No", "over": "Over", "under": "Under",
"odd": "Odd", "even": "Even", "H": "1", "draw": "X", "tie": "X", "A": "2", "Hordraw": "1X",
"draworH": "1X", "1orx": "1X", "HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2",
"Aordraw": "X2", "xor2": "X2", "H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1",
"draw/draw": "X/X", "draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2",
"gg": "Yes", "ng": "No", "home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X",
"homeoraway": "12", "awayorhome": "12", "draworaway": "X2", "awayordraw": "X2",
"home/home": "1/1", "home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1",
"draw/away": "X/2", "away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS
names FROM (SELECT written.name AS name, written.odds AS odds, written.is_active AS
is_active, CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12",
"X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X",
"X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No",
"Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(markets_of_last.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(events.home_team COLLATE "C"), ' ', ''), '\u00a0', '') AS home,
replace(replace(lower(events.away_team COLLATE "C"), ' ', ''), '\u00a0', '') AS away,
markets_of_last.line AS line FROM jsonb_to_recordset(markets_of_last.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true WHERE
coalesce(outcome.is_active, true) AND events.id = listed_event.id UNION ALL SELECT
markets_of_last.betpawa_market_id AS betpawa_market_id, markets_of_last.betpawa_market_name
AS betpawa_market_name, markets_of_last.line AS line, markets_of_last.handicap_type AS
handicap_type, markets_of_last.handicap_home AS handicap_home, markets_of_last.handicap_away
AS handicap_away, markets_of_last.specifiers AS specifiers, competitor_events.source AS
bookmaker, outcome.name AS outcome, outcome.odds AS odds FROM competitor_events JOIN
competitor_tournaments ON competitor_tournaments.id = competitor_events.tournament_id JOIN
LATERAL (SELECT (SELECT keyframes.captured_at FROM competitor_odds_snapshots AS keyframes
WHERE keyframes.competitor_event_id = competitor_events.id AND keyframes.is_complete AND
keyframes.captured_at <= statement_timestamp() ORDER BY keyframes.captured_at DESC LIMIT 1)
AS keyframe_at, greatest(last.captured_at, CASE WHEN (last.last_confirmed_at IS NULL OR
last.last_confirmed_at <= statement_timestamp()) THEN last.last_confirmed_at ELSE (SELECT
max(instants.at) AS max_2 FROM unnest(last.confirmed_at) AS instants(at) WHERE instants.at
<= statement_timestamp()) END) AS seen_at, last.unknown_markets AS unknown_markets FROM
competitor_odds_snapshots AS last WHERE last.competitor_event_id = competitor_events.id AND
last.captured_at <= statement_timestamp() ORDER BY last.captured_at DESC LIMIT 1) AS bounds
ON true JOIN LATERAL (SELECT on_offer.betpawa_market_id AS betpawa_market_id, on_offer.line
AS line, on_offer.handicap_type AS handicap_type, on_offer.specifiers AS specifiers,
on_offer.captured_at AS captured_at, on_offer.id AS id, on_offer.unavailable_at AS
unavailable_at, on_offer.betpawa_market_name AS betpawa_market_name, on_offer.handicap_home
AS handicap_home, on_offer.handicap_away AS handicap_away, on_offer.outcomes AS outcomes,
unknown.key IS NOT NULL AS is_carried FROM LATERAL (WITH changes AS (SELECT DISTINCT ON
(markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers)
markets.betpawa_market_id AS betpawa_market_id, markets.line AS line, markets.handicap_type
AS handicap_type, markets.specifiers AS specifiers, snapshots.captured_at AS captured_at,
markets.id AS id, markets.unavailable_at AS unavailable_at, markets.betpawa_market_name AS
betpawa_market_name, markets.handicap_home AS handicap_home, markets.handicap_away AS
handicap_away, markets.outcomes AS outcomes FROM competitor_odds_snapshots AS snapshots JOIN
competitor_market_odds AS markets ON markets.competitor_event_id =
snapshots.competitor_event_id AND markets.snapshot_id = snapshots.id WHERE
snapshots.competitor_event_id = competitor_events.id AND snapshots.captured_at >
bounds.keyframe_at AND snapshots.captured_at <= statement_timestamp() ORDER BY
markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers,
snapshots.captured_at DESC, markets.id DESC) SELECT changes.betpawa_market_id AS
betpawa_market_id, changes.line AS line, changes.handicap_type AS handicap_type,
changes.specifiers AS specifiers, changes.captured_at AS captured_at, changes.id AS id,
changes.unavailable_at AS unavailable_at, changes.betpawa_market_name AS
betpawa_market_name, changes.handicap_home AS handicap_home, changes.handicap_away AS
handicap_away, changes.outcomes AS outcomes FROM changes WHERE changes.unavailable_at IS
NULL UNION ALL SELECT markets.betpawa_market_id AS betpawa_market_id, markets.line AS line,
markets.handicap_type AS handicap_type, markets.specifiers AS specifiers,
snapshots.captured_at AS captured_at, markets.id AS id, markets.unavailable_at AS
unavailable_at, markets.betpawa_market_name AS betpawa_market_name, markets.handicap_home AS
handicap_home, markets.handicap_away AS handicap_away, markets.outcomes AS outcomes FROM
competitor_odds_snapshots AS snapshots JOIN competitor_market_odds AS markets ON
markets.competitor_event_id = snapshots.competitor_event_id AND markets.snapshot_id =
snapshots.id WHERE snapshots.competitor_event_id = competitor_events.id AND
snapshots.captured_at = bounds.keyframe_at AND markets.unavailable_at IS NULL AND
((markets.betpawa_market_id, coalesce(markets.line, 'NaN'::float8),
coalesce(markets.handicap_type, ''), coalesce(markets.specifiers, '')) NOT IN (SELECT
changes.betpawa_market_id, coalesce(changes.line, 'NaN'::float8) AS coalesce_4,
coalesce(changes.handicap_type, '') AS coalesce_5, coalesce(changes.specifiers, '') AS
coalesce_6 FROM changes))) AS on_offer LEFT OUTER JOIN
jsonb_array_elements(bounds.unknown_markets) AS unknown(key) ON unknown.key = CASE WHEN
(bounds.unknown_markets IS NOT NULL) THEN jsonb_build_array(on_offer.betpawa_market_id,
on_offer.line, on_offer.handicap_type, on_offer.specifiers) END) AS markets_of_last ON true
JOIN LATERAL (SELECT CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN
named.common ELSE named.name END AS name, named.name AS written, named.odds AS odds,
named.is_active AS is_active FROM (SELECT found.name AS name, found.odds AS odds,
found.is_active AS is_active, CASE WHEN (least(found.text, found.text_with_marks,
found.short, found.short_with_marks) = greatest(found.text, found.text_with_marks,
found.short, found.short_with_marks)) THEN least(found.text, found.text_with_marks,
found.short, found.short_with_marks) ELSE found.name END AS common FROM (SELECT spelled.name
AS name, spelled.odds AS odds, spelled.is_active AS is_active, spelled.names ->>
spelled.text AS text, spelled.names ->> spelled.text_with_marks AS text_with_marks,
spelled.names ->> spelled.short AS short, spelled.names ->> spelled.short_with_marks AS
short_with_marks FROM (SELECT texts.name AS name, texts.odds AS odds, texts.is_active AS
is_active, texts.names AS names, texts.text AS text, texts.short AS short, CASE WHEN
(texts.home = texts.away) THEN texts.text WHEN (length(texts.home) < length(texts.away))
THEN replace(replace(texts.text, texts.away, 'A'), texts.home, 'H') ELSE
replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS text_with_marks, CASE
WHEN (texts.home = texts.away) THEN texts.short WHEN (length(texts.home) <
length(texts.away)) THEN replace(replace(texts.short, texts.away, 'A'), texts.home, 'H')
ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A') END AS short_with_marks
FROM (SELECT reduced.name AS name, reduced.odds AS odds, reduced.is_active AS is_active,
reduced.text AS text, reduced.home AS home, reduced.away AS away, CASE WHEN
(abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS DOUBLE PRECISION)
- CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2), ''), '0') AS
DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text, -length(reduced.number)) END
AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X", "12": "12", "x2": "X2", "1/1": "1/1",
"1/x": "1/X", "1/2": "1/2", "x/1": "X/1", "x/x": "X/X", "x/2": "X/2", "2/1": "2/1",
"2/x": "2/X", "2/2": "2/2", "yes": "Yes", "no": "No", "over": "Over", "under": "Under",
"odd": "Odd", "even": "Even", "H": "1", "draw": "X", "tie": "X", "A": "2", "Hordraw": "1X",
"draworH": "1X", "1orx": "1X", "HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2",
"Aordraw": "X2", "xor2": "X2", "H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1",
"draw/draw": "X/X", "draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2",
"gg": "Yes", "ng": "No", "home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X",
"homeoraway": "12", "awayorhome": "12", "draworaway": "X2", "awayordraw": "X2",
"home/home": "1/1", "home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1",
"draw/away": "X/2", "away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS
names FROM (SELECT written.name AS name, written.odds AS odds, written.is_active AS
is_active, CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12",
"X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X",
"X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No",
"Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(markets_of_last.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(competitor_events.home_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS home, replace(replace(lower(competitor_events.away_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS away, markets_of_last.line AS line FROM jsonb_to_recordset(markets_of_last.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true WHERE
competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS NULL AND
coalesce(outcome.is_active, true) AND competitor_events.betpawa_event_id = listed_event.id)
AS open_outcomes GROUP BY open_outcomes.betpawa_market_id, open_outcomes.line,
open_outcomes.handicap_type, open_outcomes.specifiers, open_outcomes.outcome,
open_outcomes.odds) AS prices ORDER BY prices.betpawa_market_id, prices.line,
prices.handicap_type, prices.specifiers, prices.outcome, prices.odds DESC) AS best ON true)
AS anon_1 UNION ALL SELECT anon_2.sport, anon_2.country, anon_2.tournament,
anon_2.betpawa_market_id, anon_2.betpawa_market_name, anon_2.line, anon_2.handicap_type,
anon_2.handicap_home, anon_2.handicap_away, anon_2.specifiers, anon_2.event_id,
anon_2.sportradar_id, anon_2.home_team, anon_2.away_team, anon_2.kickoff, anon_2.outcome,
anon_2.odds, anon_2.bookmakers FROM (SELECT CAST(NULL AS INTEGER) AS event_id,
listed_event.sportradar_id AS sportradar_id, listed_event.name AS name,
listed_event.home_team AS home_team, listed_event.away_team AS away_team,
listed_event.kickoff AS kickoff, sports.slug AS sport, coalesce(tournaments.country,
their_tournament.country_raw, 'Unknown') AS country, coalesce(tournaments.name,
their_tournament.name) AS tournament, best.betpawa_market_id AS betpawa_market_id,
best.betpawa_market_name AS betpawa_market_name, best.line AS line, best.handicap_type AS
handicap_type, best.handicap_home AS handicap_home, best.handicap_away AS handicap_away,
best.specifiers AS specifiers, best.outcome AS outcome, best.odds AS odds, best.bookmakers
AS bookmakers FROM competitor_events AS listed_event JOIN competitor_tournaments AS
their_tournament ON their_tournament.id = listed_event.tournament_id JOIN sports ON
sports.id = their_tournament.sport_id LEFT OUTER JOIN tournaments ON
tournaments.sportradar_id = their_tournament.sportradar_id AND tournaments.sport_id =
their_tournament.sport_id JOIN LATERAL (SELECT DISTINCT ON (prices.betpawa_market_id,
prices.line, prices.handicap_type, prices.specifiers, prices.outcome)
prices.betpawa_market_id AS betpawa_market_id, prices.betpawa_market_name AS
betpawa_market_name, prices.line AS line, prices.handicap_type AS handicap_type,
prices.handicap_home AS handicap_home, prices.handicap_away AS handicap_away,
prices.specifiers AS specifiers, prices.outcome AS outcome, prices.odds AS odds,
prices.bookmakers AS bookmakers FROM (SELECT open_outcomes.betpawa_market_id AS
betpawa_market_id, open_outcomes.line AS line, open_outcomes.handicap_type AS handicap_type,
open_outcomes.specifiers AS specifiers, open_outcomes.outcome AS outcome,
max(open_outcomes.betpawa_market_name) AS betpawa_market_name,
max(open_outcomes.handicap_home) AS handicap_home, max(open_outcomes.handicap_away) AS
handicap_away, open_outcomes.odds AS odds, array_agg(DISTINCT open_outcomes.bookmaker ORDER
BY open_outcomes.bookmaker) AS bookmakers FROM LATERAL (SELECT
markets_of_last.betpawa_market_id AS betpawa_market_id, markets_of_last.betpawa_market_name
AS betpawa_market_name, markets_of_last.line AS line, markets_of_last.handicap_type AS
handicap_type, markets_of_last.handicap_home AS handicap_home, markets_of_last.handicap_away
AS handicap_away, markets_of_last.specifiers AS specifiers, competitor_events.source AS
bookmaker, outcome.name AS outcome, outcome.odds AS odds FROM competitor_events JOIN
competitor_tournaments ON competitor_tournaments.id = competitor_events.tournament_id JOIN
LATERAL (SELECT (SELECT keyframes.captured_at FROM competitor_odds_snapshots AS keyframes
WHERE keyframes.competitor_event_id = competitor_events.id AND keyframes.is_complete AND
keyframes.captured_at <= statement_timestamp() ORDER BY keyframes.captured_at DESC LIMIT 1)
AS keyframe_at, greatest(last.captured_at, CASE WHEN (last.last_confirmed_at IS NULL OR
last.last_confirmed_at <= statement_timestamp()) THEN last.last_confirmed_at ELSE (SELECT
max(instants.at) AS max_3 FROM unnest(last.confirmed_at) AS instants(at) WHERE instants.at
<= statement_timestamp()) END) AS seen_at, last.unknown_markets AS unknown_markets FROM
competitor_odds_snapshots AS last WHERE last.competitor_event_id = competitor_events.id AND
last.captured_at <= statement_timestamp() ORDER BY last.captured_at DESC LIMIT 1) AS bounds
ON true JOIN LATERAL (SELECT on_offer.betpawa_market_id AS betpawa_market_id, on_offer.line
AS line, on_offer.handicap_type AS handicap_type, on_offer.specifiers AS specifiers,
on_offer.captured_at AS captured_at, on_offer.id AS id, on_offer.unavailable_at AS
unavailable_at, on_offer.betpawa_market_name AS betpawa_market_name, on_offer.handicap_home
AS handicap_home, on_offer.handicap_away AS handicap_away, on_offer.outcomes AS outcomes,
unknown.key IS NOT NULL AS is_carried FROM LATERAL (WITH changes AS (SELECT DISTINCT ON
(markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers)
markets.betpawa_market_id AS betpawa_market_id, markets.line AS line, markets.handicap_type
AS handicap_type, markets.specifiers AS specifiers, snapshots.captured_at AS captured_at,
markets.id AS id, markets.unavailable_at AS unavailable_at, markets.betpawa_market_name AS
betpawa_market_name, markets.handicap_home AS handicap_home, markets.handicap_away AS
handicap_away, markets.outcomes AS outcomes FROM competitor_odds_snapshots AS snapshots JOIN
competitor_market_odds AS markets ON markets.competitor_event_id =
snapshots.competitor_event_id AND markets.snapshot_id = snapshots.id WHERE
snapshots.competitor_event_id = competitor_events.id AND snapshots.captured_at >
bounds.keyframe_at AND snapshots.captured_at <= statement_timestamp() ORDER BY
markets.betpawa_market_id, markets.line, markets.handicap_type, markets.specifiers,
snapshots.captured_at DESC, markets.id DESC) SELECT changes.betpawa_market_id AS
betpawa_market_id, changes.line AS line, changes.handicap_type AS handicap_type,
changes.specifiers AS specifiers, changes.captured_at AS captured_at, changes.id AS id,
changes.unavailable_at AS unavailable_at, changes.betpawa_market_name AS
betpawa_market_name, changes.handicap_home AS handicap_home, changes.handicap_away AS
handicap_away, changes.outcomes AS outcomes FROM changes WHERE changes.unavailable_at IS
NULL UNION ALL SELECT markets.betpawa_market_id AS betpawa_market_id, markets.line AS line,
markets.handicap_type AS handicap_type, markets.specifiers AS specifiers,
snapshots.captured_at AS captured_at, markets.id AS id, markets.unavailable_at AS
unavailable_at, markets.betpawa_market_name AS betpawa_market_name, markets.handicap_home AS
handicap_home, markets.handicap_away AS handicap_away, markets.outcomes AS outcomes FROM
competitor_odds_snapshots AS snapshots JOIN competitor_market_odds AS markets ON
markets.competitor_event_id = snapshots.competitor_event_id AND markets.snapshot_id =
snapshots.id WHERE snapshots.competitor_event_id = competitor_events.id AND
snapshots.captured_at = bounds.keyframe_at AND markets.unavailable_at IS NULL AND
((markets.betpawa_market_id, coalesce(markets.line, 'NaN'::float8),
coalesce(markets.handicap_type, ''), coalesce(markets.specifiers, '')) NOT IN (SELECT
changes.betpawa_market_id, coalesce(changes.line, 'NaN'::float8) AS coalesce_7,
coalesce(changes.handicap_type, '') AS coalesce_8, coalesce(changes.specifiers, '') AS
coalesce_9 FROM changes))) AS on_offer LEFT OUTER JOIN
jsonb_array_elements(bounds.unknown_markets) AS unknown(key) ON unknown.key = CASE WHEN
(bounds.unknown_markets IS NOT NULL) THEN jsonb_build_array(on_offer.betpawa_market_id,
on_offer.line, on_offer.handicap_type, on_offer.specifiers) END) AS markets_of_last ON true
JOIN LATERAL (SELECT CASE WHEN (count(*) OVER (PARTITION BY named.common) = 1) THEN
named.common ELSE named.name END AS name, named.name AS written, named.odds AS odds,
named.is_active AS is_active FROM (SELECT found.name AS name, found.odds AS odds,
found.is_active AS is_active, CASE WHEN (least(found.text, found.text_with_marks,
found.short, found.short_with_marks) = greatest(found.text, found.text_with_marks,
found.short, found.short_with_marks)) THEN least(found.text, found.text_with_marks,
found.short, found.short_with_marks) ELSE found.name END AS common FROM (SELECT spelled.name
AS name, spelled.odds AS odds, spelled.is_active AS is_active, spelled.names ->>
spelled.text AS text, spelled.names ->> spelled.text_with_marks AS text_with_marks,
spelled.names ->> spelled.short AS short, spelled.names ->> spelled.short_with_marks AS
short_with_marks FROM (SELECT texts.name AS name, texts.odds AS odds, texts.is_active AS
is_active, texts.names AS names, texts.text AS text, texts.short AS short, CASE WHEN
(texts.home = texts.away) THEN texts.text WHEN (length(texts.home) < length(texts.away))
THEN replace(replace(texts.text, texts.away, 'A'), texts.home, 'H') ELSE
replace(replace(texts.text, texts.home, 'H'), texts.away, 'A') END AS text_with_marks, CASE
WHEN (texts.home = texts.away) THEN texts.short WHEN (length(texts.home) <
length(texts.away)) THEN replace(replace(texts.short, texts.away, 'A'), texts.home, 'H')
ELSE replace(replace(texts.short, texts.home, 'H'), texts.away, 'A') END AS short_with_marks
FROM (SELECT reduced.name AS name, reduced.odds AS odds, reduced.is_active AS is_active,
reduced.text AS text, reduced.home AS home, reduced.away AS away, CASE WHEN
(abs(CAST(nullif(split_part(btrim(reduced.number, '()+-'), ':', 1), '') AS DOUBLE PRECISION)
- CAST(coalesce(nullif(split_part(btrim(reduced.number, '()+-'), ':', 2), ''), '0') AS
DOUBLE PRECISION)) = abs(reduced.line)) THEN left(reduced.text, -length(reduced.number)) END
AS short, '{"1": "1", "x": "X", "2": "2", "1x": "1X", "12": "12", "x2": "X2", "1/1": "1/1",
"1/x": "1/X", "1/2": "1/2", "x/1": "X/1", "x/x": "X/X", "x/2": "X/2", "2/1": "2/1",
"2/x": "2/X", "2/2": "2/2", "yes": "Yes", "no": "No", "over": "Over", "under": "Under",
"odd": "Odd", "even": "Even", "H": "1", "draw": "X", "tie": "X", "A": "2", "Hordraw": "1X",
"draworH": "1X", "1orx": "1X", "HorA": "12", "AorH": "12", "1or2": "12", "draworA": "X2",
"Aordraw": "X2", "xor2": "X2", "H/H": "1/1", "H/draw": "1/X", "H/A": "1/2", "draw/H": "X/1",
"draw/draw": "X/X", "draw/A": "X/2", "A/H": "2/1", "A/draw": "2/X", "A/A": "2/2",
"gg": "Yes", "ng": "No", "home": "1", "away": "2", "homeordraw": "1X", "draworhome": "1X",
"homeoraway": "12", "awayorhome": "12", "draworaway": "X2", "awayordraw": "X2",
"home/home": "1/1", "home/draw": "1/X", "home/away": "1/2", "draw/home": "X/1",
"draw/away": "X/2", "away/home": "2/1", "away/draw": "2/X", "away/away": "2/2"}'::jsonb AS
names FROM (SELECT written.name AS name, written.odds AS odds, written.is_active AS
is_active, CASE WHEN NOT ('{"1": "1", "X": "X", "2": "2", "1X": "1X", "12": "12",
"X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2", "X/1": "X/1", "X/X": "X/X",
"X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2", "Yes": "Yes", "No": "No",
"Over": "Over", "Under": "Under", "Odd": "Odd", "Even": "Even"}'::jsonb ? written.name) THEN
replace(replace(lower(written.name COLLATE "C"), ' ', ''), '\u00a0', '') END AS text, CASE WHEN
(markets_of_last.line IS NOT NULL) THEN SUBSTRING(CASE WHEN NOT ('{"1": "1", "X": "X",
"2": "2", "1X": "1X", "12": "12", "X2": "X2", "1/1": "1/1", "1/X": "1/X", "1/2": "1/2",
"X/1": "X/1", "X/X": "X/X", "X/2": "X/2", "2/1": "2/1", "2/X": "2/X", "2/2": "2/2",
"Yes": "Yes", "No": "No", "Over": "Over", "Under": "Under", "Odd": "Odd",
"Even": "Even"}'::jsonb ? written.name) THEN replace(replace(lower(written.name COLLATE
"C"), ' ', ''), '\u00a0', '') END FROM '[(]?[-+]?(?:[0-9]+[.]?[0-9]*|[0-9]+:[0-9]+)[)]?$') END AS
number, replace(replace(lower(competitor_events.home_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS home, replace(replace(lower(competitor_events.away_team COLLATE "C"), ' ', ''), '\u00a0', '')
AS away, markets_of_last.line AS line FROM jsonb_to_recordset(markets_of_last.outcomes) AS
written(name TEXT, odds DOUBLE PRECISION, is_active BOOLEAN) LIMIT ALL OFFSET 0) AS reduced)
AS texts) AS spelled) AS found) AS named) AS outcome ON true WHERE
competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS NULL AND
coalesce(outcome.is_active, true) AND competitor_events.betpawa_event_id IS NULL AND
competitor_events.sportradar_id = listed_event.sportradar_id) AS open_outcomes GROUP BY
open_outcomes.betpawa_market_id, open_outcomes.line, open_outcomes.handicap_type,
open_outcomes.specifiers, open_outcomes.outcome, open_outcomes.odds) AS prices ORDER BY
prices.betpawa_market_id, prices.line, prices.handicap_type, prices.specifiers,
prices.outcome, prices.odds DESC) AS best ON true WHERE listed_event.betpawa_event_id IS
NULL AND listed_event.deleted_at IS NULL AND their_tournament.deleted_at IS NULL AND NOT
(EXISTS (SELECT competitor_events.source AS bookmaker, competitor_events.id AS
competitor_event_id, competitor_events.external_id, competitor_events.event_url,
competitor_events.name FROM competitor_events JOIN competitor_tournaments ON
competitor_tournaments.id = competitor_events.tournament_id WHERE
competitor_events.deleted_at IS NULL AND competitor_tournaments.deleted_at IS NULL AND
competitor_events.betpawa_event_id IS NULL AND competitor_events.sportradar_id =
listed_event.sportradar_id AND competitor_events.id < listed_event.id))) AS anon_2
""",
    "odds_freshness": """
SELECT coalesce(times.platform, last_run.platform) AS platform, times.last_captured_at,
times.last_confirmed_at, last_run.run_id, last_run.status AS run_status, last_run.started_at
AS run_started_at, last_run.completed_at AS run_completed_at, last_run.events,
last_run.events_failed, last_run.markets FROM (SELECT captured.platform AS platform,
max(captured.captured_at) AS last_captured_at, max(captured.confirmed_at) AS
last_confirmed_at FROM (SELECT bookmakers.slug AS platform, newest_snapshot.captured_at AS
captured_at, newest_snapshot.confirmed_at AS confirmed_at FROM events JOIN event_bookmakers
ON events.id = event_bookmakers.event_id JOIN bookmakers ON bookmakers.id =
event_bookmakers.bookmaker_id JOIN LATERAL (SELECT newest.captured_at AS captured_at, CASE
WHEN (newest.last_confirmed_at <= statement_timestamp()) THEN newest.last_confirmed_at END
AS confirmed_at FROM odds_snapshots AS newest WHERE newest.event_id = events.id AND
newest.bookmaker_id = bookmakers.id AND newest.captured_at <= statement_timestamp() ORDER BY
newest.captured_at DESC LIMIT 1) AS newest_snapshot ON true UNION ALL SELECT
competitor_events.source AS platform, newest_snapshot.captured_at AS captured_at,
newest_snapshot.confirmed_at AS confirmed_at FROM competitor_events JOIN
competitor_tournaments ON competitor_tournaments.id = competitor_events.tournament_id JOIN
LATERAL (SELECT newest.captured_at AS captured_at, CASE WHEN (newest.last_confirmed_at <=
statement_timestamp()) THEN newest.last_confirmed_at END AS confirmed_at FROM
competitor_odds_snapshots AS newest WHERE newest.competitor_event_id = competitor_events.id
AND newest.captured_at <= statement_timestamp() ORDER BY newest.captured_at DESC LIMIT 1) AS
newest_snapshot ON true WHERE competitor_events.deleted_at IS NULL AND
competitor_tournaments.deleted_at IS NULL) AS captured GROUP BY captured.platform) AS times
FULL OUTER JOIN (SELECT scrape_runs.batch_id AS batch_id, scrape_runs.id AS run_id,
scrape_runs.platform AS platform, scrape_runs.status AS status, scrape_runs.events_scraped
AS events, scrape_runs.events_failed AS events_failed, 0 + anon_1.stored + anon_2.stored AS
markets, 0 + anon_1.gone + anon_2.gone AS markets_gone, scrape_runs.started_at AS
started_at, scrape_runs.completed_at AS completed_at FROM scrape_runs JOIN LATERAL (SELECT
count(*) FILTER (WHERE markets.unavailable_at IS NULL AND unknown_of_run.key IS NULL) AS
stored, count(*) FILTER (WHERE markets.unavailable_at IS NOT NULL) AS gone FROM events JOIN
event_bookmakers ON events.id = event_bookmakers.event_id JOIN bookmakers ON bookmakers.id =
event_bookmakers.bookmaker_id JOIN odds_snapshots AS snapshots ON snapshots.event_id =
events.id AND snapshots.bookmaker_id = bookmakers.id JOIN market_odds AS markets ON
markets.event_id = snapshots.event_id AND markets.snapshot_id = snapshots.id LEFT OUTER JOIN
LATERAL (SELECT refusing.id AS id, unknown.key AS key FROM odds_snapshots AS refusing JOIN
jsonb_array_elements(refusing.unknown_markets) AS unknown(key) ON true WHERE
refusing.scrape_run_id = scrape_runs.id) AS unknown_of_run ON unknown_of_run.id =
snapshots.id AND unknown_of_run.key = CASE WHEN (snapshots.unknown_markets IS NOT NULL) THEN
jsonb_build_array(markets.betpawa_market_id, markets.line, markets.handicap_type,
markets.specifiers) END WHERE snapshots.scrape_run_id = scrape_runs.id) AS anon_1 ON true
JOIN LATERAL (SELECT count(*) FILTER (WHERE markets.unavailable_at IS NULL AND
unknown_of_run.key IS NULL) AS stored, count(*) FILTER (WHERE markets.unavailable_at IS NOT
NULL) AS gone FROM competitor_events JOIN competitor_tournaments ON
competitor_tournaments.id = competitor_events.tournament_id JOIN competitor_odds_snapshots
AS snapshots ON snapshots.competitor_event_id = competitor_events.id JOIN
competitor_market_odds AS markets ON markets.competitor_event_id =
snapshots.competitor_event_id AND markets.snapshot_id = snapshots.id LEFT OUTER JOIN LATERAL
(SELECT refusing.id AS id, unknown.key AS key FROM competitor_odds_snapshots AS refusing
JOIN jsonb_array_elements(refusing.unknown_markets) AS unknown(key) ON true WHERE
refusing.scrape_run_id = scrape_runs.id) AS unknown_of_run ON unknown_of_run.id =
snapshots.id AND unknown_of_run.key = CASE WHEN (snapshots.unknown_markets IS NOT NULL) THEN
jsonb_build_array(markets.betpawa_market_id, markets.line, markets.handicap_type,
markets.specifiers) END WHERE competitor_events.deleted_at IS NULL AND
competitor_tournaments.deleted_at IS NULL AND snapshots.scrape_run_id = scrape_runs.id) AS
anon_2 ON true WHERE scrape_runs.id IN (SELECT DISTINCT ON (ended.platform) ended.id FROM
scrape_runs AS ended WHERE ended.platform IS NOT NULL AND ended.completed_at <=
statement_timestamp() ORDER BY ended.platform, ended.completed_at DESC, ended.id DESC)) AS
last_run ON last_run.platform = times.platform
""",
}

COMMENTS = {
    "odds_offers": (
        "The outcomes of all markets on offer now.",
        {
            "event_id": "BetPawa's event; NULL where no event is matched.",
            "competitor_event_id": "The competitor's event; NULL for BetPawa's own.",
            "sportradar_id": "The event's SportRadar id.",
            "bookmaker": "The bookmaker: 'betpawa', or a competitor's source.",
            "home_team": "The home team, as this bookmaker names it.",
            "away_team": "The away team, as this bookmaker names it.",
            "sport": "The slug of the sport: 'football'.",
            "country": "The country; 'Unknown' where a competitor names none.",
            "tournament": "The name of the tournament.",
            "betpawa_market_id": "BetPawa's id of the market type: '3743'.",
            "betpawa_market_name": "BetPawa's name of the market type: '1X2 - Full Time'.",
            "line": (
                "The total or the handicap, in goals. NULL if the market has none. The line of a "
                "handicap is handicap_home, and may be left out."
            ),
            "handicap_type": "The kind of the handicap. NULL if the market has none.",
            "handicap_home": ("The goals added to the home team's. Given only with handicap_type."),
            "handicap_away": "The goals added to the away team's: handicap_home, negated.",
            "specifiers": (
                "The distinction from other markets of this id and line: "
                "'minute=15|player=sr:player:38004', sorted by name. NULL if there is none."
            ),
            "kickoff": "The kickoff that this bookmaker gives, UTC.",
            "outcome": "The outcome's common name.",
            "odds": "The decimal odds; NULL for a closed outcome without a price.",
            "is_active": "Whether the outcome is open: bets are taken.",
            "seen_at": "The time of the event's last capture until then, UTC.",
            "market_odds_id": "The id of its row in market_odds or competitor_market_odds.",
            "is_carried": "Whether that capture had the market refused: its prices are older.",
        },
    ),
    "odds_prices": (
        "The prices of all outcomes: a row for each span without a change.",
        {
            "event_id": "BetPawa's event; NULL where no event is matched.",
            "competitor_event_id": "The competitor's event; NULL for BetPawa's own.",
            "sportradar_id": "The event's SportRadar id.",
            "bookmaker": "The bookmaker: 'betpawa', or a competitor's source.",
            "home_team": "The home team, as this bookmaker names it.",
            "away_team": "The away team, as this bookmaker names it.",
            "sport": "The slug of the sport: 'football'.",
            "country": "The country; 'Unknown' where a competitor names none.",
            "tournament": "The name of the tournament.",
            "betpawa_market_id": "BetPawa's id of the market type: '3743'.",
            "betpawa_market_name": "BetPawa's name of the market type: '1X2 - Full Time'.",
            "line": (
                "The total or the handicap, in goals. NULL if the market has none. The line of a "
                "handicap is handicap_home, and may be left out."
            ),
            "handicap_type": "The kind of the handicap. NULL if the market has none.",
            "handicap_home": ("The goals added to the home team's. Given only with handicap_type."),
            "handicap_away": "The goals added to the away team's: handicap_home, negated.",
            "specifiers": (
                "The distinction from other markets of this id and line: "
                "'minute=15|player=sr:player:38004', sorted by name. NULL if there is none."
            ),
            "kickoff": "The kickoff that this bookmaker gives, UTC.",
            "outcome": "The outcome's common name.",
            "odds": "The decimal odds; NULL for a closed outcome without a price.",
            "is_active": "Whether the outcome is open: bets are taken.",
            "valid_from": "The start of the span, UTC.",
            "valid_to": (
                "The end of the span, UTC, which is not in it; NULL if nothing has changed yet."
            ),
        },
    ),
    "odds_closing_prices": (
        "The last prices of each market before kickoff with an open outcome.",
        {
            "event_id": "BetPawa's event; NULL where no event is matched.",
            "competitor_event_id": "The competitor's event; NULL for BetPawa's own.",
            "sportradar_id": "The event's SportRadar id.",
            "bookmaker": "The bookmaker: 'betpawa', or a competitor's source.",
            "home_team": "The home team, as this bookmaker names it.",
            "away_team": "The away team, as this bookmaker names it.",
            "sport": "The slug of the sport: 'football'.",
            "country": "The country; 'Unknown' where a competitor names none.",
            "tournament": "The name of the tournament.",
            "betpawa_market_id": "BetPawa's id of the market type: '3743'.",
            "betpawa_market_name": "BetPawa's name of the market type: '1X2 - Full Time'.",
            "line": (
                "The total or the handicap, in goals. NULL if the market has none. The line of a "
                "handicap is handicap_home, and may be left out."
            ),
            "handicap_type": "The kind of the handicap. NULL if the market has none.",
            "handicap_home": ("The goals added to the home team's. Given only with handicap_type."),
            "handicap_away": "The goals added to the away team's: handicap_home, negated.",
            "specifiers": (
                "The distinction from other markets of this id and line: "
                "'minute=15|player=sr:player:38004', sorted by name. NULL if there is none."
            ),
            "kickoff": "The kickoff that this bookmaker gives, UTC.",
            "outcome": "The outcome's common name.",
            "odds": "The decimal odds; NULL for a closed outcome without a price.",
            "is_active": "Whether the outcome is open: bets are taken.",
            "seen_at": "The time at which the prices were last seen, UTC.",
            "age": "The time from seen_at to kickoff.",
        },
    ),
    "odds_best_prices": (
        "The best price of each open outcome now, and its bookmakers.",
        {
            "sport": "The slug of the sport: 'football'.",
            "country": "The country; 'Unknown' where a competitor names none.",
            "tournament": "The name of the tournament.",
            "betpawa_market_id": "BetPawa's id of the market type: '3743'.",
            "betpawa_market_name": "BetPawa's name of the market type: '1X2 - Full Time'.",
            "line": (
                "The total or the handicap, in goals. NULL if the market has none. The line of a "
                "handicap is handicap_home, and may be left out."
            ),
            "handicap_type": "The kind of the handicap. NULL if the market has none.",
            "handicap_home": ("The goals added to the home team's. Given only with handicap_type."),
            "handicap_away": "The goals added to the away team's: handicap_home, negated.",
            "specifiers": (
                "The distinction from other markets of this id and line: "
                "'minute=15|player=sr:player:38004', sorted by name. NULL if there is none."
            ),
            "event_id": "BetPawa's event; NULL where none is matched.",
            "sportradar_id": "The event's SportRadar id; BetPawa's if matched.",
            "home_team": "The home team.",
            "away_team": "The away team.",
            "kickoff": "The kickoff, UTC.",
            "outcome": "The outcome's common name.",
            "odds": "The highest decimal odds.",
            "bookmakers": "The bookmakers that offer these odds.",
        },
    ),
    "odds_freshness": (
        "The last captures and the last ended run of each platform.",
        {
            "platform": "The platform: 'betpawa', or a competitor's source.",
            "last_captured_at": (
                "The time of the last capture with a change, UTC; NULL without a capture."
            ),
            "last_confirmed_at": (
                "The time of the last capture that found the newest odds of an event unchanged, "
                "UTC; NULL if there is none."
            ),
            "run_id": "The last ended run; NULL if no run has ended.",
            "run_status": "The status of the run.",
            "run_started_at": "The start of the run, UTC.",
            "run_completed_at": "The end of the run, UTC.",
            "events": "The events that the run captured, including those without a change.",
            "events_failed": "The captures that the run refused as a whole, or lost.",
            "markets": (
                "The market rows that the run stored: all of a keyframe, else the changed ones."
            ),
        },
    ),
}


def upgrade() -> None:
    for name, select in VIEWS.items():
        execute(f"CREATE VIEW {name} AS {select}")
        comment, columns = COMMENTS[name]
        execute(f"COMMENT ON VIEW {name} IS {literal(comment)}")
        for column, comment in columns.items():
            execute(f"COMMENT ON COLUMN {name}.{column} IS {literal(comment)}")
    op.create_table_comment("sports", MARK, existing_comment=MARK_BEFORE)


def downgrade() -> None:
    op.create_table_comment("sports", MARK_BEFORE, existing_comment=MARK)
    op.execute(f"DROP VIEW {', '.join(VIEWS)}")


def execute(sql: str) -> None:
    # A colon before a word would be a parameter.
    op.execute(text(sql.replace(":", r"\:")))


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
