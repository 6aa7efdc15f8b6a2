"""`python -m oddsschema` is the command line."""

from oddsschema.cli import main

main()
