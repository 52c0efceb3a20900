"""A tenant who is forgotten is found nowhere any more, and the books are what they were."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import text

from rentpay_cli.core.evidence import Acknowledged
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.flows import collect
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.forget import forget_tenant
from rentpay_cli.flows.read_inbox import COLLECTION
from rentpay_cli.flows.verify import head, verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import reads
from rentpay_cli.store.read.ledger import read_books
from tests.flows.test_callbacks import Desk, two_houses
from tests.support.scripted import script, token_of

PHONE, DIGITS = "254722000111", "722000111"
CHECKOUT = f"ws_CO_23112026101530440{DIGITS}"


def agreed(_: int, __: int) -> None:
    """Whoever is asked says yes."""


def paid(checkout: str = CHECKOUT, phone: str = PHONE, receipt: str = "SKA1B2C3D4") -> dict[str, Any]:
    items = [{"Name": "Amount", "Value": 10000}, {"Name": "MpesaReceiptNumber", "Value": receipt}]
    items += [{"Name": "PhoneNumber", "Value": int(phone)}]
    news = {"CheckoutRequestID": checkout, "ResultCode": 0, "ResultDesc": "ok", "CallbackMetadata": {"Item": items}}
    return {"Body": {"stkCallback": news}}


class Rented(Desk):
    """A tenant whose rent was paid, with callbacks of several kinds in which the number stands."""

    def __init__(self, rt: Runtime) -> None:
        two_houses(rt)
        super().__init__(rt)
        self.mpesa = script(rt, lambda *_: Acknowledged(checkout_request_id=CHECKOUT, merchant_request_id="m-1"))
        self.tenant = str(registering.add_tenant(rt, name="Otieno Ouma", phone="0722000111", property_reference="1"))
        asked = collect.initiate(rt, property_reference="1", tenant_reference=self.tenant)
        self.token = token_of(self.mpesa.sent[-1][1])
        self.arrives(COLLECTION, self.token, paid())
        self.arrives(COLLECTION, None, {"forged": f"0{DIGITS} paid"})
        collect.record_payment(
            rt, property_reference="1", amount_cents=500_000, method="cash", tenant_reference="1", note="Otieno's wife"
        )
        self.payment_id = asked.payment_id

    def everything(self) -> str:
        """Every column of every row of every table but the journal's own digests, as text."""
        tables = ("owner", "property", "tenant", "payment", "attempt", "inbox", "finding", "enquiry", "disbursement")
        tables += ("journal", "notice", "setting", "access", "payout_stop", "balance_reading", "destination_change")
        rows = [row for table in tables for row in self.rt.reader.rows(f"SELECT * FROM {table}")]
        return " ".join(
            bytes(value).decode() if isinstance(value, bytes | memoryview) else str(value)
            for row in rows
            for value in row.values()
        )


@pytest.fixture
def rented(rt: Runtime) -> Rented:
    return Rented(rt)


def test_nothing_of_the_person_is_left_in_the_database(rented: Rented) -> None:
    before = rented.everything()
    assert "Otieno" in before
    assert DIGITS in before
    done = forget_tenant(rented.rt, rented.tenant, agreed)
    assert (done.tenant_id, done.payments, done.callbacks) == (1, 2, 2)
    after = rented.everything()
    assert "Otieno" not in after
    assert DIGITS not in after
    assert rented.payment(rented.payment_id)["tenant_name"] == "forgotten tenant 1"


def test_the_books_are_what_they_were_and_still_verify(rented: Rented) -> None:
    rt = rented.rt
    earlier = head(rt)
    books = read_books(rt.reader)
    forget_tenant(rt, rented.tenant, agreed)
    assert read_books(rt.reader) == books
    assert verify(rt, earlier).rows["inbox"] == 2
    payment = rented.payment(rented.payment_id)
    assert (payment["status"], payment["receipt"], payment["amount_cents"]) == ("success", "SKA1B2C3D4", 1_000_000)


