"""Scrapes on record: batches, their runs, and the errors of runs.

- `bookkeeping`: writes of batches, runs and errors
- `summaries`: reads of batches with their runs
- `stale`: batches whose process has died
"""
