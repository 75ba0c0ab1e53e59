"""The track record that comes with the package: a ledger, read by name, and what must be said of its entries."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from forecast.files import whole_folder
from forecast.ledger.chain import Entry

NAME = "track-record"
"""Name of the packaged ledger, where no folder of that name lies in the working directory."""
REMARKS = {
    "5b248906a8aa4f42e481857c1f0bf97a9841577c78f5b219c13999df6e34b028": (
        "a hindcast: issued late, 297 days after its origin, from a model frozen early (version 0.1.0, on what was "
        "public by the origin). Nobody outside can check that nothing in it was chosen afterwards."
    )
}
"""SHA-256 of an entry -> what it is, in words that stand wherever its scores do."""


def packaged_ledger() -> Path:
    """Return the folder of the packaged ledger; it is to be read, and ``own_ledger`` makes a copy to add to."""
    return Path(__file__).parents[1] / "track_record"


def readable_ledger(place: Path | str) -> Path:
    """Return the folder of a ledger that is to be read: the packaged one for its name."""
    path = Path(place)
    return packaged_ledger() if str(path) == NAME and not path.exists() else path


def own_ledger(place: Path | str) -> Path:
    """Return the folder of a ledger that is to be added to; for the packaged one's name, a copy of it that is made."""
    path, found = Path(place), readable_ledger(place)
    if found != path:
        with whole_folder(path) as scratch:
            shutil.copytree(found, scratch, dirs_exist_ok=True)
    return path


def remarks(entries: Iterable[Entry]) -> list[str]:
    """Return what must be said of some of these entries, a sentence each."""
    return [f"Entry {entry.index} is {REMARKS[entry.sha256]}" for entry in entries if entry.sha256 in REMARKS]
