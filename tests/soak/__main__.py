"""The soak as a program."""

import argparse
import logging
import sys
import time

from tests.soak.figures import Figures
from tests.soak.rounds import RoundError, soak

parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--writers", type=int, default=8)
parser.add_argument("--minutes", type=float, default=1, help="the time after which no round begins")
parser.add_argument("--rounds", type=int, help="the number of rounds, in place of a time")
parser.add_argument("--first", type=int, default=0, help="the number of the first round")


def main() -> int:
    """Run the soak; print the figures of each round, and of all."""
    arguments = parser.parse_args()
    logging.disable()  # each cut connection
    total, began = Figures(), time.monotonic()
    try:
        for number, kind, figures in soak(**vars(arguments)):
            total.add(figures)
            print(f"round {number} ({kind}): {figures}", flush=True)
    except RoundError as error:
        print(error, file=sys.stderr)
        print(
            f"again: python -m tests.soak --seed {arguments.seed} --writers {arguments.writers} "
            f"--first {arguments.first + total.rounds} --rounds 1",
            file=sys.stderr,
        )
        return 1
    finally:
        print(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s: {total}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
