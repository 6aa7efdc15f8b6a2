"""The command line: arguments, exit codes, printing.

Data goes to standard output, all else to standard error. Exit codes: 0 all is well; 1 something
was refused, failed or differs; 2 it could not start. `check` tells more states apart.

What is where:

- `program`: the program, of all commands, and how it tells errors
- `migrations`: `upgrade`, `downgrade`, `current` and `check`
- `captures`: `validate`, `ingest` and `batches`
- `history`: `history`
- `retention`: `prune` and `size`
- `schema`: `schema json`, `sql` and `erd`
- `made_up`: `demo` and `simulate`
- `options`: what they share

What only some commands need, and is slow to import, they import when they run.
"""

from oddsschema.cli.program import cli, main

__all__ = ["cli", "main"]
