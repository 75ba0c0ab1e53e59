"""Errors that name their place, and files that are written whole or not at all."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ATTEMPTS = 100
"""How often a folder is put in its place while other processes put theirs there."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with the input: where (file and line, row or key) and what was expected."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class InputError(ValueError):
    """Input that cannot be used, with every problem that was found in it."""

    def __init__(self, problems: Iterable[Problem] | Problem):
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest option, or an empty string."""
    close = difflib.get_close_matches(str(name), list(options), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def fingerprint(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file of at most ``most_bytes`` bytes; anything else is an `InputError`.

    A folder, a pipe, a socket or a device is refused without being read (a pipe may wait for ever, a device may never
    end), and of a file that grows while it is read no more than ``most_bytes + 1`` are taken.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError(Problem(str(path), "there is no such file")) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    except ValueError as error:
        raise InputError(Problem(repr(str(path)), f"is no name of a file: {error}")) from error
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
            raise InputError(Problem(str(path), f"cannot be read: is {what}, where a file was expected"))
        with open(handle, "rb", closefd=False) as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    finally:
        os.close(handle)
    if len(content) > most_bytes:
        raise InputError(Problem(str(path), f"is larger than {most_bytes:,} bytes, the most that is read"))
    return content


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a scratch file that takes the place of ``path`` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    scratch = Path(temporary)
    scratch.chmod(0o644)
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of ``path`` when the block ends without an error.

    An error, or an interruption, leaves whatever stood at ``path`` as it was and removes the scratch folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    scratch.chmod(0o755)
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    try:
        yield scratch
        _take_place(scratch, path, old)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _take_place(scratch: Path, path: Path, old: Path) -> None:
    """Put a folder where another may stand, which goes to ``old``; of two at once the later one stays, whole."""
    for attempt in range(ATTEMPTS):
        aside = old / str(attempt)
        with suppress(FileNotFoundError):  # nothing stands there, or another has just moved it
            path.replace(aside)
        try:
            scratch.replace(path)
            return
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and attempt + 1 < ATTEMPTS:
                continue  # another has put its own there in the meantime: that goes aside next
            if aside.exists() and not path.exists():
                aside.replace(path)
            raise
