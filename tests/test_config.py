"""The settings: every name, where it may come from, and what is said when it is wrong."""

from __future__ import annotations

import base64
import ipaddress
from decimal import Decimal
from pathlib import Path

import pytest

from rentpay_cli.config import (
    COLLECT,
    NAMES,
    PAY_OUT,
    SAFARICOM_ADDRESSES,
    Settings,
    check_settings,
    credential_problem,
    load_settings,
    read_values,
)
from rentpay_cli.core.limits import Limits
from rentpay_cli.errors import BadConfiguration

CREDENTIAL = base64.b64encode(bytes(range(256))).decode()
EVERY_NAME = {
    "MPESA_ENVIRONMENT": "sandbox",
    "MPESA_CONSUMER_KEY": "a-made-up-key",
    "MPESA_CONSUMER_SECRET": "a-made-up-secret",
    "MPESA_BUSINESS_SHORT_CODE": "174379",
    "MPESA_PASSKEY": "a-made-up-passkey",
    "MPESA_CALLBACK_URL": "https://rent.example.co.ke/api/payments/callback",
    "MPESA_INITIATOR_NAME": "rentapi",
    "MPESA_SECURITY_CREDENTIAL": CREDENTIAL,
    "MPESA_B2B_CALLBACK_URL": "https://rent.example.co.ke/api/payments/b2b-callback",
    "MPESA_TIMEOUT_URL": "https://other.example.co.ke/api/payments/b2b-callback",
    "MPESA_CERTIFICATE": "/etc/rentpay/made-up.cer",
    "MPESA_BASE_URL": "http://127.0.0.1:8600",
    "PLATFORM_FEE_PERCENTAGE": "7.5",
    "AUTO_DISBURSEMENT": "true",
    "RENTPAY_DATABASE_URL": "sqlite:////var/lib/made-up.db",
    "RENTPAY_CALLBACK_ALLOWED_IPS": "196.201.214.200, 196.201.212.0/24",
    "RENTPAY_TRUSTED_PROXIES": "127.0.0.1",
    "RENTPAY_CONFIRM_COLLECTION": "true",
    "RENTPAY_LIMIT_TRANSFER": "150000",
    "RENTPAY_LIMIT_DAY": "2000000",
    "RENTPAY_LIMIT_OWNER_DAY": "500000",
    "RENTPAY_PAYOUTS_PER_MINUTE": "60",
    "RENTPAY_LOW_FLOAT": "50000",
    "RENTPAY_NOTIFY_OPERATOR": "mailto://mail.example.com json://hook.example.com",
    "RENTPAY_NOTIFY_OWNER_EMAIL": "mailto://mail.example.com?to={email}",
    "RENTPAY_NOTIFY_OWNER_SMS": "atalk://user@made-up/{phone}",
    "RENTPAY_NOTIFY_TEMPLATES": "/etc/rentpay/notices",
}
PRODUCTION = {name: value for name, value in EVERY_NAME.items() if name != "MPESA_BASE_URL"} | {
    "MPESA_ENVIRONMENT": "production"
}


def check(**values: str) -> Settings:
    return check_settings({"MPESA_ENVIRONMENT": "sandbox", **values})


def refused(values: dict[str, str]) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as bad:
        check_settings(values)
    assert bad.value.exit_status == 4
    assert bad.value.code == "configuration"
    return bad.value


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("value", "per_minute"), [("1", 1), ("60", 60), ("9999", 9999), ("off", None), ("", 60)])
def test_the_pace_of_payouts_is_a_whole_number_a_minute_or_off(value: str, per_minute: int | None) -> None:
    assert check(RENTPAY_PAYOUTS_PER_MINUTE=value).payouts_per_minute == per_minute


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "sixty", "10000", "none", "\uff16\uff10"])
def test_a_pace_that_is_none_is_refused_in_a_sentence(value: str) -> None:
    bad = refused({"MPESA_ENVIRONMENT": "sandbox", "RENTPAY_PAYOUTS_PER_MINUTE": value})
    assert bad.message.startswith(f"RENTPAY_PAYOUTS_PER_MINUTE is '{value}', but must be a whole number from 1 to 9999")


def test_there_are_these_names_and_no_others() -> None:
    assert set(NAMES) == set(EVERY_NAME)


