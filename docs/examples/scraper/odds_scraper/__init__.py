"""A scraper that stores bookmakers' odds in the tables of oddsschema."""
