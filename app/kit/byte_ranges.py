"""Ranges of bytes as HTTP asks for and answers them (RFC 9110, 14). Pure."""

import re

import msgspec

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes\s+\*/([0-9]{1,18})", re.IGNORECASE)


class UnsatisfiableError(Exception):
    """Nothing of what was asked for is there: 416. `total` is the length of the whole."""

    def __init__(self, total: int) -> None:
        self.total = total
        super().__init__("the range lies beyond the end")


class AskedRange(msgspec.Struct, frozen=True):
    """`bytes=2-5`, `bytes=2-` (`last` None) or `bytes=-5`, the last five (`first` None)."""

    first: int | None
    last: int | None

    @property
    def header(self) -> str:
        """As a request asks for it."""
        return f"bytes={'' if self.first is None else self.first}-{'' if self.last is None else self.last}"

    def resolve(self, total: int) -> "Span":
        """What that means for a whole of this length; raises UnsatisfiableError."""
        if self.first is None:
            first, last = max(0, total - (self.last or 0)), total - 1
        else:
            first, last = self.first, total - 1 if self.last is None else min(self.last, total - 1)
        if first > last:
            raise UnsatisfiableError(total)
        return Span(first, last, total)


class Span(msgspec.Struct, frozen=True):
    """The bytes from `first` to `last`, that one included, of `total`."""

    first: int
    last: int
    total: int

    @property
    def length(self) -> int:
        """How many bytes that are."""
        return self.last - self.first + 1

    def has_first(self, count: int) -> bool:
        """Whether the first bytes of the whole are among them."""
        return self.first == 0 and self.length >= count

    @property
    def header(self) -> str:
        """As an answer of 206 tells it."""
        return f"bytes {self.first}-{self.last}/{self.total}"


def parse_range(header: str | None) -> AskedRange | None:
    """One range of bytes; None for none, for several and for what is no range.

    A server may ignore those and answer the whole.
    """
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or not (match[1] or match[2]):
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is not None and last is not None and last < first:
        return None
    return AskedRange(first, last)


def parse_content_range(header: str | None) -> Span | None:
    """What an answer of 206 says that it holds; None when it does not say so, or not of how much."""
    match = _CONTENT_RANGE.fullmatch((header or "").strip())
    if match is None or match[3] == "*":
        return None
    span = Span(int(match[1]), int(match[2]), int(match[3]))
    return span if span.first <= span.last < span.total else None


def parse_unsatisfied(header: str | None) -> int | None:
    """The length of the whole that an answer of 416 tells."""
    match = _UNSATISFIED.fullmatch((header or "").strip())
    return None if match is None else int(match[1])
