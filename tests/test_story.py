"""Rent reaches the owner, from command to report, on both databases over real HTTP."""

from __future__ import annotations

from rentpay_cli.flows.disburse import disburse
from rentpay_cli.store import report_reads
from tests.support.world import World


def test_rent_reaches_the_owner_and_the_fee_stays_with_the_platform(world: World) -> None:
    world.let(rent="10000")
    payment_id = world.paid_rent()
    disburse(world.rt, payment_id)
    world.read_until(lambda: world.payment(payment_id)["disbursement_status"] == "completed")

    row = world.payment(payment_id)
    assert (row["amount_cents"], row["fee_cents"], row["share_cents"]) == (1_000_000, 50_000, 950_000)
    (paid,) = world.transfers("b2b")
    assert (paid["to"], paid["accountReference"], paid["amount"]) == ("600001", "PROP001", 9_500)
    assert row["transaction_id"] == paid["receipt"]
    (collected,) = world.transfers("stk")
    assert row["receipt"] == collected["receipt"]
    (month,) = report_reads.revenue(world.rt.reader, "month", None, None)
    assert (month["payments"], month["fee_cents"]) == (1, 50_000)
    assert world.held() == []
    assert world.findings() == []
