"""`rentpay init`: answers that are checked, a file that keeps what was in it, and nothing asked without a terminal."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from rentpay_cli.config import load_settings
from rentpay_cli.flows import setup
from tests.cli.conftest import OFFLINE, Cli
from tests.support.terminal import in_a_terminal

SANDBOX = {
    "MPESA_CONSUMER_KEY": "sandbox-key",
    "MPESA_CONSUMER_SECRET": "sandbox-secret",
}
CREDENTIAL = base64.b64encode(b"x" * 256).decode()


@pytest.fixture
def new(cli: Cli) -> Cli:
    """A machine on which nothing is set up."""
    cli.forget(*OFFLINE, "RENTPAY_DATABASE_URL")
    return cli


def test_the_simulator_needs_no_answers_and_works_at_once(new: Cli) -> None:
    from rentpay_cli.simulator import keys
    from rentpay_cli.simulator.options import SANDBOX_INITIATOR_PASSWORD

    ran = new("init", "--environment", "simulator")
    assert ran.status == 0
    assert "rentpay simulator" in ran.err
    assert "serve-callbacks" in ran.err
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    settings = load_settings()
    assert settings.environment == "simulator"
    assert keys.load_or_make(keys.default_home()).opens_to(settings.security_credential, SANDBOX_INITIATOR_PASSWORD)
    assert Path(settings.database_url.removeprefix("sqlite:///")).is_file()
    assert new.json("payments")["payments"] == []


def test_without_a_terminal_what_is_missing_is_named_and_nothing_is_written(new: Cli) -> None:
    assert new("init", "--json").refusal == (2, "wrong_use")
    ran = new("init", "--environment", "production", "--json")
    assert ran.refusal == (2, "wrong_use")
    for name in ("MPESA_CONSUMER_SECRET", "MPESA_PASSKEY", "MPESA_CALLBACK_URL", "MPESA_INITIATOR_NAME"):
        assert name in ran.json["error"]["message"]
    assert not Path(".env").exists()


def test_without_a_terminal_options_and_the_environment_answer(new: Cli) -> None:
    new.configure(**SANDBOX)
    content = new.json("init", "--environment", "sandbox", "--public-url", "https://rent.example.co.ke/")
    assert content["missing"] == ["MPESA_SECURITY_CREDENTIAL"]
    assert "sandbox-secret" not in str(content)
    new.forget(*SANDBOX)
    settings = load_settings()
    assert (settings.consumer_secret, settings.short_code) == ("sandbox-secret", "174379")
    assert settings.callback_url == "https://rent.example.co.ke/api/payments/callback"
    assert settings.timeout_url == settings.b2b_callback_url == "https://rent.example.co.ke/api/payments/b2b-callback"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--environment", "live"),
        ("--environment", "sandbox", "--paybill", "12"),
        ("--environment", "sandbox", "--public-url", "rent.example.co.ke"),
        ("--environment", "production", "--public-url", "http://rent.example.co.ke"),
        ("--environment", "sandbox", "--fee-percentage", "105"),
        ("--environment", "simulator", "--fee-percentage", "200"),
        ("--environment", "simulator", "--paybill", "abc"),
        ("--environment", "simulator", "--initiator-name", "api"),
    ],
)
def test_a_bad_answer_is_refused_before_anything_is_made(new: Cli, wrong: tuple[str, ...], tmp_path: Path) -> None:
    new.configure(**SANDBOX, MPESA_PASSKEY="p", MPESA_BUSINESS_SHORT_CODE="600100", MPESA_INITIATOR_NAME="api")
    rest = () if "--public-url" in wrong else ("--public-url", "https://rent.example.co.ke")
    assert new("init", *wrong, *rest, "--json").refusal == (2, "wrong_use")
    assert not Path(".env").exists()
    assert not (tmp_path / "data").exists()


def test_an_existing_file_is_changed_only_with_a_yes_and_keeps_its_other_lines(new: Cli) -> None:
    before = (
        "# our own notes\n\nexport MPESA_ENVIRONMENT=sandbox # not live yet\nOTHER_TOOL='keep # me'\n"
        "MPESA_CONSUMER_KEY='old # key' # from Jane\nPLATFORM_FEE_PERCENTAGE=7.5\n# the end"
    )
    Path(".env").write_text(before)
    Path(".env").chmod(0o644)
    new.configure(MPESA_CONSUMER_SECRET="new secret's".replace(" ", "-"), MPESA_CONSUMER_KEY="new-key")
    arguments = ("init", "--environment", "sandbox", "--public-url", "https://rent.example.co.ke")
    assert new(*arguments, "--json").refusal == (2, "wrong_use")
    assert Path(".env").read_text() == before
    assert new(*arguments, "--yes").status == 0
    after = Path(".env").read_text()
    assert after.startswith(
        "# our own notes\n\nexport MPESA_ENVIRONMENT=sandbox # not live yet\nOTHER_TOOL='keep # me'\n"
        "MPESA_CONSUMER_KEY=new-key # from Jane\nPLATFORM_FEE_PERCENTAGE=7.5\n# the end\n"
    )
    assert dotenv_values(".env")["MPESA_CONSUMER_SECRET"] == "new-secret's"
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert [path.name for path in Path.cwd().iterdir() if path.name.startswith(".env")] == [".env"]


def test_what_belongs_to_another_environment_does_not_stay(new: Cli) -> None:
    new("init", "--environment", "simulator")
    new.configure(**SANDBOX)
    assert new("init", "--environment", "sandbox", "--public-url", "https://r.example", "--yes").status == 0
    settings = load_settings()
    assert settings.base_url == "https://sandbox.safaricom.co.ke"
    assert (settings.security_credential, settings.certificate) == ("", "")


def test_a_database_of_another_environment_is_refused_and_nothing_is_written(new: Cli, database_url: str) -> None:
    new.configure(**SANDBOX, RENTPAY_DATABASE_URL=database_url)
    ran = new("init", "--environment", "sandbox", "--public-url", "https://r.example", "--json")
    assert ran.refusal == (4, "database")
    assert not Path(".env").exists()


def test_a_link_is_not_followed(new: Cli) -> None:
    Path("elsewhere.txt").write_text("precious\n")
    Path(".env").symlink_to("elsewhere.txt")
    assert new("init", "--environment", "simulator", "--yes", "--json").refusal == (2, "wrong_use")
    assert Path("elsewhere.txt").read_text() == "precious\n"


def test_a_new_file_can_be_named(new: Cli) -> None:
    assert new("init", "--environment", "simulator", "--env-file", "practice.env").status == 0
    assert not Path(".env").exists()
    assert new("payments", "--env-file", "practice.env").status == 0


def test_a_setting_of_the_environment_that_goes_before_the_file_is_pointed_out(new: Cli) -> None:
    new.configure(MPESA_PASSKEY="another")
    assert new.json("init", "--environment", "simulator")["overruledByEnvironment"] == ["MPESA_PASSKEY"]


def test_in_a_terminal_each_answer_is_checked_as_it_is_given_and_secrets_are_not_shown(new: Cli) -> None:
    status, screen = in_a_terminal(
        ["init"],
        [
            ("production [simulator]:", "live\n"),
            ("is not one of", "production\n"),
            ("Consumer key", "prod-key\n"),
            ("Consumer secret", "prod secret\n"),
            ("MPESA_CONSUMER_SECRET", "prod-secret\n"),
            ("Your paybill", "12\n"),
            ("5 to 7 digits", "600100\n"),
            ("Passkey", "prod-passkey\n"),
            ("Public address", "http://rent.example.co.ke\n"),
            ("https://", "https://rent.example.co.ke\n"),
            ("API operator", "rentapi\n"),
            ("Security credential", "too-short\n"),
            ("MPESA_SECURITY_CREDENTIAL", CREDENTIAL + "\n"),
            ("percent [5]:", "\n"),
        ],
    )
    assert status == 0, screen
    for secret in ("prod-key", "prod-secret", "prod-passkey", CREDENTIAL[:20]):
        assert secret not in screen
    settings = load_settings()
    assert (settings.environment, settings.short_code, settings.passkey) == ("production", "600100", "prod-passkey")
    assert settings.security_credential == CREDENTIAL
    assert "Made a new database" in screen


def test_a_credential_can_come_later_and_kept_secrets_need_only_enter(new: Cli) -> None:
    new.configure(**SANDBOX)
    new("init", "--environment", "sandbox", "--public-url", "https://rent.example.co.ke")
    new.forget(*SANDBOX)
    status, screen = in_a_terminal(
        ["init", "--environment", "sandbox"],
        [
            ("Change the settings in it?", "y\n"),
            ("Consumer key", "\n"),
            ("Consumer secret", "\n"),
            ("[174379]:", "\n"),
            ("Passkey", "\n"),
            ("[https://rent.example.co.ke]:", "\n"),
            ("[testapi]:", "\n"),
            ("Security credential", "\n"),
            ("percent [5]:", "7.5\n"),
        ],
    )
    assert status == 0, screen
    assert load_settings().consumer_secret == "sandbox-secret"
    assert str(load_settings().fee_percentage) == "7.5"
    assert "credential encrypt" in screen


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=1\n", "A=2\n"),
        ("A=\n", "A=2\n"),
        ("A = 1 # why\n", "A = 2 # why\n"),
        ('A="1 # no comment"\n', "A=2\n"),
        ("A='it\\'s'   # why\nB=3", "A=2   # why\nB=3\n"),
        ("\n\nA=1\nA=1\n", "\n\nA=2\nA=2\n"),
        ("# A=1\n", "# A=1\nA=2\n"),
        ("AA=1\n", "AA=1\nA=2\n"),
        ("A='two\nlines'\nB=3\n", "A=2\nB=3\n"),
        ("A\n", "A=2\n"),
    ],
)
def test_a_value_is_replaced_where_it_stands(line: str, expected: str) -> None:
    assert setup.with_values(line, {"A": "2"}) == expected
    assert dotenv_values(stream=__import__("io").StringIO(expected))["A"] == "2"


@pytest.mark.parametrize("value", ["plain", "it's", "a # b", "back\\slash", "$HOME", 'say "so"'])
def test_every_value_is_read_back_as_it_was(value: str, tmp_path: Path) -> None:
    setup.write_file(tmp_path / "f", setup.with_values("# a\nX=1\n", {"X": value}))
    assert dotenv_values(tmp_path / "f", interpolate=False) == {"X": value}


def test_the_simulator_takes_a_fee_and_refuses_what_it_would_not_use(new: Cli) -> None:
    wrong = new("init", "--environment", "simulator", "--public-url", "https://rent.example.co.ke", "--paybill", "1")
    assert wrong.status == 2
    assert "--public-url and --paybill would not be used" in " ".join(wrong.err.split())
    assert new("init", "--environment", "simulator", "--fee-percentage", "7.5").status == 0
    assert str(load_settings().fee_percentage) == "7.5"


def test_a_home_that_nothing_can_be_written_to_is_a_matter_of_configuration(new: Cli) -> None:
    Path("file").write_text("")
    new.configure(XDG_DATA_HOME=str(Path("file").absolute()))
    for arguments in (("init", "--environment", "simulator"), ("simulator", "--port", "0")):
        ran = new(*arguments, "--json")
        assert ran.refusal == (4, "configuration")
        assert "key pair cannot be kept in" in ran.json["error"]["message"]
        assert "folder that you may write" in ran.json["error"]["hint"]


def test_a_file_that_cannot_be_understood_is_left_alone(new: Cli) -> None:
    Path(".env").write_text("MPESA_PASSKEY='half\n")
    assert new("init", "--environment", "simulator", "--yes", "--json").refusal == (4, "configuration")
    assert Path(".env").read_text() == "MPESA_PASSKEY='half\n"
