"""The security credential: any file that carries the key, and exactly the password inside."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from rentpay_cli.daraja.credential import encrypt_password, read_certificate
from rentpay_cli.errors import RuleRefused

NOW = datetime(2026, 11, 23, tzinfo=UTC)
EXPIRED_ON = datetime(2018, 3, 21, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key()


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, ends: datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apicaller.example")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(ends - timedelta(days=330))
        .not_valid_after(ends)
        .sign(key, algorithm)
    )


GOOD = certificate(KEY, NOW + timedelta(days=300))
EXPIRED = certificate(KEY, EXPIRED_ON)
PEM, DER = EXPIRED.public_bytes(Encoding.PEM), EXPIRED.public_bytes(Encoding.DER)
SPKI_PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
CARRIERS = {
    "PEM": PEM,
    "PEM with CRLF": PEM.replace(b"\n", b"\r\n"),
    "PEM with CR alone": PEM.replace(b"\n", b"\r"),
    "PEM with a byte order mark": b"\xef\xbb\xbf" + PEM,
    "PEM with text before it": b"Bag Attributes\n    friendlyName: api\nsubject=CN = apicaller\n\n" + PEM,
    "PEM with text after it": PEM + b"\n\nkeep this file\n",
    "PEM with a byte order mark and text": b"\xef\xbb\xbfSafaricom\r\n" + PEM.replace(b"\n", b"\r\n"),
    "PEM with blanks around its lines": PEM.replace(b"\n", b"  \n  "),
    "PEM without a last line end": PEM.strip(),
    "PEM of a chain": PEM + certificate(rsa.generate_private_key(65537, 2048), NOW).public_bytes(Encoding.PEM),
    "PEM that is still valid": GOOD.public_bytes(Encoding.PEM),
    "PEM with an old label": PEM.replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
    "DER": DER,
    "public key, PEM": SPKI_PEM,
    "public key, PEM with CRLF": SPKI_PEM.replace(b"\n", b"\r\n"),
    "public key, DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "public key, PKCS#1 PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "public key, PKCS#1 DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.PKCS1),
}
PASSWORDS = {
    "plain": b"Safe#Pass%2026",
    "one letter": b"x",
    "with blanks": b"  two words and a blank at the end ",
    "with a line end": b"typed\n",
    "UTF-8": "pässwörd-日本-🔑".encode(),
    "no text at all": bytes(range(200)),
    "the longest": b"p" * 245,
}


def decrypted(credential: str, key: rsa.RSAPrivateKey = KEY) -> bytes:
    return key.decrypt(base64.b64decode(credential, validate=True), padding.PKCS1v15())


@pytest.mark.parametrize("content", CARRIERS.values(), ids=list(CARRIERS))
def test_any_file_that_carries_the_key_makes_a_credential(content: bytes) -> None:
    read = read_certificate(content, NOW)
    assert read.bits == 2048
    assert read.key.public_numbers() == PUBLIC.public_numbers()
    credential = encrypt_password(b"Safe#Pass%2026", read)
    assert len(credential) == 344
    assert decrypted(credential) == b"Safe#Pass%2026"


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=list(PASSWORDS))
def test_the_credential_holds_exactly_the_password_on_one_line_of_344_characters(password: bytes) -> None:
    credential = encrypt_password(password, read_certificate(PEM, NOW))
    assert len(credential) == 344
    assert credential.isascii()
    assert credential.split() == [credential]
    assert decrypted(credential) == password


@pytest.mark.system
@pytest.mark.parametrize("password", PASSWORDS.values(), ids=list(PASSWORDS))
def test_openssl_finds_exactly_the_password_in_the_credential(password: bytes, tmp_path: Path, openssl: str) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    credential = encrypt_password(password, read_certificate(DER, NOW))
    found = subprocess.run(
        [openssl, "pkeyutl", "-decrypt", "-inkey", str(key), "-pkeyopt", "rsa_padding_mode:pkcs1"],
        input=base64.b64decode(credential),
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert found.stdout == password


@pytest.mark.system
def test_openssl_writes_a_certificate_that_we_read(tmp_path: Path, openssl: str) -> None:
    key, made = tmp_path / "key.pem", tmp_path / "made.cer"
    key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    command = [openssl, "req", "-x509", "-new", "-key", str(key), "-subj", "/CN=made", "-days", "2", "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    listing = [openssl, "x509", "-in", str(made), "-text"]
    with_text = subprocess.run(listing, check=True, capture_output=True, timeout=30).stdout
    assert with_text.startswith(b"Certificate:")
    for content in (made.read_bytes(), with_text):
        assert decrypted(encrypt_password(b"password", read_certificate(content))) == b"password"


def test_every_run_gives_another_credential_of_the_same_password() -> None:
    read = read_certificate(PEM, NOW)
    credentials = {encrypt_password(b"password", read) for _ in range(5)}
    assert len(credentials) == 5
    assert {decrypted(credential) for credential in credentials} == {b"password"}


def test_another_key_does_not_open_the_credential() -> None:
    other = rsa.generate_private_key(65537, 2048)
    credential = encrypt_password(b"password", read_certificate(PEM, NOW))
    try:
        assert decrypted(credential, other) != b"password"
    except ValueError:
        return


def test_an_expired_certificate_is_noted_and_not_refused() -> None:
    assert read_certificate(PEM, NOW).expired_on == EXPIRED_ON
    assert read_certificate(DER, NOW).expired_on == EXPIRED_ON
    assert read_certificate(GOOD.public_bytes(Encoding.PEM), NOW).expired_on is None
    assert read_certificate(GOOD.public_bytes(Encoding.PEM), NOW + timedelta(days=301)).expired_on is not None
    assert read_certificate(SPKI_PEM, NOW).expired_on is None


@pytest.mark.system
def test_the_fingerprint_is_the_one_that_openssl_shows(openssl: str) -> None:
    command = [openssl, "x509", "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(command, input=PEM, capture_output=True, check=True, timeout=30).stdout.decode()
    assert shown.strip().partition("=")[2] == read_certificate(PEM, NOW).fingerprint
    assert read_certificate(DER, NOW).fingerprint == read_certificate(PEM, NOW).fingerprint


def test_a_bare_key_has_the_same_fingerprint_in_every_form() -> None:
    forms = [content for name, content in CARRIERS.items() if name.startswith("public key")]
    assert len({read_certificate(content, NOW).fingerprint for content in forms}) == 1


EC_KEY, ED_KEY = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
PRIVATE = {
    "PKCS#8": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    "PKCS#1": KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "encrypted": KEY.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"long enough")
    ),
}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"garbage", "is damaged or is no certificate"),
        (b"\x30\x82\x05\x00" + bytes(300), "is damaged or is no certificate"),
        (b"<html><body>Please log in</body></html>", "is damaged or is no certificate"),
        (PEM[:200], "is damaged or is no certificate"),
        (PEM.replace(b"MII", b"!!!", 1), "is damaged or is no certificate"),
        (DER[:-20], "is damaged or is no certificate"),
        (SPKI_PEM.replace(b"MII", b"AAA", 1), "is damaged or is no certificate"),
        (certificate(EC_KEY, NOW).public_bytes(Encoding.PEM), "is not RSA"),
        (certificate(EC_KEY, NOW).public_bytes(Encoding.DER), "is not RSA"),
        (certificate(ED_KEY, NOW).public_bytes(Encoding.PEM), "is not RSA"),
        (EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "is not RSA"),
        (EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), "is not RSA"),
        (PRIVATE["PKCS#8"], "holds a private key, not a certificate"),
        (PRIVATE["PKCS#1"], "holds a rsa private key, not a certificate"),
        (PRIVATE["encrypted"], "holds a encrypted private key, not a certificate"),
        (KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "is damaged or is no certificate"),
        (PEM.replace(b" CERTIFICATE-", b" CERTIFICATE REQUEST-"), "holds a certificate request, not a certificate"),
        (base64.b64encode(DER), "is damaged or is no certificate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_what_carries_no_usable_key_is_refused_with_what_is_wrong(content: bytes, what: str) -> None:
    with pytest.raises(RuleRefused) as refused:
        read_certificate(content, NOW)
    assert what in refused.value.message
    assert refused.value.code == "bad_certificate"
    assert refused.value.exit_status == 1
    assert "portal" in refused.value.hint


@pytest.mark.parametrize("length", [246, 1_000])
def test_a_password_longer_than_the_key_can_carry_is_refused_and_not_cut(length: int) -> None:
    with pytest.raises(RuleRefused, match=f"{length} bytes long, .*can carry 245"):
        encrypt_password(b"p" * length, read_certificate(PEM, NOW))


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(RuleRefused, match="The password is empty"):
        encrypt_password(b"", read_certificate(PEM, NOW))


def test_a_refused_password_is_not_in_the_message() -> None:
    with pytest.raises(RuleRefused) as refused:
        encrypt_password(b"do-not-show-this" * 20, read_certificate(PEM, NOW))
    assert "do-not-show-this" not in refused.value.message + refused.value.hint
