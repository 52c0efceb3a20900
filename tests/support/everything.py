"""A sound platform with some of everything: every status of every row that money takes, by flows where there are any.

What has no flow yet (refunds, what is given to another unit, money that is not M-Pesa's, runs) takes the steps that the
schema's triggers want, through the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, SQLModel

from rentpay_cli.core.attempt import State
from rentpay_cli.core.clock import eat_day
from rentpay_cli.core.collect import ReceivedBy, WayIn
from rentpay_cli.core.evidence import Evidence, Moved, NotMoved, Unanswered
from rentpay_cli.core.payout import DisbursementStatus, HoldKind, PayableKind, PayableStatus, PaymentStatus, Way
from rentpay_cli.core.requests import RequestKind, RequestState, Who
from rentpay_cli.flows import payouts, register, resolve
from rentpay_cli.flows.disburse import disburse
from rentpay_cli.flows.learn import Source, learn
from rentpay_cli.flows.send import Outcome, Sent, Settled
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import attempts, payments
from rentpay_cli.store.tables import (
    Attempt,
    Disbursement,
    DisbursementMember,
    Hold,
    Payment,
    PayoutRun,
    Property,
    Refund,
)
from rentpay_cli.store.write import disbursements, holds, money_in, payables, requests
from tests.cli.conftest import Books

BEGINS = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
STEP = timedelta(minutes=10)
RENT_CENTS = 1_000_000
FEE_CENTS = 50_000


class Everything(Books):
    """Tells of what happens, one thing every ten minutes."""

    def __init__(self, rt: Runtime) -> None:
        super().__init__(rt)
        self.moment = BEGINS
        rt.now = lambda: self.moment

    def later(self) -> None:
        """Let time pass."""
        self.moment += STEP

    def owner(self, name: str, fee: str | None = None) -> str:
        """The number of a new property with an owner of its own."""
        owner = register.add_owner(self.rt, name=name)
        place = {"paybill": "600001", "account_number": f"A{owner}", "rent": "10000", "fee_percentage": fee}
        return str(register.add_property(self.rt, name=f"House of {name}", owner_reference=str(owner), **place))

    # --- by flows ----------------------------------------------------------------------------------------------------

    def asked(self, *arguments: Any, **rest: Any) -> int:
        self.later()
        return super().asked(*arguments, **rest)

    def send(self, payment_id: int, becomes: type[Outcome] = Sent) -> None:
        """Send a share that is due."""
        self.later()
        outcome = disburse(self.rt, payment_id)
        assert isinstance(outcome, becomes), outcome

    def sent(self, *arguments: Any, **rest: Any) -> int:
        payment_id = self.paid(*arguments, **rest)
        self.send(payment_id)
        return payment_id

    def learn(self, payment_id: int, evidence: Any, direction: str = "collection") -> None:
        self.later()
        super().learn(payment_id, evidence, direction)

    def learn_of(self, attempt: int, evidence: Evidence) -> None:
        """Something became known about an attempt."""
        self.later()
        with self.rt.database.transaction() as session:
            learn(session, attempt, evidence, source=Source.CALLBACK, actor="test", at=self.moment)

    def fails(self, payment_id: int, code: str = "1") -> None:
        """The newest transfer of a share moves nothing."""
        self.learn(payment_id, NotMoved(code, "It failed."), "payout")

    def arrives(self, payment_id: int, receipt: str) -> None:
        """The newest transfer of a share moves it."""
        self.learn(payment_id, Moved(receipt, None, charge_cents=500), "payout")

    def contradicted(self, place: str) -> int:
        """A share whose transfer failed and was paid after all."""
        payment_id = self.sent(place)
        self.fails(payment_id)
        self.arrives(payment_id, f"SKX{payment_id:07d}")
        return payment_id

    def paid_twice(self, place: str) -> int:
        """A share that was sent again after a failure that was none, as a person then ruled."""
        payment_id = self.sent(place)
        self.fails(payment_id)
        self.send(payment_id)
        self.arrives(payment_id, f"SKA{payment_id:07d}")
        with self.rt.database.transaction() as session:
            first = attempts.of_payable(session, payables.share_of(session, payment_id).id)[0].id
        self.learn_of(first, Moved(f"SKB{payment_id:07d}", None))
        self.later()
        ruling = resolve.read_ruling(payment_id, f"SKB{payment_id:07d}", False, "on the statement", 1)
        resolve.resolve(self.rt, ruling)
        return payment_id

    # --- through the store -------------------------------------------------------------------------------------------

    def money(self, way: str = "bank", cents: int = RENT_CENTS, **known: Any) -> int:
        """Money that came by itself."""
        self.later()
        known = {"proved_by": "amina@office", "proved_at": self.moment, **known}
        with self.rt.database.transaction() as session:
            return money_in.book(
                session,
                way=WayIn(way),
                amount_cents=cents,
                paid_at=self.moment,
                at=self.moment,
                learned_by=Source.RULING,
                **known,
            )

    def payment(self, money: int, place: str, cents: int = RENT_CENTS, *, is_due: bool = True) -> int:
        """A payment for a property out of money that came by itself."""
        self.later()
        with self.rt.database.transaction() as session:
            house, way = session.get_one(Property, int(place)), money_in.get(session, money).way
            made = Payment(
                owner_id=house.owner_id,
                property_id=int(place),
                method="mpesa" if way == "stk" else way,
                amount_cents=cents,
                fee_cents=FEE_CENTS,
                share_cents=cents - FEE_CENTS,
                status=PaymentStatus.PENDING.value,
                owner_paybill=house.paybill,
                owner_account_number=house.account_number,
                created_at=self.moment,
            )
            session.add(made)
            session.flush()
            payments.move(session, made, PaymentStatus.SUCCESS, money_in_id=money)
            payables.book_share(session, made, self.moment, by="amina@office", is_due=is_due)
            return made.id or 0

    def entry(self, place: str, cents: int, kind: PayableKind = PayableKind.REPAIR, **origin: Any) -> int:
        """An amount for an owner, or against him."""
        self.later()
        with self.rt.database.transaction() as session:
            owner = session.get_one(Property, int(place)).owner_id
            return payables.book_entry(
                session, kind, owner_id=owner, amount_cents=cents, at=self.moment, by="amina@office", **origin
            )

    def reversed(self, payment_id: int, because: str) -> None:
        """A payment that does not count any more: its share is void, or an entry takes it back."""
        self.later()
        with self.rt.database.transaction() as session:
            payment = payments.get(session, payment_id)
            share = payables.share_of(session, payment_id)
            assert share is not None
            told = {"reversed_because": because, "reversed_at": self.moment, "reversed_day": eat_day(self.moment)}
            payments.move(session, payment, PaymentStatus.REVERSED, **told)
            if share.status in (PayableStatus.PENDING, PayableStatus.FAILED):
                free = (PayableStatus.PENDING, PayableStatus.FAILED)
                payables.move(session, [share.id or 0], free, PayableStatus.NOT_REQUIRED)
            elif share.status != PayableStatus.NOT_REQUIRED:
                kind = PayableKind.REALLOCATED if because == "reallocated" else PayableKind.REVERSAL
                of = {"payment_id": payment_id, "property_id": share.property_id}
                cents, owner = -share.amount_cents, share.owner_id
                payables.book_entry(session, kind, owner_id=owner, amount_cents=cents, at=self.moment, by="amina", **of)

    def refund(self, money: int, state: State) -> None:
        """A tenant's money that goes back by a reversal, as far as it is known to have."""
        self.later()
        with self.rt.database.transaction() as session:
            asked = {"money_in_id": money, "way": "reversal", "reason": "paid twice", "made_by": "amina@office"}
            made = Refund(**asked, status="proposed", created_at=self.moment)
            set_columns(session, made)
            set_columns(session, made, status="processing")
            attempt = Attempt(
                direction="refund",
                refund_id=made.id,
                state=State.SENDING.value,
                token_sha256=f"refund {made.id}",
                amount_cents=money_in.get(session, money).amount_cents,
                created_at=self.moment,
                changed_at=self.moment,
            )
            set_columns(session, attempt)
            set_columns(session, attempt, state=state.value)
            if state is State.MOVED:
                ended = {"receipt": f"SKR{made.id:07d}", "completed_at": self.moment}
                set_columns(session, made, status="completed", **ended)
            elif state is State.NOT_MOVED:
                set_columns(session, made, status="failed")

    def returned(self, money: int) -> None:
        """Nothing of this money is here any more."""
        self.later()
        with self.rt.database.transaction() as session:
            set_columns(session, money_in.get(session, money), returned_at=self.moment)

    def money_of(self, payment_id: int) -> int:
        """The number of the money that a payment is made from."""
        with self.rt.database.transaction() as session:
            return payments.get(session, payment_id).money_in_id or 0

    def run(self, place: str, *, needs_approval: bool) -> int:
        """The number of a run of payouts to the owner of a property, which is approved already."""
        self.later()
        with self.rt.database.transaction() as session:
            made = PayoutRun(
                owner_id=session.get_one(Property, int(place)).owner_id,
                origin="person",
                due_at=self.moment,
                digest="0" * 64,
                needs_approval=int(needs_approval),
                status="proposed",
                made_by="amina@office",
                created_at=self.moment,
            )
            set_columns(session, made)
            if needs_approval:
                who, number = Who(None, "amina@office"), made.id or 0
                asked = requests.ask(session, RequestKind.RUN, number, "a run", needs_two=False, by=who, at=self.moment)
                found = requests.get(session, asked)
                assert found is not None
                requests.decide(session, found, RequestState.CONFIRMED, who, self.moment)
            set_columns(session, made, status="approved")
            return made.id or 0

    def proposed(self, members: Sequence[int], run: int | None = None) -> int:
        """The number of a transfer that is to be made, perhaps in a run."""
        self.later()
        with self.rt.database.transaction() as session:
            among = payables.candidates(session, members, self.moment)
            paybill, account_number = next(each.destination for each in among if each.destination)
            cents = sum(each.amount_cents for each in among)
            shares_cents = sum(each.amount_cents for each in among if each.is_share)
            made = Disbursement(
                run_id=run,
                number=1 if run else None,
                way=Way.B2B.value,
                owner_id=among[0].owner_id,
                paybill=paybill,
                account_number=account_number,
                payment_count=sum(each.is_share for each in among),
                collected_cents=sum(each.collected_cents for each in among),
                fee_cents=sum(each.fee_cents for each in among),
                shares_cents=shares_cents,
                entries_cents=cents - shares_cents,
                carried_cents=0,
                amount_cents=cents,
                status=DisbursementStatus.PROPOSED.value,
                created_at=self.moment,
            )
            set_columns(session, made)
            for each in among:
                set_columns(session, DisbursementMember(disbursement_id=made.id or 0, payable_id=each.payable_id))
            return made.id or 0

    def leaves(self, disbursement: int, members: Sequence[int], state: State = State.WAITING) -> None:
        """A proposed transfer is on its way, and what is known of it."""
        self.later()
        with self.rt.database.transaction() as session:
            disbursements.send(session, disbursement, payables.candidates(session, members, self.moment))
            cents = disbursements.get(session, disbursement).amount_cents
            attempt = attempts.open_payout(session, disbursement, cents, f"token {disbursement}", self.moment)
            attempts.move(session, attempts.get(session, attempt), State.WAITING, self.moment)
        if state is State.MOVED:
            self.learn_of(attempt, Moved(f"SKT{disbursement:07d}", None))

    def shares(self, *payment_ids: int) -> list[int]:
        """The numbers of the shares of payments."""
        with self.rt.database.transaction() as session:
            return [share.id or 0 for each in payment_ids if (share := payables.share_of(session, each))]


