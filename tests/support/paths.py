"""The checkout's directories, and the real captures beside it."""

from pathlib import Path

#: The checkout.
ROOT = Path(__file__).parents[2]

#: Its pages.
DOCS = ROOT / "docs"

#: Six days of captures of two bookmakers, where they are: they are not part of the project.
REAL_ODDS = sorted((ROOT.parent / "shared" / "real-odds").glob("*.ndjson.gz"))
