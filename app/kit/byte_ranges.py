"""Ranges of bytes in HTTP requests and answers (RFC 9110, 14). Pure."""

import re

import msgspec

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes\s+\*/([0-9]{1,18})", re.IGNORECASE)


class UnsatisfiableError(Exception):
    """No byte of the asked range exists: 416. `total` is the length of the whole."""

    def __init__(self, total: int) -> None:
        self.total = total
        super().__init__("the range lies beyond the end")


class AskedRange(msgspec.Struct, frozen=True):
    """`bytes=2-5`, `bytes=2-` (`last` None) or `bytes=-5`, the last five (`first` None)."""

    first: int | None
    last: int | None

    @property
    def header(self) -> str:
        """The value of a request's `Range` header."""
        return f"bytes={'' if self.first is None else self.first}-{'' if self.last is None else self.last}"

    def resolve(self, total: int) -> "Span":
        """The bytes that this range selects from a whole of `total` bytes; raises UnsatisfiableError when
        there are none.
        """
        if self.first is None:
            first, last = max(0, total - (self.last or 0)), total - 1
        else:
            first, last = self.first, total - 1 if self.last is None else min(self.last, total - 1)
        if first > last:
            raise UnsatisfiableError(total)
        return Span(first, last, total)


class Span(msgspec.Struct, frozen=True):
    """The bytes from `first` to `last`, both included, of `total`."""

    first: int
    last: int
    total: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1

    def has_first(self, count: int) -> bool:
        """Whether the span holds the first `count` bytes of the whole."""
        return self.first == 0 and self.length >= count

    @property
    def header(self) -> str:
        """The value of the `Content-Range` header of an answer of 206."""
        return f"bytes {self.first}-{self.last}/{self.total}"


def parse_range(header: str | None) -> AskedRange | None:
    """The one range of bytes that the header asks for; None for no header, several ranges and malformed text.

    In these three cases a server may answer with the whole.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match[1] or match[2]):
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is not None and last is not None and last < first:
        return None
    return AskedRange(first, last)


def parse_content_range(header: str | None) -> Span | None:
    """The bytes that an answer of 206 says it holds; None when the header is missing, wrong or
    without a total.
    """
    match = _CONTENT_RANGE.fullmatch((header or "").strip())
    if match is None or match[3] == "*":
        return None
    span = Span(int(match[1]), int(match[2]), int(match[3]))
    return span if span.first <= span.last < span.total else None


def parse_unsatisfied(header: str | None) -> int | None:
    """The length of the whole that an answer of 416 tells; None when it tells none."""
    match = _UNSATISFIED.fullmatch((header or "").strip())
    return None if match is None else int(match[1])
