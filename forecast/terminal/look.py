"""The terminal's look: console, tables, probabilities with their errors, and what a poor terminal is spared."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

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


def table_of(title: str, *columns: str) -> Table:
    """Return an empty table whose title never wraps."""
    table = Table(title=title, min_width=len(title), title_justify="left", title_style="bold", pad_edge=False, box=None)
    table.header_style = "dim"
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)
    return table


def console(*, stderr: bool = False) -> Console:
    """Return a console that is plain and wide enough where the output is no terminal."""
    plain = _Console(stderr=stderr)
    return plain if plain.is_terminal else _Console(stderr=stderr, width=140, no_color=True)
