"""Invented recordings, under the three kinds of address that a portal has: Drive files behind
`disk.file.get`, files of a CRM activity behind `crm_show_file.php`, and CALL_RECORD_URL.

Nobody documents whether these understand `Range` (docs/known-unknowns.md), so a portal here can do either.
"""

import io
import math
import re
import struct
import wave
from functools import lru_cache
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from app.demo.core.faults import Refusal
from app.demo.core.origin import find_portal
from app.demo.core.world import Portal, World

RATE = 8000  # The sample rate of telephony.
SECONDS = 30
URL_KEY = "signature-of-the-record"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@lru_cache(maxsize=8)
def make_recording(seconds: int = SECONDS, tone_hz: int = 440) -> bytes:
    """A WAV file: a tone that swells and falls, so that a listener hears the position in it."""
    frames = b"".join(
        struct.pack(
            "<h", round(9000 * math.sin(math.pi * t / RATE / 2) * math.sin(math.tau * tone_hz * t / RATE))
        )
        for t in range(RATE * seconds)
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(frames)
    return file.getvalue()


def record_url(portal: Portal, name: str) -> str:
    """A CALL_RECORD_URL of the portal's telephony; its key is a secret, as on a real portal."""
    return f"{portal.origin}/records/{name}.wav?key={URL_KEY}"


def recording_handlers(stand_in: World[Portal]) -> list[ControllerRouterHandler]:
    """The route handlers of all recordings."""

    @get("/records/{name:str}")
    async def show_record(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        await stand_in.faults.enter("record", find_portal(stand_in, request).member_id)
        if request.query_params.get("key") != URL_KEY or not name.endswith(".wav"):
            raise NotFoundException
        return _answer(find_portal(stand_in, request), request, "audio/x-wav")

    @get("/rest/download.json")
    async def download(request: Request[Any, Any, Any]) -> Response[bytes]:
        """A file by the DOWNLOAD_URL of api-reference/disk/file/disk-file-get.md, which holds the
        caller's token.
        """
        portal = find_portal(stand_in, request)
        await stand_in.faults.enter("download", portal.member_id)
        stand_in.tokens.find_access(portal.state, request.query_params.get("auth", ""), "rest")
        return _answer(portal, request, "application/octet-stream")

    @get("/bitrix/tools/crm_show_file.php")
    async def show_file(request: Request[Any, Any, Any]) -> Response[bytes]:
        """A file of an activity; without a valid token a sign-in page, with status 200."""
        portal = find_portal(stand_in, request)
        await stand_in.faults.enter("crm_show_file", portal.member_id)
        try:
            stand_in.tokens.find_access(portal.state, request.query_params.get("auth", ""), "rest")
        except Refusal:
            return Response(b"<!DOCTYPE html><title>Sign in</title>", media_type="text/html")
        return _answer(portal, request, "audio/x-wav")

    return [show_record, download, show_file]


def _answer(portal: Portal, request: Request[Any, Any, Any], media_type: str) -> Response[bytes]:
    whole = make_recording()
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or not portal.understands_range:
        return Response(whole, media_type=media_type)
    first, last = (int(text) if text else None for text in asked.groups())
    if first is None:
        first, last = max(0, len(whole) - (last or 0)), None
    last = len(whole) - 1 if last is None else min(last, len(whole) - 1)
    if first > last:
        return Response(b"", status_code=416, headers={"content-range": f"bytes */{len(whole)}"})
    headers = {"content-range": f"bytes {first}-{last}/{len(whole)}", "accept-ranges": "bytes"}
    return Response(whole[first : last + 1], status_code=206, media_type=media_type, headers=headers)
