"""Scrapes as tasks of Celery and steps of Airflow."""
