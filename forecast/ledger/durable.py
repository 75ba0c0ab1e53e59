"""Files that are whole or not there, even after a kill or a power cut: written aside, forced to disk, then named.

A name that begins with a dot is a file that was being written; whoever reads a ledger passes it over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecast.scratch import owned


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and force their names to disk."""
    missing = [place for place in (path, *path.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        _force_folder(place.parent)


def put(path: Path, content: bytes) -> None:
    """Write a file in place of any other of that name; it is on disk when this returns."""
    with _aside(path, content) as scratch:
        os.replace(scratch, path)  # noqa: PTH105
    _force_folder(path.parent)


def put_new(path: Path, content: bytes) -> bool:
    """Write a file where none stands and return True; where one stands, leave it and return False.

    A hard link, for unlike a renaming it never takes the place of another file: of two writers one wins.
    """
    with _aside(path, content) as scratch:
        try:
            os.link(scratch, path)
        except FileExistsError:
            return False
    _force_folder(path.parent)
    return True


@contextmanager
def _aside(path: Path, content: bytes) -> Iterator[Path]:
    """Yield a hidden file beside ``path`` that holds ``content`` on disk; remove it after."""
    make_folder(path.parent)
    with owned(path.parent, path.name) as token:
        scratch = path.with_name(f".{path.name}.{token}")
        with scratch.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        yield scratch


def _force_folder(path: Path) -> None:
    """Force the names in a folder to disk, where the system lets folders be opened."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
