"""The headers that limit what a page may do, which sites may frame it and which caches may keep it."""

from urllib.parse import urlsplit

from app.settings import Settings

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
_COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def origin_of(client_endpoint: str) -> str:
    """The portal's origin (scheme, host and port), from its verified address."""
    parts = urlsplit(client_endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def session_headers(client_endpoint: str) -> dict[str, str]:
    """Headers of a page of one portal: only the portal's verified address may frame it, no
    cache may keep it.
    """
    policy = _POLICY.format(ancestors=origin_of(client_endpoint))
    return {**_COMMON, "Content-Security-Policy": policy, "Cache-Control": "no-store"}


def static_page_headers(settings: Settings) -> dict[str, str]:
    """Headers of a page without data: a portal that Callbook does not know yet may frame it too."""
    ancestors = "https: http:" if settings.is_http_portal_allowed else "https:"
    return {
        **_COMMON,
        "Content-Security-Policy": _POLICY.format(ancestors=ancestors),
        "Cache-Control": "no-store",
    }


def data_headers() -> dict[str, str]:
    """Headers of answers to a session's own requests, which no browser shows as a page."""
    return {
        **_COMMON,
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }
