"""The books: whatever happens, debits equal credits, and each owner's account is what he is owed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.ledger import (
    ACCOUNTS,
    ENTRIES,
    WITHOUT_POSTING,
    Account,
    Books,
    Fact,
    Line,
    Posting,
    Row,
    books,
    facts_of,
    posting,
)
from rentpay_cli.core.payout import PayableKind

RENT, FEE, SHARE = 1_000_000, 50_000, 950_000
some_cents = st.integers(-(10**9), 10**9)


def balances(found: Books) -> dict[Account, int]:
    """Debits less credits of the accounts that hold something."""
    return {account: found.line(account).balance_cents for account in Account if found.line(account).balance_cents != 0}


# --- the table -------------------------------------------------------------------------------------------------------


def test_every_fact_has_two_accounts_and_every_kind_of_entry_its_fact_or_a_reason_to_have_none() -> None:
    assert set(ACCOUNTS) == set(Fact)
    assert all(debit is not credit for debit, credit in ACCOUNTS.values())
    assert set(ENTRIES).isdisjoint(WITHOUT_POSTING)
    assert {PayableKind.SHARE, *ENTRIES, *WITHOUT_POSTING} == set(PayableKind)
    assert all(ACCOUNTS[Fact(kind.value)][1] is Account.OWNERS for kind in ENTRIES)


@given(st.sampled_from(Fact), some_cents)
def test_what_is_turned_round_takes_back_what_it_turns_round(fact: Fact, cents: int) -> None:
    there, back = posting(fact, cents), posting(fact, -cents)
    assert there.cents == back.cents == abs(cents)
    assert cents == 0 or (there.debit, there.credit) == (back.credit, back.debit)


@given(st.lists(st.tuples(st.sampled_from(Fact), some_cents)))
def test_any_facts_balance(facts: list[tuple[Fact, int]]) -> None:
    found = books(facts, {})
    assert found.total_cents == 0
    assert all(line.debit_cents >= 0 and line.credit_cents >= 0 for line in found.lines)


@given(st.lists(st.tuples(st.sampled_from(Fact), some_cents)))
def test_facts_may_come_added_up_by_kind_and_sign(facts: list[tuple[Fact, int]]) -> None:
    sums: defaultdict[tuple[Fact, bool], int] = defaultdict(int)
    for fact, cents in facts:
        sums[fact, cents < 0] += cents
    assert books(((fact, cents) for (fact, _), cents in sums.items()), {}).lines == books(facts, {}).lines


def test_the_float_is_what_m_pesa_holds_in_either_account() -> None:
    found = books([(Fact.CAME_BY_MPESA, RENT), (Fact.TRANSFER, SHARE), (Fact.CHARGE, 1_300)], {})
    assert found.float_line == Line("M-Pesa float", RENT, SHARE)
    assert found.line(Account.CHARGES_PAID).balance_cents == -1_300


def test_an_account_that_does_not_hold_what_is_left_is_named() -> None:
    facts = [(Fact.CAME_BY_MPESA, RENT), (Fact.FEE, FEE), (Fact.SHARE, SHARE)]
    assert books(facts, {Account.OWNERS: SHARE, Account.UNALLOCATED: 0}).differences() == []
    assert books(facts, {Account.OWNERS: 0, Account.UNALLOCATED: 0}).differences() == [(Account.OWNERS, SHARE, 0)]


# --- rows ------------------------------------------------------------------------------------------------------------

MONEY = {"id": 1, "received_by": "platform", "way": "stk", "amount_cents": RENT, "returned_at": None}
PAYMENT = {"id": 1, "status": "success", "method": "mpesa", "money_in_id": 1, "reversed_because": None}
PAYMENT |= {"fee_cents": FEE, "vat_cents": 0, "share_cents": SHARE, "other_cents": 0}
ENTRY = {"status": "pending", "payment_id": None, "amount_cents": -FEE}
PAID = {"status": "completed", "amount_cents": SHARE, "mpesa_charge_cents": None}


def told(table: str, row: Row, **there: Row) -> dict[Fact, int]:
    """What a row is for the books, without what is nothing; `there` are the rows that it may refer to, by table."""
    return {fact: cents for fact, cents in facts_of(table, row, lambda name, _: there[name]) if cents}


@pytest.mark.parametrize(("way", "fact"), [
    ("stk", "by_mpesa"), ("paybill", "by_mpesa"), ("cash", "otherwise"), ("bank", "otherwise"),
    ("cheque", "otherwise"), ("other", "otherwise"),
])  # fmt: skip
def test_money_that_the_platform_received_comes_by_m_pesa_or_otherwise_and_goes_back_so(way: str, fact: str) -> None:
    came = {Fact(f"came_{fact}"): RENT}
    assert told("money_in", {**MONEY, "way": way}) == came
    assert told("money_in", {**MONEY, "way": way, "returned_at": 1}) == {**came, Fact(f"went_back_{fact}"): RENT}


def test_what_an_owner_received_himself_is_not_in_the_books() -> None:
    theirs = {**MONEY, "received_by": "owner", "way": "cash"}
    assert told("money_in", theirs) == {}
    assert told("payment", {**PAYMENT, "method": "cash"}, money_in=theirs) == {}
    assert told("payment", {**PAYMENT, "method": "cash"}, money_in={**theirs, "received_by": "platform"}) != {}


def test_a_payment_tells_each_of_its_parts_once_it_has_money() -> None:
    parts = {"amount_cents": 3_058_000, "fee_cents": FEE, "vat_cents": 8_000, "other_cents": 2_000_000}
    assert told("payment", {**PAYMENT, **parts}) == {
        Fact.FEE: FEE, Fact.VAT: 8_000, Fact.SHARE: SHARE, Fact.OTHER: 2_000_000
    }  # fmt: skip
    assert told("payment", {**PAYMENT, "status": "pending"}) == told("payment", {**PAYMENT, "status": "failed"}) == {}


def test_a_reversed_payment_is_both_what_it_was_and_the_same_turned_round() -> None:
    reversed_one = {**PAYMENT, "status": "reversed", "reversed_because": "refund"}
    found = books(facts_of("payment", reversed_one, lambda *_: {}), {})
    assert balances(found) == {}
    assert found.line(Account.OWNERS) == Line("Owed to owners", SHARE, SHARE)


def test_only_a_completed_disbursement_moved_money() -> None:
    assert told("disbursement", PAID) == {Fact.TRANSFER: SHARE}
    assert told("disbursement", {**PAID, "mpesa_charge_cents": 4_200}) == {Fact.TRANSFER: SHARE, Fact.CHARGE: 4_200}
    for status in ("proposed", "processing", "failed", "cancelled", "settled"):
        assert told("disbursement", {**PAID, "status": status}) == {}


@pytest.mark.parametrize(("kind", "account"), [
    ("repair", Account.OWNER_DEBITS), ("correction", Account.OWNER_DEBITS), ("tax", Account.TAX_WITHHELD),
    ("mpesa_charge", Account.CHARGES), ("opening", Account.OPENING), ("returned", Account.WORKING),
    ("deposit", Account.DEPOSITS),
])  # fmt: skip
def test_an_entry_is_owed_to_the_owner_or_by_him(kind: str, account: Account) -> None:
    against = told("payable", {**ENTRY, "kind": kind})
    assert balances(books(against.items(), {})) == {Account.OWNERS: FEE, account: -FEE}
    for_him = told("payable", {**ENTRY, "kind": kind, "amount_cents": FEE})
    assert balances(books(for_him.items(), {})) == {Account.OWNERS: -FEE, account: FEE}


@pytest.mark.parametrize("kind", ["share", *WITHOUT_POSTING])
def test_what_another_fact_has_posted_is_not_posted_again(kind: str) -> None:
    assert told("payable", {**ENTRY, "kind": kind, "payment_id": 1}, payment=PAYMENT) == {}


def test_the_fee_of_rent_that_the_owner_received_is_owed_by_him_until_that_rent_is_undone() -> None:
    theirs = {
        "payment": {**PAYMENT, "vat_cents": 8_000, "method": "cash"},
        "money_in": {**MONEY, "received_by": "owner"},
    }
    entry = {**ENTRY, "kind": "fee_collected_by_owner", "payment_id": 1, "amount_cents": -FEE - 8_000}
    owes = told("payable", entry, **theirs)
    assert balances(books(owes.items(), {})) == {
        Account.OWNERS: FEE + 8_000, Account.FEES: -FEE, Account.VAT_DUE: -8_000
    }  # fmt: skip
    assert told("payable", {**entry, "status": "not_required"}, **theirs) == {}
    given_back = {**entry, "kind": "correction", "amount_cents": FEE + 8_000}
    assert Fact.CORRECTION in told("payable", given_back, **theirs), "a correction of rent that stands"
    theirs["payment"] |= {"status": "reversed", "reversed_because": "undo"}
    assert balances(books([*owes.items(), *told("payable", given_back, **theirs).items()], {})) == {}


def test_what_comes_to_nothing_posts_nothing_that_is_seen() -> None:
    assert posting(Fact.SHARE, 0) == Posting(Account.UNALLOCATED, Account.OWNERS, 0)
    assert balances(books([(Fact.SHARE, 0)], {})) == {}


# --- a platform's life -----------------------------------------------------------------------------------------------


@dataclass
class Platform:
    """Rows as events leave them, by the rules of the model, for one owner."""

    chance: Random
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, **columns: Any) -> dict[str, Any]:
        row = {"id": len(self.rows[table]) + 1, **columns}
        self.rows[table].append(row)
        return row

    def some(self, table: str, **columns: Any) -> dict[str, Any] | None:
        """One of the rows that look so."""
        fitting = [row for row in self.rows[table] if columns.items() <= row.items()]
        return self.chance.choice(fitting) if fitting else None

    def cents(self, least: int = 1) -> int:
        return self.chance.randint(least, 10**7)

    def owes(self, kind: str, cents: int, **columns: Any) -> dict[str, Any]:
        given = {"payment_id": None, "status": "pending", "live": None, **columns}
        return self.add("payable", kind=kind, amount_cents=cents, **given)

    # --- events ---

    def money_comes(self) -> None:
        way = self.chance.choice(["stk", "paybill", "cash", "bank"])
        by_owner = way in ("cash", "bank") and self.chance.choice([True, False])
        self.add(
            "money_in", way=way, received_by="owner" if by_owner else "platform",
            amount_cents=self.cents(), allocated_cents=0, returned_at=None,
        )  # fmt: skip

    def money_is_allocated(self) -> None:
        money = self.some("money_in", returned_at=None)
        left = money["amount_cents"] - money["allocated_cents"] if money else 0
        if money is None or left == 0:
            return
        parts = [self.cents(0) for _ in range(4)]
        scale = min(1.0, left / max(1, sum(parts)))
        fee, vat, share, other = (int(part * scale) for part in parts)
        is_owners = money["received_by"] == "owner"
        method = "mpesa" if money["way"] == "stk" else money["way"]
        payment = self.add(
            "payment", status="success", method=method, money_in_id=money["id"], reversed_because=None,
            fee_cents=fee, vat_cents=vat, share_cents=share, other_cents=other,
        )  # fmt: skip
        money["allocated_cents"] += fee + vat + share + other
        status = "not_required" if is_owners or share == 0 else "pending"
        self.owes("share", share, payment_id=payment["id"], status=status)
        if is_owners and fee + vat:
            self.owes("fee_collected_by_owner", -fee - vat, payment_id=payment["id"])

    def money_goes_back(self) -> None:
        money = self.some("money_in", returned_at=None)
        if money is None:
            return
        because = "refund" if money["way"] in ("stk", "paybill") else "undo"
        for payment in [each for each in self.rows["payment"] if each["money_in_id"] == money["id"]]:
            if payment["status"] == "success":
                self._reverse(payment, because)
        money["returned_at"] = 1

    def payment_is_given_to_another(self) -> None:
        payment = self.some("payment", status="success")
        if payment is not None:
            self._reverse(payment, "reallocated")

    def _reverse(self, payment: dict[str, Any], because: str) -> None:
        payment |= {"status": "reversed", "reversed_because": because}
        self.rows["money_in"][payment["money_in_id"] - 1]["allocated_cents"] -= sum(
            payment[f"{part}_cents"] for part in ("fee", "vat", "share", "other")
        )
        for payable in [each for each in self.rows["payable"] if each["payment_id"] == payment["id"]]:
            if payable["kind"] not in ("share", "fee_collected_by_owner") or payable["status"] == "not_required":
                continue
            if payable["live"] is None and payable["status"] in ("pending", "failed"):
                payable["status"] = "not_required"
            elif payable["kind"] == "share":
                self.owes("reallocated" if because == "reallocated" else "reversal", -payable["amount_cents"],
                          payment_id=payment["id"])  # fmt: skip
            else:
                self.owes("correction", -payable["amount_cents"], payment_id=payment["id"])

    def an_entry_is_made(self) -> None:
        kind = self.chance.choice(["repair", "correction", "tax", "mpesa_charge", "opening", "returned",
                                          "deposit"])  # fmt: skip
        self.owes(kind, self.cents() * self.chance.choice([1, -1]))

    def a_transfer_leaves(self) -> None:
        """By B2B; by hand, or without money where it comes to nothing, it is made at once."""
        free = [
            each for each in self.rows["payable"] if each["live"] is None and each["status"] in ("pending", "failed")
        ]
        members = [each for each in free if self.chance.choice([True, False])]
        if not members:
            return
        total = sum(each["amount_cents"] for each in members)
        kept_back = self.chance.randint(0, total) if total > 0 else total
        transfer = self.add(
            "disbursement", status="processing", amount_cents=total - kept_back, carried_cents=kept_back,
            mpesa_charge_cents=self.chance.choice([None, 0, 1_300]), members=[each["id"] for each in members],
        )  # fmt: skip
        for each in members:
            each |= {"live": transfer["id"], "status": "processing"}
        if transfer["amount_cents"] == 0:
            self._is_made(transfer, "settled")
        elif self.chance.choice([True, False]):
            self._is_made(transfer, "completed")

    def a_transfer_arrives(self) -> None:
        transfer = self.some("disbursement", status="processing")
        if transfer is not None:
            self._is_made(transfer, "completed")

    def _is_made(self, transfer: dict[str, Any], status: str) -> None:
        transfer["status"] = status
        for each in self.rows["payable"]:
            if each["live"] == transfer["id"]:
                each["status"] = "completed"
        if transfer["carried_cents"]:
            self.owes("carried", transfer["carried_cents"])

    def a_transfer_fails(self) -> None:
        transfer = self.some("disbursement", status="processing")
        if transfer is not None:
            transfer["status"] = "failed"
            for number in transfer["members"]:
                self.rows["payable"][number - 1] |= {"live": None, "status": "failed"}

    def a_failed_transfer_is_ruled_to_have_moved(self) -> None:
        transfer = self.some("disbursement", status="failed")
        if transfer is None:
            return
        for number in transfer["members"]:
            payable = self.rows["payable"][number - 1]
            if payable["live"] is None and payable["status"] in ("pending", "failed"):
                payable |= {"live": transfer["id"], "status": "processing"}
            else:
                self.owes("paid_in_error", payable["amount_cents"], live=transfer["id"])
                self.owes("to_recover", -payable["amount_cents"])
        self._is_made(transfer, "completed")

    # --- what must hold ---

    def books(self) -> Books:
        def find(table: str, number: int) -> Row:
            return self.rows[table][number - 1]

        facts = [fact for table in list(self.rows) for row in self.rows[table] for fact in facts_of(table, row, find)]
        open_ones = [each for each in self.rows["payable"] if each["status"] in ("pending", "failed", "processing")]
        left = [
            each["amount_cents"] - each["allocated_cents"]
            for each in self.rows["money_in"]
            if each["received_by"] == "platform" and each["returned_at"] is None
        ]
        owed = sum(each["amount_cents"] for each in open_ones)
        return books(facts, {Account.OWNERS: owed, Account.UNALLOCATED: sum(left)})


EVENTS = (
    Platform.money_comes,
    Platform.money_is_allocated,
    Platform.money_goes_back,
    Platform.payment_is_given_to_another,
    Platform.an_entry_is_made,
    Platform.a_transfer_leaves,
    Platform.a_transfer_arrives,
    Platform.a_transfer_fails,
    Platform.a_failed_transfer_is_ruled_to_have_moved,
)


@given(st.integers(0, 2**32))
def test_whatever_happens_the_owners_account_is_what_is_owed(seed: int) -> None:
    platform = Platform(Random(seed))
    for _ in range(100):
        event = platform.chance.choice(EVENTS)
        event(platform)
        found = platform.books()
        assert found.differences() == [], event.__name__
        assert found.total_cents == 0
