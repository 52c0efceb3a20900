"""`rentpay credential`: the encrypted password that payouts need."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rentpay_cli.cli import show
from rentpay_cli.cli.common import Command, invocation, talk

app = typer.Typer(no_args_is_help=True)


@app.command("encrypt", cls=Command)
def encrypt(
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Safaricom's certificate, PEM or DER; MPESA_CERTIFICATE otherwise."),
    ] = None,
    password_file: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Read the password from a file, or from standard input (-).")
    ] = None,
) -> None:
    """Encrypt the API operator's password under Safaricom's certificate, for MPESA_SECURITY_CREDENTIAL.

    The password is asked for without being shown, or read from a file or from standard input; never from an argument,
    which other users of the machine could read. One line end after it is ignored. Only the credential goes to standard
    output.

    Examples:
    rentpay credential encrypt --certificate ProductionCertificate.cer
    rentpay credential encrypt --certificate ProductionCertificate.cer --password-file password.txt > credential.txt
    """
    from rentpay_cli.core.redact import know_secrets
    from rentpay_cli.daraja.credential import encrypt_password, read_certificate
    from rentpay_cli.errors import RuleRefused

    file = _certificate_file(certificate)
    try:
        read = read_certificate(_bytes_of(file))
    except RuleRefused as error:
        raise RuleRefused(f"{file}: {error.message}", error.hint, code=error.code) from error
    password = _password(password_file)
    know_secrets("initiator", {password.strip().decode("utf-8", "surrogateescape")})
    if password != password.strip():
        talk("Note: the password begins or ends with a blank, which M-Pesa may refuse with error 2001.")
    credential = encrypt_password(password, read)
    if read.expired_on is not None:
        talk(
            f"Note: the certificate expired on {read.expired_on:%d %b %Y}. All that Safaricom publishes have; "
            "only its key is used."
        )
    talk(f"Key: RSA, {read.bits} bits, fingerprint SHA-256 {read.fingerprint}")
    if show.wants_json():
        show.document(securityCredential=credential, keyBits=read.bits, fingerprint=read.fingerprint)
    else:
        typer.echo(credential)
        show.next_step("Put it into .env: MPESA_SECURITY_CREDENTIAL=… (one line), then: rentpay credential check")


@app.command("check", cls=Command)
def check() -> None:
    """Say whether the configured credential has the right shape.

    Whether it was made with the right certificate and the right password only M-Pesa can tell.

    Examples:
    rentpay credential check
    """
    from rentpay_cli.config import credential_problem, load_settings
    from rentpay_cli.errors import BadConfiguration

    settings = load_settings(invocation().env_file)
    settings.require(("MPESA_SECURITY_CREDENTIAL",))
    problem = credential_problem(settings.security_credential)
    if problem:
        raise BadConfiguration(
            f"MPESA_SECURITY_CREDENTIAL {problem}.",
            "Make a new one with: rentpay credential encrypt --certificate FILE",
        )
    words = "MPESA_SECURITY_CREDENTIAL has the right shape: 256 bytes in 344 characters."
    if show.wants_json():
        show.document(message=words, characters=len(settings.security_credential))
    else:
        show.line(words)


def _certificate_file(given: Path | None) -> Path:
    from rentpay_cli.config import read_values
    from rentpay_cli.errors import BadConfiguration

    if given is not None:
        return given
    named = read_values(invocation().env_file).get("MPESA_CERTIFICATE", "").strip()
    if not named:
        raise BadConfiguration(
            "No certificate was named.",
            "Add --certificate FILE, or set MPESA_CERTIFICATE to Safaricom's certificate.",
        )
    return Path(named)


def _bytes_of(given: Path) -> bytes:
    from rentpay_cli.errors import BadConfiguration, NotFound

    try:
        return given.read_bytes()
    except PermissionError as error:
        raise BadConfiguration(
            f"The certificate '{given}' cannot be read by you: {error.strerror}.",
            "Let yourself read it, with chmod or as its owner; it holds no secret.",
        ) from error
    except IsADirectoryError as error:
        raise NotFound(f"'{given}' is a folder.", "Name the certificate itself with --certificate.") from error
    except OSError as error:
        raise NotFound(
            f"The certificate '{given}' cannot be read: {error.strerror}.",
            "Download it from the Daraja portal and name it with --certificate.",
        ) from error


def _password(source: str | None) -> bytes:
    from rentpay_cli.errors import NotFound, WrongUse

    if source is None and sys.stdin.isatty():
        typed = typer.prompt("Password of the API operator", hide_input=True, err=True)
        return str(typed).encode()
    if source in (None, "-"):
        content = sys.stdin.buffer.read()
    else:
        try:
            content = Path(str(source)).read_bytes()
        except OSError as error:
            raise NotFound(
                f"The password file '{source}' cannot be read: {error.strerror}.", "Check --password-file."
            ) from error
    password = content.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in password or b"\r" in password:
        raise WrongUse("The password has more than one line.", "Put the password alone on one line.")
    return password
