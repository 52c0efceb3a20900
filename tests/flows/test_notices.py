"""Owners and the operator are told from the outbox, each once, and no mail server holds up money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apprise.plugins.africas_talking import NotifyAfricasTalking

from rentpay_cli.core.evidence import Acknowledged, Moved, NotMoved, Unanswered
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.core.limits import Limits
from rentpay_cli.core.notices import SETTLING, Audience
from rentpay_cli.core.payout import PayableKind, Way
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.errors import BadConfiguration
from rentpay_cli.flows import notices, register
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.resolve import read_ruling, resolve
from rentpay_cli.flows.send import Held, NotSent, Unclear, write_intention
from rentpay_cli.notifier import Notifier
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import enquiries, reads
from rentpay_cli.store.write import payables
from tests.cli.conftest import Books
from tests.support.post import Post, post_office
from tests.support.scripted import Killed, script
from tests.support.together import learn_of, send_together

NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    with post_office() as opened:
        monkeypatch.setattr(NotifyAfricasTalking, "notify_url", {"bulksms": opened.gateway_url})
        monkeypatch.setattr(NotifyAfricasTalking, "request_rate_per_sec", 0)
        yield opened


@pytest.fixture
def books(rt: Runtime, post: Post) -> Books:
    """An owner with a phone and an e-mail address, and every way of telling configured."""
    owner = str(register.add_owner(rt, name="Wanjiru Kamau", phone="0712345678", email="wanjiru@example.com"))
    register.add_property(
        rt, name="Sunset Apartments", owner_reference=owner, paybill="600001", account_number="PROP001", rent="10000"
    )
    rt.settings = replace(
        rt.settings,
        notify_operator=(post.mail_url + "operator@example.com",),
        notify_owner_email=post.mail_url + "{email}",
        notify_owner_sms="atalk://rentpay@0123456789/{phone}",
    )
    opened = Books(rt)
    opened.at(NOON)
    return opened


def paid_out(books: Books, outcome: Any = None, number: int = 1) -> int:
    """Rent that was paid, and its share with what became of it."""
    payment_id = books.asked()
    books.learn(payment_id, Moved(receipt=f"RENT{number}", amount_cents=1_000_000))
    script(books.rt, lambda *_: Acknowledged(conversation_id=f"AG_{number}", originator_conversation_id=f"o_{number}"))
    disburse(books.rt, payment_id)
    if outcome is not None:
        books.learn(payment_id, outcome, "payout")
    return payment_id


def completed(number: int = 1) -> Moved:
    return Moved(receipt=f"PAID{number}", amount_cents=950_000, moved_at=NOON)


def told(rt: Runtime) -> list[str]:
    return notices.tell(rt, notices.notifier_of(rt))


def states(rt: Runtime) -> list[tuple[str, str]]:
    return [(row["audience"], row["state"]) for row in reads.notices(rt.reader, None, 100)]


def test_the_owner_is_told_once_by_mail_and_by_phone(books: Books, post: Post) -> None:
    payment_id = paid_out(books, completed())
    assert told(books.rt) == ["", ""]
    assert told(books.rt) == []
    ((recipients, subject, text),) = post.mails
    assert (recipients, subject) == (["wanjiru@example.com"], "KES 9,500 for Sunset Apartments was paid to you")
    assert "PAID1" in text
    assert f"Payment: {payment_id}" in text
    assert post.texts == [
        (
            "254712345678",
            "KES 9,500 for Sunset Apartments was paid to paybill 600001, account PROP001. "
            "M-Pesa receipt PAID1, 23 Nov 2026 12:00:00 EAT",
        )
    ]
    assert {state for _, state in states(books.rt)} == {"sent"}


def test_an_owner_without_an_address_is_not_told_and_nothing_waits(books: Books, post: Post) -> None:
    owner = str(register.add_owner(books.rt, name="Otieno Ouma"))
    register.edit_property(books.rt, "1", owner_reference=owner)
    paid_out(books, completed())
    assert told(books.rt) == []
    assert (post.mails, post.texts, states(books.rt)) == ([], [], [])


def test_many_failures_make_one_message_to_the_operator(books: Books, post: Post) -> None:
    paid_out(books, NotMoved("1", "The balance is insufficient"), 1)
    paid_out(books, NotMoved("1", "The balance is insufficient"), 2)
    assert told(books.rt) == []  # more may follow
    books.at(NOON + SETTLING)
    assert told(books.rt) == [""]
    ((recipients, subject, text),) = post.mails
    assert (recipients, subject) == (["operator@example.com"], "rentpay (simulator): 2 things to look at")
    assert "Payment 1: the payout of KES 9,500 failed: The balance is insufficient (1). rentpay status 1" in text
    assert "Payment 2" in text


def test_the_operator_is_told_of_a_stop_and_of_what_does_not_fit(books: Books, post: Post) -> None:
    payment_id = paid_out(books, NotMoved("2001", "The initiator information is invalid"))
    books.learn(payment_id, Moved(receipt="OTHER", amount_cents=1), "payout")
    books.at(NOON + SETTLING)
    told(books.rt)
    ((_, subject, text),) = post.mails
    assert subject == "rentpay (simulator): 3 things to look at"
    assert "All payouts are stopped: M-Pesa answered 2001" in text
    assert "was not believed" in text


def test_the_operator_is_told_once_of_what_sticks(books: Books, post: Post) -> None:
    payment_id = paid_out(books)
    told(books.rt)
    assert states(books.rt) == []
    for minutes in (6, 7, 600):
        books.at(NOON + timedelta(minutes=minutes))
        told(books.rt)
    ((_, _, text),) = post.mails
    assert f"Payment {payment_id}: M-Pesa has not said what became of the payout to its owner." in text


def test_the_operator_is_told_once_a_day_that_the_float_is_low(books: Books, post: Post) -> None:
    books.rt.settings = replace(books.rt.settings, low_float_cents=5_000_000)
    with books.rt.database.transaction() as session:
        enquiries.note_balances(session, [("Working Account", 4_000_000, 4_000_000)], ReadingSource.QUERY, NOON)
    for hours in (0, 1, 2, 24, 25):
        books.at(NOON + timedelta(hours=hours))
        told(books.rt)
    assert [subject for _, subject, _ in post.mails] == ["rentpay (simulator): 1 thing to look at"] * 2
    assert "The float is under KES 50,000" in post.mails[0][2]


def test_the_operator_is_told_that_a_payout_is_held(books: Books, post: Post) -> None:
    books.rt.settings = replace(books.rt.settings, limits=Limits(transfer_cents=100))
    payment_id = books.asked()
    books.learn(payment_id, Moved(receipt="RENT1", amount_cents=1_000_000))
    assert isinstance(disburse(books.rt, payment_id), NotSent | Held)
    for hours in (0, 1, 2):
        books.at(NOON + timedelta(hours=hours))
        told(books.rt)
    ((_, _, text),) = post.mails
    assert f"1 payout is held for a person to look at (KES 9,500), first that of payment {payment_id}." in text


def test_what_the_gateway_does_not_take_is_tried_again_and_then_given_up(books: Books, post: Post) -> None:
    books.rt.settings = replace(books.rt.settings, notify_owner_email="")
    post.gateway_status = 500
    payment_id = paid_out(books, completed())
    moment = NOON
    for minutes in (1, 5, 30, 120, 0):
        (problem,) = told(books.rt)
        assert "254712***678" in problem or "500" in problem
        assert "254712345678" not in problem
        moment += timedelta(minutes=minutes)
        books.at(moment)
    assert told(books.rt) == []
    assert ("owner by SMS", "failed") in states(books.rt)
    row = reads.payment(books.rt.reader, payment_id)
    assert row is not None
    assert row["disbursement_status"] == "completed"


def test_a_process_that_dies_over_a_notice_leaves_it_unknown_and_nobody_tells_it_twice(
    books: Books, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.rt.settings = replace(books.rt.settings, notify_owner_email="")
    paid_out(books, completed())

    def die(*_: Any) -> str:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Notifier, "tell", die)
        with pytest.raises(Killed):
            told(books.rt)
    books.at(NOON + timedelta(minutes=11))
    assert told(books.rt) == []
    assert ("owner by SMS", "unknown") in states(books.rt)
    assert post.texts == []


def test_nobody_is_told_anything_until_it_is_configured_and_nothing_is_kept_for_later(books: Books, post: Post) -> None:
    configured = books.rt.settings
    books.rt.settings = replace(configured, notify_operator=(), notify_owner_email="", notify_owner_sms="")
    paid_out(books, completed())
    books.at(NOON + timedelta(seconds=1))
    assert told(books.rt) == []
    books.rt.settings = configured
    assert told(books.rt) == []
    assert states(books.rt) == []


def test_news_of_yesterday_is_not_told(books: Books, post: Post) -> None:
    paid_out(books, completed())
    books.at(NOON + timedelta(hours=25))
    assert told(books.rt) == []
    assert post.mails == []


def test_two_tellers_at_once_tell_each_owner_once(books: Books, post: Post) -> None:
    books.rt.settings = replace(books.rt.settings, notify_owner_email="", notify_operator=())
    for number in range(1, 9):
        paid_out(books, completed(number), number)
    at_once(lambda: told(books.rt), 4)
    assert len(post.texts) == len({*post.texts}) == 8


def at_once(work: Callable[[], Any], count: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()


def test_an_operator_can_put_in_words_of_his_own(books: Books, post: Post, tmp_path: Path) -> None:
    (tmp_path / "owner-sms.txt").write_text("Pesa $amount imelipwa. $receipt")
    books.rt.settings = replace(books.rt.settings, notify_owner_email="", notify_templates=str(tmp_path))
    paid_out(books, completed())
    told(books.rt)
    assert [text for _, text in post.texts] == ["Pesa KES 9,500 imelipwa. PAID1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"notify_owner_sms": "nonsense://{phone}"}, "RENTPAY_NOTIFY_OWNER_SMS holds an address that apprise"),
        ({"notify_templates": "/nowhere"}, "RENTPAY_NOTIFY_TEMPLATES is '/nowhere', which is no folder"),
    ],
)
def test_a_wrong_way_is_found_before_there_is_news(rt: Runtime, changes: dict[str, str], words: str) -> None:
    rt.settings = replace(rt.settings, **changes)  # type: ignore[arg-type]
    with pytest.raises(BadConfiguration, match=words):
        notices.notifier_of(rt)


def test_a_request_without_an_answer_is_no_failure_to_tell(books: Books, post: Post) -> None:
    payment_id = books.asked()
    books.learn(payment_id, Moved(receipt="RENT1", amount_cents=1_000_000))
    script(books.rt, lambda *_: Unanswered("nobody answered"))
    assert isinstance(disburse(books.rt, payment_id), Unclear)
    books.at(NOON + SETTLING)
    assert told(books.rt) == []
    assert Audience.OPERATOR.value not in {audience for audience, _ in states(books.rt)}


# --- transfers of many members ---------------------------------------------------------------------------------------


def test_the_owner_is_told_once_of_a_transfer_and_of_all_its_payments(books: Books, post: Post) -> None:
    place = {"owner_reference": "1", "paybill": "600001", "account_number": "PROP001", "rent": "8000"}
    register.add_property(books.rt, name="Hill View", **place)
    (claimed,) = send_together(books.rt, [books.paid(), books.paid(place="2"), books.paid()])
    learn_of(books.rt, claimed, Moved(receipt="PAID1", amount_cents=2_660_000, moved_at=NOON))
    assert told(books.rt) == ["", ""]
    ((_, subject, text),) = post.mails
    assert subject == "KES 26,600 for Sunset Apartments, Hill View was paid to you"
    assert "Payment: 1, 2, 3" in text
    assert "Rent collected: KES 28,000" in text
    assert len(post.texts) == 1


def test_the_operator_is_told_once_of_a_transfer_that_sticks(books: Books, post: Post) -> None:
    send_together(books.rt, [books.paid(), books.paid()])
    books.at(NOON + timedelta(minutes=6))
    told(books.rt)
    books.at(NOON + timedelta(minutes=7))
    told(books.rt)
    ((_, _, text),) = post.mails
    assert text.count("M-Pesa has not said") == 1
    assert "Payments 1 and 2: M-Pesa has not said what became of the payout to their owner. rentpay status 1" in text


def test_the_owner_is_told_of_what_arrived_although_it_had_been_paid_again(books: Books, post: Post) -> None:
    """All members of the first transfer are settled by the second: no share is left that the first one settles."""
    payment_id = paid_out(books, NotMoved("1", "The balance is insufficient"))
    script(books.rt, lambda *_: Acknowledged(conversation_id="AG_2", originator_conversation_id="o_2"))
    disburse(books.rt, payment_id)
    books.learn(payment_id, completed(2), "payout")
    told(books.rt)
    resolve(books.rt, read_ruling(payment_id, "PAIDATLAST", False, "on the statement", attempt=1))
    assert told(books.rt) == ["", ""]
    assert "PAIDATLAST" in post.mails[-1][2]
    assert f"Payment: {payment_id}" in post.mails[-1][2]


def test_the_owner_is_told_of_a_transfer_of_entries_alone(books: Books, post: Post) -> None:
    with books.rt.database.transaction() as session:
        payables.book_entry(
            session, PayableKind.CORRECTION, owner_id=1, amount_cents=50_000, at=NOON, by="tester", property_id=1,
            paybill="600001", account_number="PROP001",
        )  # fmt: skip
        (entry,) = payables.candidates(session, [1], NOON)
        transfer = Transfer(Way.B2B, entry.destination, (1,), 0, 50_000, 0)
        claimed = write_intention(books.rt, session, transfer, [entry], NOON)
    learn_of(books.rt, claimed, Acknowledged("AG_1", "o_1"))
    learn_of(books.rt, claimed, Moved(receipt="PAID1", amount_cents=50_000, moved_at=NOON))
    assert told(books.rt) == ["", ""]
    assert post.mails[-1][1] == "KES 500 for earlier amounts was paid to you"
