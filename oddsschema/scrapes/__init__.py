"""Scrapes on record: batches, their runs, and the errors of runs."""
