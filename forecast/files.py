"""Errors that name their place, and files that are written whole or not at all."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from forecast.scratch import OLD, owned

ATTEMPTS = 100
"""How often a folder is put in its place while other processes put theirs there."""

PROBE = 2**16
"""Bytes that are written to see whether a disk is full."""


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
    with _regular(path, most_bytes) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InputError(_too_large(path, len(content), most_bytes))
    return content


def fingerprint_of(path: Path, most_bytes: int) -> str:
    """Return the SHA-256 of a regular file of at most ``most_bytes`` bytes; `InputError` as in `read_regular`."""
    with _regular(path, most_bytes) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _regular(path: Path, most_bytes: int) -> Iterator[BufferedReader]:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError(Problem(str(path), "there is no such file")) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    except ValueError as error:
        raise InputError(Problem(repr(str(path)), f"is no name of a file: {error}")) from error
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            what = "a folder" if stat.S_ISDIR(about.st_mode) else "a pipe, a socket or a device"
            raise InputError(Problem(str(path), f"cannot be read: is {what}, where a file was expected"))
        if about.st_size > most_bytes:
            raise InputError(_too_large(path, about.st_size, most_bytes))
        with open(handle, "rb", closefd=False) as stream:
            yield stream
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    finally:
        os.close(handle)


def _too_large(path: Path, size: int, most_bytes: int) -> Problem:
    return Problem(
        str(path), f"holds {size_text(size)} or more; at most {size_text(most_bytes)} are read of such a file"
    )


def size_text(size: int) -> str:
    """Return a number of bytes in the largest unit of which it has at least one."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / 1024**power:.4g} {units[power]}"


class WriteError(InputError):
    """A place that cannot be written to; ``reason`` as the system gives it."""

    def __init__(self, path: Path, reason: str):
        self.reason = reason
        super().__init__(Problem(str(path), f"cannot be written: {reason}; nothing there was changed"))


def reason_of(error: OSError) -> str:
    """Return why the system refused, in its words."""
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn the system's errors, and those of what is written inside, into a ``WriteError`` that names ``path``."""
    try:
        yield
    except WriteError as error:
        raise WriteError(path, error.reason) from error
    except OSError as error:
        raise WriteError(path, _shortage(path.parent) or reason_of(error)) from error
    except RuntimeError as error:
        if not str(error).startswith("NetCDF"):
            raise
        raise WriteError(path, _shortage(path.parent) or str(error)) from error


def _shortage(folder: Path) -> str:
    """Return the system's words if nothing more can be written into a folder, else nothing.

    HDF5 does not say why it failed: on a full disk it speaks of an ``HDF error``, or of missing permission.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE))
    except OSError as error:
        return reason_of(error)
    return ""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a scratch file that takes the place of ``path`` when the block ends without an error.

    Scratch files that killed processes left in the folder are removed first. Raises ``WriteError`` where it cannot be
    written, a full disk included.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with owned(path.parent, path.name) as token:
            scratch = path.parent / f".{path.stem[:40]}.{token}{path.suffix}"
            scratch.touch()
            scratch.chmod(0o644)
            yield scratch
            scratch.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of ``path`` when the block ends without an error.

    An error, or an interruption, leaves whatever stood at ``path`` as it was and removes the scratch folder; after a
    kill the next command that writes beside it does. Scratch that killed processes left is removed first. Raises
    ``WriteError`` where it cannot be written, a full disk included.
    """
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with owned(path.parent, path.name) as token:
            scratch, old = (path.parent / f".{path.name[:40]}{infix}{token}" for infix in (".", OLD))
            for place in (scratch, old):
                place.mkdir()
                place.chmod(0o755)
            yield scratch
            _take_place(scratch, path, old)


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
