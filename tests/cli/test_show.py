"""What is drawn for people: nothing wider than the window, no word lost, columns below each other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from rentpay_cli.cli import show

WORDS = st.sampled_from(["rent", "KES 1,000", "Wanjiru", "家賃", "completed", "unclear", "x" * 70, "rentpay status 1"])
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
WIDTHS = st.integers(30, 150)
Draw = Callable[..., list[str]]


@pytest.fixture
def draw(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Draw:
    """The lines that something draws in a window of a width, on both streams."""
    monkeypatch.setattr(show.invocation, "json", False)

    def drawn(width: int, what: Callable[[], None]) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
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
    for nonsense in ("", "wide", "0", "-1"):
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


def test_every_style_that_is_used_is_known() -> None:
    used = {name for style in show._COLOURS.values() for name in style.split()}
    assert used <= set(show._STYLES)
    assert re.fullmatch(r"(\d+)", "".join(show._STYLES.values()))
