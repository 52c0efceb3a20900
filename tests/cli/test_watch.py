"""`rentpay watch`: what is on the screen, and that nothing of it stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from rich.console import Console

from rentpay_cli.cli import watch
from rentpay_cli.core.evidence import NotMoved, Overdue
from tests.cli.conftest import Books, Cli
from tests.support.terminal import in_a_terminal


def drawn(books: Books, rows: int = 40, columns: int = 80) -> str:
    console = Console(width=columns, height=rows, file=__import__("io").StringIO(), record=True)
    console.print(watch.screen(watch._look(books.rt), rows))
    return console.export_text()


def test_without_a_terminal_it_names_what_to_use_instead(cli: Cli) -> None:
    for arguments in (("watch", "--json"), ("watch",)):
        ran = cli(*arguments)
        assert ran.status == 2
        text = " ".join((ran.out + ran.err).split())
        assert "rentpay status ID --watch" in text
        assert "rentpay payments --json" in text


def test_the_screen_shows_what_comes_in_what_travels_and_what_needs_a_person(books: Books) -> None:
    books.asked()
    books.sent()
    books.learn(books.sent(place="2"), NotMoved("1", "The balance is insufficient"), "payout")
    shown = drawn(books)
    needs, _, rest = shown.partition("On their way to owners")
    travelling, _, payments = rest.partition("Payments (3)")
    assert "rentpay retry-failed" in needs
    assert travelling.count("Wanjiru Kamau") == 1
    assert "9,500" in travelling
    assert "processing" in travelling
    assert "Hill View" in payments
    assert "failed" in payments
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize("rows", [24, 40, 60])
def test_the_screen_is_never_higher_than_the_terminal(books: Books, rows: int) -> None:
    for _ in range(15):
        books.sent()
    assert len(drawn(books, rows).splitlines()) <= rows


def test_an_empty_database_is_a_quiet_screen(books: Books) -> None:
    assert drawn(books).count("Nothing.") >= 1
    assert "None yet." in drawn(books)


def test_the_terminal_is_clean_after_ctrl_c(cli: Cli, books: Books) -> None:
    books.sent()
    books.rt.close()
    status, screen = in_a_terminal(["watch", "--interval", "0.2"], [("Wanjiru Kamau", "\x03")])
    assert status == 0, screen
    assert screen.count("\x1b[?1049h") == screen.count("\x1b[?1049l") == 1  # the other screen, and back
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")  # the cursor shows again
    assert "Traceback" not in screen
    assert "rentpay health" in screen.rpartition("\x1b[?1049l")[2]


def test_to_leave_the_watch_over_one_payment_is_no_failure_either(cli: Cli, books: Books) -> None:
    books.asked()
    books.rt.close()
    status, screen = in_a_terminal(["status", "1", "--watch"], [("still open", "\x03")])
    assert status == 0, screen
    assert "Sunset Apartments" in screen
    assert "Interrupted" not in screen


def test_bad_settings_are_told_on_the_screen_that_stays(cli: Cli) -> None:
    cli.configure(MPESA_ENVIRONMENT="live")
    status, screen = in_a_terminal(["watch"], [])
    assert status == 4
    assert "\x1b[?1049h" not in screen


def test_at_eighty_columns_every_command_and_amount_on_the_screen_is_whole(books: Books) -> None:
    books.at(datetime(2026, 11, 1, tzinfo=UTC))
    books.learn(books.sent(place="2"), NotMoved("1", "The balance is insufficient"), "payout")
    books.learn(books.sent(), Overdue("M-Pesa's queue timed out"), "payout")
    books.paid(amount_cents=12_500_000)
    books.at(datetime(2026, 11, 2, tzinfo=UTC))
    shown = drawn(books)
    for command in ("retry-failed --dry-run", "payments --disbursement-status pending", "doctor"):
        assert f"rentpay {command}\n" in "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    for whole in ("118,750", "125,000", "processing (unclear)", "01 Nov 2026 03:00"):
        assert whole in shown
