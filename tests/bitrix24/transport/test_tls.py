"""The connection goes to the checked address, yet the certificate must be that of the host's name."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.host_names import PortalNames
from app.bitrix24.transport.network import open_http_client
from app.settings import PRIVATE_NETWORKS


def certificate_of(host: str, path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + private)
    return path


async def answer_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


async def resolve_to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_tls_verifies_the_name_and_not_the_address(tmp_path: Path) -> None:
    certificate = certificate_of("portal.example", tmp_path / "certificate.pem")
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    server = await asyncio.start_server(answer_ok, "127.0.0.1", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    policy = AddressPolicy([], allow_http=False, private=PRIVATE_NETWORKS)
    tls = ssl.create_default_context(cafile=str(certificate))
    names = PortalNames(resolve_to_loopback)
    async with server, open_http_client(policy, "portals", tls=tls, names=names) as http:
        assert (await http.get(f"https://portal.example:{port}/")).text == "ok"
        with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
            await http.get(f"https://other.example:{port}/")
