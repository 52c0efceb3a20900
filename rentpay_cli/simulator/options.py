"""What a simulator can be told at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Safaricom's public sandbox values, so that a client set up for the sandbox works unchanged.
SANDBOX_SHORT_CODE = "174379"
SANDBOX_PASSKEY = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
SANDBOX_INITIATOR_NAME = "testapi"
SANDBOX_INITIATOR_PASSWORD = "Safaricom123!"  # noqa: S105 - published by Safaricom, and opens nothing

DEFAULT_PORT = 8600
LONGEST_PASSWORD_BYTES = 245  # what PKCS#1 v1.5 leaves of a 2048-bit key
UNKNOWN_PAYBILL = "999999"


class BadOption(ValueError):
    """An option has a value that the simulator cannot use."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings of one simulator. Durations are in seconds, the float in whole shillings."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    callback_port: int = 8000
    home: Path | None = None
    """Where the key pair is kept; None means the user's data folder."""

    short_code: str = SANDBOX_SHORT_CODE
    passkey: str = SANDBOX_PASSKEY
    consumer_key: str | None = None
    """None: any key is accepted."""
    consumer_secret: str | None = None
    initiator_name: str = SANDBOX_INITIATOR_NAME
    initiator_password: str = SANDBOX_INITIATOR_PASSWORD
    accept_any_credential: bool = False

    working: int = 0
    unknown_paybills: frozenset[str] = frozenset()
    """Besides 999999, which never exists."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Organisation names by short code."""

    delay_seconds: float = 0.5
    prompt_gap_seconds: float = 60.0
    """A phone is sent at most one prompt in this time."""
    token_lifetime_seconds: int = 3599
    seed: int = 0
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would only fail later, in the middle of a request."""
        for short_code in (self.short_code, *self.unknown_paybills, *self.names):
            if not is_short_code(short_code):
                raise BadOption(f"{short_code!r} is not a short code: it has 5 to 7 digits, such as 174379.")
        for what, number in (
            ("the delay", self.delay_seconds),
            ("the prompt gap", self.prompt_gap_seconds),
            ("the token lifetime", self.token_lifetime_seconds),
            ("the working float", self.working),
        ):
            if not 0 <= number < 1e12:
                raise BadOption(f"{number} is no good for {what}: it must be 0 or more.")
        if not self.passkey or not self.initiator_name or not self.initiator_password:
            raise BadOption("The passkey, the initiator name and the initiator password must not be empty.")
        if len(self.initiator_password.encode()) > LONGEST_PASSWORD_BYTES:
            raise BadOption(
                f"The initiator password is too long: {LONGEST_PASSWORD_BYTES} bytes fit into a credential."
            )


def is_short_code(text: str) -> bool:
    """Whether this could be a paybill or till number."""
    return 5 <= len(text) <= 7 and text.isascii() and text.isdigit()


def name_of(short_code: str, names: Mapping[str, str]) -> str:
    """The name of the organisation behind a short code."""
    return names.get(short_code) or f"Organisation {short_code}"


def read_name(text: str) -> tuple[str, str]:
    """Split `600000=Sunset Homes` into short code and name."""
    short_code, equals, name = text.partition("=")
    if not equals or not name.strip() or not is_short_code(short_code.strip()):
        raise BadOption(f"{text!r} does not name an organisation: write it like 600000=Sunset Homes.")
    return short_code.strip(), name.strip()
