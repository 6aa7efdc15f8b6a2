"""A comparison of bookmakers' odds: `uvicorn odds_comparison.app:app`."""