def test_a_masked_callback_is_what_it_was_but_for_the_digits(rented: Rented) -> None:
    forget_tenant(rented.rt, rented.tenant, agreed)
    row = reads.callback(rented.rt.reader, 1)
    assert row is not None
    (_, _, phone) = json.loads(bytes(row["body"]))["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    assert phone["Value"] == 254000000000


@pytest.mark.parametrize(
    "written",
    [
        f'{{"PhoneNumber": {PHONE}}}',
        f'{{"MSISDN": "{PHONE}"}}',
        f'{{"MSISDN": "+{PHONE}"}}',
        f'{{"MSISDN": "0{DIGITS}"}}',
        f'{{"MSISDN": {DIGITS}}}',
        f'{{"PhoneNumber": {PHONE}.0}}',
        '{"PhoneNumber": 2.54722000111E11}',
        f'{{"CheckoutRequestID": "{CHECKOUT}"}}',
        f'{{"CheckoutRequestID": "ws_CO_231120261015302{PHONE}"}}',
        f'{{"ReceiverPartyPublicName": "{PHONE} - OTIENO"}}',
        f"msisdn=%2B{PHONE}&amount=5",
        f'{{"twice": "{PHONE}", "again": "0{DIGITS}", "cut off',
        f'{{"SecurityCredential": "hidden", "PartyB": "{PHONE}"}}',
    ],
)
def test_the_number_goes_from_a_body_however_mpesa_writes_it(rented: Rented, written: str) -> None:
    rt = rented.rt
    rented.arrives(COLLECTION, rented.token, written.encode())
    forget_tenant(rt, rented.tenant, agreed)
    *_, last = rt.reader.rows("SELECT id, body FROM inbox ORDER BY id")
    expected = written.replace(DIGITS, "0" * 9).replace("2.54722000111", "2.54000000000").replace("hidden", "******")
    assert bytes(last["body"]).decode() == expected
    (entry,) = reads.journal(rt.reader, event="tenant forgotten", limit=5)
    assert json.loads(entry["detail"])["inbox"][str(last["id"])] == hashlib.sha256(expected.encode()).hexdigest()
    verify(rt)


def test_the_journal_tells_of_it_by_number_only(rented: Rented) -> None:
    forget_tenant(rented.rt, rented.tenant, agreed)
    (entry,) = reads.journal(rented.rt.reader, event="tenant forgotten", limit=5)
    detail = json.loads(entry["detail"])
    assert (detail["tenant"], detail["payments"], sorted(detail["inbox"])) == (1, 2, ["1", "2"])


def test_a_tenant_is_not_forgotten_while_an_outcome_is_open(rt: Runtime) -> None:
    two_houses(rt)
    desk = Desk(rt)
    registering.add_tenant(rt, name="Otieno Ouma", phone="0722000111", property_reference="1")
    desk.ask()
    with pytest.raises(RuleRefused, match="payment 1") as refused:
        forget_tenant(rt, "1", agreed)
    assert refused.value.code == "still_open"
    assert desk.payment()["phone"] == PHONE


def test_who_says_no_has_forgotten_nobody(rented: Rented) -> None:
    def refuse(*_: int) -> None:
        raise RuleRefused("Nothing was done.", code="declined")

    with pytest.raises(RuleRefused):
        forget_tenant(rented.rt, rented.tenant, refuse)
    assert "Otieno" in rented.everything()


def test_a_number_that_another_tenant_has_stays_with_the_other(rented: Rented) -> None:
    rt = rented.rt
    registering.add_tenant(rt, name="Akinyi Ouma", phone="0722000111", property_reference="2")
    rented.arrives(COLLECTION, None, {"also": DIGITS})
    forget_tenant(rt, rented.tenant, agreed)
    bodies = [bytes(row["body"]) for row in rt.reader.rows("SELECT body FROM inbox ORDER BY id")]
    assert [DIGITS.encode() in body for body in bodies] == [False, True, True]
    assert rented.payment(rented.payment_id)["phone"] is None
    verify(rt)


def test_two_payments_whose_ids_differ_in_the_number_alone_can_both_be_forgotten(rented: Rented) -> None:
    rt = rented.rt
    other = CHECKOUT.replace(DIGITS, "733000111")
    rented.mpesa = script(rt, lambda *_: Acknowledged(checkout_request_id=other, merchant_request_id="m-2"))
    registering.add_tenant(rt, name="Akinyi", phone="0733000111", property_reference="2")
    collect.initiate(rt, property_reference="2", tenant_reference="2")
    rented.arrives(COLLECTION, token_of(rented.mpesa.sent[-1][1]), paid(other, "254733000111", "SKZ1B2C3D4"))
    for tenant in ("1", "2"):
        forget_tenant(rt, tenant, agreed)
    ids = [row["checkout_request_id"] for row in rt.reader.rows("SELECT * FROM attempt ORDER BY id")]
    assert ids == [CHECKOUT.replace(DIGITS, "000000001"), CHECKOUT.replace(DIGITS, "000000002")]
    verify(rt)


def test_who_was_forgotten_is_asked_for_nothing_and_can_be_forgotten_again(rented: Rented) -> None:
    forget_tenant(rented.rt, rented.tenant, agreed)
    with pytest.raises(WrongUse, match="forgotten"):
        collect.initiate(rented.rt, property_reference="1", tenant_reference=rented.tenant)
    assert forget_tenant(rented.rt, rented.tenant, agreed).callbacks == 0


def test_a_late_callback_of_one_who_was_forgotten_books_nothing(rented: Rented) -> None:
    forget_tenant(rented.rt, rented.tenant, agreed)
    assert rented.arrives(COLLECTION, rented.token, paid()).state == "held"
    assert DIGITS not in str(list(rented.rt.reader.rows("SELECT checkout_request_id FROM attempt")))


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE inbox SET body = body WHERE id = 1", ""),
        ("UPDATE attempt SET checkout_request_id = NULL", "set once"),
        ("UPDATE attempt SET checkout_request_id = 'ws_CO_another'", "set once"),
    ],
)
def test_the_database_lets_nothing_else_be_changed(rented: Rented, statement: str, what: str) -> None:
    def change(sql: str, **values: Any) -> None:
        with rented.rt.database.engine.begin() as connection:
            connection.execute(text(sql), values)

    if not what:
        change(statement)
        with pytest.raises(DBAPIError, match="written once"):
            change("UPDATE inbox SET body = :body WHERE id = 1", body=b"something else")
        change("INSERT INTO setting (name, value) VALUES ('forgetting', '733000111')")
        statement, what = "UPDATE inbox SET body = :body WHERE id = 1", "written once"
    with pytest.raises(DBAPIError, match=what):
        change(statement, **({"body": b"something else"} if ":body" in statement else {}))


def test_no_file_of_the_database_has_the_number_any_more(new_sqlite: Any, tmp_path: Path) -> None:
    from tests.support.world import settings_for

    url = new_sqlite()
    rt = Runtime(settings_for(url), actor="tester")
    rented = Rented(rt)
    path = Path(url.removeprefix("sqlite:///"))
    rt.reader.close()
    del rt.__dict__["reader"]

    def stored() -> bytes:
        return b"".join(each.read_bytes() for each in path.parent.glob(path.name + "*"))

    assert DIGITS.encode() in stored()
    forget_tenant(rt, rented.tenant, agreed)
    assert DIGITS.encode() not in stored()
    assert b"Otieno" not in stored()
    rt.close()
