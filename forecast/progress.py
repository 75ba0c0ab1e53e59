"""Progress of long computations, as records of ``logging.getLogger("forecast")``.

The package only writes records, at level INFO. The command line shows them on standard error; in Python,
``logging.basicConfig(level="INFO")`` does.
"""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("forecast")


def report(line: str) -> None:
    """Log one line of progress."""
    LOGGER.info(line)
