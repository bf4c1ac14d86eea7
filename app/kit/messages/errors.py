"""Refusals: each has a status, a code for programs and a sentence for people."""

from app.kit.messages.words import N_, Words


class Refusal(Exception):
    """The answer to a request that is not granted.

    `message` tells the person how to go on, and `title` is the heading of the page. Both are free of secrets,
    and repeat no data but those of the request. Both are marked by `N_` where people read them; the message
    takes `values` by name: `%(host)s`.
    """

    status = 400
    code = "bad_request"
    message = N_("Callbook cannot read this request.")
    title = N_("Callbook cannot be opened")

    def __init__(self, message: str | None = None, *, code: str | None = None, **values: object) -> None:
        self._template = message or self.message
        self._values = values
        self.message = self._template % values if values else self._template
        self.code = code or self.code
        super().__init__(self.message)

    def say(self, words: Words) -> str:
        """The message in a language."""
        return words.gettext(self._template, **self._values)


class Forbidden(Refusal):
    """Nothing in the request proves that it may be granted."""

    status = 403
    code = "forbidden"
    message = N_("Open Callbook from your Bitrix24 to use it.")


class TooManyRequests(Refusal):
    """A limit was reached; the sender may try again after `retry_after_s` seconds."""

    status = 429
    code = "too_many_requests"
    message = N_("Too many attempts. Wait a little, then try again.")

    def __init__(self, retry_after_s: int = 60, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(Refusal):
    """Callbook cannot do this just now: something that it needs does not answer, or has no room."""

    status = 503
    code = "unavailable"
    message = N_("This is not possible right now. Try again in a minute.")
    retry_after_s = 5


class TooSlow(Unavailable):
    """The database cannot look through the requested rows within its time limit."""

    code = "too_slow"
    message = N_("This takes too long. Choose a shorter period or other filters, then try again.")
