"""Money out, as tests tell of it in few words."""

from __future__ import annotations

from typing import Any

from rentpay_cli.flows.brake import Run, send_all
from rentpay_cli.flows.disburse import due
from rentpay_cli.flows.send import Held, NotSent, Outcome
from rentpay_cli.runtime import Runtime


def refusal(outcome: Outcome) -> str:
    """The code with which a share was not sent."""
    if isinstance(outcome, Held):
        return "held"
    assert isinstance(outcome, NotSent), outcome
    return outcome.reason.value


def because(outcome: Outcome) -> str:
    """Why a share was not sent, in words."""
    assert isinstance(outcome, NotSent | Held), outcome
    return outcome.because


def pay_due(rt: Runtime, **options: Any) -> Run:
    """Send all that is due."""
    return send_all(rt, due(rt, 1000), **options)
