"""An HTTP API that stores and serves odds: `DATABASE_URL=... uvicorn odds_api.app:app`."""
