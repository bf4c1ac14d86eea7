"""Text in Bitrix24's forms and JSON: it is kept unchanged, and only invalid characters are replaced."""

import re
from binascii import unhexlify
from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus

REPLACEMENT = "�"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII_BY_HEX = {
    spelling: chr(code)
    for code in range(0x80)
    for spelling in (f"{code:02X}", f"{code:02x}", f"{code:02X}".swapcase(), f"{code:02x}".title())
}
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2}){1,64}")  # Bounded, because a match takes memory for each escape.
_SHORT = 512  # Characters. Splitting a longer text at each `%` could take twenty times its memory.


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, which neither a database nor UTF-8 can hold."""
    if text.isascii():
        return text
    return _LONE_SURROGATE.sub(REPLACEMENT, text)


def unquote_form(text: str) -> str:
    """Decode one key or value of a form: `+` is a space, `%XX` a byte of UTF-8, invalid bytes are U+FFFD.

    The result is that of `urllib.parse.unquote_plus`. This function is several times as fast when all escapes
    are ASCII, and its memory is linear.
    """
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if len(text) > _SHORT:
        return _unquote(text.encode("utf-8", "replace"))
    head, *escaped = text.split("%")
    try:
        return head + "".join([_ASCII_BY_HEX[part[:2]] + part[2:] for part in escaped])
    except KeyError:
        return _unquote(text.encode("utf-8", "replace"))


def _unquote(raw: bytes) -> str:
    found, end = bytearray(), 0
    for escapes in _ESCAPES.finditer(raw):
        found += raw[end : escapes.start()]
        found += unhexlify(escapes[0].replace(b"%", b""))
        end = escapes.end()
    found += raw[end:]
    return found.decode("utf-8", "replace")


def encode_form(parameters: Mapping[str, object]) -> str:
    """A form as PHP's `http_build_query` writes it: bracket keys, true as 1, false as 0, null absent.

    Documentation: settings/how-to-call-rest-api/data-encoding.md.
    """
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in _flatten("", parameters))


def _flatten(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        items: Iterator[tuple[object, object]] = iter(value.items())
    elif isinstance(value, list | tuple):
        items = iter(enumerate(value))
    else:
        scalar = scalar_text(value)
        if scalar is not None:
            yield prefix, scalar
        return
    for key, inner in items:
        yield from _flatten(f"{prefix}[{key}]" if prefix else str(key), inner)


def scalar_text(value: object) -> str | None:
    """A JSON scalar in the spelling of PHP's forms; None for null."""
    if value is None:
        return None
    if value is True:
        return "1"
    if value is False:
        return "0"
    return value if isinstance(value, str) else str(value)
