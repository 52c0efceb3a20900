"""The whole demo on a real terminal, in colour: what somebody sees who types the first command of the README."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.terminal import CONTROL_C, faults_of, flat, in_a_terminal, plain

PATIENCE_SECONDS = 120.0  # it starts thirty processes, and other tests run beside it
PARTS = ("1. Rent reaches the owner", "2. The float is too low", "3. M-Pesa's answer is lost", "4. What the platform")


def test_the_demo_plays_to_its_end_in_a_narrow_window_that_is_made_wider_and_wide() -> None:
    """One run for three widths, because each takes as long."""
    widths = [(PARTS[1], 80), (PARTS[2], 140)]
    status, seen = in_a_terminal(["demo"], widths, columns=60, patience_seconds=PATIENCE_SECONDS)
    assert status == 0, seen
    narrow, begins, rest = seen.partition(PARTS[1])
    usual, begins_too, wide = rest.partition(PARTS[2])
    assert faults_of(narrow, 60) == []
    assert faults_of(begins + usual, 80) == []
    assert faults_of(begins_too + wide, 140) == []
    assert "\n  \x1b[32m✓ Every payout in our books is in M-Pesa's, and none is there twice.\x1b[0m\r" in wide
    assert_it_all_came_true(seen)


def assert_it_all_came_true(seen: str) -> None:
    words = flat(seen)
    assert words.startswith("rentpay demo: a local M-Pesa, a listener and a new database,")
    begins = [words.index(part) for part in PARTS]
    assert begins == sorted(begins)
    told = re.fullmatch(r"All ([0-9]+) claims came true, in [0-9]+ seconds\. → Try .*", words[words.rindex("All ") :])
    assert told
    assert seen.count("\x1b[32m✓") == int(told[1])
    assert "✗" not in seen
    assert "\x1b[1;36m  $ rentpay" in seen, "what is typed is in colour"
    assert "The float does not cover it" not in words, "it was topped up, and read again"
    assert_the_story_is_told_in_its_order(words)


def assert_the_story_is_told_in_its_order(words: str) -> None:
    """What commands say on standard error stands where it was said."""
    place = 0
    for part in (
        "Payment 1: asked 254722***110; waiting for the outcome. Payment 1: The tenant paid KES 10,000",
        "→ Send the owner's share: rentpay disburse 1",
        "Payment 1: The owner was paid KES 9,500",
        "Error: The payout of payment 2 failed: The working account holds too little money.",
        "(the float is topped up to KES 20,000)",
        "$ rentpay balance --wait",
        "Working Account KES 20,000",
        "M-Pesa accepted 1 of 1;",
        "(M-Pesa's callback has come)",
        "Unclear: M-Pesa gave no usable answer to the payout of payment 3: the owner may have been paid.",
        "Error: Payment 3 was not disbursed:",
        "(M-Pesa's callback has come)",
        "$ rentpay report revenue",
    ):
        assert part in words[place:], f"{part!r} is not in {words[place:]!r}"
        place = words.index(part, place) + len(part)


def test_ctrl_c_in_the_demo_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    status, seen = in_a_terminal(["demo"], [("1. Rent reaches the owner", CONTROL_C)])
    assert status == 130, seen
    assert plain(seen).rstrip().endswith("Error: Interrupted.")
    assert list(tmp_path.iterdir()) == []
