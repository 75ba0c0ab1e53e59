"""The terminal: console, tables that fit its width, how numbers are printed, and ASCII where a terminal needs it."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from forecast.quantities import percent

PLAIN_WIDTH = 80
"""Columns where the output is no terminal and COLUMNS does not say otherwise."""
NARROWEST = 40
"""Columns that are taken for the least, whatever COLUMNS says."""
PROSE = 18
"""Columns under which no text of several words is wrapped."""
GAP = 2
"""Blanks between columns."""
NUMERIC = re.compile(r"[-+<>±x(\[]?\s?[\d.]|-$|$")
"""How the cells of a column of numbers begin; such cells are never broken."""
TO_ASCII = "forecast.ascii"
"""Name of the error handler for streams whose encoding lacks a character: an ASCII one, or several, take its place."""
ASCII = {
    "±": "+/-", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"',
    "»": '"', "…": "...", "→": "->", "←": "<-", "↑": "^", "↓": "v", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~",
    "×": "x", "·": ".", "•": "*", "€": "EUR", "■": "#", "●": "*", "✓": "ok", "✗": "x", "ß": "ss", "æ": "ae", "œ": "oe",
    "ø": "o", "ł": "l",
}  # fmt: skip


class OutputClosedError(Exception):
    """Whoever read the output reads no more of it."""


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII characters for those that cannot be encoded, and the place to go on at."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(character: str) -> str:
    if character in ASCII:
        return ASCII[character]
    if "\u2500" <= character <= "\u259f":  # lines and blocks of boxes
        return "-" if character in "─━═╌╍" else "|" if character in "│┃║╎╏" else "+" if character < "\u2580" else "#"
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return bare or "?"


codecs.register_error(TO_ASCII, _in_ascii)


def printable(text: str, encoding: str) -> str:
    """Return the text with ASCII in place of what ``encoding`` lacks: ``+/-`` for ``±``, letters without accents."""
    return text.encode(encoding, TO_ASCII).decode(encoding)


class _Console(Console):
    """A console that lays out what its encoding can show, and says that nobody reads instead of ending the process."""

    def render_str(self, text: str, **keywords: Any) -> Text:
        """Return the text as rich lays it out, in characters of the encoding."""
        return super().render_str(printable(text, self.encoding), **keywords)

    def on_broken_pipe(self) -> None:
        """Say that the output was closed."""
        raise OutputClosedError


def share(probability: float, error: float) -> str:
    """Return a probability with its Monte Carlo error, where there is one."""
    return f"{probability:.3f}" if error == 0 else f"{probability:.3f} ± {error:.3f}"


def chance(probability: float, error: float, *, full: bool) -> str:
    """Return a probability in per cent; in ``full`` with a decimal and its Monte Carlo error, where there is one."""
    if not full or error == 0:
        return percent(probability)
    return f"{100 * probability:.1f} ± {100 * error:.1f} %"


class Fitted(Table):
    """A table that is never wider than the console, and whose numbers are never broken.

    Words wrap where that is enough. Where it is not, the columns follow in blocks below each other, each block led by
    the columns that name its rows. Cells and headers are text, whatever square brackets stand in them.
    """

    def add_row(self, *cells: Any, **more: Any) -> None:
        """Add a row; text is taken as it stands."""
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **more)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render title, as few blocks as fit, and caption, in characters of the console's encoding."""
        yield from self._in(console.encoding)._parts(options.max_width)

    def _in(self, encoding: str) -> Fitted:
        """Return the table in characters of an encoding, so that columns are as wide as what is printed."""
        table = Fitted(title=self.title and printable(str(self.title), encoding))
        table.caption = self.caption and printable(str(self.caption), encoding)
        for column in self.columns:
            table.add_column(Text(printable(str(column.header), encoding)))
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            table.add_row(*(printable(str(cell), encoding) for cell in cells))
        return table

    def _parts(self, width: int) -> RenderResult:
        if self.title:
            yield Text(str(self.title), style="bold")
        least, natural = zip(*map(self._widths, range(len(self.columns))), strict=True)
        for block in _blocks(least, width, self._lead(least, width)):
            widths = _shared_out([least[i] for i in block], [natural[i] for i in block], width)
            yield self._block(block, widths)
        if self.caption:
            yield Text(str(self.caption))

    def _widths(self, index: int) -> tuple[int, int]:
        """Return the narrowest width of a column (no number or word broken), and its natural width."""
        column = self.columns[index]
        head, cells = str(column.header), [line for cell in column.cells for line in str(cell).splitlines()]
        words = [len(word) for text in (head, *cells) for word in text.split()]
        lines = [len(line) for line in cells]
        natural = max([len(head), *lines])
        if index == 0 or self._is_numeric(index):
            return max([*words, *lines], default=0), natural
        return max([*words, min(PROSE, max(lines))], default=0), natural

    def _lead(self, least: Sequence[int], width: int) -> int:
        """Return how many first columns lead each block: two where the first does not tell rows apart."""
        if len(least) < 3 or self._is_numeric(1) or sum(least[:2]) + GAP > width // 2:
            return 1
        first, second = (list(map(str, self.columns[index].cells)) for index in (0, 1))
        return 2 if len(set(first)) < len(set(zip(first, second, strict=True))) else 1

    def _is_numeric(self, index: int) -> bool:
        return all(NUMERIC.match(str(cell)) for cell in self.columns[index].cells)

    def _block(self, block: Sequence[int], widths: Sequence[int]) -> Table:
        part = Table(pad_edge=False, box=None, header_style="dim")
        for place, (index, width) in enumerate(zip(block, widths, strict=True)):
            side: Any = "right" if place and self._is_numeric(index) else "left"
            part.add_column(self.columns[index].header, overflow="fold", width=width, justify=side)
        for cells in zip(*(list(self.columns[index].cells) for index in block), strict=True):
            part.add_row(*cells)
        return part


def _shared_out(least: Sequence[int], natural: Sequence[int], width: int) -> list[int]:
    """Return widths from the narrowest towards the natural ones, as far as there is room, the neediest first."""
    widths = list(least)
    for _ in range(width - sum(least) - GAP * (len(least) - 1)):
        wanting = [own - got for own, got in zip(natural, widths, strict=True)]
        if max(wanting) <= 0:
            break
        widths[wanting.index(max(wanting))] += 1
    return widths


def _blocks(least: Sequence[int], width: int, lead: int) -> list[list[int]]:
    """Return the columns of each block: the ``lead`` first ones, and as many more as fit, in their order."""
    led = sum(least[:lead]) + GAP * (lead - 1)
    blocks, used = [list(range(lead))], led
    for index, own in enumerate(least[lead:], lead):
        if used + GAP + own > width and len(blocks[-1]) > lead:
            blocks.append(list(range(lead)))
            used = led
        blocks[-1].append(index)
        used += GAP + own
    return blocks


def table_of(title: str, *columns: str) -> Fitted:
    """Return an empty table that fits its console; what stands in square brackets is text and no markup."""
    table = Fitted(title=title)
    for column in columns:
        table.add_column(Text(column))
    return table


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as COLUMNS says, else as the terminal is; plain, of 80 columns, where there is none."""
    plain = _Console(stderr=stderr)
    said = os.environ.get("COLUMNS", "")
    width = max(int(said), NARROWEST) if said.isdecimal() else None if plain.is_terminal else PLAIN_WIDTH
    return _Console(stderr=stderr, width=width, no_color=None if plain.is_terminal else True)