def set_columns(session: Session, row: SQLModel, **columns: Any) -> None:
    """Add a row, or change one."""
    for name, value in columns.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()


def some_of_everything(rt: Runtime) -> None:
    """Fill an empty database; nobody has broken anything."""
    tell = Everything(rt)
    rent_by_mpesa(tell)
    doubt(tell)
    held_and_stopped(tell)
    debts_and_cents(tell)
    money_that_goes_back(tell)
    many_in_one(tell)


def rent_by_mpesa(tell: Everything) -> None:
    """Rent that is asked for, paid or not, and shares that are sent, arrive, fail and are sent again."""
    place = tell.owner("Wanjiru Kamau")
    tell.asked(place)
    tell.learn(tell.asked(place), NotMoved("1032", "Request cancelled by user."))
    tell.learn(tell.asked(place), Moved(None, None))  # whose receipt is not known yet
    tell.paid(place)
    tell.sent(place)
    tell.arrives(tell.sent(place), "SKP0000001")
    failed = tell.sent(place)
    tell.fails(failed)
    again = tell.sent(place)
    for _ in range(2):
        tell.fails(again)
        tell.send(again)
    tell.arrives(again, "SKP0000002")
    unknown = tell.sent(place)
    tell.learn(unknown, Unanswered("a broken answer"), "payout")
    free = tell.owner("Otieno Okoth", "100")
    tell.paid(free)  # of which nothing goes to the owner
    tell.reversed(tell.paid(free), "reallocated")


