"""Whatever is changed in the database other than by rentpay, `journal verify` finds it and names it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from rentpay_cli.core.evidence import NotMoved, Overdue
from rentpay_cli.core.journal import BEGINNING
from rentpay_cli.errors import NeedsAttention, WrongUse
from rentpay_cli.flows import collect, payouts
from rentpay_cli.flows import register as registering
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.read_inbox import COLLECTION, PAYOUT
from rentpay_cli.flows.verify import Head, head, read_head, verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, journal, readonly, reads
from tests.flows.test_callbacks import Desk, not_paid, paid, result, two_houses
from tests.support.beginnings import Begin
from tests.support.forger import forge, rewrite_chain
from tests.support.scripted import token_of

ALL_OF_IT = "at, actor, event, payment_id, attempt_id, detail"


def some_history(rt: Runtime) -> None:
    """Payment 1 paid and disbursed, 2 failed, 3 recorded, and a callback that was not believed."""
    two_houses(rt)
    desk = Desk(rt)
    desk.arrives(PAYOUT, desk.pay_out(), result())
    desk.arrives(COLLECTION, desk.ask(phone="0722000112"), not_paid(checkout="ws_CO_3"))
    desk.arrives(COLLECTION, None, paid())
    registering.add_tenant(rt, name="Otieno", phone="0722000111")
    collect.record_payment(rt, property_reference="1", amount_cents=500_000, method="cash")
    payouts.stop_payouts(rt, "the password is being changed")
    verify(rt)


@pytest.fixture
def url(database_url: str, begin: Begin) -> str:
    """A database with some history."""
    begin(some_history)
    return database_url


def misfit(rt: Runtime, kept: Head | None = None) -> str:
    """What verification says of a database that does not fit."""
    with pytest.raises(NeedsAttention) as caught:
        verify(rt, kept)
    assert (caught.value.exit_status, caught.value.code) == (6, "does_not_fit")
    return caught.value.message


def test_what_rentpay_itself_wrote_fits(rt: Runtime, url: str) -> None:
    told: list[tuple[int, int]] = []
    found = verify(rt, head(rt), lambda *step: told.append(step))
    assert found.head == head(rt)
    assert found.rows["payment"] == 3
    assert found.rows["inbox"] == 4
    assert found.rows["attempt"] == 3


@pytest.mark.forges
@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE payment SET status = 'pending' WHERE id = 2", "Payment 2 .* status is failed, .* says pending"),
        ("UPDATE payment SET amount_cents = 1000100, share_cents = 950100 WHERE id = 1", "Payment 1 .* amount is KES"),
        ("UPDATE payment SET fee_cents = 49900, share_cents = 950100 WHERE id = 1", "Payment 1 .* fee is KES 500"),
        ("UPDATE money_in SET receipt = 'SKA1B2C3D5' WHERE id = 1", "Money in 1 .* receipt is SKA1B2C3D4"),
        ("UPDATE payment SET owner_paybill = '600002' WHERE id = 2", "Payment 2 .* owner paybill is 600001"),
        ("UPDATE payment SET owner_account_number = 'PROP001 ' WHERE id = 2", "Payment 2 .* owner account number"),
        ("UPDATE money_in SET paid_at = paid_at + 1 WHERE id = 1", "Money in 1 .* paid at"),
        ("UPDATE money_in SET amount_cents = amount_cents + 100 WHERE id = 2", "Money in 2 .* amount is KES 5,000"),
        ("DELETE FROM money_in WHERE id = 2", "Money in 2 .* not in the database any more"),
        ("UPDATE payment SET method = 'cash' WHERE id = 2", "Payment 2 .* method is mpesa"),
        ("DELETE FROM payment WHERE id = 3", "Payment 3 .* in the journal, but not in the database any more"),
        ("UPDATE payment SET id = 9 WHERE id = 3", "Payment 3 .* not in the database any more"),
        (
            "INSERT INTO payment (id, owner_id, property_id, method, amount_cents, fee_cents, share_cents, status,"
            " owner_paybill, owner_account_number, created_at)"
            " VALUES (4, 1, 1, 'mpesa', 1000000, 50000, 950000, 'failed', '600001', 'PROP001', 0)",
            "Payment 4 .* in the database, but not in the journal",
        ),
        ("UPDATE attempt SET state = 'unclear' WHERE id = 2", "Attempt 2 .* state is moved, .*"),
        ("UPDATE attempt SET token_sha256 = 'mine' WHERE id = 3", "Attempt 3 .* token sha256"),
        ("UPDATE attempt SET amount_cents = 100 WHERE id = 3", "Attempt 3 .* amount is KES 10,000, .* KES 1"),
        ("DELETE FROM attempt WHERE id = 1", "Attempt 1 .* not in the database any more"),
        (
            "UPDATE disbursement SET status = 'processing', receipt = NULL, completed_at = NULL, completed_day = NULL"
            " WHERE id = 1",
            "Disbursement 1 .* status is completed",
        ),
        ("UPDATE disbursement SET paybill = '600009' WHERE id = 1", "Disbursement 1 .* paybill is 600001"),
        ("UPDATE disbursement SET mpesa_charge_cents = 0 WHERE id = 1", "Disbursement 1 .* charge is KES 48"),
        ("UPDATE disbursement SET receipt = NULL WHERE id = 1", "Disbursement 1 .* the table says empty"),
        ("UPDATE payable SET paybill = '600009' WHERE id = 1", "Payable 1 .* paybill is 600001"),
        ("UPDATE payable SET status = 'pending' WHERE id = 1", "Payable 1 .* status is completed"),
        ("UPDATE payable SET owner_id = 2 WHERE id = 2", "Payable 2 .* owner is 1"),
        ("UPDATE disbursement_member SET live = NULL", "Disbursement member 1 .* live is 1"),
        ("DELETE FROM disbursement_member", "Disbursement member 1 .* not in the database any more"),
        ("UPDATE inbox SET state = 'new' WHERE id = 4", "Callback 4 .* state is held"),
        ("UPDATE inbox SET path = 'payout' WHERE id = 1", "Callback 1 .* path is collection"),
        ("DELETE FROM inbox WHERE id = 4", "Callback 4 .* not in the database any more"),
        ("UPDATE property SET paybill = '600009' WHERE id = 2", "Property 2 .* paybill is 600001"),
        ("UPDATE property SET fee_percentage = '0' WHERE id = 1", "Property 1 .* fee percentage is empty"),
        ("UPDATE payout_stop SET in_force = NULL, lifted_at = 1, lifted_by = 'x'", "Payout stop 1 .* in force is 1"),
        ("DELETE FROM payout_stop", "Payout stop 1 .* not in the database any more"),
    ],
)  # fmt: skip
def test_a_changed_row_is_found_and_named(rt: Runtime, url: str, statement: str, sentence: str) -> None:
    forge(url, statement)
    assert re.search(sentence, misfit(rt))


def test_a_changed_byte_of_a_callback_is_found_and_named(rt: Runtime, url: str) -> None:
    body = next(rt.reader.rows("SELECT body FROM inbox WHERE id = 2"))["body"]
    forged = bytes(body).replace(b"9500", b"9501").hex()
    forge(url, f"UPDATE inbox SET body = {_bytes(url, forged)} WHERE id = 2")
    assert re.search("Callback 2 does not fit: .* its body", misfit(rt))


def _bytes(url: str, digits: str) -> str:
    return f"X'{digits}'" if url.startswith("sqlite") else f"'\\x{digits}'"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET at = at + 1 WHERE id = 7",
        "UPDATE journal SET actor = 'nobody' WHERE id = 7",
        "UPDATE journal SET event = 'something else' WHERE id = 7",
        "UPDATE journal SET payment_id = 3 WHERE id = 7",
        "UPDATE journal SET attempt_id = 3 WHERE id = 7",
        "UPDATE journal SET detail = replace(detail, '\"', '\" ') WHERE id = 7",
        "UPDATE journal SET hash = 'x' || substr(hash, 2) WHERE id = 7",
        "UPDATE journal SET hash = '' WHERE id = 7",
    ],
)
def test_a_changed_entry_is_found_and_named(rt: Runtime, url: str, statement: str) -> None:
    forge(url, statement)
    assert re.match("Entry [78] of the journal does not fit", misfit(rt))


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM journal WHERE id = 7", "In the journal entry 7 is missing."),
        ("DELETE FROM journal WHERE id < 3", "In the journal entries 1 to 2 are missing."),
        ("DELETE FROM journal WHERE id BETWEEN 4 AND 6", "In the journal entries 4 to 6 are missing."),
    ],
)
def test_a_removed_entry_is_found_and_named(rt: Runtime, url: str, statement: str, sentence: str) -> None:
    forge(url, statement)
    assert misfit(rt) == sentence


def test_a_swapped_pair_is_found(rt: Runtime, url: str) -> None:
    forge(
        url,
        "UPDATE journal SET id = 900 WHERE id = 6",
        "UPDATE journal SET id = 6 WHERE id = 7",
        "UPDATE journal SET id = 7 WHERE id = 900",
    )
    assert misfit(rt).startswith("Entry 6 of the journal does not fit")


def test_a_cut_tail_is_found_by_the_tables(rt: Runtime, url: str) -> None:
    last = head(rt).number
    forge(url, f"DELETE FROM journal WHERE id >= {last}")
    assert misfit(rt) == "Payout stop 1 does not fit: it is in the database, but not in the journal."


def test_a_tail_cut_with_all_that_it_tells_of_is_found_by_the_head_that_was_kept(rt: Runtime, url: str) -> None:
    kept = head(rt)
    forge(url, f"DELETE FROM journal WHERE id >= {kept.number}", "DELETE FROM payout_stop")
    verify(rt)
    assert kept.number is not None
    assert misfit(rt, kept) == (
        f"The journal was cut off: it ends with entry {kept.number - 1}, but the head that was kept is {kept.number}."
    )
    assert "cut off or rewritten" in misfit(rt, Head(None, kept.hash))
    registering.add_tenant(rt, name="Achieng", phone="0722000113")  # the numbers run on
    registering.add_tenant(rt, name="Njeri", phone="0722000114")
    verify(rt)
    assert misfit(rt, kept).startswith(f"Entry {kept.number} of the journal is not the one whose hash was kept")
    assert "cut off or rewritten" in misfit(rt, Head(None, kept.hash))


def test_a_chain_that_was_forged_whole_is_found_by_the_head_that_was_kept(rt: Runtime, url: str) -> None:
    kept = head(rt)
    forge(url, "UPDATE journal SET actor = 'nobody' WHERE event = 'payouts stopped'")
    rewrite_chain(url)
    verify(rt)
    assert "is not the one whose hash was kept" in misfit(rt, kept)


def test_a_detail_that_is_no_json_is_found_although_its_hash_is_right(rt: Runtime, url: str) -> None:
    forge(url, "UPDATE journal SET detail = '\"changes\"' WHERE id = 7")
    rewrite_chain(url)
    assert misfit(rt) == "Entry 7 of the journal cannot be read: its detail is damaged."


def test_what_was_kept_at_any_time_is_proven_later(rt: Runtime, url: str) -> None:
    kept = head(rt)
    registering.add_tenant(rt, name="Achieng", phone="0722000113")
    assert verify(rt, kept).head.number == (kept.number or 0) + 1
    verify(rt, Head(None, kept.hash))
    verify(rt, read_head(f" {str(kept).upper()}\n"))
    assert read_head(kept.hash) == Head(None, kept.hash)
    for text in ("", "4711", kept.hash + ":", kept.hash + "0", f"{kept.hash}:x"):
        with pytest.raises(WrongUse):
            read_head(text)


def test_an_empty_journal_has_a_head_that_everything_follows(rt: Runtime) -> None:
    with rt.database.transaction():
        pass
    kept = head(rt)
    assert kept == Head(0, BEGINNING)
    assert verify(rt, kept).head == kept
    registering.add_owner(rt, name="Wanjiru Kamau")
    verify(rt, kept)


def test_damaged_text_is_found_and_named(rt: Runtime, url: str) -> None:
    if not url.startswith("sqlite"):
        return  # PostgreSQL keeps no text that is none
    forge(url, "UPDATE payment SET owner_account_number = CAST(X'50FF' AS TEXT) WHERE id = 1")
    assert misfit(rt).startswith("Payment 1 does not fit: the journal says that its owner account number is PROP001")


def test_a_body_that_was_forgotten_by_rentpay_fits_and_any_other_does_not(rt: Runtime, url: str) -> None:
    masked = b'{"masked": true}'
    forge(url, f"UPDATE inbox SET body = {_bytes(url, masked.hex())} WHERE id = 1")
    assert misfit(rt).startswith("Callback 1 does not fit")
    with rt.database.transaction() as session:
        digest = "9ea0f7c1e7d1c5ff8ee5f1f6a9a7d0a7ff17a4f4c7e0ee3ee0a0a0f7c1e7d1c5"
        journal.write(session, datetime.now(UTC), "tester", "tenant forgotten", tenant=1, inbox={"1": digest})
    assert misfit(rt).startswith(f"Callback 1 does not fit: the journal says that its body is {digest}")
    with rt.database.transaction() as session:
        journal.write(session, datetime.now(UTC), "tester", "tenant forgotten", tenant=1, inbox={"1": _sha256(masked)})
    verify(rt)


def _sha256(body: bytes) -> str:
    import hashlib

    return hashlib.sha256(body).hexdigest()


def test_what_others_write_meanwhile_does_not_disturb(rt: Runtime, url: str) -> None:
    """The journal is read before the tables; what is committed in between belongs to another moment."""
    told: list[int] = []

    def somebody_writes(done: int, _: int) -> None:
        if not told:
            registering.add_property(
                rt, name="New", owner_reference="1", paybill="600001", account_number="P9", rent="1"
            )
        told.append(done)

    from rentpay_cli.flows import verify as flow

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "TELL_EVERY", 1)
        assert verify(rt, None, somebody_writes).rows["property"] == 2
    assert told == list(range(1, len(told) + 1))
    assert verify(rt).rows["property"] == 3


# --- what the journal tells ------------------------------------------------------------------------------------------


def entries(rt: Runtime, payment_id: int | None = None) -> list[readonly.Row]:
    found = [row | {"detail": json.loads(row["detail"])} for row in reads.journal(rt.reader, payment_id=payment_id)]
    return sorted(found, key=lambda row: int(row["id"]))


def test_a_payment_s_life_can_be_told_from_the_journal_alone(rt: Runtime, url: str) -> None:
    told = entries(rt, 1)
    assert [row["event"] for row in told] == [
        "rent asked",
        "learned",
        "learned",
        "callback read",
        "payout intended",
        "learned",
        "learned",
        "callback read",
    ]
    asked, intended, moved = told[0]["detail"], told[4]["detail"], told[6]["detail"]
    created = asked["changes"]["payment 1"]
    assert {
        name: created[name] for name in ("amount_cents", "fee_cents", "share_cents", "owner_id", "property_id")
    } == {
        "amount_cents": 1_000_000,
        "fee_cents": 50_000,
        "share_cents": 950_000,
        "owner_id": 1,
        "property_id": 1,
    }
    assert (created["owner_paybill"], created["owner_account_number"]) == ("600001", "PROP001")
    assert (intended["amount_cents"], intended["paybill"], intended["account_number"]) == (950_000, "600001", "PROP001")
    assert (moved["before"], moved["after"]) == ("waiting", "moved")
    assert moved["changes"]["disbursement 1"]["status"] == "completed"
    assert moved["changes"]["attempt 2"]["state"] == "moved"


def test_every_callback_is_in_the_journal_when_it_arrives_and_when_it_is_read(rt: Runtime, url: str) -> None:
    arrived = [row["detail"]["changes"] for row in entries(rt) if row["event"] == "callbacks received"]
    assert [name for changes in arrived for name in changes] == ["inbox 1", "inbox 2", "inbox 3", "inbox 4"]
    assert all(len(changes[name]["body"]) == 64 for changes in arrived for name in changes)
    outcome = {row["detail"]["callback"]: row["event"] for row in entries(rt) if "callback" in row["detail"]}
    assert outcome == {1: "callback read", 2: "callback read", 3: "callback read", 4: "callback held"}


def test_no_name_and_no_telephone_number_of_a_person_is_in_the_journal(rt: Runtime, url: str) -> None:
    registering.edit_tenant(rt, "Otieno", name="Otieno Odhiambo", phone="0722000119")
    registering.edit_owner(rt, "1", email="wanjiru@example.co.ke", phone="0712345678")
    written = " ".join(str(row) for row in rt.reader.rows("SELECT * FROM journal"))
    for secret in ("Wanjiru", "wanjiru", "Otieno", "2547220001", "0722000", "712345678"):
        assert secret not in written
    assert "254722***119" in written


def test_a_change_that_no_flow_tells_of_is_told_all_the_same(rt: Runtime, url: str) -> None:
    with rt.database.transaction() as session:
        attempt = attempts.get(session, 3)
        attempt.code = "1037"
        session.add(attempt)
    newest = entries(rt)[-1]
    assert (newest["actor"], newest["event"]) == ("rentpay", "changed")
    assert newest["detail"] == {"changes": {"attempt 3": {"code": "1037"}}}
    verify(rt)


def test_each_learning_says_what_became_of_attempt_payment_and_share(rt: Runtime) -> None:
    two_houses(rt)
    desk = Desk(rt)
    desk.pay_out()
    now = rt.now()
    with rt.database.transaction() as session:
        learn(session, 2, Overdue("quiet"), source=Source.TIME, actor="tester", at=now)
        learn(session, 2, NotMoved("1", "no float"), source=Source.QUERY, actor="tester", at=now)
    unclear, failed = (row["detail"] for row in entries(rt)[-2:])
    assert (unclear["before"], unclear["after"], unclear["changes"]) == (
        "waiting",
        "unclear",
        {"attempt 2": {"state": "unclear"}},
    )
    assert failed["changes"]["disbursement 1"]["status"] == "failed"
    disburse(rt, 1)
    assert token_of(desk.mpesa.sent[-1][1])
    verify(rt)
