"""A part of the chaos that fits in a minute: seeds on both databases, and every guard taken away once."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rentpay_cli.flows import register as registering
from rentpay_cli.runtime import Runtime
from tests.chaos.in_process import BEGIN, Chaos, New, Violation, databases, run_slice, run_twice
from tests.chaos.mpesa import Delivery
from tests.chaos.mutations import MUTATIONS, Mutation, as_expected, play
from tests.support.databases import ServerUrl, copies
from tests.support.world import settings_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sqlite() -> Iterator[New]:
    with databases("sqlite") as new:
        yield new


@pytest.mark.parametrize("first", range(1, 21, 10))
def test_no_seed_pays_twice_loses_a_payment_or_lies_on_sqlite(first: int, sqlite: New) -> None:
    for seed in range(first, first + 10):
        run_twice(seed, sqlite)


@pytest.mark.parametrize("first", range(1, 7, 3))
def test_no_seed_pays_twice_loses_a_payment_or_lies_on_postgresql(first: int, postgresql_server: ServerUrl) -> None:
    for seed in range(first, first + 3):
        run_twice(seed, lambda: copies(postgresql_server))


def test_a_seed_that_leaves_other_rows_when_it_is_played_again_is_named(
    sqlite: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance_that_is_not_the_seeds = itertools.count()
    register = Chaos._register

    def register_somebody(chaos: Chaos) -> None:
        register(chaos)
        registering.add_owner(chaos.rt, name=f"Somebody {next(chance_that_is_not_the_seeds)}")

    monkeypatch.setattr(Chaos, "_register", register_somebody)
    with pytest.raises(Violation) as caught:
        run_twice(7, sqlite)
    assert str(caught.value) == "seed 7: played again, it left other rows in owner"


def test_a_seed_leaves_the_same_whatever_the_order_of_sets_is() -> None:
    command = (sys.executable, "-m", "tests.chaos.in_process", "--first", "7", "--runs", "3")
    told = [
        subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": order, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for order in ("1", "2")
    ]
    assert "seeds 7 to 9 on sqlite, each twice, at commit " in told[0]
    assert "3 good, 0 broken, of 3" in told[0]
    assert re.findall("left: .*", told[0]) == re.findall("left: .*", told[1]) != []


@pytest.mark.parametrize("keep_going", [True, False])
def test_the_first_seed_that_fails_is_named_and_ends_the_game_unless_it_is_to_go_on(
    keep_going: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = Chaos._check

    def fail(chaos: Chaos) -> None:
        check(chaos)
        if chaos.seed in (8, 10):
            raise KeyError("some mistake of ours")

    monkeypatch.setattr(Chaos, "_check", fail)
    found = run_slice(range(7, 11), "sqlite", tmp_path / "halt", keep_going)
    assert list(found.left) == ([7, 9] if keep_going else [7])
    assert [words.splitlines()[0] for words in found.broken] == [
        f"seed {seed}: KeyError: 'some mistake of ours'" for seed in ((8, 10) if keep_going else (8,))
    ]


class TheFirst(Random):
    """A chance that chooses what is named first: the shortest pause, the smallest round."""

    def choice(self, seq: Any) -> Any:
        return seq[0]


def test_once_all_is_calm_nothing_stays_unread_however_little_a_round_read_before(sqlite: New) -> None:
    """A harness that stops reading early takes what it did not read for lost: so it was with seed 501730 on SQLite."""
    with sqlite() as url:
        chaos = Chaos(1, Runtime(settings_for(url), actor="operator"), TheFirst(1))
        for number in range(30):
            chaos._deliver(Delivery(BEGIN, "collection", "f" * 32, b"%d" % number))
        chaos._calm()
        assert {row["state"] for row in chaos.rt.reader.rows("SELECT state FROM inbox")} == {"held"}
        chaos.rt.close()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_loss_of_a_guard_is_noticed(mutation: Mutation) -> None:
    found = play(mutation, 150 if mutation.noticed else 10)
    assert as_expected(mutation, found), found
    assert re.match(r"seed \d+: ", found or "seed 0: nothing")
