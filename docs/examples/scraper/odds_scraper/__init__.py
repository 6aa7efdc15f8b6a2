"""Scrapes bookmakers' odds into the tables of oddsschema."""
