"""Terminals that lie about themselves, or are hardly there: nothing breaks, and nothing is left out."""

from __future__ import annotations

import re

import pytest

from tests.support.terminal import CONTROL_C, STYLE, faults_of, flat, plain
from tests.terminal.conftest import FAILED, Platform, Typist

LISTENER_STOPPED = [("its answer comes by callback", CONTROL_C)]
COMMANDS = ("payments", f"status {FAILED}", "health", "--help", "retry-failed --dry-run", "status 77")


@pytest.mark.parametrize("columns", [0, 1, 7, 20])
def test_no_window_is_too_narrow_for_an_answer(typist: Typist, platform: Platform, columns: int) -> None:
    typist.settle(platform)
    for command in COMMANDS:
        status, seen = typist(*command.split(), columns=columns)
        assert (status, faults_of(seen, 80)) == (typist(*command.split())[0], [])
        assert STYLE.search(seen)


@pytest.mark.parametrize("size", ["0", "-3", "abc", "", "1e3", "²", "99999999999", "9" * 5000])
def test_a_size_that_is_none_is_as_good_as_none(typist: Typist, platform: Platform, size: str) -> None:
    typist.settle(platform)
    for command in ("payments", "--help"):
        told = typist(*command.split(), columns=70)
        assert typist(*command.split(), columns=70, COLUMNS=size, LINES=size) == told


def test_a_size_that_is_one_goes_before_the_terminal_s_own(typist: Typist, platform: Platform) -> None:
    typist.settle(platform)
    for command in COMMANDS:
        assert faults_of(typist(*command.split(), columns=140, COLUMNS="60")[1], 60) == []


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_can_do_nothing_gets_nothing_but_text(typist: Typist, platform: Platform, term: str) -> None:
    typist.settle(platform)
    for command in (*COMMANDS, "serve-callbacks --host 203.0.113.7"):
        assert "\x1b" not in typist(*command.split(), TERM=term)[1], command
    status, seen = typist("watch", TERM=term)
    assert (status, plain(seen)) == (2, seen)
    assert flat(seen).startswith("Error: A live screen needs a terminal.")
    with platform.listened_to(typist):
        status, seen = typist("balance", "--wait", TERM=term)
    assert status == 0
    assert "\x1b" not in seen


def test_who_wants_no_colours_gets_none_the_log_of_the_listener_included(typist: Typist, platform: Platform) -> None:
    typist.settle(platform)
    serve = typist("serve-callbacks", "--port", "0", script=LISTENER_STOPPED, NO_COLOR="1")
    for status, seen in (serve, *(typist(*command.split(), NO_COLOR="1") for command in COMMANDS)):
        assert status in (0, 3, 6)
        assert not re.search(r"\x1b\[[0-9;]*[349][0-9]", seen), seen
    assert STYLE.search(seen), "bold is no colour"
