"""The search for words in texts, in which accents and the case of letters make no difference.

Everything is SQL, and needs no extension. Both the text and the words are folded by PostgreSQL.
"""

import re
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Text,
    all_,
    case,
    cast,
    collate,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, array

#: The accents that Unicode's normal form D separates from their letters.
_ACCENTS = "[\u0300-\u036f]+"
#: Letters that Unicode does not separate into a letter and an accent, each with its plain letter.
#: Capital letters are among them for databases whose locale is C.
_LETTERS = {
    **dict(zip("øłđðħŧı", "olddhti", strict=True)),
    **dict(zip("ØŁĐÐĦŦ", "olddht", strict=True)),
    # The sigma at the end of a word.
    "ς": "\u03c3",
}
#: The letters that are written as two.
_PAIRS = {"ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "þ": "th", "Þ": "th"}


def folded(text: Any) -> ColumnElement[str]:
    """Return a text without accents, in lower case: `Malmö FF` becomes `malmo ff`.

    A text in ASCII, as most are, costs least. In a database whose locale is C, the case of letters
    that are neither Latin nor ASCII makes a difference: PostgreSQL has no lower case for them.
    """
    is_ascii = func.octet_length(text) == func.char_length(text)
    letters = func.regexp_replace(func.normalize(text, literal_column("NFD")), _ACCENTS, "", "g")
    letters = func.lower(collate(func.lower(collate(letters, "C")), "default"))
    plain = func.translate(letters, "".join(_LETTERS), "".join(_LETTERS.values()))
    for letter, pair in _PAIRS.items():
        plain = func.replace(plain, letter, pair)
    return case((is_ascii, func.lower(collate(text, "C"))), else_=collate(plain, "C"))


def has_words(text: Any, words: str) -> ColumnElement[bool]:
    """Return the condition that a folded text has all of these words, or parts of words."""
    if not words.split():
        return true()
    patterns = [folded(cast(literal(f"%{_escaped(word)}%"), Text)) for word in words.split()]
    # The words are folded once for all texts.
    once = cast(select(array(patterns)).scalar_subquery(), ARRAY(Text))
    condition: ColumnElement[bool] = text.like(all_(once))
    return condition


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)
