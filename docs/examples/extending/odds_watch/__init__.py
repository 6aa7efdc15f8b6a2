"""Tells when a competitor's price gets good."""

from odds_watch.models import Account, Watch, metadata

__all__ = ["Account", "Watch", "metadata"]
