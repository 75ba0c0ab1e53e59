"""The command that explains the words of a record, and the law that the model knows."""

from __future__ import annotations

from forecast.cli.shell import app
from forecast.terminal.look import console


@app.command()
def types() -> None:
    """Explain event types, families, scopes, stages, classes of authorities and their powers, rules of law."""
    from forecast.regime import load_regime  # noqa: PLC0415
    from forecast.terminal.words import words_screen  # noqa: PLC0415

    console().print(words_screen(load_regime()))
