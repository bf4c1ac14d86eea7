"""Whether work that nobody asked for may use a portal's stored pair, so that few new ones are bought. Pure.

Bitrix24 may block an application that refreshes hourly. So what runs by itself uses a pair while it lives,
and buys a new one only when the last one, whoever bought or brought it, came six hours ago or more: four a
day at most, in sum over all that asks here, and none where an administrator's page brings one.
"""

EXPIRED_FOR_S = 5 * 3600  # A token lives for an hour: then the last pair came six hours ago.
ALIVE_FOR_S = 60  # So long it must live on, or it might expire on the way.


def is_alive(access_expires_at: int, now: int) -> bool:
    """Whether a read with the stored token costs no refresh."""
    return access_expires_at > now + ALIVE_FOR_S


def may_refresh(access_expires_at: int, now: int) -> bool:
    """Whether the last pair came so long ago that a new one may be bought."""
    return access_expires_at <= now - EXPIRED_FOR_S


def is_affordable(access_expires_at: int, now: int) -> bool:
    """Whether a read costs no refresh, or one of the four a day."""
    return is_alive(access_expires_at, now) or may_refresh(access_expires_at, now)
