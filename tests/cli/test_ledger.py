"""`report ledger`: the books for people and for scripts."""

from __future__ import annotations

import pytest

from rentpay_cli.core.evidence import Moved
from rentpay_cli.runtime import Runtime
from tests.cli.conftest import Books, Cli
from tests.support.forger import forge

NAMES_FROM_BEFORE = {
    "M-Pesa float",
    "M-Pesa charges account",
    "Owed to owners",
    "Platform fees earned",
    "M-Pesa charges",
}


def paid_out(books: Books) -> None:
    """A rent that is with its owner, for which M-Pesa charged, and one that is not yet."""
    number = books.sent()
    books.learn(number, Moved("SKP0000001", None, charge_cents=4_200), "payout")
    books.paid()


def test_scripts_find_every_account_under_the_name_that_they_know(cli: Cli, books: Books) -> None:
    paid_out(books)
    report = cli.json("report", "ledger")
    assert (report["total"], report["differences"], report["disbursementsWithoutCharge"]) == (0, [], 0)
    accounts = {line["account"]: line for line in report["accounts"]}
    assert accounts.keys() > NAMES_FROM_BEFORE
    assert accounts["M-Pesa float"] == {
        "account": "M-Pesa float",
        "debit": 20_000,
        "credit": 9500,
        "balance": 10_500,
        "parts": [
            {"account": "M-Pesa utility", "debit": 20_000, "credit": 0, "balance": 20_000},
            {"account": "M-Pesa working", "debit": 0, "credit": 9500, "balance": -9500},
        ],
    }
    assert {name: line["balance"] for name, line in accounts.items() if line["balance"]} == {
        "M-Pesa float": 10_500,
        "M-Pesa charges account": -42,
        "Owed to owners": -9500,
        "Platform fees earned": -1000,
        "M-Pesa charges": 42,
    }
    assert sum(line["balance"] for line in accounts.values()) == 0


def test_people_see_the_accounts_that_something_moved_on(cli: Cli, books: Books) -> None:
    paid_out(books)
    out = cli("report", "ledger").out
    shown = [line.strip(" │┃").split("  ")[0].strip() for line in out.splitlines()]
    assert [line for line in shown if line.startswith(("M-Pesa", "Owed", "Platform", "Deposits", "VAT"))] == [
        "M-Pesa float",
        "M-Pesa utility",
        "M-Pesa working",
        "M-Pesa charges account",
        "Owed to owners",
        "Platform fees earned",
        "M-Pesa charges",
    ]
    assert "Debits less credits: KES 0" in out


def test_a_new_platform_has_no_books_yet(cli: Cli, books: Books) -> None:
    assert "No money has moved yet." in cli("report", "ledger").out
    assert {line["balance"] for line in cli.json("report", "ledger")["accounts"]} == {0}


@pytest.mark.forges
def test_books_that_do_not_fit_what_is_owed_end_with_6_and_say_so(
    cli: Cli, books: Books, rt: Runtime, database_url: str
) -> None:
    paid_out(books)
    forge(database_url, "UPDATE payable SET status = 'not_required' WHERE status = 'pending'")
    ran = cli("report", "ledger")
    assert ran.status == 6
    assert "Owed to owners is KES 9,500 by the books, but KES 0 by what is left" in " ".join(ran.out.split())
    ran = cli("report", "ledger", "--json")
    assert ran.status == 6
    assert ran.json["differences"] == [{"account": "Owed to owners", "balance": 9500, "left": 0}]
