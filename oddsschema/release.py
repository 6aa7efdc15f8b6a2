"""The newest revision of this release, and the mark by which programs know newer tables.

Each revision from 15 on leaves the mark as the comment of the table `sports`. Everybody may read
it, and it is there in each project that has our tables, whichever version table it uses.
"""

import re
from typing import Final, NamedTuple, Self

#: The newest revision of the migrations in this release.
HEAD: Final = "oddsschema_0016"

#: The oldest revision whose programs live with the tables of this release.
PROGRAMS_FROM: Final = "oddsschema_0015"

_MARK = re.compile(r"(oddsschema_\d{4}) serves programs from (oddsschema_\d{4})")


class Mark(NamedTuple):
    """The revision of the tables, and the programs that live with them."""

    #: The newest revision that changed the tables.
    revision: str
    #: The oldest revision whose programs live with them.
    programs_from: str

    def __str__(self) -> str:
        return f"{self.revision} serves programs from {self.programs_from}"

    @classmethod
    def parse(cls, comment: str | None) -> Self | None:
        """Parse the comment of the table `sports`; return None for any other comment."""
        found = _MARK.fullmatch(comment or "")
        return None if found is None else cls(*found.groups())

    def serves(self, head: str) -> bool:
        """Return whether programs of a release live with the tables: `head` is its revision."""
        return self.programs_from <= head <= self.revision


#: The mark of this release's tables.
MARK: Final = Mark(HEAD, PROGRAMS_FROM)
