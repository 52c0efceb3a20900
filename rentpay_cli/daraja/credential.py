"""The security credential: the initiator's password under the public key of Safaricom's certificate.

`base64(RSA PKCS#1 v1.5(public key, password))`: 344 characters for a 2048-bit key (Daraja, security credential). The
certificate only carries the key. All published ones have expired, so that dates and chain say nothing.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rentpay_cli.errors import RuleRefused

_PKCS1_OVERHEAD_BYTES = 11
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_KEY_LABELS = (b"PUBLIC KEY", b"RSA PUBLIC KEY")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the credential needs of a certificate, and what a person should know of it."""

    key: rsa.RSAPublicKey
    fingerprint: str
    expired_on: datetime | None

    @property
    def bits(self) -> int:
        """The size of the key."""
        return self.key.key_size


def read_certificate(content: bytes, now: datetime | None = None) -> Certificate:
    """Read a certificate or a bare public key, PEM or DER; raises `RuleRefused` with what is wrong."""
    if not content.strip():
        raise _unusable("is empty")
    found = _PEM.search(content.removeprefix(b"\xef\xbb\xbf"))
    try:
        if found and found.group(1) in _KEY_LABELS:
            return _bare_key(serialization.load_pem_public_key(_clean_pem(found.group(0))))
        if found and found.group(1) in (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"):
            return _from_x509(x509.load_pem_x509_certificate(_clean_pem(found.group(0))), now or datetime.now(UTC))
        if found:
            raise _unusable(f"holds a {found.group(1).decode().lower()}, not a certificate or a public key")
        return _from_der(content, now or datetime.now(UTC))
    except (ValueError, TypeError) as error:
        raise _unusable("is damaged or is no certificate at all") from error


def encrypt_password(password: bytes, certificate: Certificate) -> str:
    """The security credential of the password, on one line; raises `RuleRefused` if M-Pesa could not take it."""
    longest = certificate.bits // 8 - _PKCS1_OVERHEAD_BYTES
    if not password:
        raise RuleRefused("The password is empty.", "Give the password of the API operator on the M-Pesa portal.")
    if len(password) > longest:
        raise RuleRefused(
            f"The password is {len(password)} bytes long, and this certificate's key can carry {longest}.",
            "Check that you gave the password itself, not a file that holds something else.",
        )
    return base64.b64encode(certificate.key.encrypt(password, padding.PKCS1v15())).decode()


def _from_der(content: bytes, now: datetime) -> Certificate:
    try:
        return _from_x509(x509.load_der_x509_certificate(content), now)
    except ValueError:
        return _bare_key(serialization.load_der_public_key(content))


def _clean_pem(block: bytes) -> bytes:
    """The block with plain line ends and without blanks around its lines."""
    return b"\n".join(line.strip() for line in block.splitlines()) + b"\n"


def _from_x509(certificate: x509.Certificate, now: datetime) -> Certificate:
    ends = certificate.not_valid_after_utc
    digest = certificate.fingerprint(hashes.SHA256())
    return Certificate(_only_rsa(certificate.public_key()), _colons(digest), ends if ends < now else None)


def _bare_key(key: object) -> Certificate:
    rsa_key = _only_rsa(key)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(rsa_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return Certificate(rsa_key, _colons(digest.finalize()), None)


def _only_rsa(key: object) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey):
        raise _unusable("holds a key that is not RSA, which M-Pesa's credential needs")
    return key


def _colons(digest: bytes) -> str:
    return ":".join(f"{byte:02X}" for byte in digest)


def _unusable(what: str) -> RuleRefused:
    return RuleRefused(
        f"The certificate {what}.",
        "Download Safaricom's certificate from the Daraja portal (PEM or DER) and name it with --certificate.",
        code="bad_certificate",
    )
