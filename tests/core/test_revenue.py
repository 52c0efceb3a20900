"""Revenue: the margin is what the fee leaves after M-Pesa's charge, and lines add up to their total."""

from __future__ import annotations

from rentpay_cli.core.revenue import Revenue, total

SUNSET = Revenue(collected_cents=1_000_000, fee_cents=50_000, charge_cents=1_550, disbursed_cents=950_000)
HILL_VIEW = Revenue(collected_cents=30_000, fee_cents=1_500, charge_cents=2_300, disbursed_cents=28_500)


def test_the_margin_is_the_fee_less_what_m_pesa_charged() -> None:
    assert SUNSET.net_cents == 48_450
    assert HILL_VIEW.net_cents == -800, "a small rent can cost more than it brings"


def test_a_total_is_the_sum_of_each_column() -> None:
    assert total([SUNSET, HILL_VIEW]) == Revenue(1_030_000, 51_500, 3_850, 978_500)
    assert total([SUNSET, HILL_VIEW]).net_cents == 47_650


def test_the_total_of_nothing_is_nothing() -> None:
    assert total([]) == Revenue(0, 0, 0, 0)
