"""Tables in the terminal: they fit the console, break no number, and say per cent as people do."""

import pytest
from rich.console import Console

from forecast.quantities import percent
from forecast.terminal.look import chance, console, table_of

CELLS = [
    (
        "fine",
        "ec-dsa-x-2023",
        "1,234 [0, 12,345,678]",
        "0.40 \N{PLUS-MINUS SIGN} 0.01",
        "a sentence of many words",
    ),
    ("fine", "fr-crim-x-2025", "-3 [-88, 150]", "<1 %", "short"),
]


def printed(width: int, cells=CELLS) -> str:
    table = table_of("Title", "event", "case", "amount", "chance", "why")
    for row in cells:
        table.add_row(*row)
    plain = Console(width=width, no_color=True)
    with plain.capture() as captured:
        plain.print(table)
    return captured.get()


@pytest.mark.parametrize("width", range(45, 141, 5))
def test_a_table_fits_and_breaks_no_number_and_no_word(width):
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    for row in CELLS:
        for cell in row[:4]:
            assert cell in text
    for word in CELLS[0][4].split():
        assert word in text


def test_blocks_are_led_by_what_names_the_rows():
    """Both rows are of a fine: in every block stands the case too."""
    text = printed(60)
    assert text.count("Title") == 1
    assert text.count("event") > 1
    assert text.count("ec-dsa-x-2023") == text.count("event")
    assert printed(140).count("event") == 1


def test_square_brackets_are_text():
    row = ("[bold]fine[/bold]", "[red]", "[/]", "[0]", "x")
    assert all(cell in printed(140, [row]) for cell in row)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"), (1e-6, "<1 %"), (0.00499, "<1 %"), (0.0051, "1 %"), (0.5, "50 %"), (0.994, "99 %"),
        (0.9951, ">99 %"), (1 - 1e-9, ">99 %"), (1.0, "100 %"), (float("nan"), "-"), (-0.002, "0 %"), (1.2, "120 %"),
    ],
)  # fmt: skip
def test_what_is_possible_is_not_nothing(share, text):
    assert percent(share) == text


def test_a_chance_has_its_error_on_request():
    assert chance(0.3489, 0.007, full=False) == "35 %"
    assert chance(0.3489, 0.007, full=True) == "34.9 \N{PLUS-MINUS SIGN} 0.7 %"
    assert chance(0.4, 0.0, full=True) == "40 %"


@pytest.mark.parametrize(("said", "width"), [(None, 80), ("", 80), ("140", 140), ("wide", 80), ("3", 40), ("-5", 80)])
def test_the_width_is_what_columns_says_and_80_without_a_terminal(monkeypatch, said, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if said is not None:
        monkeypatch.setenv("COLUMNS", said)
    assert console().width == console(stderr=True).width == width
