"""Money moves exactly once between real processes, whichever of them die: seeded runs, races, and named deaths."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.chaos import statement
from tests.chaos.children import Child, Platform
from tests.chaos.nursery import Nursery
from tests.chaos.processes import broken_rows, draw_plan, run
from tests.chaos.statement import Row, Statement
from tests.support.beginnings import Beginnings
from tests.support.databases import copies
from tests.support.everything import some_of_everything
from tests.support.forger import forge

TOLD_THAT_IT_IS_SENT = {"under_way", "outcome_unclear", "already_completed"}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    opened = Nursery()
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nursery: Nursery
) -> Iterator[Platform]:
    """A simulator, a listener and one property, each a process of its own; no owner is paid by itself."""
    folder = tmp_path_factory.mktemp("platform")
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), folder / "rentpay.db")
            url = f"sqlite:///{folder / 'rentpay.db'}"
        else:
            url = stack.enter_context(copies(request.getfixturevalue("postgresql_server")))
        started = stack.enter_context(Platform(folder, url, nursery))
        started.start_listeners()
        started.do(("owner", "add", "--name", "Wanjiru Kamau"))
        place = ("--name", "Sunset Apartments", "--owner", "1", "--paybill", "600001", "--account", "PROP001")
        started.do(("property", "add", *place, "--rent", "10000"))
        yield started


@pytest.fixture
def platform(shared_platform: Platform) -> Iterator[Platform]:
    """The platform, without the faults of other tests; rents of other tests are paid, and their owners, too."""
    yield shared_platform
    shared_platform.clear_faults()


def paid_rents(platform: Platform, count: int) -> list[int]:
    """New rents that tenants have paid, each of another amount; the owner's shares wait to be sent."""
    known = len(statement.payments(platform.database_url))
    asking = [
        ("--phone", f"07220001{number}", "--amount", f"{1000 + 20 * number}")
        for number in range(10 + known, 10 + known + count)
    ]
    platform.do(*(("initiate", "--property", "1", *whom) for whom in asking))

    def asked() -> list[Row]:
        return statement.payments(platform.database_url)[known:]

    platform.wait_until(lambda: all(row["receipt"] for row in asked()), "the tenants pay")
    return [int(row["id"]) for row in asked()]


def payouts(platform: Platform, *payment_ids: int) -> list[Row]:
    """What really went to the owner for these payments."""
    known = Statement(statement.payments(platform.database_url), [], [], platform.ledger(), {})
    return [payout for row in known.payments if row["id"] in payment_ids for payout in known.payouts_of(row)]


def share(platform: Platform, payment_id: int) -> str:
    """What is known about the owner's share."""
    found = [row for row in statement.payments(platform.database_url) if row["id"] == payment_id]
    return str(found[0]["disbursement_status"])


def everything_agrees(platform: Platform) -> None:
    report = platform.run("report", "ledger").json()
    assert Statement.read(platform.database_url, platform.ledger(), report).violations() == []


# --- runs by chance --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("database_url", "seed"), [("sqlite", 28), ("postgresql", 19)], indirect=["database_url"])
def test_no_promise_is_broken_under_faults_and_sudden_deaths(
    seed: int, database_url: str, tmp_path: Path, nursery: Nursery
) -> None:
    """With seed 28 operators send the shares, with 19 two listeners do so by themselves."""
    outcome = run(seed, database_url, tmp_path, nursery)
    assert outcome.violations == [], str(outcome)
    assert outcome.payments > 0
    assert outcome.transfers > 0


def test_the_same_seed_draws_the_same_plan() -> None:
    assert draw_plan(7, listeners=2) == draw_plan(7, listeners=2)
    assert draw_plan(7, listeners=2) != draw_plan(8, listeners=2)


# --- races -----------------------------------------------------------------------------------------------------------


def test_eight_processes_disburse_the_same_payment_and_one_sends(platform: Platform) -> None:
    (payment_id,) = paid_rents(platform, 1)
    racing = platform.start_at_once(8, "disburse", str(payment_id))
    platform.wait_for(racing)
    assert Counter(child.status for child in racing) == {0: 1, 1: 7}, [child.json() for child in racing]
    assert {child.error_code() for child in racing if child.status == 1} <= TOLD_THAT_IT_IS_SENT
    platform.wait_until(lambda: share(platform, payment_id) == "completed", "the owner is paid")
    assert len(payouts(platform, payment_id)) == 1
    everything_agrees(platform)


def test_retry_failed_twice_at_once_sends_each_once(platform: Platform) -> None:
    numbers = paid_rents(platform, 4)
    platform.lay_faults(["b2b:result,code=1,times=4"])
    platform.do(*(("disburse", str(number)) for number in numbers))
    platform.wait_until(lambda: {share(platform, n) for n in numbers} == {"failed"}, "M-Pesa refuses all")
    racing = platform.start_at_once(2, "retry-failed")
    platform.wait_for(racing)
    assert {child.status for child in racing} == {0}, [child.json() for child in racing]
    assert sum(child.json()["results"]["successful"] for child in racing) == len(numbers)
    platform.wait_until(lambda: {share(platform, n) for n in numbers} == {"completed"}, "all owners are paid")
    assert len(payouts(platform, *numbers)) == len(numbers)
    everything_agrees(platform)


