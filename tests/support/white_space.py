"""The characters that contracts trim."""

#: Unicode's White_Space. Python counts \x1c to \x1f as well.
WHITE_SPACE = "".join(
    chr(code) for code in range(0x3001) if chr(code).isspace() and not 28 <= code <= 31
)
