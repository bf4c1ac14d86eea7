"""Finding a phone number in any way of writing it. Pure."""

import re
import unicodedata

_BRACKETED_ZERO = re.compile(r"\(\s*0\s*\)")


def search_patterns(text: str) -> tuple[str, list[str]]:
    """The patterns to look for: `("digits", …)` in the digits of a number, or `("text", …)` in the number as
    the portal wrote it.

    The search understands spaces, brackets, digits of other scripts, `00` for `+`, and a trunk prefix (0, in
    Russia and Kazakhstan 8) that the stored international form does not have.
    """
    if any(character.isalpha() for character in text):
        return "text", [text.lower()]
    digits = "".join(
        str(unicodedata.decimal(character))
        for character in _BRACKETED_ZERO.sub("", text)
        if character.isdecimal()
    )
    if not digits:
        return "text", [text.lower()]
    bare = digits.lstrip("0")
    if digits.startswith("8") and len(digits) == 11:  # noqa: PLR2004  Trunk prefix and ten digits.
        bare = digits[1:]
    return "digits", [digits] if bare in {digits, ""} else [digits, bare]
