"""`rentpay explain`: what an M-Pesa code means, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rentpay_cli.cli import show

if TYPE_CHECKING:
    from rentpay_cli.core.codes import Code


def explain(
    code: Annotated[str, typer.Argument(help="A code of M-Pesa's, such as 1032, 2001, SFC_IC0003 or 500.001.1001.")],
) -> None:
    """The same code can mean different things for a tenant's prompt (stk), a payout (b2b), a status question (status)
    and the gateway.

    Examples:
    rentpay explain 1
    rentpay explain SFC_IC0003 --json
    """
    from rentpay_cli.core.codes import rows_for
    from rentpay_cli.core.redact import printable
    from rentpay_cli.errors import NotFound

    rows = rows_for(code)
    if not rows:
        raise NotFound(
            f"The code '{printable(code, 40)}' is not documented.",
            "What M-Pesa ends with an unknown code is never sent again without a person; ask Safaricom what it means.",
        )
    if show.wants_json():
        show.document(
            code=rows[0].code,
            meanings=[
                {
                    "where": row.family.value,
                    "meaning": row.meaning,
                    "money": row.money.value,
                    "retry": row.advice.value,
                    "action": row.action,
                    "stopsPayouts": row.stops_payouts,
                }
                for row in rows
            ],
        )
        return
    for row in rows:
        show.block(
            f"{row.code}, {_WHERE[row.family.value]}",
            [
                ("Meaning", row.meaning),
                ("Money", _money(row)),
                ("Again?", _AGAIN[row.advice.value]),
                ("Do", row.action),
            ],
        )


def _money(row: Code) -> str:
    """Where the money is; M-Pesa's word for it that nothing moved is not always enough."""
    from rentpay_cli.core.codes import Advice, Money

    if row.money is Money.NOT_MOVED and row.advice is Advice.ASK:
        return "not moved, says M-Pesa, which is not certain after a failure of its own"
    return row.money.value


_AGAIN = {
    "send again": "yes",
    "mend first": "yes, once its cause is mended",
    "never": "no, never",
    "ask": "not before a person has made sure that no money moved",
    "done": "no: it is done",
}
_WHERE = {
    "stk": "when a tenant is asked",
    "b2b": "when an owner is paid",
    "status": "when a transaction's status is asked",
    "gateway": "from the gateway, before M-Pesa",
}
