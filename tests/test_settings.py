from pathlib import Path

import pytest

from app.kit.crypto import generate_key
from app.kit.storage.database import Database, DatabaseUrlError
from app.settings import PRIVATE_NETWORKS, Settings, SettingsError

SECRETS = {
    "B24_CLIENT_SECRET": "s3cret-of-ours",
    "ENCRYPTION_KEYS": generate_key("k1"),
    "METRICS_TOKEN": "m3tr1c",
}
WHOLE = {"B24_CLIENT_ID": "app.1", "APP_URL": "https://callbook.example.com", **SECRETS}


def read(**changes: str) -> Settings:
    return Settings.from_environment(WHOLE | changes)


def test_four_variables_are_enough() -> None:
    settings = read()
    assert (settings.host, settings.port, settings.web_workers) == ("127.0.0.1", 8000, 1)
    assert settings.database_url == "sqlite:///data/callbook.sqlite3"
    assert settings.oauth_servers == ("https://oauth.bitrix.info", "https://oauth.bitrix24.tech")
    assert not settings.is_http_portal_allowed
    assert settings.private_portals == ()
    assert (
        Settings.from_environment({k: v for k, v in WHOLE.items() if k != "METRICS_TOKEN"}).metrics_token
        is None
    )


def test_private_portals_are_admitted_in_all_private_networks_or_in_those_that_are_listed() -> None:
    assert read(B24_ALLOW_PRIVATE_PORTALS="0").private_portals == ()
    assert read(B24_ALLOW_PRIVATE_PORTALS="1").private_portals == PRIVATE_NETWORKS
    listed = read(B24_ALLOW_PRIVATE_PORTALS="10.1.0.0/16, fd00::/8,192.168.7.9").private_portals
    assert [str(network) for network in listed] == ["10.1.0.0/16", "fd00::/8", "192.168.7.9/32"]


def test_repr_shows_no_secret(tmp_path: Path) -> None:
    shown = repr(read(DATABASE_URL="postgresql://u:dbpassw0rd@h/d"))
    for secret in (*SECRETS.values(), "dbpassw0rd"):
        assert secret not in shown


@pytest.mark.parametrize("name", ["B24_CLIENT_ID", "B24_CLIENT_SECRET", "APP_URL", "ENCRYPTION_KEYS"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_must_be_set_is_named(name: str, value: str | None) -> None:
    environ = {key: text for key, text in WHOLE.items() if key != name}
    if value is not None:
        environ[name] = value
    with pytest.raises(SettingsError, match=f"^{name} is not set") as raised:
        Settings.from_environment(environ)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_URL", "callbook.example.com"),
        ("APP_URL", "ftp://callbook.example.com"),
        ("APP_URL", "https://"),
        ("APP_URL", "https://user:passw0rd@callbook.example.com"),
        ("APP_URL", "https://:passw0rd@callbook.example.com"),
        ("APP_URL", "https://callbook.example.com?passw0rd=1"),
        ("APP_URL", "https://[::1"),
        ("APP_URL", "https://callbook.example.com:port"),
        ("APP_URL", "https://callbook.example.com:99999"),
        ("ENCRYPTION_KEYS", "k1:passw0rd"),
        ("ENCRYPTION_KEYS", "passw0rd"),
        ("ENCRYPTION_KEYS", "k1:pässw0rd"),
        ("ENCRYPTION_KEYS", "@/no/such/file"),
        ("B24_OAUTH_SERVERS", "oauth.bitrix.info"),
        ("B24_OAUTH_SERVERS", ","),
        ("B24_OAUTH_SERVERS", "https://oauth.bitrix.info,https://[::1"),
        ("B24_ALLOW_HTTP_PORTALS", "yes"),
        ("B24_ALLOW_PRIVATE_PORTALS", "true"),
        ("B24_ALLOW_PRIVATE_PORTALS", ","),
        ("B24_ALLOW_PRIVATE_PORTALS", "10.1.0.0/33"),
        ("B24_ALLOW_PRIVATE_PORTALS", "10.1.0.0/16,169.254.0.0/16"),
        ("B24_ALLOW_PRIVATE_PORTALS", "fe80::/10"),
        ("B24_ALLOW_PRIVATE_PORTALS", "0.0.0.0/0"),
        ("B24_ALLOW_PRIVATE_PORTALS", "10.0.0.0/7"),
        ("B24_ALLOW_PRIVATE_PORTALS", "::/0"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80 80"),
        ("PORT", "9" * 5000),
        ("PORT", "²"),
        ("WEB_WORKERS", "0"),
        ("WEB_WORKERS", "-1"),
        ("WEB_WORKERS", "many"),
        ("WEB_WORKERS", "2"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_is_wrong_is_named_in_one_clear_line_without_a_secret(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}") as raised:
        read(**{name: value})
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 200
    for secret in (*SECRETS.values(), "passw0rd"):
        assert secret not in message


def test_workers_need_postgresql() -> None:
    assert read(WEB_WORKERS="2", DATABASE_URL="postgresql://h/d").web_workers == 2
    with pytest.raises(SettingsError, match="needs PostgreSQL"):
        read(WEB_WORKERS="2", DATABASE_URL="sqlite:///x")


def test_addresses_are_normalised() -> None:
    settings = read(
        APP_URL="https://Callbook.Example.com/Base/", B24_OAUTH_SERVERS=" https://OAUTH.example/rest/ ,"
    )
    assert settings.app_url == "https://callbook.example.com/Base"
    assert settings.oauth_servers == ("https://oauth.example",)


@pytest.mark.parametrize(
    "url", ["mysql://u:passw0rd@h/d", "sqlite://", "sqlite:///", "x", "postgresql://u:passw0rd@[h/d"]
)
def test_a_database_url_of_another_form_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as raised:
        Database(url)
    assert "passw0rd" not in str(raised.value)
