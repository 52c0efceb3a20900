"""Stop all payouts, and let them go on."""

from __future__ import annotations

from rentpay_cli.core.redact import printable
from rentpay_cli.errors import RuleRefused, WrongUse
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import journal, stops


def stop_payouts(rt: Runtime, reason: str) -> None:
    """Let no payout leave from now on; raises `RuleRefused` if they are stopped already."""
    text = printable(" ".join(reason.split()), 200)
    if not text:
        raise WrongUse("A stop needs a reason.", "For example: --reason 'the operator password is being changed'")
    with rt.database.transaction() as session:
        if stops.stop(session, text, rt.actor, rt.now()) is None:
            raise RuleRefused(
                "All payouts are stopped already.", "See why: rentpay payouts show", code="already_stopped"
            )
        journal.write(session, rt.now(), rt.actor, "payouts stopped", reason=text)


def resume_payouts(rt: Runtime) -> str:
    """Let payouts leave again and return why they were stopped; raises `RuleRefused` if they are not stopped."""
    with rt.database.transaction() as session:
        lifted = stops.lift(session, rt.actor, rt.now())
        if lifted is None:
            raise RuleRefused("Payouts are not stopped.", code="not_stopped")
        journal.write(session, rt.now(), rt.actor, "payouts resumed", reason=lifted.reason)
        return lifted.reason
