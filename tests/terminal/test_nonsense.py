"""Terminals that lie about themselves, or are hardly there: nothing breaks, and nothing is left out."""

from __future__ import annotations

import re

import pytest

from tests.support.terminal import CONTROL_C, STYLE, faults_of, flat
from tests.terminal.conftest import FAILED, Platform, Typist

LISTENER_STOPPED = [("its answer comes by callback", CONTROL_C)]
COMMANDS = {"payments": 0, f"status {FAILED}": 0, "health": 6, "--help": 0, "retry-failed --dry-run": 0, "status 77": 3}
"""What is typed, and the status that it ends with."""


@pytest.mark.parametrize("columns", [0, 1, 7, 20])
def test_no_window_is_too_narrow_for_an_answer(typist: Typist, platform: Platform, columns: int) -> None:
    typist.settle(platform)
    for command, expected in COMMANDS.items():
        status, seen = typist(*command.split(), columns=columns)
        assert (status, faults_of(seen, 80)) == (expected, [])
        assert STYLE.search(seen)


def test_a_size_that_is_none_is_as_good_as_none(typist: Typist, platform: Platform) -> None:
    typist.settle(platform)
    for command in ("payments", "--help"):
        told = typist(*command.split(), columns=70)
        for size in ("0", "-3", "abc", "", "1e3", "²", "99999999999", "9" * 5000):
            assert typist(*command.split(), columns=70, COLUMNS=size, LINES=size) == told, size


def test_a_size_that_is_one_goes_before_the_terminal_s_own(typist: Typist, platform: Platform) -> None:
    typist.settle(platform)
    for command in COMMANDS:
        assert faults_of(typist(*command.split(), columns=140, COLUMNS="60")[1], 60) == []


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_can_do_nothing_gets_nothing_but_text(typist: Typist, platform: Platform, term: str) -> None:
    typist.settle(platform)
    with platform.listened_to(typist):
        for command, expected in {"--help": 0, f"status {FAILED}": 0, "balance --wait": 0, "watch": 2}.items():
            status, seen = typist(*command.split(), TERM=term)
            assert (status, "\x1b" in seen) == (expected, False), seen
    assert flat(seen).startswith("Error: A live screen needs a terminal.")


def test_who_wants_no_colours_gets_none_the_log_of_the_listener_included(typist: Typist, platform: Platform) -> None:
    typist.settle(platform)
    serve = typist("serve-callbacks", "--port", "0", script=LISTENER_STOPPED, NO_COLOR="1")
    for status, seen in (serve, *(typist(*command.split(), NO_COLOR="1") for command in COMMANDS)):
        assert status in (0, 3, 6)
        assert not re.search(r"\x1b\[[0-9;]*[349][0-9]", seen), seen
    assert STYLE.search(seen), "bold is no colour"
