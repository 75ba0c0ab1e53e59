"""Errors that name their place, and files that are written whole or not at all."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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

    Raises ``WriteError`` where it cannot be written, a full disk included.
    """
    scratch = None
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
            os.close(handle)
            scratch = Path(temporary)
            scratch.chmod(0o644)
            yield scratch
            scratch.replace(path)
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a scratch folder that takes the place of ``path`` when the block ends without an error.

    An error, or an interruption, leaves whatever stood at ``path`` as it was and removes the scratch folder. Raises
    ``WriteError`` where it cannot be written, a full disk included.
    """
    scratch = old = None
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            scratch.chmod(0o755)
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            yield scratch
            _take_place(scratch, path, old)
    finally:
        for place in filter(None, (scratch, old)):
            shutil.rmtree(place, ignore_errors=True)


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