def doubt(tell: Everything) -> None:
    """What M-Pesa says against what is known, and what people rule."""
    tell.contradicted(tell.owner("Achieng Odhiambo"))
    ruled = tell.contradicted(tell.owner("Njeri Mwangi"))
    tell.later()
    resolve.resolve(tell.rt, resolve.read_ruling(ruled, f"SKX{ruled:07d}", False, "on the statement"))
    certain = tell.contradicted(tell.owner("Kiprop Cheruiyot"))
    tell.later()
    resolve.resolve(tell.rt, resolve.read_ruling(certain, None, True, "not on the statement"))
    tell.send(certain)
    by_hand = tell.paid(tell.owner("Mutua Musyoka"))
    tell.later()
    resolve.resolve(tell.rt, resolve.read_ruling(by_hand, "SKH0000001", False, "on the statement"))
    place = tell.owner("Barasa Wekesa")
    tell.paid_twice(place)
    tell.send(tell.paid(place), Settled)


def held_and_stopped(tell: Everything) -> None:
    """Holds and stops, in force and ended, and what left before and after."""
    place = tell.owner("Hassan Abdi")
    tell.arrives(tell.sent(place), "SKP0000003")
    for scope in ("payable_id", "property_id", "owner_id"):
        held = tell.paid(place)
        [share] = tell.shares(held)
        numbers = {"payable_id": share, "property_id": int(place), "owner_id": int(place)}
        tell.later()
        with tell.rt.database.transaction() as session:
            only = {scope: numbers[scope]}
            hold = holds.place(session, HoldKind.PERSON, "the lease is in dispute", "amina", tell.moment, **only)
        tell.later()
        with tell.rt.database.transaction() as session:
            holds.end(session, session.get_one(Hold, hold), "amina", tell.moment, "it is settled")
        tell.send(held)
        tell.arrives(held, f"SKG{held:07d}")
    payouts.stop_payouts(tell.rt, "the operator's password is being changed")
    payouts.stop_payouts(tell.rt, "a new bank", place)
    kept = tell.paid(place)
    tell.later()
    payouts.resume_payouts(tell.rt)
    payouts.resume_payouts(tell.rt, place)
    tell.send(kept)
    tell.later()
    with tell.rt.database.transaction() as session:
        until = tell.moment + timedelta(days=30)
        holds.place(session, HoldKind.PERSON, "abroad", "amina", tell.moment, property_id=int(place), until=until)


