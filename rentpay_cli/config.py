"""Settings from the environment, `--env-file` and `.env`, checked before anything is opened or sent.

Every value that is present is checked when it is read; what a command needs beyond that it asks for by `require`.
"""

from __future__ import annotations

import base64
import binascii
import io
import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from rentpay_cli.core.fee import parse_percentage
from rentpay_cli.core.limits import Limits
from rentpay_cli.core.money import parse_cents
from rentpay_cli.core.redact import know_secrets
from rentpay_cli.errors import BadConfiguration

ENVIRONMENTS = ("simulator", "sandbox", "production")
BASE_URLS = {"sandbox": "https://sandbox.safaricom.co.ke", "production": "https://api.safaricom.co.ke"}
COLLECTION_PATH = "/api/payments/callback"
PAYOUT_PATH = "/api/payments/b2b-callback"

# Safaricom's published callback sources (Daraja, callback delivery).
SAFARICOM_ADDRESSES = (
    "196.201.214.200,196.201.214.206,196.201.214.207,196.201.214.208,196.201.213.114,196.201.213.44,"
    "196.201.212.127,196.201.212.138,196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69"
)

SECRETS = ("MPESA_CONSUMER_KEY", "MPESA_CONSUMER_SECRET", "MPESA_PASSKEY", "MPESA_SECURITY_CREDENTIAL")
EXAMPLES = {
    "MPESA_ENVIRONMENT": "sandbox",
    "MPESA_CONSUMER_KEY": "the key of your app on developer.safaricom.co.ke",
    "MPESA_CONSUMER_SECRET": "the secret of your app on developer.safaricom.co.ke",
    "MPESA_BUSINESS_SHORT_CODE": "174379",
    "MPESA_PASSKEY": "the passkey that came with your paybill's go-live",
    "MPESA_CALLBACK_URL": "https://rent.example.co.ke/api/payments/callback",
    "MPESA_INITIATOR_NAME": "rentapi",
    "MPESA_SECURITY_CREDENTIAL": "the line that `rentpay credential encrypt` prints",
    "MPESA_B2B_CALLBACK_URL": "https://rent.example.co.ke/api/payments/b2b-callback",
    "MPESA_TIMEOUT_URL": "https://rent.example.co.ke/api/payments/b2b-callback",
    "MPESA_CERTIFICATE": "/etc/rentpay/ProductionCertificate.cer",
    "MPESA_BASE_URL": "http://127.0.0.1:8600",
    "PLATFORM_FEE_PERCENTAGE": "5",
    "AUTO_DISBURSEMENT": "false",
    "RENTPAY_DATABASE_URL": "postgresql+psycopg://rentpay@db.example.co.ke/rentpay",
    "RENTPAY_CALLBACK_ALLOWED_IPS": "196.201.214.200,196.201.212.0/24",
    "RENTPAY_TRUSTED_PROXIES": "127.0.0.1",
    "RENTPAY_CONFIRM_COLLECTION": "true",
    "RENTPAY_LIMIT_TRANSFER": "250000",
    "RENTPAY_LIMIT_DAY": "2000000",
    "RENTPAY_LIMIT_OWNER_DAY": "500000",
    "RENTPAY_PAYOUTS_PER_MINUTE": "60",
    "RENTPAY_LOW_FLOAT": "50000",
    "RENTPAY_NOTIFY_OPERATOR": "mailto://user:password@mail.example.co.ke?to=operator@example.co.ke",
    "RENTPAY_NOTIFY_OWNER_EMAIL": "mailto://user:password@mail.example.co.ke?to={email}",
    "RENTPAY_NOTIFY_OWNER_SMS": "atalk://username@api-key/{phone}",
    "RENTPAY_NOTIFY_TEMPLATES": "/etc/rentpay/notices",
}
NAMES = tuple(EXAMPLES)

