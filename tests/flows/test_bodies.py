"""A body is kept as it came, whatever the settings are; what of it reaches a person or the journal is redacted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rentpay_cli.config import EXAMPLES, leave_out_secrets
from rentpay_cli.core.redact import know_secrets, redact
from rentpay_cli.flows.balance import ask_balance
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT, TIMEOUT
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import inbox, reads
from tests.flows.test_callbacks import Desk, not_paid, paid, result
from tests.support.scripted import token_of

PHONE = "254722000111"
SECRET = "SecretOfASetting0123456789"


@pytest.fixture
def desk(rt: Runtime) -> Desk:
    return Desk(rt)


@pytest.fixture
def settings() -> Iterator[Callable[..., None]]:
    """Tells the redaction of settings, as a process that starts does."""

    def told(**values: str) -> None:
        leave_out_secrets(values)

    yield told
    know_secrets("settings", ())


def bodies(rt: Runtime) -> list[bytes]:
    return [bytes(row["body"]) for row in rt.reader.rows("SELECT body FROM inbox ORDER BY id")]


def test_a_notice_address_with_a_phone_number_leaves_the_callbacks_of_that_phone_alone(
    desk: Desk, settings: Callable[..., None]
) -> None:
    settings(RENTPAY_NOTIFY_OPERATOR=f"atalk://rentpay@key/{PHONE}")
    assert redact(f"to {PHONE}") == "to [removed]"  # it is known, and left out of what is shown
    content = paid()
    content["Body"]["stkCallback"]["CallbackMetadata"]["Item"][-1]["Value"] = int(PHONE)
    body = json.dumps(content).encode()
    assert desk.arrives(COLLECTION, desk.ask(phone=PHONE), body).outcome == "moved"
    assert bodies(desk.rt) == [body]
    assert desk.payment()["status"] == "success"


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_setting_changes_a_stored_body(desk: Desk, settings: Callable[..., None], name: str) -> None:
    value = f"https://rentpay:{SECRET}@{SECRET}/{PHONE}?pass={SECRET}" if "URL" in name or "NOTIFY" in name else SECRET
    settings(**{name: value})
    content = paid()
    content["Body"]["stkCallback"] |= {"Echo": [value, SECRET, PHONE, value.encode().hex()], "Password": "also kept"}
    body = json.dumps(content).encode()
    assert desk.arrives(COLLECTION, desk.ask(), body).outcome == "moved"
    assert bodies(desk.rt) == [body]


def test_a_credential_is_blanked_and_the_journal_says_in_which_callbacks(desk: Desk) -> None:
    rt, token = desk.rt, desk.ask()
    request = json.dumps({"SecurityCredential": "hidden", "Amount": 5}).encode()
    plain = json.dumps({"Credential": "not of that name"}).encode()
    for ours, body in ((token, request), (None, plain), (None, request), (None, request), (token, plain)):
        inbox.append(rt.database, [(TIMEOUT, ours, None, body)], rt.now())
    inbox.append(rt.database, [(TIMEOUT, token, None, each) for each in (plain, request)], rt.now())
    blanked = request.replace(b"hidden", b"******")
    assert bodies(rt) == [blanked, plain, blanked, plain, plain, blanked]
    received = [json.loads(row["detail"]) for row in reads.journal(rt.reader, event="callbacks received", limit=10)]
    first, _, stranger, _, _, last = (row["id"] for row in rt.reader.rows("SELECT id FROM inbox ORDER BY id"))
    named = [detail.get("credential_blanked") for detail in reversed(received)]
    assert named == [[first], None, [stranger], None, [last]]
    assert [row["body_bytes"] for row in rt.reader.rows("SELECT body_bytes FROM inbox WHERE id = 1")] == [len(request)]
    assert verify(rt).rows["inbox"] == 6
    assert hashlib.sha256(blanked).hexdigest() in str(received)


def in_every_text(content: Any, said: str) -> Any:
    """The content with the words in each of its texts that is no id and decides nothing."""
    if isinstance(content, list):
        return [in_every_text(each, said) for each in content]
    if not isinstance(content, dict):
        return content
    fixed = ("ConversationID", "OriginatorConversationID", "CheckoutRequestID", "MerchantRequestID", "Key", "Name")
    return {
        name: value if name in fixed else f"{said} {value}" if isinstance(value, str) else in_every_text(value, said)
        for name, value in content.items()
    }


SAID = f"Authorization: Bearer {SECRET} of {PHONE}"


def said_by_mpesa(desk: Desk, kind: str) -> Any:
    """A callback of the kind, with its token, in which the words stand wherever they can."""
    if kind.startswith("stk"):
        return COLLECTION, desk.ask(), in_every_text({"stk success": paid, "stk failure": not_paid}[kind](), SAID)
    if kind.startswith("balance"):
        ask_balance(desk.rt)
        code = 0 if kind == "balance" else f"Bearer {SECRET}"
        value = f"{SAID}|KES|467.00|460.00|7.00|0.00"
        content = {
            "ResultCode": code,
            "ResultParameters": {"ResultParameter": {"Key": "AccountBalance", "Value": value}},
        }
        return PAYOUT, token_of(desk.mpesa.sent[-1][1]), {"Result": content}
    token = desk.pay_out()
    content = in_every_text(result(0 if kind == "payout success" else SAID[-40:]), SAID)
    parameters = content["Result"].get("ResultParameters", {}).get("ResultParameter", [])
    parameters.append({"Key": "ReceiverPartyPublicName", "Value": SAID})
    content["Result"]["TransactionID"] = "SKB9Z8Y7X6"
    return PAYOUT, token, content


@pytest.mark.parametrize(
    "kind", ["stk success", "stk failure", "payout success", "payout failure", "balance", "balance failure"]
)
def test_what_mpesa_says_is_redacted_wherever_it_is_written_but_in_the_body(desk: Desk, kind: str) -> None:
    path, token, content = said_by_mpesa(desk, kind)
    before = len(bodies(desk.rt))
    reading = desk.arrives(path, token, content)
    assert SECRET in bodies(desk.rt)[before].decode()
    tables = ("payment", "attempt", "finding", "enquiry", "disbursement", "journal", "notice", "balance_reading")
    kept = [str(row) for table in tables for row in desk.rt.reader.rows(f"SELECT * FROM {table}")]
    kept += [str({**row, "body": ""}) for row in desk.rt.reader.rows("SELECT * FROM inbox")]
    told = [text for text in (*kept, reading.outcome) if SECRET in text]
    assert told == []
    assert [text for text in (*kept, reading.outcome) if PHONE in text and "'phone'" not in text] == []


def test_why_a_callback_tripped_us_up_is_told_without_what_stood_in_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: object) -> None:
        raise ValueError(f"odd: {SAID}")

    monkeypatch.setattr("rentpay_cli.flows.read_inbox._understand", trip)
    reading = desk.arrives(COLLECTION, None, b"odd")
    assert "ValueError: odd: Authorization: Bearer [removed] of 254722***111" in reading.outcome
    assert SECRET not in str([*desk.rt.reader.rows("SELECT * FROM journal")])
