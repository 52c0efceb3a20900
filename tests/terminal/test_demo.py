"""The whole demo on a real terminal, in colour: what somebody sees who types the first command of the README."""

from __future__ import annotations

import pytest

from tests.support.terminal import in_a_terminal

TITLES = ("1. Rent reaches the owner", "2. The float is too low", "3. M-Pesa's answer is lost", "4. What the platform")
GREEN, BOLD_CYAN, RED = "\x1b[32m", "\x1b[1;36m", "\x1b[1;31m"


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> str:
    status, written = in_a_terminal(["demo"], [], columns=request.param)
    assert status == 0, written
    return written
