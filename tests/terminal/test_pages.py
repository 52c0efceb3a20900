"""The pages of `rentpay help` on a real terminal: prose keeps to it, commands stay whole, and code is as it was."""

from __future__ import annotations

import re

import pytest

from rentpay_cli.flows.pages import pages
from tests.support.terminal import STYLE, faults_of, lines, plain
from tests.terminal.conftest import Typist
from tests.terminal.test_commands import WIDTHS

PAGES = {page.topic: page.text for page in pages()}


def code_of(text: str) -> list[str]:
    blocks = re.findall(r"^```.*\n([^`]+)```$", text, re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("topic", PAGES)
def test_a_page_keeps_to_its_terminal_and_its_code_is_copied_whole(typist: Typist, topic: str, columns: int) -> None:
    status, seen = typist("help", topic, columns=columns)
    assert status == 0
    assert STYLE.search(seen)
    code = code_of(PAGES[topic])
    assert faults_of(seen, columns, copied=re.compile("|".join(re.escape(line.strip()) for line in code) or "$")) == []
    assert "**" not in seen
    written = [each.strip() for each in lines(seen)]
    assert [line.strip() for line in code if line.strip() not in written] == []


@pytest.mark.parametrize("topic", PAGES)
def test_a_command_in_prose_stays_on_one_line(typist: Typist, topic: str) -> None:
    prose = re.sub(r"^(```.*?^```|\|.*?)$", "", PAGES[topic], flags=re.MULTILINE | re.DOTALL)
    _, seen = typist("help", topic, columns=WIDTHS[0])
    for command in re.findall(r"`(rentpay [^`]+)`", prose):
        assert " ".join(command.split()) in plain(seen)


def test_where_nobody_wants_colours_code_stands_in_its_backticks(typist: Typist) -> None:
    _, coloured = typist("help", "safety")
    _, plainer = typist("help", "safety", NO_COLOR="1")
    assert "\x1b[36mrentpay chase\x1b[0m" in coloured
    assert set(STYLE.findall(plainer)) == {"\x1b[1m", "\x1b[0m"}
    assert "`rentpay chase`" in plainer
