"""Around every answer: the portal and user to whom it belongs, how many answers this process makes at once,
and how long it waits for a client that does not read.

A handler makes its answer whole, and a server keeps in memory all that the client has not taken yet. So this
middleware sends the answer in pieces, each only when the piece before is nearly gone, and gives up an answer
that the client does not take. Few answers are under way at once, in turns by portal and user. Streams, which
have a pace of their own, have places of their own too.
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.kit.deadlines import move_limit
from app.kit.fairness.fair_queue import FairQueue
from app.kit.fairness.lanes import Lane, use_lane
from app.kit.fairness.places import Bounds, Places
from app.kit.file_limit import count_places
from app.kit.messages.errors import Unavailable
from app.web.http.errors import PROBLEM, encode_problem

# One answer takes up to some MB while it is made and sent.
UNDER_WAY = Bounds(overall=48, per_portal=12, per_user=4)
# A request that waits for a turn takes some KB. All tabs of a portal ask at once when a call arrives.
MOST_IN_ALL = Bounds(overall=2_000, per_portal=400, per_user=40)
WAIT_S = 15.0
PIECE_BYTES = 65_536  # The server keeps this much for a slow client, then it makes `send` wait.
STALL_S = 15.0
LONGEST_S = 120.0
TICKET = "callbook.ticket"


def find_in_all(places: int) -> Bounds:
    """The bound on all answers, under way or waiting, in a server with `places` for connections. Answers may
    take half of these places at most, because events need some too.
    """
    overall = min(MOST_IN_ALL.overall, places // 2)
    return MOST_IN_ALL._replace(overall=overall, per_portal=min(MOST_IN_ALL.per_portal, overall // 2))


class Answers:
    """The answers of this process to sessions: `queue` has those under way, `places` the waiting ones too."""

    def __init__(self, under_way: Bounds = UNDER_WAY, in_all: Bounds | None = None) -> None:
        self.queue = FairQueue(under_way)
        self.places = Places(in_all or find_in_all(count_places()))
        self.stall_s = STALL_S
        self.is_stopped = False

    def stop(self) -> None:
        """The process ends: requests that wait for a turn give up, and later ones do not wait."""
        self.is_stopped = True
        self.queue.stop()


class Ticket:
    """One request's turn, from the moment when its portal and user are known."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self.stall_s = STALL_S

    async def take(self, answers: Answers, portal_id: int, user_id: int) -> None:
        """Wait for a turn. Raises NoPlace if too many wait already, Unavailable if no turn came in time."""
        self.stall_s = answers.stall_s
        self._stack.enter_context(answers.places.take(portal_id, user_id))
        try:
            await self._stack.enter_async_context(answers.queue.take(portal_id, user_id, WAIT_S))
        except TimeoutError as error:
            raise Unavailable from error

    async def give_back(self) -> None:
        """Give the turn to others; harmless if it is given back already."""
        await self._stack.aclose()


async def take_turn(scope: Any, answers: Answers, portal_id: int, user_id: int) -> None:  # noqa: ANN401  Litestar's scopes are of two types.
    """Count the request as this user's from here on, and wait for its turn. Raises as `Ticket.take` does."""
    ticket: Ticket = scope[TICKET]
    await ticket.take(answers, portal_id, user_id)


class Answering:
    """Gives each request a lane and a ticket, which its session fills in, and sends its answer in pieces."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or cut it off if the client takes nothing."""
        ticket = Ticket()
        loose: Any = scope
        loose[TICKET] = ticket
        limit = asyncio.timeout(None)
        pieces = _Pieces(send, ticket, limit)
        try:
            with use_lane(Lane()), suppress(TimeoutError):
                async with limit:
                    await self._app(scope, receive, pieces.send)
        except asyncio.CancelledError:
            if not loose["litestar_app"].state.parts.answers.is_stopped:
                raise
            await pieces.give_up()  # The server is stopping and waits no longer.
        finally:
            await ticket.give_back()


class _Pieces:
    """Sends a whole body in pieces, and a stream as its handler sends it."""

    def __init__(self, send: Send, ticket: Ticket, limit: asyncio.Timeout) -> None:
        self._send, self._ticket, self._limit = send, ticket, limit
        self._loop = asyncio.get_running_loop()
        self._has_begun = False

    async def give_up(self) -> None:
        """Answer 503 if nothing is sent yet; an answer that has begun is cut off here."""
        if not self._has_begun:
            refusal = Unavailable()
            body = encode_problem(refusal.status, refusal.code, refusal.message)
            fields = {
                "content-type": PROBLEM,
                "content-length": str(len(body)),
                "retry-after": str(refusal.retry_after_s),
            }
            headers = [(name.encode(), value.encode()) for name, value in fields.items()]
            await self._send({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def send(self, message: Message) -> None:
        """Send one ASGI message of the handler on to the server."""
        self._has_begun = True
        if message["type"] != "http.response.body":
            await self._send(message)
        elif message["more_body"]:
            await self._ticket.give_back()  # A stream has a place and a pace of its own.
            await self._send(message)
        elif len(message["body"]) <= PIECE_BYTES:
            await self._send(message)
        else:
            await self._send_in_pieces(message["body"])

    async def _send_in_pieces(self, body: bytes) -> None:
        """Send the pieces, then an empty one, which waits until the client has taken the others."""
        end = self._loop.time() + LONGEST_S
        for begin in range(0, len(body) + PIECE_BYTES, PIECE_BYTES):
            piece = body[begin : begin + PIECE_BYTES]
            move_limit(self._limit, min(end, self._loop.time() + self._ticket.stall_s))
            await self._send({"type": "http.response.body", "body": piece, "more_body": bool(piece)})
        move_limit(self._limit, None)