def test_every_name_reaches_the_settings() -> None:
    assert check_settings(EVERY_NAME) == Settings(
        environment="sandbox",
        consumer_key="a-made-up-key",
        consumer_secret="a-made-up-secret",
        short_code="174379",
        passkey="a-made-up-passkey",
        callback_url="https://rent.example.co.ke/api/payments/callback",
        initiator_name="rentapi",
        security_credential=CREDENTIAL,
        b2b_callback_url="https://rent.example.co.ke/api/payments/b2b-callback",
        timeout_url="https://other.example.co.ke/api/payments/b2b-callback",
        certificate="/etc/rentpay/made-up.cer",
        base_url="http://127.0.0.1:8600",
        fee_percentage=Decimal("7.5"),
        auto_disbursement=True,
        database_url="sqlite:////var/lib/made-up.db",
        allowed_networks=(ipaddress.ip_network("196.201.214.200"), ipaddress.ip_network("196.201.212.0/24")),
        trusted_proxies=(ipaddress.ip_network("127.0.0.1"),),
        confirm_collection=True,
        limits=Limits(transfer_cents=15_000_000, day_cents=200_000_000, owner_day_cents=50_000_000),
        low_float_cents=5_000_000,
        notify_operator=("mailto://mail.example.com", "json://hook.example.com"),
        notify_owner_email="mailto://mail.example.com?to={email}",
        notify_owner_sms="atalk://user@made-up/{phone}",
        notify_templates="/etc/rentpay/notices",
    )


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_what_is_not_set_has_its_default(environment: str) -> None:
    settings = check(MPESA_ENVIRONMENT=environment)
    assert settings.fee_percentage == 5
    assert settings.auto_disbursement is False
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith(f"rentpay/{environment}.db")
    assert settings.trusted_proxies == ()
    assert settings.is_production is (environment == "production")
    assert (
        settings.base_url
        == {
            "sandbox": "https://sandbox.safaricom.co.ke",
            "production": "https://api.safaricom.co.ke",
        }[environment]
    )


def test_production_takes_callbacks_from_safaricoms_published_addresses_only() -> None:
    published = [
        "196.201.214.200",
        "196.201.214.206",
        "196.201.214.207",
        "196.201.214.208",
        "196.201.213.114",
        "196.201.213.44",
        "196.201.212.127",
        "196.201.212.138",
        "196.201.212.129",
        "196.201.212.136",
        "196.201.212.74",
        "196.201.212.69",
    ]
    assert set(SAFARICOM_ADDRESSES.split(",")) == set(published)
    assert set(check(MPESA_ENVIRONMENT="production").allowed_networks) == {
        ipaddress.ip_network(address) for address in published
    }


def test_the_timeout_address_is_the_payout_address_unless_it_is_set() -> None:
    address = EVERY_NAME["MPESA_B2B_CALLBACK_URL"]
    assert check(MPESA_B2B_CALLBACK_URL=address).timeout_url == address
    other = EVERY_NAME["MPESA_TIMEOUT_URL"]
    assert check(MPESA_B2B_CALLBACK_URL=address, MPESA_TIMEOUT_URL=other).timeout_url == other


# --- missing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{}, {"MPESA_ENVIRONMENT": ""}, {"MPESA_ENVIRONMENT": "  "}])
def test_the_environment_must_be_said(values: dict[str, str]) -> None:
    error = refused(values)
    assert error.message.startswith("MPESA_ENVIRONMENT is not set")
    assert "rentpay demo" in error.hint
    assert "MPESA_ENVIRONMENT=sandbox" in error.hint


@pytest.mark.parametrize("names", [COLLECT, PAY_OUT])
def test_what_a_command_needs_and_has_is_not_asked_for(names: tuple[str, ...]) -> None:
    check_settings(EVERY_NAME).require(names)


@pytest.mark.parametrize("name", sorted({*COLLECT, *PAY_OUT}))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_one_missing_setting_is_named_with_an_example(name: str, value: str | None) -> None:
    values = {key: each for key, each in EVERY_NAME.items() if key != name}
    if value is not None:
        values[name] = value
    with pytest.raises(BadConfiguration) as missing:
        check_settings(values).require((name,))
    assert missing.value.message == f"{name} is not set."
    assert f"{name}=" in missing.value.hint
    assert missing.value.exit_status == 4


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(BadConfiguration) as missing:
        check().require(PAY_OUT)
    for name in PAY_OUT:
        assert name in missing.value.message
    assert ".env" in missing.value.hint


