"""Names of schemas, tables and constraints in the text of statements."""


def quote(name: str) -> str:
    """Quote a name for SQL, also a plain one: it may be a keyword."""
    return '"{}"'.format(name.replace('"', '""'))
