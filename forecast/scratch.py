"""Who owns a scratch file: a lock that ends with its process, so that what a killed one left can be removed safely.

Beside every scratch file or folder lies a lock file, ``.TOKEN.forecast-lock``, which its owner holds with ``flock``;
the scratch names contain the token. The system gives up the lock when the process ends, however it ends, so a lock that
can be taken belongs to nobody alive, whatever process has its number now. Scratch without a lock file is never touched.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = re.compile(r"\.([0-9a-f]{16})\.forecast-lock")
OLD = ".old."
"""Part of the name of a folder that holds what another is about to replace."""


@contextmanager
def owned(folder: Path, name: str) -> Iterator[str]:
    """Yield a token for the names of scratch in ``folder`` which is to become ``name``; remove all of it after.

    Before, what processes that are no longer alive left in the folder is removed.
    """
    remove_abandoned(folder)
    token, handle = _new_lock(folder, name)
    try:
        yield token
    finally:
        _remove(folder, token)
        if handle is not None:
            os.close(handle)


def remove_abandoned(folder: Path) -> None:
    """Remove the scratch in a folder whose owners are gone; put back what one of them had moved aside."""
    if sys.platform == "win32" or not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        found = LOCK.fullmatch(path.name)
        if not found or path.is_symlink() or not path.is_file():
            continue
        with suppress(OSError):  # another command removes it, or it is not ours to remove
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _take(handle):
                    _put_back(folder, found[1], os.read(handle, 4096))
                    _remove(folder, found[1])
            finally:
                os.close(handle)


def _new_lock(folder: Path, name: str) -> tuple[str, int | None]:
    """Return a new token and the handle of its lock, which is held; no handle where the system has no such locks."""
    while True:
        token = secrets.token_hex(8)
        path = folder / f".{token}.forecast-lock"
        if sys.platform == "win32":
            return token, None
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            if _take(handle) and path.exists():  # between the two another command may have taken it for abandoned
                os.write(handle, os.fsencode(name))
                return token, handle
        except OSError:  # a file system without locks: scratch is removed by its owner alone
            os.close(handle)
            path.unlink(missing_ok=True)
            return token, None
        os.close(handle)


def _take(handle: int) -> bool:
    """Take the lock of an open file, without waiting."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _put_back(folder: Path, token: str, name: bytes) -> None:
    """Where a process was killed after it moved a folder aside and before its own took the place, undo the first."""
    target = folder / os.fsdecode(name)
    if not name or target.parent != folder or target.exists():
        return
    for old in folder.glob(f".*{OLD}{token}"):
        aside = sorted(old.iterdir(), key=lambda p: (len(p.name), p.name))
        if aside:
            aside[-1].rename(target)


def _remove(folder: Path, token: str) -> None:
    """Remove everything that has the token in its name, the lock file last."""
    own = [path for path in folder.iterdir() if path.name.startswith(".") and token in path.name]
    for path in sorted(own, key=lambda path: LOCK.fullmatch(path.name) is not None):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
