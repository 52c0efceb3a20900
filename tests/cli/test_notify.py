"""`rentpay notify`: a test that reaches somebody, the list, and the templates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apprise.plugins.africas_talking import NotifyAfricasTalking

from rentpay_cli.core.notices import TEMPLATES, Audience, NoticeKind
from rentpay_cli.flows import notices, register
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import notices as outbox
from tests.cli.conftest import Cli
from tests.support.post import Post, post_office


@pytest.fixture
def post(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with post_office() as opened:
        monkeypatch.setattr(NotifyAfricasTalking, "notify_url", {"bulksms": opened.gateway_url})
        monkeypatch.setattr(NotifyAfricasTalking, "request_rate_per_sec", 0)
        cli.configure(
            RENTPAY_NOTIFY_OPERATOR=f"{opened.mail_url}operator@example.com",
            RENTPAY_NOTIFY_OWNER_SMS="atalk://rentpay@0123456789/{phone}",
        )
        yield opened


def test_a_test_reaches_the_operator(cli: Cli, post: Post) -> None:
    ran = cli("notify", "test")
    assert (ran.status, ran.out) == (0, "Sent to operator. Whether it arrived, only the reader can say.\n")
    ((recipients, _, text),) = post.mails
    assert recipients == ["operator@example.com"]
    assert "This is a test" in text


def test_a_test_reaches_an_owner_by_the_ways_that_are_there(cli: Cli, rt: Runtime, post: Post) -> None:
    register.add_owner(rt, name="Wanjiru Kamau", phone="0712345678", email="wanjiru@example.com")
    assert cli.json("notify", "test", "--owner", "Wanjiru Kamau")["ways"] == ["owner by SMS"]
    assert [number for number, _ in post.texts] == ["254712345678"]


def test_a_gateway_that_says_no_is_a_refusal_without_the_phone_number(cli: Cli, rt: Runtime, post: Post) -> None:
    register.add_owner(rt, name="Wanjiru Kamau", phone="0712345678")
    post.gateway_status = 401
    ran = cli("notify", "test", "--owner", "1", "--json")
    assert ran.refusal == (1, "not_told")
    assert "712345678" not in ran.out + ran.err


def test_nothing_configured_is_said_with_the_setting(cli: Cli) -> None:
    ran = cli("notify", "test", "--json")
    assert ran.refusal == (4, "configuration")
    assert "RENTPAY_NOTIFY_OPERATOR is not set" in ran.json["error"]["message"]


def test_an_owner_without_an_address_is_not_found_a_way_to(cli: Cli, rt: Runtime, post: Post) -> None:
    register.add_owner(rt, name="Otieno Ouma")
    assert cli("notify", "test", "--owner", "1", "--json").refusal == (3, "not_found")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RENTPAY_NOTIFY_OPERATOR", "operator@example.com"),
        ("RENTPAY_NOTIFY_OWNER_EMAIL", "mailto://user:hidden@example.com"),
        ("RENTPAY_NOTIFY_OWNER_SMS", "atalk://user@hidden/0712345678"),
        ("RENTPAY_LOW_FLOAT", "much"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_kept_back(cli: Cli, name: str, value: str) -> None:
    cli.configure(**{name: value})
    ran = cli("notify", "test")
    assert ran.status == 4
    assert name in ran.err
    assert "hidden" not in ran.err


def test_the_list_shows_what_was_told_and_what_was_not(cli: Cli, rt: Runtime, post: Post) -> None:
    now = datetime.now(UTC) - notices.SETTLING
    with rt.database.transaction() as session:
        outbox.put(session, NoticeKind.FAILED, 7, Audience.OPERATOR, now, "Payment 7: the payout failed.")
    assert [row["state"] for row in cli.json("notify", "list")["notices"]] == ["new"]
    notices.tell(rt, notices.notifier_of(_as_configured(rt, post)))
    (told,) = cli.json("notify", "list", "--state", "sent")["notices"]
    assert (told["to"], told["text"], told["tries"]) == ("operator", "Payment 7: the payout failed.", 1)
    assert "Payment 7" in cli("notify", "list").out
    assert cli("notify", "list", "--state", "lost", "--json").refusal == (2, "wrong_use")


def _as_configured(rt: Runtime, post: Post) -> Runtime:
    from dataclasses import replace

    rt.settings = replace(rt.settings, notify_operator=(f"{post.mail_url}operator@example.com",))
    return rt


def test_templates_are_written_once_and_a_changed_one_stays(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "words"
    assert cli("notify", "templates", "--write", str(folder)).status == 0
    (folder / "owner-sms.txt").write_text("Mine: $amount")
    assert {path.name for path in folder.iterdir()} == set(TEMPLATES)
    written = {
        row["name"]: row["written"] for row in cli.json("notify", "templates", "--write", str(folder))["templates"]
    }
    assert set(written.values()) == {False}
    assert (folder / "owner-sms.txt").read_text() == "Mine: $amount"
    assert "$amount" in cli("notify", "templates").out


def test_a_wrong_template_stops_the_test_and_the_listener_before_anything_is_sent(
    cli: Cli, post: Post, tmp_path: Path
) -> None:
    (tmp_path / "operator.txt").write_text("$count of $things")
    cli.configure(RENTPAY_NOTIFY_TEMPLATES=str(tmp_path))
    for command in (("notify", "test"), ("serve-callbacks", "--port", "0")):
        ran = cli(*command)
        assert ran.status == 4
        assert "it names $things, which there is not" in " ".join(ran.err.split())
    assert post.mails == []
