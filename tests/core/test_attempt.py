"""The life of an attempt: the whole grid of states and evidence, and what no order of evidence can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.attempt import ENDED, LIFE, RULINGS, Contradiction, State, allowed_moves, next_state
from rentpay_cli.core.evidence import Acknowledged, Evidence, Moved, NotMoved, Overdue, Refused, Unanswered

EVIDENCE: dict[str, Evidence] = {
    "Acknowledged": Acknowledged(conversation_id="AG_20261123_1", originator_conversation_id="aa00-1"),
    "Refused": Refused("400.002.02", "Bad Request - Invalid Amount"),
    "Unanswered": Unanswered("the connection broke"),
    "Overdue": Overdue("no news for five minutes"),
    "Moved": Moved("SKN1TEST01", 950_000, datetime(2026, 11, 23, tzinfo=UTC)),
    "NotMoved": NotMoved("1", "too little money"),
}

# The grid as the architecture draws it: `!` is a contradiction, which changes nothing.
GRID = """
            Acknowledged  Refused    Unanswered  Overdue    Moved   NotMoved
sending     waiting       not_moved  unclear     unclear    moved   not_moved
waiting     waiting       !          !           unclear    moved   not_moved
unclear     waiting       !          unclear     unclear    moved   not_moved
moved       moved         !          moved       moved      moved   !
not_moved   not_moved     not_moved  not_moved   not_moved  !       not_moved
"""


def cells() -> list[tuple[str, str, str]]:
    header, *rows = [line.split() for line in GRID.strip().splitlines()]
    return [(row[0], name, after) for row in rows for name, after in zip(header, row[1:], strict=True)]


def test_the_grid_has_every_state_and_every_kind_of_evidence() -> None:
    written = cells()
    assert len(written) == 30
    assert {before for before, _, _ in written} == {state.value for state in State}
    assert {name for _, name, _ in written} == set(EVIDENCE)
    assert len(LIFE) == sum(after != "!" for _, _, after in written)


@pytest.mark.parametrize(("before", "name", "after"), cells())
def test_a_cell_of_the_grid(before: str, name: str, after: str) -> None:
    evidence = EVIDENCE[name]
    learned = next_state(State(before), evidence)
    if after == "!":
        assert learned == Contradiction(State(before), evidence)
    else:
        assert learned is State(after)


def test_a_contradiction_leaves_the_state_as_it_was() -> None:
    for before, name, after in cells():
        if after == "!":
            learned = next_state(State(before), EVIDENCE[name])
            assert isinstance(learned, Contradiction)
            assert learned.state is State(before)
            assert learned.evidence is EVIDENCE[name]


def test_only_moved_and_not_moved_end_an_attempt() -> None:
    assert {State.MOVED, State.NOT_MOVED} == ENDED


def test_a_callback_may_outrun_its_own_reply() -> None:
    assert next_state(State.SENDING, EVIDENCE["Moved"]) is State.MOVED
    assert next_state(State.MOVED, EVIDENCE["Acknowledged"]) is State.MOVED
    assert next_state(State.MOVED, EVIDENCE["Unanswered"]) is State.MOVED


def test_the_allowed_moves_are_those_that_the_grid_makes_and_what_a_person_may_rule() -> None:
    by_the_grid = {
        ("sending", "waiting"),
        ("sending", "unclear"),
        ("sending", "moved"),
        ("sending", "not_moved"),
        ("waiting", "unclear"),
        ("waiting", "moved"),
        ("waiting", "not_moved"),
        ("unclear", "waiting"),
        ("unclear", "moved"),
        ("unclear", "not_moved"),
    }
    assert by_the_grid == {(before, after) for before, _, after in cells() if after not in ("!", before)}
    by_a_ruling = {("unclear", "moved"), ("unclear", "not_moved"), ("not_moved", "moved"), ("moved", "moved")}
    assert {(before.value, after.value) for before, after in RULINGS} == by_a_ruling
    assert allowed_moves() == by_the_grid | by_a_ruling - {("moved", "moved")}


def test_not_even_a_ruling_overturns_a_success_or_touches_what_is_on_the_wire() -> None:
    assert not [after for before, after in allowed_moves() if before == "moved"]
    assert not {State.SENDING, State.WAITING} & {before for before, _ in RULINGS}
    assert {after for before, after in RULINGS if before is State.MOVED} == {State.MOVED}


def live(start: State, news: Sequence[Evidence]) -> list[State]:
    states = [start]
    for evidence in news:
        after = next_state(states[-1], evidence)
        states.append(after.state if isinstance(after, Contradiction) else after)
    return states


any_evidence = st.sampled_from(list(EVIDENCE.values()))


@given(st.sampled_from(list(State)), st.lists(any_evidence, max_size=20))
def test_no_order_of_evidence_leaves_an_ended_state(start: State, news: list[Evidence]) -> None:
    states = live(start, news)
    for index, state in enumerate(states):
        if state in ENDED:
            assert set(states[index:]) == {state}


@given(st.lists(any_evidence, max_size=10), st.lists(any_evidence, max_size=10))
def test_a_success_is_never_overturned(before: list[Evidence], after: list[Evidence]) -> None:
    states = live(State.SENDING, [*before, EVIDENCE["Moved"], *after])
    if State.NOT_MOVED not in states[: len(before) + 1]:
        assert states[-1] is State.MOVED


@given(st.lists(any_evidence, max_size=20))
def test_nothing_but_evidence_of_an_end_ends_an_attempt_that_reached_the_wire(news: list[Evidence]) -> None:
    silent = [each for each in news if not isinstance(each, Moved | NotMoved)]
    assert live(State.WAITING, silent)[-1] in (State.WAITING, State.UNCLEAR)
    assert live(State.UNCLEAR, silent)[-1] in (State.WAITING, State.UNCLEAR)


@given(st.lists(any_evidence, max_size=20))
def test_nothing_returns_to_sending(news: list[Evidence]) -> None:
    states = live(State.SENDING, news)
    left = next((index for index, state in enumerate(states) if state is not State.SENDING), len(states))
    assert State.SENDING not in states[left:]
