"""The text of views in the revisions: the selects of the package, in lines of bounded length."""

import re
from collections.abc import Iterator

#: A literal, or a word with the space after it. A JSON literal may be broken after its commas.
_TOKEN = re.compile(r"""E?'(?:[^']|'')*'[^\s']*|[^\s']+|[ \n]+""")
_WIDTH = 92


def reduced(sql: str) -> str:
    """Return a text with a single space in the place of spaces and line breaks."""
    return re.sub(r"[ \n]+", " ", sql).strip()


def wrapped(sql: str) -> str:
    """Break a text into lines. No literal but JSON is broken."""
    lines, line = [], ""
    for word in _words(reduced(sql)):
        if line and len(line) + len(word.rstrip()) > _WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += word
    return "\n".join([*lines, line.rstrip()])


def _words(sql: str) -> Iterator[str]:
    word = ""
    for token in _TOKEN.findall(sql):
        if token.isspace():
            yield word + " "
            word = ""
        elif token.startswith("'{"):
            *parts, last = re.split(r'(?<=",) ', token)
            yield from (f"{part} " for part in [word + parts[0], *parts[1:]])
            word = last
        else:
            word += token
    yield word
