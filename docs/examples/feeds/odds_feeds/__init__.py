"""Adapters that convert three kinds of feeds to captures of oddsschema."""
