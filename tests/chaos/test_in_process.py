"""A part of the chaos that fits in minutes: seeds on both databases, and every guard taken away once."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from rentpay_cli.runtime import Runtime
from tests.chaos.in_process import BEGIN, Chaos, databases, run_seed, run_seeds
from tests.chaos.mpesa import Delivery
from tests.chaos.mutations import MUTATIONS, Mutation, play
from tests.support.world import settings_for


@pytest.mark.parametrize("first", range(1, 161, 20))
def test_no_seed_pays_twice_loses_a_payment_or_lies_on_sqlite(first: int) -> None:
    assert run_seeds(range(first, first + 20), "sqlite") == 20


@pytest.mark.parametrize("first", range(1, 41, 20))
def test_no_seed_pays_twice_loses_a_payment_or_lies_on_postgresql(first: int) -> None:
    assert run_seeds(range(first, first + 20), "postgresql") == 20


def test_the_same_seed_plays_the_same_run() -> None:
    with databases("sqlite") as new:
        stories = []
        for _ in range(2):
            with new() as url:
                stories.append(run_seed(7, url).story)
    assert stories[0] == stories[1]
    assert len(stories[0]) > 30


class TheFirst(Random):
    """A chance that chooses what is named first: the shortest pause, the smallest round."""

    def choice(self, seq: Any) -> Any:
        return seq[0]


def test_once_all_is_calm_nothing_stays_unread_however_little_a_round_read_before() -> None:
    """A harness that stops reading early takes what it did not read for lost: so it was with seed 501730 on SQLite."""
    with databases("sqlite") as new, new() as url:
        chaos = Chaos(1, Runtime(settings_for(url), actor="operator"), TheFirst(1))
        for number in range(30):
            chaos._deliver(Delivery(BEGIN, "collection", "f" * 32, b"%d" % number))
        chaos._calm()
        assert {row["state"] for row in chaos.rt.reader.rows("SELECT state FROM inbox")} == {"held"}
        chaos.rt.close()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_loss_of_a_guard_is_noticed(mutation: Mutation) -> None:
    found = play(mutation, 150 if mutation.noticed else 15)
    assert (found is not None) == mutation.noticed, found


def test_a_violation_names_its_seed() -> None:
    noticed = next(mutation for mutation in MUTATIONS if mutation.name == "no answer is taken for failed")
    assert re.match(r"seed \d+: ", play(noticed, 150) or "")
