"""Keys of the sandbox's servers, generated once per stack: an SFTP host key and a self-signed certificate for FTPS."""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import paramiko
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from filelock import FileLock

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


def _names() -> list[str]:
    # Beside loopback the machine's own name: containers reach the sandbox by it.
    return list(dict.fromkeys(("127.0.0.1", "localhost", socket.gethostname())))


def host_key(folder: Path) -> paramiko.PKey:
    """The ed25519 host key in ``folder``, created when it is missing."""
    path = folder / "sftp_host_key"
    if not path.exists():
        key = ed25519.Ed25519PrivateKey.generate()
        _write_private(path, key, serialization.PrivateFormat.OpenSSH)
    return paramiko.Ed25519Key.from_private_key_file(str(path))


def publish_host_key(known_hosts: Path, port: int, key: paramiko.PKey) -> None:
    """Put ``key`` into ``known_hosts`` for this machine's ``port``; entries of other hosts stay as they are."""
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{known_hosts}.lock"):
        hosts = [f"[{name}]:{port}" for name in _names()]
        lines = known_hosts.read_text().splitlines() if known_hosts.exists() else []
        kept = [line for line in lines if line.split(" ", 1)[0] not in hosts]
        kept += [f"{host} {key.get_name()} {key.get_base64()}" for host in hosts]
        temporary = known_hosts.with_name(f"{known_hosts.name}.new")
        temporary.write_text("\n".join(kept) + "\n")
        temporary.replace(known_hosts)


def certificate(folder: Path) -> Path:
    """PEM file with key and certificate for FTPS; its certificate alone lies beside it as ``ftps.crt`` for clients."""
    path, public = folder / "ftps.pem", folder / "ftps.crt"
    if path.exists() and public.exists():
        return path
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IOC sandbox")])
    now = datetime.now(UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(host) for host in _names()[1:]]
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    _write_private(path, key, serialization.PrivateFormat.PKCS8, pem)
    public.write_bytes(pem)
    return path


def _write_private(path: Path, key: PrivateKeyTypes, form: serialization.PrivateFormat, after: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    temporary = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content + after)
    temporary.replace(path)
