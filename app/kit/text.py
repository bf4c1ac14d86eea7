"""Text that a database refuses (PostgreSQL stores no NUL, yet all must be shown as it came), that is too
long, or that a terminal obeys.
"""

ESCAPE = "\x1a"  # SUBSTITUTE, the control character that stands for one that cannot be represented
_ESCAPED = str.maketrans({ESCAPE: ESCAPE + "1", "\x00": ESCAPE + "0"})


def storable(text: str) -> str:
    """The same text without NUL; `original` gives it back exactly."""
    if "\x00" in text or ESCAPE in text:
        return text.translate(_ESCAPED)
    return text


def original(text: str) -> str:
    """Undo `storable`."""
    if ESCAPE in text:
        return text.replace(ESCAPE + "0", "\x00").replace(ESCAPE + "1", ESCAPE)
    return text


def shorten(text: str, longest: int) -> str:
    """The text, or its first characters and a mark that there are more."""
    return text if len(text) <= longest else text[:longest] + "…"


def escape_text(text: str) -> str:
    """The text for a terminal: control characters, marks that turn the direction of a text, and whatever else
    shows nothing are spelled out.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