# --- one payout in every cell ----------------------------------------------------------------------------------------


def meets(fault: str) -> Callable[[Platform, int], list[Child]]:
    """Send a payout whose answer meets the fault."""

    def send(platform: Platform, payment_id: int) -> list[Child]:
        platform.lay_faults([f"b2b:{fault}"])
        return [platform.run("disburse", str(payment_id))]

    return send


def killed_between_sending_and_saving(platform: Platform, payment_id: int) -> list[Child]:
    child = platform.start("disburse", str(payment_id), death="after-send:1")
    platform.wait_for([child])
    assert child.was_killed
    return [child]


def two_at_once(platform: Platform, payment_id: int) -> list[Child]:
    children = platform.start_at_once(2, "disburse", str(payment_id))
    platform.wait_for(children)
    return children


CELLS = {
    "answer lost": meets("lost"),
    "503 after processing": meets("503-after"),
    "HTML with 200": meets("html"),
    "killed between sending and saving": killed_between_sending_and_saving,
    "two runs at once": two_at_once,
}


@pytest.mark.parametrize("result_comes", [True, False], ids=["the result comes", "the result is lost"])
@pytest.mark.parametrize("cell", CELLS)
def test_one_payout_makes_exactly_one_transfer(platform: Platform, cell: str, result_comes: bool) -> None:
    (payment_id,) = paid_rents(platform, 1)
    if not result_comes:
        platform.lay_faults(["b2b:no-callback"])
    CELLS[cell](platform, payment_id)
    assert len(payouts(platform, payment_id)) == 1
    sent_again = platform.run_all([("disburse", str(payment_id)), ("retry-failed",), ("disburse", str(payment_id))])
    assert [child.status for child in sent_again] == [1, 0, 1]
    assert {sent_again[0].error_code(), sent_again[2].error_code()} <= TOLD_THAT_IT_IS_SENT
    if not result_comes:
        platform.move_clock(platform.ahead_seconds + 6 * 60)
        platform.do(("chase", "--wait"))
        if share(platform, payment_id) == "processing":  # M-Pesa gave no id to ask by: an operator looks it up
            platform.do(("resolve", str(payment_id), "--paid", payouts(platform, payment_id)[0]["receipt"], "--yes"))
    platform.wait_until(lambda: share(platform, payment_id) == "completed", "the owner is paid")
    assert platform.run("disburse", str(payment_id)).error_code() == "already_completed"
    assert len(payouts(platform, payment_id)) == 1
    everything_agrees(platform)


@pytest.mark.parametrize("place", ["before-commit:1", "after-commit:1", "before-commit:2", "after-commit:2"])
def test_a_payout_killed_at_a_commit_makes_at_most_one_transfer(platform: Platform, place: str) -> None:
    (payment_id,) = paid_rents(platform, 1)
    child = platform.start("disburse", str(payment_id), death=place)
    platform.wait_for([child])
    assert child.was_killed
    again = platform.run("disburse", str(payment_id))
    assert again.status == (0 if place == "before-commit:1" else 1)
    if place == "after-commit:1":  # it is written down, and nobody knows that it never left
        platform.move_clock(platform.ahead_seconds + 6 * 60)
        platform.do(("chase",))  # before it nobody may rule, and what is done in one call is done at once
        platform.do(("resolve", str(payment_id), "--not-paid", "--reason", "not on the statement", "--yes"))
        platform.do(("disburse", str(payment_id)))
    platform.wait_until(lambda: share(platform, payment_id) == "completed", "the owner is paid")
    assert len(payouts(platform, payment_id)) == 1
    everything_agrees(platform)


# --- the listener ----------------------------------------------------------------------------------------------------


def test_a_listener_that_keeps_dying_under_load_loses_nothing_that_it_acknowledged(
    database_url: str, tmp_path: Path, nursery: Nursery
) -> None:
    with Platform(tmp_path, database_url, nursery, auto=True) as platform:
        (listener,) = platform.listeners
        thanked = []
        with httpx.Client(trust_env=False) as http:
            for life in range(3):
                platform.start_listener(listener, death=f"{'before' if life % 2 else 'after'}-commit:{30 + 7 * life}")
                platform.wait_until(lambda: listener.is_ready, "the listener starts")
                while listener.is_alive:
                    marker = f"marker-{os.urandom(8).hex()}"
                    try:
                        answer = http.post(f"{listener.url}/api/payments/callback/none", content=marker.encode())
                    except httpx.HTTPError:
                        continue
                    thanked += [marker] if answer.status_code == 200 else []
        assert len(thanked) > 10
        assert statement.what_was_acknowledged_and_lost(database_url, thanked, delivered_by_mpesa=0) == []


def test_rows_that_do_not_agree_break_a_promise(new_sqlite: Callable[[], str], beginnings: Beginnings) -> None:
    url = new_sqlite()
    beginnings.begin(url, some_of_everything)
    assert broken_rows(url) == []
    forge(url, "UPDATE money_in SET allocated_cents = 0 WHERE id = 1")
    assert 5 in [each.invariant.number for each in broken_rows(url)]
