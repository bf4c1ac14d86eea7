"""The call that every REST method of the stand-in gets, its answer, and the declaration of a method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.demo.core.faults import Refusal
from app.demo.core.state import Installation, PortalState, Token, User
from app.demo.core.world import Portal, World

PAGE_SIZE = 50


@dataclass
class RestCall:
    """One method call: its portal, its token, and its parameters (flat or nested, from JSON or a form)."""

    stand_in: World[Portal]
    portal: Portal
    token: Token
    parameters: Mapping[str, Any]

    @property
    def state(self) -> PortalState:
        """The state of the called portal."""
        return self.portal.state

    @property
    def installation(self) -> Installation:
        """The calling app's installation in this portal."""
        return self.state.installation(self.token.client_id)

    @property
    def user(self) -> User:
        """The token's user; raises Refusal INVALID_CREDENTIALS for a user that no longer exists."""
        user = self.state.users.get(self.token.user_id)
        if user is None:
            raise Refusal("INVALID_CREDENTIALS", 403, "Invalid request credentials")
        return user

    def parameter(self, name: str) -> Any:  # noqa: ANN401 - Any value of JSON.
        """A parameter by its name in any case, as PHP's methods read them; None when absent."""
        for key, value in self.parameters.items():
            if str(key).upper() == name.upper():
                return value
        return None

    def text(self, name: str) -> str:
        """A parameter as text; empty when absent."""
        value = self.parameter(name)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    def require_text(self, name: str) -> str:
        """A parameter as text; raises Refusal ERROR_ARGUMENT with HTTP 200, as on the page of
        placement.bind.
        """
        value = self.text(name)
        if not value:
            raise Refusal("ERROR_ARGUMENT", 200, f"Argument '{name}' is null or empty", argument=name)
        return value

    def require_admin(self) -> None:
        """Raise Refusal ACCESS_DENIED for a user who is no administrator."""
        if not self.user.is_admin:
            raise Refusal("ACCESS_DENIED", 403, "Access denied!")


@dataclass
class RestAnswer:
    """The answer of a method; `total` and `next` only for lists."""

    result: Any
    total: int | None = None
    next: int | None = None


@dataclass(frozen=True)
class Method:
    """A REST method: its function, and its scopes. One of these scopes is enough; without scopes every token
    may call it.
    """

    run: Callable[[RestCall], RestAnswer]
    scopes: tuple[str, ...] = ()


def cut_page(items: list[Any], start: object) -> RestAnswer:
    """A page of 50 items from `start`, with total and next; `start=-1` gives the first page without either.

    settings/how-to-call-rest-api/list-methods-pecularities.md
    """
    try:
        offset = int(str(start or 0))
    except ValueError:
        offset = 0
    if offset < 0:
        return RestAnswer(items[:PAGE_SIZE])
    end = offset + PAGE_SIZE
    return RestAnswer(items[offset:end], total=len(items), next=end if end < len(items) else None)