def debts_and_cents(tell: Everything) -> None:
    """Amounts against an owner, cents that B2B cannot carry, and rent that the owner received."""
    place = tell.owner("Muthoni Kariuki")
    tell.entry(place, -300_000, property_id=int(place))
    tell.arrives(tell.sent(place), "SKP0000004")
    tell.entry(place, -1_000_000)
    tell.send(tell.paid(place), Settled)  # which leaves a debt
    tell.arrives(tell.sent(place), "SKP0000005")
    cents = tell.owner("Wafula Simiyu")
    odd = tell.payment(tell.money("bank", 1_000_050), cents, 1_000_050)
    tell.send(odd)
    with tell.rt.database.transaction() as session:
        [attempt] = attempts.of_payable(session, payables.share_of(session, odd).id)
    tell.learn_of(attempt.id, Moved("SKP0000006", None))
    own = tell.owner("Nyambura Gitau")
    cash = tell.money("cash", received_by=ReceivedBy.OWNER, proved_by=None, proved_at=None)
    theirs = tell.payment(cash, own, is_due=False)
    tell.entry(own, -FEE_CENTS, PayableKind.FEE_COLLECTED_BY_OWNER, payment_id=theirs)
    tell.arrives(tell.sent(own), "SKP0000007")
    back = tell.owner("Chebet Koech")
    came_back = tell.sent(back)
    tell.arrives(came_back, "SKP0000008")
    tell.entry(back, RENT_CENTS - FEE_CENTS, PayableKind.RETURNED, receipt="SKV0000001", property_id=int(back))


