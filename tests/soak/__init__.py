"""Soak: seeded rounds of many writers and faults, compared with a model that keeps everything.

The modules from the top down:

- `__main__`: the program, `python -m tests.soak --minutes 60 --writers 8 --seed 1`.
- `rounds`: rounds, their order and their failure.
- `faults`: kills, cuts, crashes, prunes and migrations beside the writers.
- `comparison`: the database compared with the model, while writers write and afterwards.
- `writer`: the process of a writer, and its answers.
- `plain_writer`: a program beside the writers that writes older forms by SQL of its own.
- `scenario`: the captures of a round, who delivers them, and the model of them.
- `figures`: counts of everything that a soak does.
"""