def test_a_push_needs_these_settings_and_a_payout_those() -> None:
    assert set(COLLECT) == {
        "MPESA_CONSUMER_KEY",
        "MPESA_CONSUMER_SECRET",
        "MPESA_BUSINESS_SHORT_CODE",
        "MPESA_PASSKEY",
        "MPESA_CALLBACK_URL",
    }
    assert set(PAY_OUT) == {
        "MPESA_CONSUMER_KEY",
        "MPESA_CONSUMER_SECRET",
        "MPESA_BUSINESS_SHORT_CODE",
        "MPESA_INITIATOR_NAME",
        "MPESA_SECURITY_CREDENTIAL",
        "MPESA_B2B_CALLBACK_URL",
    }


def test_the_simulator_needs_an_address() -> None:
    error = refused({"MPESA_ENVIRONMENT": "simulator"})
    assert error.message.startswith("MPESA_BASE_URL is not set")
    assert "MPESA_BASE_URL=http://" in error.hint


# --- bad -------------------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str]] = [
    ("MPESA_ENVIRONMENT", "live"),
    ("MPESA_ENVIRONMENT", "Production"),
    ("MPESA_ENVIRONMENT", "prod"),
    ("MPESA_ENVIRONMENT", "development"),
    ("MPESA_BUSINESS_SHORT_CODE", "1234"),
    ("MPESA_BUSINESS_SHORT_CODE", "12345678"),
    ("MPESA_BUSINESS_SHORT_CODE", "17437A"),
    ("MPESA_BUSINESS_SHORT_CODE", "174 379"),
    ("MPESA_BUSINESS_SHORT_CODE", "\u0661\u0667\u0664\u0663\u0667\u0669"),
    ("MPESA_CALLBACK_URL", "rent.example.co.ke/api/payments/callback"),
    ("MPESA_CALLBACK_URL", "ftp://rent.example.co.ke/api/payments/callback"),
    ("MPESA_CALLBACK_URL", "https:///api/payments/callback"),
    ("MPESA_CALLBACK_URL", "https://rent.example.co.ke/"),
    ("MPESA_CALLBACK_URL", "https://rent.example.co.ke/api/payments/b2b-callback"),
    ("MPESA_CALLBACK_URL", "https://rent.example.co.ke/api/payments/callback?x=1"),
    ("MPESA_CALLBACK_URL", "https://rent.example.co.ke/api/payments/callback#x"),
    ("MPESA_B2B_CALLBACK_URL", "https://rent.example.co.ke/api/payments/callback"),
    ("MPESA_B2B_CALLBACK_URL", "soon"),
    ("MPESA_TIMEOUT_URL", "https://rent.example.co.ke/api/payments/timeout"),
    ("MPESA_BASE_URL", "127.0.0.1:8600"),
    ("MPESA_BASE_URL", "ftp://127.0.0.1"),
    ("MPESA_BASE_URL", "http://"),
    ("MPESA_BASE_URL", "http://127.0.0.1:8600?x=1"),
    ("PLATFORM_FEE_PERCENTAGE", "five"),
    ("PLATFORM_FEE_PERCENTAGE", "-1"),
    ("PLATFORM_FEE_PERCENTAGE", "100.01"),
    ("PLATFORM_FEE_PERCENTAGE", "NaN"),
    ("PLATFORM_FEE_PERCENTAGE", "5,5"),
    ("PLATFORM_FEE_PERCENTAGE", "0.0000001"),
    ("AUTO_DISBURSEMENT", "no"),
    ("AUTO_DISBURSEMENT", "yes"),
    ("AUTO_DISBURSEMENT", "0"),
    ("AUTO_DISBURSEMENT", "1"),
    ("AUTO_DISBURSEMENT", "off"),
    ("AUTO_DISBURSEMENT", "f"),
    ("AUTO_DISBURSEMENT", "flase"),
    ("RENTPAY_DATABASE_URL", "sqlite://"),
    ("RENTPAY_DATABASE_URL", "sqlite:///"),
    ("RENTPAY_DATABASE_URL", "mysql://db.example.co.ke/rentpay"),
    ("RENTPAY_DATABASE_URL", "/var/lib/rentpay.db"),
    ("RENTPAY_CALLBACK_ALLOWED_IPS", "safaricom.example"),
    ("RENTPAY_CALLBACK_ALLOWED_IPS", "196.201.214.200,196.201.214.999"),
    ("RENTPAY_CALLBACK_ALLOWED_IPS", "196.201.212.0/33"),
    ("RENTPAY_TRUSTED_PROXIES", "*"),
    ("RENTPAY_TRUSTED_PROXIES", "localhost"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_one_sentence_that_names_the_variable_with_an_example(name: str, value: str) -> None:
    error = refused(EVERY_NAME | {name: value})
    assert error.message.startswith(f"{name} ")
    assert error.message.endswith(".")
    assert f"{name}=" in error.hint


BROKEN_ADDRESSES = [
    ("MPESA_CALLBACK_URL", "https://[bad/api/payments/callback"),
    ("MPESA_B2B_CALLBACK_URL", "https://[bad/api/payments/b2b-callback"),
    ("MPESA_BASE_URL", "http://[bad"),
    ("MPESA_CALLBACK_URL", "https://rent.example.co.ke:port/api/payments/callback"),
    ("MPESA_BASE_URL", "http://127.0.0.1:port"),
    ("MPESA_BASE_URL", "http://127.0.0.1:99999"),
    ("MPESA_CALLBACK_URL", "https://rent example.co.ke/api/payments/callback"),
]


@pytest.mark.parametrize(("name", "value"), BROKEN_ADDRESSES)
def test_an_address_with_a_broken_host_or_port_is_a_bad_value_too(name: str, value: str) -> None:
    error = refused(EVERY_NAME | {name: value})
    assert error.message.startswith(f"{name} ")


GOOD: list[tuple[str, str, str, object]] = [
    ("MPESA_ENVIRONMENT", "simulator", "environment", "simulator"),
    ("MPESA_ENVIRONMENT", " sandbox ", "environment", "sandbox"),
    ("MPESA_BUSINESS_SHORT_CODE", "60000", "short_code", "60000"),
    ("MPESA_BUSINESS_SHORT_CODE", "6000000", "short_code", "6000000"),
    (
        "MPESA_CALLBACK_URL",
        "http://127.0.0.1:1/api/payments/callback",
        "callback_url",
        "http://127.0.0.1:1/api/payments/callback",
    ),
    (
        "MPESA_CALLBACK_URL",
        "https://a.ke/x/api/payments/callback/",
        "callback_url",
        "https://a.ke/x/api/payments/callback",
    ),
    ("MPESA_BASE_URL", "http://127.0.0.1:8600/", "base_url", "http://127.0.0.1:8600"),
    ("MPESA_BASE_URL", "http://[::1]:8600", "base_url", "http://[::1]:8600"),
    ("PLATFORM_FEE_PERCENTAGE", "0", "fee_percentage", Decimal(0)),
    ("PLATFORM_FEE_PERCENTAGE", "100", "fee_percentage", Decimal(100)),
    ("PLATFORM_FEE_PERCENTAGE", "5%", "fee_percentage", Decimal(5)),
    ("AUTO_DISBURSEMENT", "TRUE", "auto_disbursement", True),
    ("AUTO_DISBURSEMENT", " true ", "auto_disbursement", True),
    ("RENTPAY_DATABASE_URL", "postgresql+psycopg://u@h/d", "database_url", "postgresql+psycopg://u@h/d"),
    ("RENTPAY_DATABASE_URL", "postgresql://u@h/d", "database_url", "postgresql+psycopg://u@h/d"),
    ("RENTPAY_DATABASE_URL", "postgres://u@h/d", "database_url", "postgresql+psycopg://u@h/d"),
    ("RENTPAY_DATABASE_URL", "sqlite:///made.db", "database_url", "sqlite:///made.db"),
    ("RENTPAY_CALLBACK_ALLOWED_IPS", "::1", "allowed_networks", (ipaddress.ip_network("::1"),)),
    ("RENTPAY_CALLBACK_ALLOWED_IPS", "10.0.0.5/24", "allowed_networks", (ipaddress.ip_network("10.0.0.0/24"),)),
    (
        "RENTPAY_TRUSTED_PROXIES",
        "10.0.0.1\n10.0.0.2,",
        "trusted_proxies",
        tuple(map(ipaddress.ip_network, ("10.0.0.1", "10.0.0.2"))),
    ),
]


@pytest.mark.parametrize(("name", "value", "field", "expected"), GOOD)
def test_a_good_value_is_taken(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(check_settings(EVERY_NAME | {name: value}), field) == expected


@pytest.mark.parametrize("value", ["false", "False", "FALSE", " false ", "", "  "])
def test_auto_disbursement_that_is_switched_off_is_really_off(value: str) -> None:
    assert check(AUTO_DISBURSEMENT=value).auto_disbursement is False


def test_auto_disbursement_is_off_unless_it_is_switched_on() -> None:
    assert check().auto_disbursement is False
    assert check(AUTO_DISBURSEMENT="true").auto_disbursement is True


# --- secrets ---------------------------------------------------------------------------------------------------------

SECRETS = ["MPESA_CONSUMER_KEY", "MPESA_CONSUMER_SECRET", "MPESA_PASSKEY", "MPESA_SECURITY_CREDENTIAL"]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        (" {}", "begins or ends with"),
        ("{} ", "begins or ends with"),
        ("{}\n", "begins or ends with"),
        ("{}\r\n", "begins or ends with"),
        ("\t{}", "begins or ends with"),
        ("{}\n{}", "contains"),
        ("{} {}", "contains"),
    ],
)
def test_a_stray_blank_in_a_secret_is_pointed_out_and_the_secret_not_shown(name: str, pattern: str, where: str) -> None:
    secret = "s3cr3t-text"
    error = refused(EVERY_NAME | {name: pattern.format(secret, secret)})
    assert error.message.startswith(f"{name} {where} a blank or a line break")
    assert "one line" in error.hint
    assert secret not in error.message + error.hint


