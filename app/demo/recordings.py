"""Recordings of the stand-in: made up when asked for, under the three kinds of address that a portal has.

Drive files behind `disk.file.get`, files of a CRM activity behind `crm_show_file.php`, and CALL_RECORD_URL.
Nobody documents whether they understand `Range` (docs/known-unknowns.md), so a portal can do either.
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

RATE = 8000  # As telephones have it.
SECONDS = 30
URL_KEY = "signature-of-the-record"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@lru_cache(maxsize=8)
def make_recording(seconds: int = SECONDS, tone_hz: int = 440) -> bytes:
    """A WAV file: a tone that swells and falls, so that one hears where one is."""
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
    """A CALL_RECORD_URL of the portal's telephony; its key is a secret, as on a portal."""
    return f"{portal.origin}/records/{name}.wav?key={URL_KEY}"


def recording_handlers(stand_in: World[Portal]) -> list[ControllerRouterHandler]:
    """Route handlers of all files."""

    @get("/records/{name:str}")
    async def show_record(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        await stand_in.faults.enter("record", find_portal(stand_in, request).member_id)
        if request.query_params.get("key") != URL_KEY or not name.endswith(".wav"):
            raise NotFoundException
        return _answer(find_portal(stand_in, request), request, "audio/x-wav")

    @get("/rest/download.json")
    async def download(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The DOWNLOAD_URL of api-reference/disk/file/disk-file-get.md: it holds the caller's own token."""
        portal = find_portal(stand_in, request)
        await stand_in.faults.enter("download", portal.member_id)
        stand_in.tokens.find_access(portal.state, request.query_params.get("auth", ""), "rest")
        return _answer(portal, request, "application/octet-stream")

    @get("/bitrix/tools/crm_show_file.php")
    async def show_file(request: Request[Any, Any, Any]) -> Response[bytes]:
        """A file of an activity; without a token that works, a page to sign in, with 200."""
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
