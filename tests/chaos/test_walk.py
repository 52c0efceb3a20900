"""A few random walks over all events of the store, on both databases; long ones have a command of their own."""

from __future__ import annotations

import pytest

from tests.chaos.walk import walk

SEEDS = range(1, 7)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_in_the_store_the_invariants_hold(database_url: str, seed: int) -> None:
    assert walk(seed, database_url, steps=60).done.total() > 20