def test_no_secret_is_in_the_settings_words() -> None:
    settings = check_settings(EVERY_NAME | {"RENTPAY_DATABASE_URL": "postgresql+psycopg://rent:s3cr3t@h/d"})
    for secret in (*(EVERY_NAME[name] for name in SECRETS), "s3cr3t"):
        assert secret not in f"{settings} {settings!r}"
    assert "174379" in repr(settings)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (CREDENTIAL, ""),
        ("not base64!", "is not base64"),
        ("", "holds 0 bytes"),
        (base64.b64encode(bytes(255)).decode(), "holds 255 bytes"),
        (base64.b64encode(bytes(512)).decode(), "holds 512 bytes"),
        (CREDENTIAL[:-1], "is not base64"),
        (CREDENTIAL + "\n", "is not base64"),
        ("pässword", "is not base64"),
    ],
)
def test_the_shape_of_a_credential_is_judged(value: str, problem: str) -> None:
    found = credential_problem(value)
    assert found.startswith(problem)
    assert bool(found) is bool(problem)


def test_production_refuses_a_credential_that_no_key_could_have_made_and_does_not_show_it() -> None:
    error = refused(PRODUCTION | {"MPESA_SECURITY_CREDENTIAL": "the-password-itself"})
    assert error.message.startswith("MPESA_SECURITY_CREDENTIAL ")
    assert "the-password-itself" not in error.message + error.hint


