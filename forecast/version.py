"""The version of this package, as every folder that it writes and every entry of a ledger name it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

PACKAGE = "enforcement-forecast"


@cache
def package_version() -> str:
    """Return the installed version, such as ``0.1.0``."""
    return version(PACKAGE)
