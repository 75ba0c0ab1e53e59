"""Sentences about results are computed: no prose of the README or a notebook holds the number of a result.

What may stand there are inputs, settings and limits, each listed below. A new number in prose is either one of these,
and is added, or a result, and then it belongs into an output block of the README (``python -m tests.readme``) or into
code.
"""

import re
from pathlib import Path

import nbformat
import pytest

from tests.readme import README, blocks, rows, words_of

NOTEBOOKS = sorted((README.parent / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*\d?(?:\.\d+)?(?: ?%)?")
GATE = {"1.01", "400", "0.7"}
"""Limits of R-hat, ESS and k-hat."""
INTERVAL = {"90 %", "90", "0.90", "5", "95", "95 %", "5 %"}
"""Levels of intervals, and the brief's own '5 to 15 %'."""
RULE = {"80 %", "0.8"}
"""Share of each scenario that must resolve as itself."""
STATED = {
    "README.md": {
        *GATE, *INTERVAL, *RULE, "3.13", "2.0", "64", "200,000", "200",  # Python, the licence, limits of tables
        "0", "1", "2", "3", "130", "141", "143",  # exit codes
        "0-6", "6-24", "24", "6", "9", "12", "36", "60", "256",  # months of phases, windows and worlds; SHA-256
    },
    "01-priors": {*INTERVAL, *RULE, "15 %"},
    "02-forecast": {*GATE, *INTERVAL, *RULE, "0", "1", "6", "24", "100"},
    "03-your-own-matter": {*INTERVAL, *RULE, "1", "24"},
    "04-new-evidence": {"1", "3"},
    "05-how-good": {*INTERVAL, "50", "80", "80 %", "0", "1", "100", "1000"},
}  # fmt: skip


def numbers(text: str) -> set[str]:
    """Return the numbers in Markdown prose: not those in code, links, comments, dates and numbered headings."""
    for pattern in (r"```.*?```", r"<!--.*?-->", r"`[^`]*`", r"\[[^\]]*\]\([^)]*\)", r"\d{4}-\d\d-\d\d"):
        text = re.sub(pattern, " ", text, flags=re.DOTALL)
    text = re.sub(r"^(#+ )?\d+\.? ", "", text, flags=re.MULTILINE)
    text = re.sub(r"^# \d+\. ", "", text, flags=re.MULTILINE)
    return {found.strip(",") for found in NUMBER.findall(text)}


def prose(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("path", [README, *NOTEBOOKS], ids=lambda path: path.stem)
def test_prose_holds_no_number_of_a_result(path):
    text = path.read_text(encoding="utf-8") if path == README else prose(path)
    assert numbers(text) <= STATED[README.name if path == README else path.stem]


def test_a_number_of_a_result_would_be_found():
    assert numbers("skill of +12.5 % [-5, 11] and 0.35 of 137 events, `0.5` on 2026-02-03") >= {
        "+12.5 %", "-5", "11", "0.35", "137",
    }  # fmt: skip
    assert numbers("## 3 What\n`k = 2` on 2026-02-03 <!-- 7 -->\n```text\n99 %\n```\n[x](a-5.png)") == set()


def test_output_blocks_name_commands_of_the_command_line():
    found = blocks(README.read_text(encoding="utf-8"))
    assert found
    for block in found:
        assert block["command"].startswith("uv run forecast ")
        assert block["text"].strip()
        assert max(map(len, block["text"].splitlines())) <= 80


def test_rows_are_cut_from_the_first_to_the_next_that_begins_so():
    text = "one\nSkill\n a\n\nCounts\n b\n"
    assert rows(text, "Skill", "Counts") == "Skill\n a\n"
    assert rows(text, "Counts", "") == "Counts\n b\n"
    assert rows(text, None, None) == text


def test_words_are_compared_without_numbers():
    assert words_of("fine_left, m EUR   0 [0, 130]") == words_of("fine_left, m EUR  12 [1, 9]")
    assert words_of("event:fine 10 %") != words_of("event:order 10 %")