COLLECT = (
    "MPESA_CONSUMER_KEY",
    "MPESA_CONSUMER_SECRET",
    "MPESA_BUSINESS_SHORT_CODE",
    "MPESA_PASSKEY",
    "MPESA_CALLBACK_URL",
)
"""What an STK Push needs."""
PAY_OUT = (
    "MPESA_CONSUMER_KEY",
    "MPESA_CONSUMER_SECRET",
    "MPESA_BUSINESS_SHORT_CODE",
    "MPESA_INITIATOR_NAME",
    "MPESA_SECURITY_CREDENTIAL",
    "MPESA_B2B_CALLBACK_URL",
)
"""What a B2B payout, a status query and a balance query need."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The checked settings; secrets do not show in its `repr`."""

    environment: str
    consumer_key: str = field(default="", repr=False)
    consumer_secret: str = field(default="", repr=False)
    short_code: str = ""
    passkey: str = field(default="", repr=False)
    callback_url: str = ""
    initiator_name: str = ""
    security_credential: str = field(default="", repr=False)
    b2b_callback_url: str = ""
    timeout_url: str = ""
    certificate: str = ""
    base_url: str = ""
    fee_percentage: Decimal = Decimal(5)
    auto_disbursement: bool = False
    database_url: str = field(default="", repr=False)
    allowed_networks: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    confirm_collection: bool = False
    limits: Limits = field(default_factory=Limits)
    payouts_per_minute: int | None = 60
    low_float_cents: int = 0
    notify_operator: tuple[str, ...] = field(default=(), repr=False)
    notify_owner_email: str = field(default="", repr=False)
    notify_owner_sms: str = field(default="", repr=False)
    notify_templates: str = ""

    @property
    def is_production(self) -> bool:
        """Whether real money moves."""
        return self.environment == "production"

    def require(self, names: tuple[str, ...]) -> None:
        """Raise `BadConfiguration` naming every setting in `names` that is missing."""
        missing = [name for name in names if not getattr(self, _FIELDS[name])]
        if missing:
            raise _missing(missing)


_FIELDS = {
    "MPESA_ENVIRONMENT": "environment",
    "MPESA_CONSUMER_KEY": "consumer_key",
    "MPESA_CONSUMER_SECRET": "consumer_secret",
    "MPESA_BUSINESS_SHORT_CODE": "short_code",
    "MPESA_PASSKEY": "passkey",
    "MPESA_CALLBACK_URL": "callback_url",
    "MPESA_INITIATOR_NAME": "initiator_name",
    "MPESA_SECURITY_CREDENTIAL": "security_credential",
    "MPESA_B2B_CALLBACK_URL": "b2b_callback_url",
    "MPESA_TIMEOUT_URL": "timeout_url",
    "MPESA_CERTIFICATE": "certificate",
    "MPESA_BASE_URL": "base_url",
}


def load_settings(env_file: str | None = None) -> Settings:
    """Read and check the settings of this process; raises `BadConfiguration`."""
    values = read_values(env_file)
    leave_out_secrets(values)
    return check_settings(values)


def leave_out_secrets(values: Mapping[str, str]) -> None:
    """Let nothing that is kept or shown from now on have a secret of these settings in it."""
    own = {values.get(name, "").strip() for name in SECRETS}
    addresses = [address for value in values.values() if "://" in value for address in value.split()]
    know_secrets("settings", own.union(*map(_secrets_in, addresses)))


_NAMES_A_HOST = ("http", "postgres", "postgresql", "postgresql+psycopg", "sqlite", "mailto", "json", "xml", "form")
"""An address that begins so names a real host; in others of apprise's a key may stand in its place."""


def _secrets_in(address: str) -> set[str]:
    """The passwords and keys in an address, such as apprise's and those of databases."""
    try:
        parts = urlsplit(address)
        found = {parts.password or "", *(value for name, value in parse_qsl(parts.query) if "pass" in name.lower())}
    except ValueError:  # it is no address, so that no password in it can be told apart
        return {address}
    if parts.scheme.rstrip("s") not in _NAMES_A_HOST and parts.scheme not in _NAMES_A_HOST:
        keys = [parts.netloc.rpartition("@")[2], *parts.path.split("/")]
        found |= {key for key in keys if key and not re.search(r"[{}@.]", key)}
    return found | {unquote(value) for value in found}


def read_values(env_file: str | None = None) -> dict[str, str]:
    """Collect our settings: the environment wins over `--env-file`, and that over `.env`."""
    values: dict[str, str] = {}
    for path in _env_files(env_file):
        values.update(_read_env_file(path))
    values.update({name: os.environ[name] for name in NAMES if name in os.environ})
    return {name: value for name, value in values.items() if name in EXAMPLES}


