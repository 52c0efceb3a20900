"""The simulator's key pair, its certificate, and security credentials made under it.

The pair is kept on disk, so that a credential pasted into a `.env` stays good after a restart.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hmac
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

KEY_BITS = 2048  # Safaricom's size; it makes every credential 344 characters
KEY_FILE = "key.pem"
CERTIFICATE_FILE = "certificate.pem"


class BadKeys(Exception):
    """The key pair on disk cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Keys:
    """A key pair with its self-signed certificate."""

    private_key: rsa.RSAPrivateKey
    certificate_pem: bytes
    certificate_path: Path

    def encrypt(self, password: str) -> str:
        """The security credential of a password: RSA PKCS#1 v1.5, then base64. Differs each time."""
        sealed = self.private_key.public_key().encrypt(password.encode(), padding.PKCS1v15())
        return base64.b64encode(sealed).decode("ascii")

    def opens_to(self, credential: str, password: str) -> bool:
        """Whether this credential was made from this password under this certificate."""
        try:
            sealed = base64.b64decode(credential, validate=True)
            # A wrong key does not raise here: the library then answers with random bytes, on purpose.
            found = self.private_key.decrypt(sealed, padding.PKCS1v15())
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(found, password.encode())


def default_home() -> Path:
    """The folder of the key pair when none is given."""
    from platformdirs import user_data_path

    return user_data_path("rentpay", appauthor=False) / "simulator"


def load_or_make(home: Path) -> Keys:
    """The key pair kept in this folder, made on first use. Raises BadKeys."""
    try:
        return _kept_in(home)
    except OSError as error:
        raise BadKeys(f"The simulator's key pair cannot be kept in {home}: {error.strerror}.") from error


def _kept_in(home: Path) -> Keys:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_path, certificate_path = home / KEY_FILE, home / CERTIFICATE_FILE
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two simulators that start together must end up with one pair
        if not key_path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
            _write(certificate_path, _self_signed(key), mode=0o644)
            _write(key_path, _key_pem(key), mode=0o600)  # last: with it, the pair is complete
        try:
            return _load(key_path, certificate_path)
        except (ValueError, FileNotFoundError) as error:
            raise BadKeys(
                f"The simulator's key pair in {home} is damaged: delete that folder and start again."
            ) from error


def _load(key_path: Path, certificate_path: Path) -> Keys:
    key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    certificate_pem = certificate_path.read_bytes()
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")
    if x509.load_pem_x509_certificate(certificate_pem).public_key() != key.public_key():
        raise ValueError("the certificate belongs to another key")
    return Keys(key, certificate_pem, certificate_path)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _self_signed(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rentpay simulator")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that it is there whole or not at all, and never readable by more than `mode` says."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
