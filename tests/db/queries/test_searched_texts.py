"""The folding of texts for a search, compared with Python's own tables of Unicode."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Text, cast, column, literal, select, values
from sqlalchemy.ext.asyncio import AsyncConnection

from oddsschema.queries.searched_texts import folded, has_words

Run = Callable[..., Any]

PLAIN = dict(zip("øłđðħŧıς", "olddhti\u03c3", strict=True)) | {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}
#: The letters of the names in feeds: Latin, Greek and Cyrillic, with spaces, marks and digits.
LETTERS = st.characters(
    min_codepoint=0x20, max_codepoint=0x52F, categories=("L", "Mn", "Nd", "P", "Zs")
)
TEXTS = st.text(
    LETTERS | st.sampled_from(sorted(PLAIN)) | st.sampled_from("AÉŁßİΣẞ%_\\"), max_size=9
)


def reference(text: str) -> str:
    """Fold a text in Python."""
    letters = (
        letter.lower()
        for letter in unicodedata.normalize("NFD", text)
        if not 0x300 <= ord(letter) < 0x370
    )
    return "".join(PLAIN.get(letter, letter) for letter in letters)


@given(texts=st.lists(TEXTS, min_size=1, max_size=30), other=TEXTS)
def test_folding(texts: list[str], other: str, connection: AsyncConnection, run: Run) -> None:
    """A text is folded as Python folds it; it has the words that are parts of it."""
    rows = values(column("number", Text), column("text", Text), name="rows")
    rows = rows.data([(str(number), text) for number, text in enumerate(texts)])
    words = " ".join([texts[0], other])

    async def body() -> Any:
        statement = select(rows.c.text, folded(rows.c.text), has_words(folded(rows.c.text), words))
        return (await connection.execute(statement)).all()

    for text, found, has in run(body()):
        assert found == reference(text)
        assert has == all(reference(word) in found for word in words.split())


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Malmö FF", "malmo ff"),
        ("SØNDERJYSKE", "sonderjyske"),
        ("Łódź", "lodz"),
        ("Fenerbahçe & Beşiktaş, IĞDIR", "fenerbahce & besiktas, igdir"),
        ("Großaspach", "grossaspach"),
        ("Næstved", "naestved"),
        ("Đorđe", "dorde"),
        ("ΟΛΥΜΠΙΑΚΌΣ", "ολυμπιακοσ"),
        ("Динамо Київ", "динамо киів"),
    ],
)
def test_names(text: str, plain: str, connection: AsyncConnection, run: Run) -> None:
    """The names of teams are found as they are written on a plain keyboard."""

    async def body() -> Any:
        return await connection.scalar(select(folded(cast(literal(text), Text))))

    assert run(body()) == plain
