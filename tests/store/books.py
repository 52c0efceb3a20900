"""Healthy books for tests of what the database refuses: single rows, and a platform with something in every state.

What the store and the flows can do is done by them; what no function does yet is done by SQL that follows the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.callbacks import CallbackState, EnquiryKind
from rentpay_cli.core.collect import ReceivedBy, WayIn
from rentpay_cli.core.evidence import Acknowledged, Evidence, Moved, NotMoved, Source, Unanswered
from rentpay_cli.core.findings import FindingKind
from rentpay_cli.core.float_reading import ReadingSource
from rentpay_cli.core.notices import Audience, NoticeKind
from rentpay_cli.core.payout import HoldKind, PayableKind, PaymentStatus, RefundWay, Reversed, StopKind, Way
from rentpay_cli.core.requests import RequestKind, RequestState, Who
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.flows.learn import learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, enquiries, inbox, journal, notices, payments, stops
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import (
    Access,
    DestinationChange,
    KnownDestination,
    Owner,
    Payment,
    PayoutRun,
    Property,
    Refund,
    Tenant,
)
from rentpay_cli.store.write import disbursements, holds, money_in, payables, refunds, requests, runs

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RENT_CENTS, FEE_CENTS, SHARE_CENTS = 1_000_000, 50_000, 950_000

Rows = dict[str, int]
"""The numbers of rows, by what they are."""


def a_property(session: Session, owner_id: int | None = None) -> Property:
    """A property, of a new owner if none is given."""
    if owner_id is None:
        owner = Owner(name="Wanjiru Kamau", created_at=NOW)
        session.add(owner)
        session.flush()
        owner_id = owner.id
    place = Property(
        name=f"Property of {owner_id}",
        owner_id=owner_id or 0,
        paybill="600001",
        account_number="PROP001",
        rent_cents=RENT_CENTS,
        created_at=NOW,
    )
    session.add(place)
    session.flush()
    return place


def a_payment(session: Session, place: Property | None = None, **changes: Any) -> Payment:
    """Rent that was asked for, of a new property if none is given."""
    place = place or a_property(session)
    payment = Payment(
        **{
            "owner_id": place.owner_id,
            "property_id": place.id,
            "phone": "254700000000",
            "amount_cents": RENT_CENTS,
            "fee_cents": FEE_CENTS,
            "share_cents": SHARE_CENTS,
            "status": PaymentStatus.PENDING.value,
            "owner_paybill": place.paybill,
            "owner_account_number": place.account_number,
            "created_at": NOW,
            **changes,
        }
    )
    session.add(payment)
    session.flush()
    return payment


def money(session: Session, **changes: Any) -> int:
    """The number of money that came for nothing yet."""
    known = {"way": WayIn.STK, "amount_cents": RENT_CENTS, "paid_at": NOW, "at": NOW, "learned_by": Source.CALLBACK}
    return money_in.book(session, **{**known, **changes})


def a_share(session: Session, place: Property | None = None) -> int:
    """The number of the share of a payment that came in."""
    payment = a_payment(session, place)
    came = money(session, receipt=f"SKA{payment.id or 0:07}")
    payments.move(session, payment, PaymentStatus.SUCCESS, money_in_id=came)
    return payables.book_share(session, payment, NOW, by="tester", is_due=True)


def a_transfer(session: Session, members: Sequence[int], way: Way = Way.B2B) -> int:
    """The number of a proposed transfer of payables of one owner."""
    found = payables.candidates(session, members, NOW)
    total_cents = sum(each.amount_cents for each in found)
    destination = next((each.destination for each in found if each.destination), None)
    sent_cents = 0 if way is Way.NONE else total_cents
    transfer = Transfer(way, destination, tuple(members), 0, sent_cents, total_cents - sent_cents)
    return disbursements.propose(session, transfer, found, NOW)


def a_disbursement(session: Session, *members: int) -> int:
    """The number of a transfer that was claimed and is about to be sent; of a new share, if no payables are given."""
    members = members or (a_share(session),)
    number = a_transfer(session, members)
    disbursements.send(session, number, payables.candidates(session, members, NOW))
    return number


# --- a platform with something in every state ------------------------------------------------------------------------


def a_platform(rt: Runtime) -> Rows:
    """Fill a new database with rows in every state that the model knows; their numbers, by what they are."""
    with rt.database.transaction() as session:
        platform = _Platform(session)
        platform.register()
        platform.give_access()
        platform.collect()
        platform.pay_out()
        platform.propose()
        platform.book_entries()
        platform.take_back()
        platform.forbid()
        platform.ask_for()
        platform.note()
    inbox.append(
        rt.database,
        [
            *[("payout", "payout sent", "127.0.0.1", b"254700000000 was paid")] * 3,
            ("collection", None, "127.0.0.1", b'{"forged": true}'),
        ],
        NOW,
    )
    with rt.database.transaction() as session:
        callbacks = ("new_callback", "read_callback", "held_callback", "stranger")
        platform.rows |= dict(zip(callbacks, range(1, 5), strict=True))
        for number, state in ((2, CallbackState.READ), (3, CallbackState.HELD)):
            inbox.mark(session, [inbox.Reading(number, state, f"{state} by a test")], NOW)
    return platform.rows


class _Platform:
    """Fills a database, and remembers each row by what it is."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rows: Rows = {}
        self._seconds = 0

    # --- small steps -------------------------------------------------------------------------------------------------

    def _learn(self, attempt_id: int, *evidence: Evidence, source: Source = Source.CALLBACK) -> None:
        for each in evidence:
            learn(self.session, attempt_id, each, source=source, actor="tester", at=NOW)

    def _asked(self, name: str) -> int:
        """The number of an attempt to collect rent."""
        payment = a_payment(self.session, self._place)
        number = attempts.open_collection(self.session, payment.id or 0, RENT_CENTS, name, NOW, "174379")
        self.rows |= {f"{name}_payment": payment.id or 0, f"{name}_collection": number}
        return number

    def _collected(self, name: str) -> int:
        """The number of the share of rent that was asked for and paid."""
        number = self._asked(name)
        told = Acknowledged(checkout_request_id=f"ws_CO_254700000000_{name}", merchant_request_id=f"m-{name}")
        self._learn(number, told, Moved(f"SKN{number:07}", None))
        payment = payments.get(self.session, self.rows[f"{name}_payment"])
        share = payables.share_of(self.session, payment.id or 0)
        assert share is not None
        self.rows |= {f"{name}_money": payment.money_in_id or 0, f"{name}_share": share.id or 0}
        return share.id or 0

    def _sent(self, name: str, *members: int) -> int:
        """The number of the attempt of a transfer that is being sent; of a new share, if no payables are given."""
        number = a_disbursement(self.session, *(members or (self._collected(name),)))
        cents = disbursements.get(self.session, number).amount_cents
        attempt = attempts.open_payout(self.session, number, cents, f"payout {name}", NOW, "174379")
        self.rows |= {f"{name}_disbursement": number, f"{name}_payout": attempt}
        return attempt

    def _accepted(self, name: str, *members: int) -> int:
        attempt = self._sent(name, *members)
        self._learn(attempt, Acknowledged(conversation_id=f"AG_{name}", originator_conversation_id=f"o-{name}"))
        return attempt

    def _entry(self, name: str, kind: PayableKind, cents: int, **origin: Any) -> int:
        number = payables.book_entry(
            self.session, kind, owner_id=self.rows["owner"], amount_cents=cents, at=NOW, by="tester", **origin
        )
        self.rows[name] = number
        return number

    # --- what there is -----------------------------------------------------------------------------------------------

    def register(self) -> None:
        """Two owners, three properties, a tenant."""
        self._place = a_property(self.session)
        second = a_property(self.session, self._place.owner_id)
        other = a_property(self.session)
        tenant = Tenant(name="Otieno Okoth", phone="254700000000", property_id=self._place.id, created_at=NOW)
        self.session.add(tenant)
        self.session.flush()
        self._other = other
        self.rows |= {"owner": self._place.owner_id, "other_owner": other.owner_id, "tenant": tenant.id or 0}
        self.rows |= {"place": self._place.id or 0, "second_place": second.id or 0, "other_place": other.id or 0}

    def collect(self) -> None:
        """Rent in every status, by every way."""
        self.rows["unasked_payment"] = a_payment(self.session, self._place).id or 0
        self._asked("sending")
        self._learn(self._asked("waiting"), Acknowledged(checkout_request_id="ws_CO_254700000000_waiting"))
        self._learn(self._asked("unclear"), Unanswered("no answer"))
        self._learn(self._asked("failed_rent"), NotMoved("1032", "Request cancelled by user"))
        self._learn(self._asked("query_only"), Moved(None, None), source=Source.QUERY)
        for name in ("free", "spare"):
            self._collected(name)
        self.rows["other_share"] = a_share(self.session, self._other)
        self.rows["unallocated_money"] = money(
            self.session, way=WayIn.PAYBILL, receipt="SKU0000001", phone="254700000000"
        )
        self._cash(ReceivedBy.PLATFORM, is_due=True, proved_by="amina", proved_at=NOW)
        self._cash(ReceivedBy.OWNER, is_due=False)
        self._entry(
            "owners_fee", PayableKind.FEE_COLLECTED_BY_OWNER, -FEE_CENTS, payment_id=self.rows["cash_by_owner_payment"]
        )
        nothing = {"fee_cents": RENT_CENTS, "share_cents": 0}
        self._paid_by("nothing", money(self.session, receipt="SKU0000002"), is_due=False, **nothing)

    def _cash(self, received_by: ReceivedBy, *, is_due: bool, **known: Any) -> None:
        came = money(self.session, way=WayIn.CASH, received_by=received_by, **known)
        self._paid_by(f"cash_by_{received_by}", came, is_due=is_due, method="cash")

    def _paid_by(self, name: str, came: int, *, is_due: bool, **changes: Any) -> None:
        payment = a_payment(self.session, self._place, **changes)
        payments.move(self.session, payment, PaymentStatus.SUCCESS, money_in_id=came)
        share = payables.book_share(self.session, payment, NOW, by="tester", is_due=is_due)
        self.rows |= {f"{name}_payment": payment.id or 0, f"{name}_money": came, f"{name}_share": share}

    def pay_out(self) -> None:
        """Transfers that were sent, with what became of each."""
        self._sent("being_sent")
        self._accepted("sent")
        self._learn(self._accepted("doubtful"), Unanswered("no answer"))
        self._learn(self._accepted("completed"), Moved("SKP0000001", None, charge_cents=2_500))
        self._learn(self._accepted("uncharged"), Moved(None, None))
        self._learn(self._accepted("failed"), NotMoved("2001", "The initiator information is invalid."))
        again = self._accepted("failed_once")
        self._learn(again, NotMoved("1", "The balance is insufficient for the transaction."))
        self._learn(
            self._accepted("second_try", self.rows["failed_once_share"]), Moved("SKP0000002", None, charge_cents=0)
        )
        contradicted = self._accepted("contradicted")
        self._learn(contradicted, NotMoved("1", "The balance is insufficient for the transaction."))
        self._learn(contradicted, Moved("SKP0000003", None))
        twice = self._accepted("paid_twice")
        self._learn(twice, NotMoved("1", "The balance is insufficient for the transaction."))
        self._learn(self._accepted("paid_again", self.rows["paid_twice_share"]), Moved("SKP0000004", None))
        self._learn(twice, Moved("SKP0000005", None), source=Source.RULING)

    def propose(self) -> None:
        """Transfers that were not sent: proposed, cancelled, made by hand, settled; and runs."""
        self.rows["proposed_disbursement"] = a_transfer(self.session, [self._collected("proposed")])
        by_hand = self.rows["portal_disbursement"] = a_transfer(self.session, [self._collected("portal")], Way.PORTAL)
        disbursements.complete_by_hand(
            self.session, by_hand, NOW, "tester", receipt="SKP0000006", moved_at=NOW - timedelta(hours=1)
        )
        given_up = self.rows["cancelled_disbursement"] = a_transfer(self.session, [self._collected("cancelled")])
        disbursements.cancel(self.session, disbursements.get(self.session, given_up))
        debt = self._entry("debt", PayableKind.REPAIR, -2 * SHARE_CENTS, property_id=self.rows["place"])
        settled = a_transfer(self.session, [self._collected("settled"), debt], Way.NONE)
        self.rows["settled_disbursement"] = settled
        self.rows["carried"] = disbursements.settle(self.session, settled, NOW, "tester") or 0
        by_hand = self.rows["proposed_portal"] = a_transfer(self.session, [self._collected("by_hand")], Way.PORTAL)
        entries = [self._entry("credit", PayableKind.CORRECTION, 500), self._entry("charge", PayableKind.TAX, -500)]
        self.rows["proposed_settlement"] = a_transfer(self.session, entries, Way.NONE)
        self._run_of("proposed_run", 1)
        runs.approve(self.session, self._run_of("approved_run", 2))
        done = self._run_of("done_run", 3)
        runs.approve(self.session, done)
        sent = self.rows["disbursement_of_done_run"]
        disbursements.send(self.session, sent, payables.candidates(self.session, [self.rows["done_run_share"]], NOW))
        attempt = attempts.open_payout(self.session, sent, SHARE_CENTS, "payout done_run", NOW, "174379")
        self._learn(attempt, Moved("SKP0000009", None))
        runs.finish(self.session, done)
        disbursements.void_run(self.session, number_of(self._run_of("void_run", 4)))
        waiting = self._run_of("run_to_confirm", 5, needs_approval=True)
        self._ask("request_of_run", RequestKind.RUN, waiting.id or 0, needs_two=True)
        confirmed = self._run_of("confirmed_run", 6, needs_approval=True)
        asked = self._ask("confirmed_request_of_run", RequestKind.RUN, confirmed.id or 0, needs_two=True)
        self._decide(asked, RequestState.CONFIRMED)
        runs.approve(self.session, confirmed)

    def _run_of(self, name: str, seconds: int, *, needs_approval: bool = False) -> PayoutRun:
        """A run of the calendar, at an instant of its own, with a transfer of a new share."""
        among = payables.candidates(self.session, [self._collected(name)], NOW)
        (share,) = among
        transfer = Transfer(Way.B2B, share.destination, (share.payable_id,), 0, SHARE_CENTS, 0)
        made = runs.propose(
            self.session,
            share.owner_id,
            runs.Planned(((transfer, (share,)),), {}),
            origin="calendar",
            due_at=NOW + timedelta(seconds=seconds),
            needs_approval=needs_approval,
            at=NOW,
            by="tester",
        )
        self.rows |= {name: made.run_id or 0, f"disbursement_of_{name}": made.transfers[0]}
        return runs.get(self.session, made.run_id or 0)

    def book_entries(self) -> None:
        """Entries of the kinds that nothing else here makes."""
        completed, place = self.rows["completed_disbursement"], self.rows["place"]
        here = {"property_id": place, "paybill": "600001", "account_number": "PROP001"}
        self._entry("returned", PayableKind.RETURNED, SHARE_CENTS, disbursement_id=completed, receipt="SKR0000001")
        self._entry("mpesa_charge", PayableKind.MPESA_CHARGE, -2_500, disbursement_id=completed)
        self._entry("deposit", PayableKind.DEPOSIT, 5_000, **here)
        self._entry("opening", PayableKind.OPENING, 7_000)
        self._entry("repair", PayableKind.REPAIR, -1_000, property_id=place)

    def take_back(self) -> None:
        """Refunds in every status, and payments that were reversed."""
        self._refund("proposed_refund")
        self._refund("portal_refund", RefundWay.PORTAL)
        refunds.cancel(self.session, self._refund("cancelled_refund"))
        self._refund_sent("processing_refund")
        self._learn(self._refund_sent("failed_refund"), NotMoved("11", "The account has no such amount."))
        self._learn(self._refund_sent("completed_refund"), Moved(None, None))
        by_hand = self._refund("portal_refund_completed", RefundWay.PORTAL)
        refunds.complete(self.session, by_hand, NOW, "tester", receipt=None, moved_at=NOW)
        self._learn(self._accepted("reversed"), Moved("SKP0000007", None))
        reversed_payment = payments.get(self.session, self.rows["reversed_payment"])
        refunds.reverse(self.session, reversed_payment, Reversed.REFUND, NOW, "tester")
        self._learn(self._accepted("moved_on"), Moved("SKP0000008", None))
        refunds.reallocate(self.session, payments.get(self.session, self.rows["moved_on_payment"]), NOW, "tester")
        self._paid_by("given", self.rows["moved_on_money"], is_due=True)

    def _refund(self, name: str, way: RefundWay = RefundWay.REVERSAL) -> Refund:
        """A proposed refund of rent that was paid."""
        self._collected(name)
        came = money_in.get(self.session, self.rows[f"{name}_money"])
        self.rows[name] = refunds.propose(self.session, came, way=way, reason="paid twice", by="tester", at=NOW)
        return refunds.get(self.session, self.rows[name])

    def _refund_sent(self, name: str) -> int:
        """The number of the attempt of a refund that is being sent."""
        number = refunds.send(self.session, self._refund(name), f"refund {name}", NOW, "174379")
        self.rows[f"{name}_attempt"] = number
        return number

    def forbid(self) -> None:
        """Holds and stops, in force and ended."""
        for name, scope in (("payable", "free_share"), ("property", "place"), ("owner", "owner")):
            of = {f"{name}_id": self.rows[scope]}
            for kind in (HoldKind.LIMIT, HoldKind.PERSON):
                made = holds.place(self.session, kind, "why", "tester", NOW, **of)  # type: ignore[arg-type]
                self.rows[f"{kind.value}_hold_of_{name}"] = made or 0
        for hold in holds.on_payable(self.session, self.rows["free_share"]):
            if hold.kind == HoldKind.LIMIT:
                self.rows["ended_hold"] = hold.id or 0
                holds.end(self.session, hold, "tester", NOW, "looked at")
        for owner in (None, self.rows["owner"]):
            stops.stop(self.session, StopKind.RATE, "why", "tester", NOW, owner_id=owner)
        self.rows["lifted_stop"] = stops.lift(self.session, "tester", NOW)[0].id or 0
        for name, of in (("stop_of_all", None), ("stop_of_owner", self.rows["owner"])):
            self.rows[name] = stops.stop(self.session, StopKind.PERSON, "why", "tester", NOW, owner_id=of) or 0
        for state in ("cancelled", "confirmed", "held"):
            self._change(f"{state}_change", state, property_id=self.rows["place"])
        self._change("held_change_of_payable", "held", payable_id=self.rows["free_share"])
        known = KnownDestination(
            paybill="600001", account_number="PROP001", name="Somebody", confirmed_by="amina", confirmed_at=NOW
        )
        self.session.add(known)
        self.session.flush()
        self.rows["known_destination"] = known.id or 0

    def _change(self, name: str, state: str, **of: int) -> None:
        is_decided = state != "held"
        change = DestinationChange(
            **of,  # type: ignore[arg-type]
            paybill="600002",
            account_number="PROP001",
            from_paybill="600001",
            from_account_number="PROP001",
            state=state,
            asked_by="tester",
            asked_at=NOW,
            decided_by="amina" if is_decided else None,
            decided_at=NOW if is_decided else None,
        )
        self.session.add(change)
        self.session.flush()
        self.rows[name] = change.id or 0

    def ask_for(self) -> None:
        """Requests in every state."""
        self._ask("waiting_request", RequestKind.REFUND, self.rows["proposed_refund"])
        for state in RequestState:
            if state is not RequestState.WAITING:
                asked = self._ask(f"{state}_request", RequestKind.RESUME, self.rows["stop_of_all"])
                self._decide(asked, state)

    def _ask(self, name: str, kind: RequestKind, about: int, *, needs_two: bool = False) -> int:
        by = Who(self.rows["access_of_amina"], "amina")
        self.rows[name] = requests.ask(self.session, kind, about, f"{kind} {about}", needs_two=needs_two, by=by, at=NOW)
        return self.rows[name]

    def _decide(self, number: int, state: RequestState) -> None:
        request = requests.get(self.session, number)
        assert request is not None
        by = Who(self.rows["access_of_other_admin"], "other_admin")
        requests.decide(self.session, request, state, by, NOW, "looked at")

    def give_access(self) -> None:
        """Two admins, an owner, a tenant, and somebody who had access."""
        for name, role, of in (
            ("amina", "admin", {}),
            ("other_admin", "admin", {}),
            ("landlord", "owner", {"owner_id": self.rows["owner"]}),
            ("lodger", "tenant", {"tenant_id": self.rows["tenant"]}),
            ("former", "clerk", {"revoked_by": "amina", "revoked_at": NOW}),
        ):
            entry = Access(
                **{"name": name, "role": role, "salt": b"s", "token_hash": b"h", "created_by": "t", "created_at": NOW},
                **of,  # type: ignore[arg-type]
            )
            self.session.add(entry)
            self.session.flush()
            self.rows[f"access_of_{name}"] = entry.id or 0

    def note(self) -> None:
        """What is told, asked and noted besides."""
        session, sent = self.session, self.rows["sent_payout"]
        self.rows["balance_question"] = enquiries.ask(session, EnquiryKind.BALANCE, "token of balance", NOW).id or 0
        enquiries.ask(session, EnquiryKind.STATUS, "token of status", NOW, sent)
        enquiries.note_balances(session, [("Working Account", 5_000_000, 5_000_000)], ReadingSource.QUERY, NOW)
        told = self.rows["completed_disbursement"] + 1_000
        notices.put(session, NoticeKind.COMPLETED, told, Audience.OPERATOR, NOW, "told")
        journal.raise_finding(session, NOW, FindingKind.MISMATCH, "looked at", attempt_id=sent)
        self.rows["finding"] = session.execute(text("SELECT max(id) FROM finding")).scalar_one()
        journal.close_findings(session, sent, "amina", NOW, "looked at")
        journal.write(session, NOW, "tester", "filled", payment_id=self.rows["free_payment"], attempt_id=sent)
