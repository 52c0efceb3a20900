"""The whole demo on a real terminal, in colour: what somebody sees who types the first command of the README."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.terminal import CONTROL_C, STYLE, faults_of, flat, in_a_terminal, lines

TITLES = ("1. Rent reaches the owner", "2. The float is too low", "3. M-Pesa's answer is lost", "4. What the platform")
GREEN, BOLD_CYAN, RED = "\x1b[32m", "\x1b[1;36m", "\x1b[1;31m"


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> str:
    status, written = in_a_terminal(["demo"], [], columns=request.param)
    assert status == 0, written
    return written
