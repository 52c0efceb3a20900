"""What is drawn for people: nothing wider than the window, no word lost, columns below each other."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from rentpay_cli.cli import show, terminal
from rentpay_cli.cli.common import Invocation, invoked, talk, typed

WORDS = st.sampled_from(["rent", "KES 1,000", "Wanjiru", "家賃", "completed", "unclear", "x" * 70, "rentpay status 1"])
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
WIDTHS = st.integers(30, 150)
Draw = Callable[..., list[str]]


@pytest.fixture
def draw(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Draw:
    """The lines that something draws in a window of a width, on both streams."""

    def drawn(width: int, what: Callable[[], None]) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        with invoked(Invocation()):
            what()
        captured = capsys.readouterr()
        return (captured.out + captured.err).splitlines()

    return drawn


many = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def letters(lines: list[str]) -> str:
    return "".join("".join(lines).split())


@many
@given(text=TEXTS, width=WIDTHS)
def test_a_line_that_is_too_long_goes_on_below_and_loses_nothing(draw: Draw, text: str, width: int) -> None:
    lines = draw(width, lambda: show.line(text))
    assert max(map(cell_len, lines)) <= width
    assert letters(lines) == letters([text])
    assert lines == [each.rstrip() for each in lines]


@many
@given(text=TEXTS, width=WIDTHS)
def test_an_error_and_what_to_do_next_stay_in_the_window(draw: Draw, text: str, width: int) -> None:
    lines = draw(width, lambda: show.error("code", text, text, 1))
    arrow = next(number for number, each in enumerate(lines) if each.startswith("  → "))
    assert all(each.startswith("    ") for each in lines[arrow + 1 :])
    assert max(map(cell_len, lines)) <= width
    assert letters(lines) == letters([f"Error: {text} → {text}"])


@many
@given(value=TEXTS, width=WIDTHS)
def test_the_values_of_a_block_stand_below_each_other(draw: Draw, value: str, width: int) -> None:
    lines = draw(width, lambda: show.block("Title", [("Owner", value), ("Empty", ""), ("Platform fee", "KES 1")]))
    assert max(map(cell_len, lines)) <= width
    assert (lines[0], lines[-1]) == ("Title", "Platform fee  KES 1")
    assert lines[1].startswith("Owner         ")
    assert all(each.startswith(" " * 14) for each in lines[2:-1])
    assert letters(lines[1:-1]) == letters([f"Owner{value}"])


COLUMNS = [("Owner", "left"), ("State", "status"), ("KES", "right")]


def test_wide_letters_move_no_column_and_amounts_end_below_each_other(draw: Draw) -> None:
    rows = [("家賃", "completed", "1"), ("Wanjiru Kamau", "failed", "9,500")]
    assert draw(120, lambda: show.table(COLUMNS, rows, empty="")) == [
        "",
        " Owner           State         KES",
        " ─────────────────────────────────",
        " 家賃            completed       1",
        " Wanjiru Kamau   failed      9,500",
        "",
    ]


def test_a_cell_that_is_too_long_goes_on_below_itself(draw: Draw) -> None:
    rows = [("Wanjiru Kamau of Sunset Apartments", "completed", "1")]
    assert draw(40, lambda: show.table(COLUMNS, rows, empty=""))[3:] == [
        " Wanjiru Kamau of        completed    1",
        " Sunset Apartments",
        "",
    ]


def test_what_has_no_room_beside_its_row_stands_below_it(draw: Draw) -> None:
    columns = [("No.", "right"), ("What", "left"), ("More", "below")]
    rows = [("7", "learned", "rent: money moved; M-Pesa's callback"), ("12", "owner added", "")]
    assert draw(99, lambda: show.table(columns, rows, empty=""))[1:] == [
        " No.  What",
        " ────────────────",
        "   7  learned",
        "      rent: money moved; M-Pesa's callback",
        "  12  owner added",
        "",
    ]
    assert draw(30, lambda: show.table(columns, rows, empty=""))[4:6] == [
        "      rent: money moved;",
        "      M-Pesa's callback",
    ]
    assert draw(100, lambda: show.table(columns, rows, empty=""))[3] == (
        "   7   learned       rent: money moved; M-Pesa's callback"
    )


def test_what_cannot_stand_side_by_side_stands_below_each_other(draw: Draw) -> None:
    rows = [("Wanjiru", "completed", "9,500,000,000,000")]
    assert draw(25, lambda: show.table(COLUMNS, rows, empty="")) == [
        "",
        "Owner  Wanjiru",
        "State  completed",
        "KES    9,500,000,000,000",
    ]


def test_a_window_that_says_nonsense_about_its_width_breaks_nothing(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for nonsense in ("", "wide", "0", "-1", "1e3", "+80", " 80", "²", "٣", "99999999999", "9" * 5000):
        monkeypatch.setenv("COLUMNS", nonsense)
        show.line("x" * 150)
        assert capsys.readouterr().out == "x" * 150 + "\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm"}, "\x1b[1;31mbad\x1b[0m"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "\x1b[1mbad\x1b[0m"),
        ({"TERM": "xterm", "NO_COLOR": ""}, "\x1b[1;31mbad\x1b[0m"),
        ({"TERM": "dumb"}, "bad"),
    ],
)
def test_a_terminal_gets_what_it_can_show_and_the_person_wants(
    environment: dict[str, str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    show.line("bad", "bold red")
    assert capsys.readouterr().out == expected + "\n"


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("cyan", "\x1b[36mtext\x1b[0m"),
        ("bold cyan", "\x1b[1;36mtext\x1b[0m"),
        ("bold  red\n", "\x1b[1;31mtext\x1b[0m"),
        ("bold purple", "\x1b[1mtext\x1b[0m"),
        ("purple", "text"),
        ("Red", "text"),
        ("31;5", "text"),
        ("\x1b[31m", "text"),
        (" ", "text"),
        ("", "text"),
    ],
)
def test_a_style_that_nobody_knows_is_no_style_and_no_failure(
    style: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    show.line("text", style)
    assert capsys.readouterr().out == expected + "\n"
    screen = Console(force_terminal=True, color_system="standard", file=io.StringIO())
    screen.print(show.drawn_text("text", style), end="")
    assert isinstance(screen.file, io.StringIO)
    assert screen.file.getvalue() == expected


STYLED = {"line": 1, "say": 1, "drawn_text": 1, "styled": 1, "known": 0}
"""The functions that are given a style, and as which argument."""


def test_every_style_that_is_used_is_known() -> None:
    used = set(show._COLOURS.values())
    for path in Path(show.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in STYLED:
                given = [*node.args[STYLED[name] : STYLED[name] + 1], *(each.value for each in node.keywords)]
                parts = [part for each in given for part in ast.walk(each) if isinstance(part, ast.Constant)]
                used |= {part.value for part in parts if isinstance(part.value, str)}
    assert {"bold cyan", "bold red", "bold green", "dim", "yellow"} <= used
    assert {word for style in used for word in style.split()} <= set(terminal.STYLES)


def test_what_a_name_from_outside_says_does_not_steer_the_live_screen() -> None:
    assert "\x1b" not in show.drawn_text("\x1b[2JWanjiru").plain


@many
@given(text=TEXTS, style=st.text(max_size=20), width=st.integers(-5, 29))
def test_no_window_is_too_narrow(draw: Draw, text: str, style: str, width: int) -> None:
    rows = [(text, "completed", "9,500"), ("", "failed", "")]
    drawn = [
        draw(width, lambda: show.line(text, style)),
        draw(width, lambda: show.line(text, indent="    ")),
        draw(width, lambda: show.block(text, [("Owner", text), ("Platform fee", "KES 1")])),
        draw(width, lambda: show.table(COLUMNS, rows, empty="")),
        draw(width, lambda: show.table([("No.", "right"), ("What", "left"), ("More", "below")], rows, empty="")),
        draw(width, lambda: show.error("code", text, text, 6)),
        draw(width, lambda: show.next_step(text)),
        draw(width, lambda: talk(text)),
        typed(text, "   ", width).split("\n"),
    ]
    assert all(letters([text]) in letters(each).replace("\\", "") for each in (drawn[0], drawn[1], drawn[7], drawn[8]))


def test_a_last_column_that_would_be_squeezed_stands_below_its_row_and_is_copied_whole(draw: Draw) -> None:
    columns = [("Attempt", "left"), ("Began (EAT)", "whole"), ("What is known", "left")]
    rows = [("payout 1", "25 Nov 2026 20:21:11", "receipt UKP6B14M5C"), ("payout 2", "25 Nov 2026 20:21:12", "")]
    assert draw(40, lambda: show.table(columns, rows, empty=""))[1:] == [
        " Attempt   Began (EAT)",
        " ──────────────────────────────",
        " payout 1  25 Nov 2026 20:21:11",
        "           receipt UKP6B14M5C",
        " payout 2  25 Nov 2026 20:21:12",
        "",
    ]
    assert draw(60, lambda: show.table(columns, rows, empty=""))[3:5] == [
        " payout 1  25 Nov 2026 20:21:11  receipt UKP6B14M5C",
        " payout 2  25 Nov 2026 20:21:12",
    ]