# --- production ------------------------------------------------------------------------------------------------------


def test_production_with_everything_in_order_is_taken() -> None:
    settings = check_settings(PRODUCTION)
    assert settings.is_production
    assert settings.base_url == "https://api.safaricom.co.ke"


@pytest.mark.parametrize("value", ["http://127.0.0.1:8600", "https://api.safaricom.co.ke", "nonsense"])
def test_production_refuses_any_other_host(value: str) -> None:
    error = refused(PRODUCTION | {"MPESA_BASE_URL": value})
    assert error.message.startswith("MPESA_BASE_URL is set")
    assert "Remove MPESA_BASE_URL" in error.hint


@pytest.mark.parametrize("name", ["MPESA_CALLBACK_URL", "MPESA_B2B_CALLBACK_URL", "MPESA_TIMEOUT_URL"])
def test_production_takes_https_addresses_only(name: str) -> None:
    value = PRODUCTION[name].replace("https://", "http://")
    error = refused(PRODUCTION | {name: value})
    assert error.message.startswith(f"{name} ")
    assert "https://" in error.message
    assert getattr(check_settings(EVERY_NAME | {name: value}), "environment") == "sandbox"  # noqa: B009


# --- where they come from --------------------------------------------------------------------------------------------


def write(path: Path, **values: str) -> str:
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return str(path)


