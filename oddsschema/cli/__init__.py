"""The command line: arguments, exit codes, printing.

Data is printed on standard output, everything else on standard error. Exit codes: 0 for success; 1
if something was refused, failed or differs; 2 if the command could not start. `check` has more.

The program:

- `program`: the whole program, and the messages of errors
- `commands`: the commands together

The commands:

- `migrations`: `upgrade`, `downgrade`, `current` and `check`
- `captures`: `validate` and `ingest`
- `batches`: `batches`
- `adoption`: `adopt`
- `unmapped_markets`: `unmapped`
- `events`: `events`
- `history`: `history`
- `retention`: `prune` and `size`
- `schema`: `schema json`, `sql` and `erd`
- `demo`: `demo`
- `simulation`: `simulate`

The texts of `history` and `demo`:

- `comparison`: the offers of an event side by side
- `price_changes`: the history of prices, with a plot in text
- `pictures`: the history of prices as a picture
- `markets`: the names and the order of markets, outcomes and listings

The parts that commands share:

- `options`: options, and the types of their values
- `output`: text, JSON, tables and progress

Each command is imported when it runs. One that needs a slow import only sometimes does it then.
"""

from oddsschema.cli.program import cli, main

__all__ = ["cli", "main"]
