"""The terminal's look: console, tables, probabilities with their errors."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


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
    plain = Console(stderr=stderr)
    return plain if plain.is_terminal else Console(stderr=stderr, width=140, no_color=True)
