"""The root of the tree of errors."""

from typing import Any


class OddsSchemaError(Exception):
    """The root of the tree: every error that oddsschema raises itself."""

    @property
    def needs_search_path(self) -> bool:
        """Whether another search path is the cure, or one of several."""
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ calls the class with the message, but the classes below take
        # their data. In a multiprocessing.Pool, a result that does not unpickle never arrives.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[OddsSchemaError], args: tuple[Any, ...]) -> OddsSchemaError:
    return kind.__new__(kind, *args)
