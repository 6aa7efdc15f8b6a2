"""The parameter `options` of a connection: arguments for the server's program.

Source: PostgreSQL's documentation, "Parameter Key Words" (options) and "postgres".
"""

import re

#: A word, in which a backslash escapes the next character.
_WORD = re.compile(r"(?:[^\s\\]|\\.)+|\\\Z", re.ASCII | re.DOTALL)


def take_search_path(options: str) -> tuple[str, str | None]:
    """Split options into those without the search path, and the search path; None without one."""
    words = [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in _WORD.findall(options)]
    kept: list[str] = []
    search_path: str | None = None
    remaining = iter(words)
    for word in remaining:
        taken = [word]
        if word == "-c" and (argument := next(remaining, None)) is not None:
            taken.append(argument)
        setting = re.sub(r"^(-c|--)", "", "".join(taken)) if word.startswith(("-c", "--")) else ""
        name, separator, value = setting.partition("=")
        if separator and name.replace("-", "_").lower() == "search_path":
            search_path = value
        else:
            kept += taken
    if search_path is None:
        return options, None
    return " ".join(
        re.sub(r"([\s\\])", r"\\\1", word, flags=re.ASCII) for word in kept
    ), search_path
