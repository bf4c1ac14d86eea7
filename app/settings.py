"""The settings from the environment, read once and frozen (docs/interface.md, "Environment")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import SplitResult, urlsplit

from app.kit.crypto import Keyring, KeyringError

OAUTH_SERVERS = "https://oauth.bitrix.info,https://oauth.bitrix24.tech"
DATABASE_URL = "sqlite:///data/callbook.sqlite3"

Network = IPv4Network | IPv6Network
# The networks that B24_ALLOW_PRIVATE_PORTALS can admit. Link-local ones, where clouds keep their metadata,
# are not among them.
PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
        *("::1", "fc00::/7"),
    )
)


class SettingsError(ValueError):
    """A setting is missing or wrong: one clear line, without the value of a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The installation's settings; secrets are kept out of `repr`."""

    client_id: str
    client_secret: str = field(repr=False)
    app_url: str
    keyring: Keyring = field(repr=False)
    database_url: str = field(default=DATABASE_URL, repr=False)
    oauth_servers: tuple[str, ...] = tuple(OAUTH_SERVERS.split(","))
    is_http_portal_allowed: bool = False
    private_portals: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    web_workers: int = 1
    log_format: str = "console"
    log_level: str = "info"
    metrics_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and check all variables; raises SettingsError for the first that is missing or wrong."""
        settings = cls(
            client_id=_require(environ, "B24_CLIENT_ID"),
            client_secret=_require(environ, "B24_CLIENT_SECRET"),
            app_url=_read_origin("APP_URL", _require(environ, "APP_URL"), is_path_allowed=True),
            keyring=_read_keyring(_require(environ, "ENCRYPTION_KEYS")),
            database_url=environ.get("DATABASE_URL") or DATABASE_URL,
            oauth_servers=_read_oauth_servers(environ.get("B24_OAUTH_SERVERS") or OAUTH_SERVERS),
            is_http_portal_allowed=_read_flag(environ, "B24_ALLOW_HTTP_PORTALS"),
            private_portals=_read_private_networks(environ.get("B24_ALLOW_PRIVATE_PORTALS") or "0"),
            trusted_proxies=_read_networks("TRUSTED_PROXIES", environ.get("TRUSTED_PROXIES", "")),
            host=environ.get("HOST") or "127.0.0.1",
            port=_read_integer(environ, "PORT", 8000, highest=65535),
            web_workers=_read_integer(environ, "WEB_WORKERS", 1, highest=64),
            log_format=_read_choice(environ, "LOG_FORMAT", ("console", "json")),
            log_level=_read_choice(environ, "LOG_LEVEL", ("info", "debug", "warning", "error")),
            metrics_token=environ.get("METRICS_TOKEN") or None,
        )
        if settings.web_workers > 1 and settings.database_url.startswith("sqlite:"):
            raise SettingsError(
                "WEB_WORKERS above 1 needs PostgreSQL: on SQLite one process takes the events"
            )
        return settings


def _require(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set; the README lists the environment")
    return value


def _read_keyring(text: str) -> Keyring:
    try:
        return Keyring.parse(text)
    except KeyringError as error:
        raise SettingsError(f"ENCRYPTION_KEYS: {error}") from error


def _read_origin(name: str, url: str, *, is_path_allowed: bool = False) -> str:
    parts = _split_origin(url)
    if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        raise SettingsError(f"{name} must be like https://callbook.example.com")
    path = parts.path.rstrip("/") if is_path_allowed else ""
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def _split_origin(url: str) -> SplitResult | None:
    """The parts of the address, or None when it is no http address with a host."""
    try:
        parts = urlsplit(url)
        is_origin = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # Brackets without an address, or a port that is no number.
        return None
    return parts if is_origin else None


def _read_oauth_servers(text: str) -> tuple[str, ...]:
    servers = tuple(
        _read_origin("B24_OAUTH_SERVERS", part.strip()) for part in text.split(",") if part.strip()
    )
    if not servers:
        raise SettingsError("B24_OAUTH_SERVERS lists no server")
    return servers


def _read_flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name) or "0"
    if value not in {"0", "1"}:
        raise SettingsError(f"{name} must be 0 or 1")
    return value == "1"


def _read_integer(environ: Mapping[str, str], name: str, default: int, *, highest: int) -> int:
    value = environ.get(name) or str(default)
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(highest))
    if not is_number or not 0 < int(value) <= highest:
        raise SettingsError(f"{name} must be a whole number from 1 to {highest}")
    return int(value)


def _read_choice(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = environ.get(name) or choices[0]
    if value not in choices:
        raise SettingsError(f"{name} must be one of {', '.join(choices)}")
    return value


def _read_networks(name: str, text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"{name} must be a comma list of addresses or networks") from error


def _read_private_networks(text: str) -> tuple[Network, ...]:
    """No network for `0`, all private networks for `1`. Else the listed networks; each of them must be
    private.
    """
    if text in {"0", "1"}:
        return PRIVATE_NETWORKS if text == "1" else ()
    networks = _read_networks("B24_ALLOW_PRIVATE_PORTALS", text)
    if not networks or not all(map(_is_private, networks)):
        raise SettingsError("B24_ALLOW_PRIVATE_PORTALS must be 0, 1 or a comma list of private networks")
    return networks


def _is_private(network: Network) -> bool:
    return any(
        network.version == private.version
        and private.network_address <= network.network_address  # type: ignore[operator]  # Same version.
        and network.broadcast_address <= private.broadcast_address  # type: ignore[operator]
        for private in PRIVATE_NETWORKS
    )
