"""Text made fit for its place: for a database (PostgreSQL stores no NUL, yet each text must be shown exactly
as it came), for a limited length, and for a terminal, which obeys some characters.
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
    """The text; of a longer one the `longest` first characters and an ellipsis."""
    return text if len(text) <= longest else text[:longest] + "…"


def escape_text(text: str) -> str:
    """The text for a terminal: each character that is not printable is spelled out, such as a control
    character or a mark that turns the direction of the text.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
