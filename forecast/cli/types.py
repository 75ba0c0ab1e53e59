"""The command that explains the words of a record."""

from __future__ import annotations

from forecast.cli.shell import app
from forecast.terminal.look import console
from forecast.terminal.words import words_screen


@app.command()
def types() -> None:
    """Explain event types, families of events, classes of authorities and scopes of orders."""
    console().print(words_screen())
