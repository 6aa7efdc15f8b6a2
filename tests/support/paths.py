"""The checkout's directories, and the real captures beside it."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).parents[2]

#: The pages of the documentation.
DOCS = ROOT / "docs"

#: Six days of real captures of two bookmakers; empty where they are missing.
REAL_ODDS = sorted((ROOT.parent / "shared" / "real-odds").glob("*.ndjson.gz"))

#: Real feeds of six sites as captures; empty where they are missing.
REAL_FEEDS = sorted((ROOT.parent / "shared" / "real-feeds").glob("*.ndjson.gz"))
