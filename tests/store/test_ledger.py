"""The books that the database sums up, on both databases: what each thing that happens puts on which account.

The stories end with books that fit, too; here is what they do not tell, and what is wrong and must be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rentpay_cli.core.evidence import Moved
from rentpay_cli.core.ledger import Account, Books
from rentpay_cli.core.payout import PayableKind
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import payments
from rentpay_cli.store.read.ledger import MONEY_NOT_AS_ALLOCATED, OWNERS_NOT_AS_OWED, read_books
from rentpay_cli.store.tables import Property
from rentpay_cli.store.write import disbursements, money_in, payables, refunds
from tests.stories.stage import FAILED, Stage
from tests.support.books import misfits
from tests.support.forger import forge

NOTHING: dict[Account, float] = {}

pytestmark = pytest.mark.forges  # facts without what belongs to them, each with its posting


@pytest.fixture
def stage(rt: Runtime) -> Iterator[Stage]:
    """A platform with one owner and one place, whose books fit after the test, also by the journal."""
    opened = Stage(rt)
    opened.place(opened.owner())
    yield opened
    assert misfits(rt.reader) == []
    verify(rt)


def books(stage: Stage) -> Books:
    return read_books(stage.rt.reader)


def balances(stage: Stage) -> dict[Account, float]:
    """Debits less credits of the accounts that hold something, in shillings."""
    found = {account: books(stage).line(account).balance_cents / 100 for account in Account}
    return {account: balance for account, balance in found.items() if balance}


def test_a_new_platform_has_empty_books(stage: Stage) -> None:
    assert balances(stage) == NOTHING
    assert all((line.debit_cents, line.credit_cents) == (0, 0) for line in books(stage).lines)


# --- rent and transfers ----------------------------------------------------------------------------------------------


def test_rent_is_the_fee_and_what_is_owed_until_the_owner_has_it(stage: Stage) -> None:
    payment = stage.rent(1)
    assert balances(stage) == {Account.UTILITY: 10_000, Account.FEES: -500, Account.OWNERS: -9500}
    stage.disburse(payment)
    assert balances(stage)[Account.OWNERS] == -9500
    stage.hears(stage.newest(), Moved("SKT0000001", None, charge_cents=4_200))
    assert balances(stage) == {
        Account.UTILITY: 10_000,
        Account.WORKING: -9500,
        Account.FEES: -500,
        Account.CHARGES: 42,
        Account.CHARGES_PAID: -42,
    }
    assert books(stage).float_line.balance_cents == 50_000


def test_a_transfer_that_failed_and_was_made_again_is_paid_once(stage: Stage) -> None:
    payment = stage.rent(1)
    stage.disburse(payment)
    stage.failed(stage.newest())
    assert balances(stage)[Account.OWNERS] == -9500
    stage.disburse(payment)
    stage.moved(stage.newest())
    assert (books(stage).line(Account.OWNERS).debit_cents, balances(stage)[Account.WORKING]) == (950_000, -9500)


def test_rent_that_failed_or_is_asked_for_is_in_no_account(stage: Stage) -> None:
    stage.asked()
    stage.learn(stage.asked(), FAILED)
    assert balances(stage) == NOTHING


def test_money_that_names_nobody_is_unallocated_until_a_payment_is_made_of_it(stage: Stage) -> None:
    money = stage.came(12_000)
    assert balances(stage) == {Account.UTILITY: 12_000, Account.UNALLOCATED: -12_000}
    stage.allocated(money, 1, 8000)
    assert balances(stage)[Account.UNALLOCATED] == -4000


@pytest.mark.parametrize("way", ["cash", "bank", "cheque", "other"])
def test_what_did_not_come_by_m_pesa_is_with_us_and_leaves_by_m_pesa(stage: Stage, way: str) -> None:
    stage.disburse(stage.allocated(stage.came(10_000, way=way), 1, 10_000))
    stage.moved(stage.newest())
    assert balances(stage) == {Account.CASH: 10_000, Account.FEES: -500, Account.WORKING: -9500}


def make(stage: Stage, money: int, method: str, *, is_due: bool = True, **parts: int) -> int:
    """A payment of money that came, with these parts of it, in shillings."""
    with stage.rt.database.transaction() as session:
        where = session.get_one(Property, 1)
        cents = {"vat_cents": 0, "other_cents": 0} | {f"{part}_cents": each * 100 for part, each in parts.items()}
        number = payments.make(
            session,
            owner_id=where.owner_id,
            property_id=1,
            method=method,
            amount_cents=sum(cents.values()),
            owner_paybill=where.paybill,
            owner_account_number=where.account_number,
            money_in_id=money,
            created_at=stage.now,
            **cents,
        )
        payables.book_share(session, payments.get(session, number), stage.now, by="test", is_due=is_due)
    return number


def test_a_payment_has_vat_on_the_fee_and_a_deposit_that_is_held(stage: Stage) -> None:
    make(stage, stage.came(30_000), "paybill", fee=500, vat=80, share=9420, other=20_000)
    assert balances(stage) == {
        Account.UTILITY: 30_000,
        Account.FEES: -500,
        Account.VAT_DUE: -80,
        Account.OWNERS: -9420,
        Account.DEPOSITS: -20_000,
    }
    entry(stage, PayableKind.DEPOSIT, 20_000)
    assert balances(stage)[Account.OWNERS] == -29_420
    assert Account.DEPOSITS not in balances(stage)


# --- entries ---------------------------------------------------------------------------------------------------------


def entry(stage: Stage, kind: PayableKind, shillings: float, **origin: Any) -> int:
    with stage.rt.database.transaction() as session:
        return payables.book_entry(
            session,
            kind,
            owner_id=1,
            amount_cents=round(shillings * 100),
            at=stage.now,
            by="test",
            **origin,
        )


@pytest.mark.parametrize(
    ("kind", "account"),
    [
        (PayableKind.REPAIR, Account.OWNER_DEBITS),
        (PayableKind.CORRECTION, Account.OWNER_DEBITS),
        (PayableKind.TAX, Account.TAX_WITHHELD),
        (PayableKind.OPENING, Account.OPENING),
        (PayableKind.MPESA_CHARGE, Account.CHARGES),
    ],
)
def test_what_an_owner_owes_is_taken_from_his_next_transfer(stage: Stage, kind: PayableKind, account: Account) -> None:
    entry(stage, kind, -1500.50)
    assert balances(stage) == {Account.OWNERS: 1500.50, account: -1500.50}
    stage.disburse(stage.rent(1))
    stage.moved(stage.newest())
    assert balances(stage)[Account.WORKING] == -7999
    assert balances(stage)[Account.OWNERS] == -0.50
    assert balances(stage)[account] == -1500.50


def test_entries_for_and_against_do_not_hide_each_other(stage: Stage) -> None:
    entry(stage, PayableKind.CORRECTION, 300)
    entry(stage, PayableKind.CORRECTION, -200)
    line = books(stage).line(Account.OWNERS)
    assert (line.debit_cents, line.credit_cents) == (20_000, 30_000)


# --- what the owner received -----------------------------------------------------------------------------------------


def collected_by_owner(stage: Stage, vat: int = 0) -> tuple[int, int]:
    """Cash that the owner received himself, and the fee that he owes for it: the money and the payment."""
    money = stage.came(10_000, way="cash", received_by="owner")
    number = make(stage, money, "cash", fee=500, vat=vat, share=9500 - vat, is_due=False)
    entry(stage, PayableKind.FEE_COLLECTED_BY_OWNER, -500 - vat, payment_id=number, property_id=1)
    return money, number


def test_rent_that_the_owner_received_is_in_the_books_by_its_fee_alone(stage: Stage) -> None:
    collected_by_owner(stage)
    assert balances(stage) == {Account.OWNERS: 500, Account.FEES: -500}
    stage.disburse(stage.rent(1))
    stage.moved(stage.newest())
    assert balances(stage) == {Account.UTILITY: 10_000, Account.WORKING: -9000, Account.FEES: -1000}


def undo(stage: Stage, money: int) -> None:
    with stage.rt.database.transaction() as session:
        refunds.undo(session, money_in.get(session, money), stage.now, "test")


def test_undone_before_its_fee_was_taken_nothing_is_left_of_it(stage: Stage) -> None:
    money, _ = collected_by_owner(stage)
    undo(stage, money)
    assert balances(stage) == NOTHING


def test_undone_after_its_fee_was_taken_the_fee_is_given_back(stage: Stage) -> None:
    money, _ = collected_by_owner(stage)
    stage.disburse(stage.rent(1))
    stage.moved(stage.newest())
    undo(stage, money)
    assert balances(stage) == {
        Account.UTILITY: 10_000,
        Account.WORKING: -9000,
        Account.FEES: -500,
        Account.OWNERS: -500,
    }


def test_the_vat_on_a_fee_that_the_owner_owes_is_due_until_it_is_given_back(stage: Stage) -> None:
    money, _ = collected_by_owner(stage, vat=80)
    assert balances(stage) == {Account.OWNERS: 580, Account.FEES: -500, Account.VAT_DUE: -80}
    stage.disburse(stage.rent(1))
    stage.moved(stage.newest())
    undo(stage, money)
    assert balances(stage)[Account.OWNERS] == -580
    assert Account.VAT_DUE not in balances(stage)


# --- what went back --------------------------------------------------------------------------------------------------


def test_cash_with_us_that_is_undone_is_in_no_account_any_more(stage: Stage) -> None:
    money = stage.came(10_000, way="cash")
    stage.allocated(money, 1, 10_000)
    undo(stage, money)
    assert balances(stage) == NOTHING
    line = books(stage).line(Account.CASH)
    assert (line.debit_cents, line.credit_cents) == (1_000_000, 1_000_000)


def test_cash_with_us_that_is_undone_after_the_transfer_is_owed_by_the_owner(stage: Stage) -> None:
    money = stage.came(10_000, way="cash")
    stage.disburse(stage.allocated(money, 1, 10_000))
    stage.moved(stage.newest())
    undo(stage, money)
    assert balances(stage) == {Account.OWNERS: 9500, Account.WORKING: -9500}


def test_a_correction_of_money_with_us_gives_no_fee_back(stage: Stage) -> None:
    money = stage.came(10_000, way="cash")
    payment = stage.allocated(money, 1, 10_000)
    undo(stage, money)
    entry(stage, PayableKind.CORRECTION, 100, payment_id=payment)
    assert balances(stage) == {Account.OWNERS: -100, Account.OWNER_DEBITS: 100}


def test_a_payout_that_comes_back_is_owed_again(stage: Stage) -> None:
    stage.disburse(stage.rent(1))
    stage.moved(stage.newest())
    entry(stage, PayableKind.RETURNED, 9500, disbursement_id=stage.newest(), receipt="SKB0000001")
    assert balances(stage) == {Account.UTILITY: 10_000, Account.FEES: -500, Account.OWNERS: -9500}


# --- what does not fit is found --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "owner"),
    [
        ("UPDATE payable SET status = 'not_required' WHERE id = 1", 1),
        ("UPDATE payable SET status = 'completed' WHERE id = 1", 1),
        ("UPDATE payable SET amount_cents = amount_cents + 1 WHERE id = 1", 1),
        ("UPDATE payable SET status = 'pending' WHERE id = 2", 2),
        ("UPDATE payment SET status = 'failed', money_in_id = NULL WHERE id = 1", 1),
        ("UPDATE disbursement SET amount_cents = 960000, shares_cents = 960000 WHERE id = 1", 2),
        ("DELETE FROM payable WHERE kind = 'to_recover'", 3),
        ("UPDATE payable SET kind = 'repair' WHERE kind = 'to_recover'", 3),
        ("UPDATE money_in SET received_by = 'owner', way = 'cash', receipt = NULL WHERE id = 4", 4),
    ],
)
def test_an_owner_whose_account_is_not_what_he_is_owed_is_found(
    rt: Runtime, database_url: str, statement: str, owner: int
) -> None:
    four_owners(Stage(rt))
    assert (misfits(rt.reader), list(rt.reader.rows(OWNERS_NOT_AS_OWED))) == ([], [])
    forge(database_url, statement)
    assert [row["owner_id"] for row in rt.reader.rows(OWNERS_NOT_AS_OWED)] == [owner]


def four_owners(stage: Stage) -> None:
    """One is owed a share, the next has it, the third has it twice, and the fourth is owed one of cash with us."""
    first, second, third, fourth = (stage.place(stage.owner(f"Owner {n}"), f"A{n}") for n in range(4))
    stage.rent(first)
    stage.disburse(stage.rent(second))
    stage.moved(stage.newest())
    payment = stage.rent(third)
    stage.disburse(payment)
    stage.moved(stage.newest())
    with stage.rt.database.transaction() as session:
        disbursements.pay_by_hand(
            session, [stage.share(payment)], stage.now, "test", receipt="SKH0000001", moved_at=stage.now
        )
    stage.allocated(stage.came(10_000, way="cash"), fourth, 10_000)


@pytest.mark.parametrize(
    ("statement", "by_mpesa"),
    [
        ("UPDATE money_in SET allocated_cents = 900000 WHERE id = 1", 1),
        ("UPDATE money_in SET allocated_cents = 0 WHERE id = 4", 0),
        ("UPDATE payment SET amount_cents = 1000100, share_cents = 950100 WHERE id = 4", 0),
    ],
)
def test_money_that_is_not_as_its_payments_say_is_found(
    rt: Runtime, database_url: str, statement: str, by_mpesa: int
) -> None:
    four_owners(Stage(rt))
    assert list(rt.reader.rows(MONEY_NOT_AS_ALLOCATED)) == []
    forge(database_url, statement)
    assert [row["by_mpesa"] for row in rt.reader.rows(MONEY_NOT_AS_ALLOCATED)] == [by_mpesa]


def test_a_payment_of_another_way_than_its_money_is_found(rt: Runtime, database_url: str) -> None:
    four_owners(Stage(rt))
    forge(database_url, "UPDATE payment SET method = 'cash' WHERE id = 1")
    assert [row["by_mpesa"] for row in rt.reader.rows(MONEY_NOT_AS_ALLOCATED)] == [0, 1]


def test_a_payment_that_is_not_the_sum_of_its_parts_shows_in_the_books(rt: Runtime, database_url: str) -> None:
    four_owners(Stage(rt))
    if not database_url.startswith("sqlite"):  # which a server's superuser can only take away
        forge(database_url, "ALTER TABLE payment DROP CONSTRAINT payment_division")
    forge(database_url, "UPDATE payment SET fee_cents = 0 WHERE id = 1")
    assert read_books(rt.reader).differences() == [(Account.UNALLOCATED, 50_000, 0)]


def test_what_is_earned_on_a_day_and_was_changed_shows_in_the_books(rt: Runtime, database_url: str) -> None:
    four_owners(Stage(rt))
    forge(database_url, "UPDATE revenue_day SET amount_cents = amount_cents - 100")
    assert [each[0] for each in read_books(rt.reader).differences()] == [Account.OWNERS]