def money_that_goes_back(tell: Everything) -> None:
    """Refunds before and after the payout, that failed, and money that is given to another unit or undone."""
    place, other = tell.owner("Kamau Njoroge"), tell.owner("Adhiambo Ouma")
    early, late = tell.paid(place), tell.sent(place)
    tell.arrives(late, "SKP0000009")
    for each in (early, late):
        money = tell.money_of(each)
        tell.reversed(each, "refund")
        tell.refund(money, State.MOVED)
        tell.returned(money)
    tell.refund(tell.money_of(tell.paid(other)), State.NOT_MOVED)
    tell.refund(tell.money_of(tell.paid(other)), State.WAITING)
    unsent = tell.paid(place)
    tell.reversed(unsent, "reallocated")
    tell.payment(tell.money_of(unsent), other)
    sent = tell.sent(other)
    tell.arrives(sent, "SKP0000010")
    tell.reversed(sent, "reallocated")
    tell.payment(tell.money_of(sent), place)
    two = tell.money("paybill", 2 * RENT_CENTS, receipt="SKN9000001")
    tell.payment(two, place)
    tell.payment(two, other)
    tell.money("paybill", receipt="SKN9000002")  # which names nobody
    wrong = tell.money("cash")
    tell.reversed(tell.payment(wrong, place), "undo")
    tell.returned(wrong)
    tell.returned(tell.money("cheque"))


def many_in_one(tell: Everything) -> None:
    """Transfers of several shares: in a run, on their way, cancelled, and only proposed."""
    place = tell.owner("Fatuma Ali")
    four = tell.shares(*(tell.paid(place) for _ in range(4)))
    cancelled = tell.proposed(four[:2])
    with tell.rt.database.transaction() as session:
        disbursements.cancel(session, disbursements.get(session, cancelled))
    run = tell.run(place, needs_approval=True)
    tell.leaves(tell.proposed(four[:2], run), four[:2], State.MOVED)
    tell.leaves(tell.proposed(four[2:3]), four[2:3])
    tell.proposed(four[3:])
