"""The life of an attempt, as a table: what each piece of evidence makes of each state.

    sending ──Acknowledged──► waiting ──Moved──► moved
       │ └──Refused──► not_moved ◄──NotMoved──┘
       └──Unanswered, Overdue──► unclear ──Moved, NotMoved──► …

An attempt ends in `moved` or `not_moved` and stays there. `unclear` means that money may have moved; only evidence ends
it. A missing cell is a contradiction: nothing changes, and a person is told. `sending → moved` is no mistake: M-Pesa's
callback can outrun its own reply. An attempt found in `sending` by another process may be on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.core.evidence import Acknowledged, Evidence, Moved, NotMoved, Overdue, Refused, Unanswered
from rentpay_cli.core.statuses import Direction as Direction
from rentpay_cli.core.statuses import State as State


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Evidence that cannot be true together with what is already known."""

    state: State
    evidence: Evidence


_S, _W, _U, _M, _N = State.SENDING, State.WAITING, State.UNCLEAR, State.MOVED, State.NOT_MOVED

# fmt: off
LIFE: dict[tuple[State, type[Evidence]], State] = {
    (_S, Acknowledged): _W, (_S, Refused): _N, (_S, Unanswered): _U, (_S, Overdue): _U, (_S, Moved): _M, (_S, NotMoved): _N,
    (_W, Acknowledged): _W,                                          (_W, Overdue): _U, (_W, Moved): _M, (_W, NotMoved): _N,
    (_U, Acknowledged): _W,                    (_U, Unanswered): _U, (_U, Overdue): _U, (_U, Moved): _M, (_U, NotMoved): _N,
    (_M, Acknowledged): _M,                    (_M, Unanswered): _M, (_M, Overdue): _M, (_M, Moved): _M,
    (_N, Acknowledged): _N, (_N, Refused): _N, (_N, Unanswered): _N, (_N, Overdue): _N,                  (_N, NotMoved): _N,
}
# fmt: on

RULINGS: frozenset[tuple[State, State]] = frozenset({(_U, _M), (_U, _N), (_N, _M), (_M, _M)})
"""What a person may rule with evidence from elsewhere, such as the paybill's statement: also that something that was
taken for failed did move, and the receipt of something that moved."""

ENDED = frozenset({State.MOVED, State.NOT_MOVED})


def next_state(state: State, evidence: Evidence) -> State | Contradiction:
    """The state after the evidence, or the contradiction that a person must look at."""
    return LIFE.get((state, type(evidence))) or Contradiction(state, evidence)


def allowed_moves() -> frozenset[tuple[str, str]]:
    """Every change of state that the table or a ruling can make: what the database lets pass, too."""
    moves = {(before, after) for (before, _), after in LIFE.items()} | RULINGS
    return frozenset((before.value, after.value) for before, after in moves if before is not after)
