"""What the products have in common: a request is checked first, and only then becomes a deed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rentpay_cli.simulator.bodies import Json
from rentpay_cli.simulator.delivery import Errand
from rentpay_cli.simulator.faults import Struck


@dataclass(frozen=True)
class Reply:
    """The answer to a request, and what is to be told later."""

    body: Json
    errand: Errand | None = None
    http_status: int = 200


Deed = Callable[[Struck], Reply]
"""Does what was asked, given the faults that the request has met. It must not wait."""


def copies(struck: Struck, usual: int = 1) -> int:
    """How often a result is told."""
    return {"no-callback": 0, "callback-twice": 2}.get(struck.at("callback"), usual)