def _env_files(env_file: str | None) -> list[Path]:
    files = [Path(".env")] if Path(".env").is_file() else []
    if env_file:
        if Path(env_file).is_dir():
            raise BadConfiguration(
                f"'{env_file}', given with --env-file, is a folder.", "Name the settings file in it, such as its .env."
            )
        if not Path(env_file).exists():
            raise BadConfiguration(
                f"The file '{env_file}' given with --env-file does not exist.",
                "Check the path, or copy .env.example to it and fill it in.",
            )
        files.append(Path(env_file))
    return files


def _read_env_file(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values

    text = read_env_text(path)
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def read_env_text(path: Path) -> str:
    """The text of a settings file, each line of which can be understood; raises `BadConfiguration`."""
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8")
    except PermissionError as error:
        raise _forbidden(path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(
            f"The settings file '{path}' cannot be read: {error}.",
            "It must be readable UTF-8 text of NAME=value lines.",
        ) from error
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:  # the line itself is not shown: it may be a secret
            before = len(binding.original.string) - len(binding.original.string.lstrip())
            number = binding.original.line + binding.original.string[:before].count("\n")
            raise BadConfiguration(
                f"Line {number} of the settings file '{path}' is not understood.",
                "Write NAME=value, with quotation marks around the whole value or not at all, or # before a remark.",
            )
    return text


def _forbidden(path: Path) -> BadConfiguration:
    try:
        whose = f"it belongs to {path.owner()}"
    except (OSError, KeyError):  # its folder may not be looked into, or its owner has no name
        whose = "it belongs to somebody else"
    return BadConfiguration(
        f"The settings file '{path}' cannot be read by you: {whose}.",
        f"Let it be yours: sudo chown $USER {path}; chmod 600 {path}. Or run rentpay as its owner.",
    )


def read_token() -> str | None:
    """The access token of whoever runs this process: RENTPAY_TOKEN, RENTPAY_TOKEN_FILE, or one's own `token` file.

    It never comes from a settings file: all who use that file would act as its owner. Raises `BadConfiguration`.
    """
    from platformdirs import user_config_path

    token = os.environ.get("RENTPAY_TOKEN", "").strip()
    if token:
        return token
    named = os.environ.get("RENTPAY_TOKEN_FILE", "").strip()
    path = Path(named) if named else user_config_path("rentpay") / "token"
    if not named and not path.exists():
        return None
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            token = file.read(1000).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadConfiguration(
            f"The token file '{path}' cannot be read: {reason}.", "RENTPAY_TOKEN_FILE names a file with your token."
        ) from error
    if mode & 0o077:
        raise BadConfiguration(
            f"The token file '{path}' has mode {mode:04o}: others could read the token.",
            f"Let it be readable by you alone: chmod 600 {path}. If others could read it, ask for a new token.",
        )
    return token


def check_settings(values: Mapping[str, str]) -> Settings:
    """Turn the collected values into `Settings`; raises `BadConfiguration` for the first one that is wrong."""
    for name in SECRETS:
        _refuse_stray_blanks(name, values.get(name, ""))
    given = {name: value.strip() for name, value in values.items() if value.strip()}
    environment = _environment(given)
    callback = _callback_url(given, "MPESA_CALLBACK_URL", COLLECTION_PATH, environment)
    b2b_callback = _callback_url(given, "MPESA_B2B_CALLBACK_URL", PAYOUT_PATH, environment)
    proxies = _networks(given, "RENTPAY_TRUSTED_PROXIES", "")
    allowed = _networks(
        given, "RENTPAY_CALLBACK_ALLOWED_IPS", SAFARICOM_ADDRESSES if environment == "production" else ""
    )
    return Settings(
        environment=environment,
        consumer_key=given.get("MPESA_CONSUMER_KEY", ""),
        consumer_secret=given.get("MPESA_CONSUMER_SECRET", ""),
        short_code=_short_code(given),
        passkey=given.get("MPESA_PASSKEY", ""),
        callback_url=callback,
        initiator_name=given.get("MPESA_INITIATOR_NAME", ""),
        security_credential=_credential(given, environment),
        b2b_callback_url=b2b_callback,
        timeout_url=_callback_url(given, "MPESA_TIMEOUT_URL", PAYOUT_PATH, environment) or b2b_callback,
        certificate=given.get("MPESA_CERTIFICATE", ""),
        base_url=_base_url(given, environment),
        fee_percentage=_fee(given),
        auto_disbursement=_switch(given, "AUTO_DISBURSEMENT"),
        database_url=_database_url(given, environment),
        allowed_networks=allowed,
        trusted_proxies=proxies,
        confirm_collection=_switch(given, "RENTPAY_CONFIRM_COLLECTION"),
        limits=Limits(
            transfer_cents=_shillings(given, "RENTPAY_LIMIT_TRANSFER") or Limits().transfer_cents,
            day_cents=_shillings(given, "RENTPAY_LIMIT_DAY"),
            owner_day_cents=_shillings(given, "RENTPAY_LIMIT_OWNER_DAY"),
        ),
        payouts_per_minute=_per_minute(given, "RENTPAY_PAYOUTS_PER_MINUTE"),
        low_float_cents=_shillings(given, "RENTPAY_LOW_FLOAT") or 0,
        notify_operator=_notify_operator(given),
        notify_owner_email=_notify_owner(given, "RENTPAY_NOTIFY_OWNER_EMAIL", "{email}"),
        notify_owner_sms=_notify_owner(given, "RENTPAY_NOTIFY_OWNER_SMS", "{phone}"),
        notify_templates=given.get("RENTPAY_NOTIFY_TEMPLATES", ""),
    )


def _missing(names: list[str]) -> BadConfiguration:
    if len(names) == 1:
        if names[0] == "MPESA_ENVIRONMENT":
            return BadConfiguration(
                "MPESA_ENVIRONMENT is not set, so that there is no M-Pesa to act on.",
                "Set everything up: rentpay init. To practise: rentpay init --environment simulator, or rentpay demo. "
                "By hand: set it in the environment or in .env, for example MPESA_ENVIRONMENT=sandbox",
            )
        return BadConfiguration(
            f"{names[0]} is not set.",
            f"Set it in the environment or in .env, for example {names[0]}={EXAMPLES[names[0]]}",
        )
    return BadConfiguration(
        f"{', '.join(names[:-1])} and {names[-1]} are not set.",
        "Set them in the environment or in .env; .env.example explains each. For practice, `rentpay simulator` "
        "prints a block that works.",
    )


def _bad(name: str, what: str) -> BadConfiguration:
    return BadConfiguration(f"{name} {what}.", f"For example: {name}={EXAMPLES[name]}")


def _refuse_stray_blanks(name: str, value: str) -> None:
    if not value.strip():
        return
    if value != value.strip() or re.search(r"\s", value):
        where = "begins or ends with" if value != value.strip() else "contains"
        raise BadConfiguration(
            f"{name} {where} a blank or a line break, which M-Pesa answers with an error such as 2001.",
            "Write the value on one line, without blanks around or inside it.",
        )


def _environment(given: Mapping[str, str]) -> str:
    value = given.get("MPESA_ENVIRONMENT", "")
    if not value:
        raise _missing(["MPESA_ENVIRONMENT"])
    if value not in ENVIRONMENTS:
        raise _bad("MPESA_ENVIRONMENT", f"is '{value}', but must be simulator, sandbox or production")
    return value


def _short_code(given: Mapping[str, str]) -> str:
    value = given.get("MPESA_BUSINESS_SHORT_CODE", "")
    if value and not re.fullmatch(r"[0-9]{5,7}", value):
        raise _bad("MPESA_BUSINESS_SHORT_CODE", f"is '{value}', but a paybill is 5 to 7 digits")
    return value


def _callback_url(given: Mapping[str, str], name: str, path: str, environment: str) -> str:
    value = given.get(name, "").rstrip("/")
    if not value:
        return ""
    parts = _parts(name, value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _bad(name, f"is '{value}', but must be a full address that begins with https://")
    if environment == "production" and parts.scheme != "https":
        raise _bad(name, "begins with http://, but Safaricom calls only https:// in production")
    if parts.query or parts.fragment or not parts.path.endswith(path):
        raise _bad(name, f"is '{value}', but must end in {path}")
    return value


def _parts(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for a port that is none
        if not re.search(r"\s", value):
            return parts
    except ValueError:
        pass
    raise _bad(name, f"is '{value}', whose host or port is broken")


def _base_url(given: Mapping[str, str], environment: str) -> str:
    value = given.get("MPESA_BASE_URL", "").rstrip("/")
    if value and environment == "production":
        raise BadConfiguration(
            "MPESA_BASE_URL is set, but with MPESA_ENVIRONMENT=production only Safaricom's own host is right.",
            "Remove MPESA_BASE_URL, or choose another environment.",
        )
    if not value:
        if environment == "simulator":
            raise BadConfiguration(
                "MPESA_BASE_URL is not set, but MPESA_ENVIRONMENT=simulator needs the address of a local M-Pesa.",
                "Start `rentpay simulator` and copy the block that it prints into .env, "
                f"for example MPESA_BASE_URL={EXAMPLES['MPESA_BASE_URL']}",
            )
        return BASE_URLS[environment]
    parts = _parts("MPESA_BASE_URL", value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise _bad("MPESA_BASE_URL", f"is '{value}', but must be an address such as http://host:port")
    return value


def _credential(given: Mapping[str, str], environment: str) -> str:
    value = given.get("MPESA_SECURITY_CREDENTIAL", "")
    if value and environment == "production":
        problem = credential_problem(value)
        if problem:
            raise _bad("MPESA_SECURITY_CREDENTIAL", problem)
    return value


def credential_problem(value: str) -> str:
    """What is wrong with the shape of a security credential, or an empty text (Daraja, security credential)."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64, so it is no encrypted password"
    if len(raw) != 256:
        return f"holds {len(raw)} bytes ({len(value)} characters), but Safaricom's keys make 256 bytes (344 characters)"
    return ""


def _fee(given: Mapping[str, str]) -> Decimal:
    try:
        return parse_percentage(given.get("PLATFORM_FEE_PERCENTAGE", "5"))
    except ValueError as error:
        raise _bad("PLATFORM_FEE_PERCENTAGE", f"is wrong: {error}") from None


def _switch(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false").lower()
    if value not in ("true", "false"):
        raise _bad(name, f"is '{given[name]}', but must be true or false")
    return value == "true"


def _per_minute(given: Mapping[str, str], name: str) -> int | None:
    """How many a minute, 60 unless it is set; None for no limit."""
    value = given.get(name, "60")
    if value == "off":
        return None
    if not re.fullmatch(r"[0-9]{1,4}", value) or not int(value):
        raise _bad(name, f"is '{value}', but must be a whole number from 1 to 9999, or off for no limit")
    return int(value)


def _shillings(given: Mapping[str, str], name: str) -> int | None:
    """The setting in cents, or None if it is not set."""
    if name not in given:
        return None
    try:
        return parse_cents(given[name])
    except ValueError as error:
        raise _bad(name, f"is wrong: {error}") from None


def _notify_operator(given: Mapping[str, str]) -> tuple[str, ...]:
    urls = tuple(given.get("RENTPAY_NOTIFY_OPERATOR", "").split())
    if not all(_URL.match(url) for url in urls):  # the value is not shown: it holds a password
        raise _bad("RENTPAY_NOTIFY_OPERATOR", "must be one or more apprise addresses, with blanks between them")
    return urls


def _notify_owner(given: Mapping[str, str], name: str, place: str) -> str:
    url = given.get(name, "")
    if url and not (_URL.match(url) and place in url):
        raise _bad(name, f"must be one apprise address with {place} where the owner's goes")
    return url


_URL = re.compile(r"[a-z0-9]+://\S+\Z")


def _networks(given: Mapping[str, str], name: str, default: str) -> tuple[Network, ...]:
    networks = []
    for part in re.split(r"[,\s]+", given.get(name, default)):
        if not part:
            continue
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            raise _bad(name, f"contains '{part}', which is no IP address or network") from None
    return tuple(networks)


def _database_url(given: Mapping[str, str], environment: str) -> str:
    value = given.get("RENTPAY_DATABASE_URL", "")
    if not value:
        from platformdirs import user_data_path

        return f"sqlite:///{user_data_path('rentpay') / environment}.db"
    if value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return value
    if value.startswith("postgresql+psycopg://"):
        return value
    if value.startswith(("postgres://", "postgresql://")):
        return "postgresql+psycopg://" + value.split("://", 1)[1]
    raise _bad("RENTPAY_DATABASE_URL", "must begin with sqlite:/// and a file, or with postgresql+psycopg://")