def test_the_environment_wins_over_the_given_file_and_that_over_dot_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path / ".env",
        MPESA_ENVIRONMENT="sandbox",
        MPESA_CONSUMER_KEY="from-dot-env",
        MPESA_PASSKEY="from-dot-env",
        MPESA_INITIATOR_NAME="from-dot-env",
    )
    given = write(tmp_path / "given", MPESA_CONSUMER_KEY="from-file", MPESA_PASSKEY="from-file")
    monkeypatch.setenv("MPESA_PASSKEY", "from-environment")
    settings = load_settings(given)
    assert settings.initiator_name == "from-dot-env"
    assert settings.consumer_key == "from-file"
    assert settings.passkey == "from-environment"
    assert load_settings().consumer_key == "from-dot-env"


def test_an_empty_value_in_the_environment_wins_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".env", MPESA_ENVIRONMENT="sandbox", AUTO_DISBURSEMENT="true")
    monkeypatch.setenv("AUTO_DISBURSEMENT", "")
    assert load_settings().auto_disbursement is False
    monkeypatch.setenv("MPESA_ENVIRONMENT", "")
    with pytest.raises(BadConfiguration, match="MPESA_ENVIRONMENT is not set"):
        load_settings()


def test_without_any_file_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPESA_ENVIRONMENT", "production")
    assert load_settings().is_production


def test_names_that_are_not_ours_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / ".env", MPESA_ENVIRONMENT="sandbox", SOMETHING_ELSE="x", MPESA_DEBUG="true")
    monkeypatch.setenv("MPESA_OTHER", "x")
    assert read_values() == {"MPESA_ENVIRONMENT": "sandbox"}


def test_reading_the_settings_does_not_change_the_environment(tmp_path: Path) -> None:
    import os

    write(tmp_path / ".env", MPESA_ENVIRONMENT="sandbox")
    before = dict(os.environ)
    load_settings()
    assert dict(os.environ) == before


def test_a_value_in_a_file_is_taken_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_OF_SECRETS", "expanded")
    (tmp_path / ".env").write_text(
        "# a comment\nexport MPESA_ENVIRONMENT=sandbox\nMPESA_PASSKEY='a${HOME_OF_SECRETS}$b#c'\n"
        'MPESA_CONSUMER_KEY="quoted"\n\nMPESA_CONSUMER_SECRET\n'
    )
    assert read_values() == {
        "MPESA_ENVIRONMENT": "sandbox",
        "MPESA_PASSKEY": "a${HOME_OF_SECRETS}$b#c",
        "MPESA_CONSUMER_KEY": "quoted",
    }


def test_a_stray_blank_inside_quotes_in_a_file_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MPESA_ENVIRONMENT=sandbox\nMPESA_PASSKEY='passkey '\n")
    with pytest.raises(BadConfiguration, match="MPESA_PASSKEY begins or ends with a blank"):
        load_settings()


def test_a_given_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    for path, what in ((tmp_path / "missing.env", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(BadConfiguration, match=what) as missing:
            load_settings(str(path))
        assert str(path) in missing.value.message


def test_a_line_that_cannot_be_understood_is_named_by_its_number_and_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".env").write_text("# a remark\nMPESA_ENVIRONMENT=sandbox\n\nMPESA_PASSKEY='secret\n")
    with pytest.raises(BadConfiguration, match=r"Line 4 of the settings file '\.env'") as broken:
        load_settings()
    assert "secret" not in broken.value.message + broken.value.hint + caplog.text


def test_a_file_of_somebody_else_is_told_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MPESA_ENVIRONMENT=sandbox\n")

    def forbidden(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", forbidden)
    with pytest.raises(BadConfiguration, match=f"belongs to {Path('.env').owner()}") as unreadable:
        load_settings()
    assert "chown" in unreadable.value.hint


def test_without_settings_the_command_that_makes_them_is_named() -> None:
    with pytest.raises(BadConfiguration, match="MPESA_ENVIRONMENT is not set") as nothing:
        load_settings()
    assert "rentpay init." in nothing.value.hint
    assert "rentpay demo" in nothing.value.hint


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(b"MPESA_ENVIRONMENT=\xff\xfe\n")
    with pytest.raises(BadConfiguration, match="cannot be read") as unreadable:
        load_settings(str(path))
    assert str(path) in unreadable.value.message
