"""Serves and takes in odds over HTTP: `DATABASE_URL=... uvicorn odds_api.app:app`."""
