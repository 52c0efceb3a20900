"""Healthy books for tests of what the database refuses: single rows, and a platform with something in every state.

What the store and the flows can do is done by them; what no function does yet is done by SQL that follows the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.clock import eat_day, to_milliseconds
from rentpay_cli.core.evidence import Acknowledged, Evidence, Moved, NotMoved, Unanswered
from rentpay_cli.core.notices import Audience
from rentpay_cli.core.payout import HoldKind, PayableKind, PaymentStatus, StopKind, Way
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, enquiries, inbox, journal, notices, payments, stops
from rentpay_cli.store.tables import Access, Owner, PaybillChange, Payment, Property, Tenant
from rentpay_cli.store.write import disbursements, holds, money_in, payables

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
    known = {"way": "stk", "amount_cents": RENT_CENTS, "paid_at": NOW, "at": NOW, "learned_by": "callback"}
    return money_in.book(session, **{**known, **changes})


def a_share(session: Session, place: Property | None = None) -> int:
    """The number of the share of a payment that came in."""
    payment = a_payment(session, place)
    came = money(session, receipt=f"SKA{payment.id or 0:07}")
    payments.move(session, payment, PaymentStatus.SUCCESS, money_in_id=came)
    return payables.book_share(session, payment, NOW, by="tester", is_due=True)


def a_transfer(session: Session, members: Sequence[int], way: Way = Way.B2B, **rest: Any) -> int:
    """The number of a proposed transfer of payables of one owner."""
    found = payables.candidates(session, members, NOW)
    total_cents = sum(each.amount_cents for each in found)
    destination = next((each.destination for each in found if each.destination), None)
    sent_cents = 0 if way is Way.NONE else total_cents
    transfer = Transfer(way, destination, tuple(members), 0, sent_cents, total_cents - sent_cents)
    return disbursements.propose(session, transfer, found, NOW, **rest)


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
        platform.collect()
        platform.pay_out()
        platform.propose()
        platform.book_entries()
        platform.take_back()
        platform.forbid()
        platform.give_access()
        platform.note()
    inbox.append(
        rt.database,
        [
            *[("payout", "payout sent", "127.0.0.1", b"254700000000 was paid")] * 4,
            ("collection", None, "127.0.0.1", b'{"forged": true}'),
        ],
        NOW,
    )
    with rt.database.transaction() as session:
        callbacks = ("new_callback", "read_callback", "held_callback", "dismissed_callback", "stranger")
        platform.rows |= dict(zip(callbacks, range(1, 6), strict=True))
        for number, state in ((2, "read"), (3, "held"), (4, "dismissed")):
            inbox.mark(session, [inbox.Reading(number, state, f"{state} by a test")], NOW)
    return platform.rows


class _Platform:
    """Fills a database, and remembers each row by what it is."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rows: Rows = {}
        self._seconds = 0

    # --- small steps -------------------------------------------------------------------------------------------------

    def _run(self, statement: str, **values: Any) -> int:
        """Run a statement that no function of the store has yet; the number of the row, if it tells one."""
        self.session.flush()
        result = self.session.execute(text(statement), {"now": to_milliseconds(NOW), "day": eat_day(NOW), **values})
        number = result.scalar() if result.returns_rows else 0  # type: ignore[attr-defined]
        self.session.expire_all()
        return int(number or 0)

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
        self.rows["unallocated_money"] = money(self.session, way="paybill", receipt="SKU0000001", phone="254700000000")
        self._cash("platform", is_due=True, proved_by="amina", proved_at=NOW)
        self._cash("owner", is_due=False)
        self._entry(
            "owners_fee", PayableKind.FEE_COLLECTED_BY_OWNER, -FEE_CENTS, payment_id=self.rows["cash_by_owner_payment"]
        )
        nothing = {"fee_cents": RENT_CENTS, "share_cents": 0}
        self._paid_by("nothing", money(self.session, receipt="SKU0000002"), is_due=False, **nothing)

    def _cash(self, received_by: str, *, is_due: bool, **known: Any) -> None:
        came = money(self.session, way="cash", received_by=received_by, **known)
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
        for number, path in enumerate([[], ["approved"], ["approved", "done"], ["void"]], 1):
            name = f"{(path or ['proposed'])[-1]}_run"
            run = self._run(
                "INSERT INTO payout_run (owner_id, origin, due_at, digest, needs_approval, status, made_by, created_at)"
                " VALUES (:owner, 'calendar', :due, 'digest', 0, 'proposed', 'tester', :now) RETURNING id",
                owner=self.rows["owner"],
                due=to_milliseconds(NOW) + number,
            )
            self.rows[name] = run
            if name in ("proposed_run", "approved_run"):
                self.rows[f"disbursement_of_{name}"] = self._of_run(run, self._collected(name))
            for status in path:
                self._run("UPDATE payout_run SET status = :status WHERE id = :run", status=status, run=run)

    def _of_run(self, run: int, share: int) -> int:
        """The number of a proposed transfer of a run."""
        number = self._run(
            "INSERT INTO disbursement (run_id, number, way, owner_id, paybill, account_number, payment_count,"
            " collected_cents, fee_cents, shares_cents, entries_cents, carried_cents, amount_cents, status, created_at)"
            " SELECT :run, 1, 'b2b', owner_id, paybill, account_number, 1, :rent, :fee, amount_cents, 0, 0,"
            " amount_cents, 'proposed', :now FROM payable WHERE id = :share RETURNING id",
            run=run,
            share=share,
            rent=RENT_CENTS,
            fee=FEE_CENTS,
        )
        self._run(
            "INSERT INTO disbursement_member (disbursement_id, payable_id, live) VALUES (:transfer, :share, 1)",
            transfer=number,
            share=share,
        )
        return number

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
        self._refund("proposed_refund", "reversal")
        self._refund("portal_refund", "portal")
        self._refund("cancelled_refund", "reversal", "cancelled")
        self._refund("processing_refund", "reversal", "processing")
        self._refund("failed_refund", "reversal", "processing", "failed")
        self._refund("completed_refund", "reversal", "processing", "completed")
        self._refund("portal_refund_completed", "portal", "completed")
        for name in ("completed_refund", "portal_refund_completed"):
            self._reverse(name, "refund")
            self._run("UPDATE payable SET status = 'not_required' WHERE id = :share", share=self.rows[f"{name}_share"])
            self._run("UPDATE money_in SET returned_at = :now WHERE id = :money", money=self.rows[f"{name}_money"])
        self._learn(self._accepted("reversed"), Moved("SKP0000007", None))
        self._reverse("reversed", "refund")
        self._entry("reversal", PayableKind.REVERSAL, -SHARE_CENTS, payment_id=self.rows["reversed_payment"])
        self._learn(self._accepted("moved_on"), Moved("SKP0000008", None))
        self._reverse("moved_on", "reallocated")
        self._entry("reallocated", PayableKind.REALLOCATED, -SHARE_CENTS, payment_id=self.rows["moved_on_payment"])
        self._paid_by("given", self.rows["moved_on_money"], is_due=True)

    def _reverse(self, name: str, because: str) -> None:
        self._run(
            "UPDATE payment SET status = 'reversed', reversed_because = :because, reversed_at = :now,"
            " reversed_day = :day WHERE id = :payment",
            because=because,
            payment=self.rows[f"{name}_payment"],
        )

    def _refund(self, name: str, way: str, *path: str) -> None:
        self._collected(name)
        number = self.rows[name] = self._run(
            "INSERT INTO refund (money_in_id, way, status, reason, made_by, created_at)"
            " VALUES (:money, :way, 'proposed', 'paid twice', 'tester', :now) RETURNING id",
            money=self.rows[f"{name}_money"],
            way=way,
        )
        for status in path:
            attempt = self.rows.get(f"{name}_attempt")
            if attempt and status != "processing":
                state = "moved" if status == "completed" else "not_moved"
                self._run("UPDATE attempt SET state = :state WHERE id = :attempt", state=state, attempt=attempt)
            self._run(
                "UPDATE refund SET status = :status, completed_at = CAST(:at AS BIGINT) WHERE id = :refund",
                status=status,
                at=to_milliseconds(NOW) if status == "completed" else None,
                refund=number,
            )
            if status == "processing":
                self.rows[f"{name}_attempt"] = self._run(
                    "INSERT INTO attempt (direction, refund_id, state, token_sha256, amount_cents, created_at,"
                    " changed_at, checks, not_found_count) VALUES ('refund', :refund, 'sending', :token, :cents,"
                    " :now, :now, 0, 0) RETURNING id",
                    refund=number,
                    token=f"token of refund {number}",
                    cents=RENT_CENTS,
                )

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
            change = PaybillChange(
                property_id=self.rows["place"],
                paybill="600002",
                account_number="PROP001",
                state=state,
                asked_by="tester",
                asked_at=NOW,
                decided_by=None if state == "held" else "amina",
                decided_at=None if state == "held" else NOW,
            )
            self.session.add(change)
            self.session.flush()
            self.rows[f"{state}_change"] = change.id or 0

    def give_access(self) -> None:
        """An admin, an owner, a tenant, and somebody who had access."""
        for name, role, of in (
            ("amina", "admin", {}),
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
        self.rows["balance_question"] = enquiries.ask(session, "balance", "token of balance", NOW).id or 0
        enquiries.ask(session, "status", "token of status", NOW, sent)
        enquiries.note_balances(session, [("Working Account", 5_000_000, 5_000_000)], "query", NOW)
        notices.put(session, "completed", self.rows["completed_disbursement"] + 1_000, Audience.OPERATOR, NOW, "told")
        journal.raise_finding(session, NOW, "mismatch", "looked at", payment_id=self.rows["free_payment"])
        journal.write(session, NOW, "tester", "filled", payment_id=self.rows["free_payment"], attempt_id=sent)
        self.rows["finding"] = self._run("SELECT max(id) FROM finding")
        self._run("UPDATE finding SET closed_at = :now WHERE id = :finding", finding=self.rows["finding"])
