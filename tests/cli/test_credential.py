"""`credential`: the password goes in by file, standard input or a hidden prompt, and only the credential comes out."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from tests.cli.conftest import OFFLINE, Cli

ENCRYPT = (sys.executable, "-m", "rentpay_cli", "credential", "encrypt")


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: Any = None, *, ends: datetime | None = None) -> x509.Certificate:
    key = key or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test")])
    ends = ends or datetime.now(UTC) + timedelta(days=30)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=60))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )


def pem(content: x509.Certificate) -> bytes:
    return content.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    path = tmp_path / "test.cer"
    path.write_bytes(pem(certificate()))
    return path


def decrypted(credential: str) -> bytes:
    """What is in a credential, by the key that only M-Pesa has."""
    return rsa_key().decrypt(base64.b64decode(credential, validate=True), padding.PKCS1v15())


def encrypt(*arguments: str | Path, password: bytes | None = b"secret") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*ENCRYPT, *arguments], input=password, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"Safaricom999!*!", b"Safaricom999!*!"),
        (b"Safaricom999!*!\n", b"Safaricom999!*!"),
        (b"Safaricom999!*!\r\n", b"Safaricom999!*!"),
        ("pässwörd€\n".encode(), "pässwörd€".encode()),
        (b" with blanks \n", b" with blanks "),
        (b"#$%&'\"\\`", b"#$%&'\"\\`"),
        (b"x" * 245, b"x" * 245),
    ],
)
@pytest.mark.parametrize("way", ["file", "standard input", "dash"])
def test_the_credential_holds_exactly_the_password(
    tmp_path: Path, cert: Path, content: bytes, password: bytes, way: str
) -> None:
    path = tmp_path / "password.txt"
    path.write_bytes(content)
    arguments = {"file": ("--password-file", path), "dash": ("--password-file", "-"), "standard input": ()}[way]
    done = encrypt("--certificate", cert, *arguments, password=None if way == "file" else content)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert (len(text), text.count("\n"), text[-1]) == (345, 1, "\n")
    assert decrypted(text.strip()) == password
    assert content.strip() not in done.stdout + done.stderr


@pytest.mark.system
def test_openssl_finds_the_password_in_the_credential(tmp_path: Path, cert: Path, openssl: str) -> None:
    key = tmp_path / "key.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(rsa_key().private_bytes(*form))
    done = subprocess.run(
        [openssl, "pkeyutl", "-decrypt", "-inkey", key, "-pkeyopt", "rsa_padding_mode:pkcs1"],
        input=base64.b64decode(encrypt("--certificate", cert, password="pässwörd€".encode()).stdout),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "pässwörd€"


def test_the_hidden_prompt_shows_nothing_of_the_password(cert: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*ENCRYPT, "--certificate", cert],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,  # the password must not be asked of the terminal that runs the tests
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )
    os.close(terminal)
    seen = _read_until(controller, b"Password of the API operator")
    time.sleep(0.2)  # getpass turns the echo off after it has written the question
    os.write(controller, b"Safaricom999!*!\n")
    out, _ = process.communicate(timeout=20)
    seen += _rest(controller)
    os.close(controller)
    assert process.returncode == 0
    assert decrypted(out.decode().strip()) == b"Safaricom999!*!"
    assert b"Safaricom999" not in seen


def _read_until(terminal: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        seen += os.read(terminal, 1000)
    return seen


def _rest(terminal: int) -> bytes:
    seen = b""
    try:
        while more := os.read(terminal, 1000):
            seen += more
    except OSError:  # the other end is closed
        pass
    return seen


def test_json_is_one_document_and_the_talk_is_on_standard_error(cert: Path) -> None:
    import json

    done = encrypt("--certificate", cert, "--json")
    content = json.loads(done.stdout)
    assert set(content) == {"success", "securityCredential", "keyBits", "fingerprint"}
    assert decrypted(content["securityCredential"]) == b"secret"
    assert b"fingerprint SHA-256" in done.stderr


def test_an_expired_certificate_is_used_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "old.cer"
    path.write_bytes(pem(certificate(ends=datetime(2020, 1, 2, tzinfo=UTC))))
    done = encrypt("--certificate", path)
    assert done.returncode == 0
    assert b"expired on 02 Jan 2020" in done.stderr
    assert decrypted(done.stdout.decode().strip()) == b"secret"


@pytest.mark.parametrize("form", ["crlf", "bom", "text before", "der", "public key", "public key der"])
def test_every_form_of_certificate_is_read(tmp_path: Path, form: str) -> None:
    plain, key = pem(certificate()), rsa_key().public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    content = {
        "crlf": plain.replace(b"\n", b"\r\n"),
        "bom": b"\xef\xbb\xbf" + plain,
        "text before": b"Certificate:\n    Data: x\n" + plain,
        "der": certificate().public_bytes(serialization.Encoding.DER),
        "public key": key.public_bytes(serialization.Encoding.PEM, info),
        "public key der": key.public_bytes(serialization.Encoding.DER, info),
    }[form]
    path = tmp_path / "test.cer"
    path.write_bytes(content)
    done = encrypt("--certificate", path)
    assert done.returncode == 0, done.stderr
    assert decrypted(done.stdout.decode().strip()) == b"secret"


@pytest.mark.parametrize("what", ["not RSA", "garbage", "empty", "private key", "half"])
def test_a_file_that_is_no_certificate_is_refused_with_a_sentence(cli: Cli, tmp_path: Path, what: str) -> None:
    private = rsa_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "not RSA": pem(certificate(ec.generate_private_key(ec.SECP256R1()))),
        "garbage": b"<html>404</html>",
        "empty": b"\n",
        "private key": private,
        "half": pem(certificate())[:400],
    }[what]
    path, password = tmp_path / "bad.cer", tmp_path / "password"
    path.write_bytes(content)
    password.write_text("secret")
    ran = cli("credential", "encrypt", "--certificate", str(path), "--password-file", str(password), "--json")
    assert ran.refusal == (1, "bad_certificate")
    assert str(path) in ran.json["error"]["message"]
    assert "Daraja portal" in ran.json["error"]["hint"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 1, "empty"),
        (b"\n", 1, "empty"),
        (b"x" * 246, 1, "246 bytes"),
        (b"one\ntwo\n", 2, "more than one line"),
    ],
)
def test_a_password_that_cannot_be_right_is_refused(
    cli: Cli, tmp_path: Path, cert: Path, content: bytes, status: int, words: str
) -> None:
    password = tmp_path / "password"
    password.write_bytes(content)
    ran = cli("credential", "encrypt", "--certificate", str(cert), "--password-file", str(password))
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert "xxx" not in ran.err


def test_files_that_are_not_there_are_named(cli: Cli, cert: Path, elsewhere: Path) -> None:
    for arguments in (
        ("--certificate", str(elsewhere)),
        ("--certificate", str(cert), "--password-file", str(elsewhere)),
    ):
        ran = cli("credential", "encrypt", *arguments, "--json")
        assert ran.refusal == (3, "not_found")
        assert str(elsewhere) in ran.json["error"]["message"]


def test_a_password_is_never_taken_from_an_argument(cli: Cli, cert: Path) -> None:
    for arguments in (("--password", "secret"), ("secret",)):
        assert cli("credential", "encrypt", "--certificate", str(cert), *arguments).status == 2


def test_the_certificate_may_come_from_the_settings_which_need_not_be_complete(
    cli: Cli, tmp_path: Path, cert: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    ran = cli("credential", "encrypt", "--password-file", str(password), "--json")
    assert ran.refusal == (4, "configuration")
    assert "MPESA_CERTIFICATE" in ran.json["error"]["hint"]
    cli.configure(MPESA_CERTIFICATE=str(cert))
    assert cli("credential", "encrypt", "--password-file", str(password)).status == 0


@pytest.mark.parametrize(
    ("credential", "status"), [(base64.b64encode(b"x" * 256).decode(), 0), ("Y3JlZA==", 4), ("not base64!", 4)]
)
def test_the_shape_of_the_configured_credential_is_checked(cli: Cli, credential: str, status: int) -> None:
    cli.configure(MPESA_SECURITY_CREDENTIAL=credential)
    ran = cli("credential", "check", "--json")
    assert ran.status == status
    if status:
        assert ran.refusal == (4, "configuration")
        assert credential not in ran.out
    else:
        assert set(ran.json) == {"success", "message", "characters"}
        assert ran.json["characters"] == 344


def test_a_missing_credential_is_named(cli: Cli) -> None:
    cli.forget("MPESA_SECURITY_CREDENTIAL")
    ran = cli("credential", "check")
    assert ran.status == 4
    assert "MPESA_SECURITY_CREDENTIAL is not set" in ran.err


def test_a_certificate_that_may_not_be_read_need_not_be_downloaded(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cli("credential", "encrypt", "--certificate", str(tmp_path), "--json")
    assert folder.refusal == (3, "not_found")
    assert folder.json["error"]["message"] == f"'{tmp_path}' is a folder."

    def forbidden(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    ran = cli("credential", "encrypt", "--certificate", "their.cer", "--json")
    assert ran.refusal == (4, "configuration")
    assert "chmod" in ran.json["error"]["hint"]
    assert "Download" not in ran.json["error"]["hint"]
