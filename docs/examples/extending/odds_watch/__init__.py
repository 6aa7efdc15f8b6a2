"""Alerts for competitors' prices."""

from odds_watch.models import Account, Watch, metadata

__all__ = ["Account", "Watch", "metadata"]
