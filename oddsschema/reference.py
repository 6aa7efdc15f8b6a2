"""The reference bookmaker, whose captures describe the events that others are matched to."""

#: The slug of BetPawa.
REFERENCE = "betpawa"
