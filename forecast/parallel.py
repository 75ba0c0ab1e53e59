"""Work in a few threads of this process that ends soon when it is no longer wanted.

Python interrupts the main thread alone. Whoever leaves the block of ``each`` early, by Ctrl-C or by an error, sets a
flag that the threads look at with ``check``, and waits for them: a thread that still samples when the interpreter ends
crashes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

_OF_THREAD = threading.local()


class StoppedError(RuntimeError):
    """The work of this thread is no longer wanted."""


def check() -> None:
    """Raise ``StoppedError`` in a thread of ``each`` whose work is no longer wanted; do nothing elsewhere."""
    stop = getattr(_OF_THREAD, "stop", None)
    if stop is not None and stop.is_set():
        raise StoppedError("the work of this thread is no longer wanted")


def _adopt(stop: threading.Event) -> None:
    _OF_THREAD.stop = stop


@contextmanager
def each[T, R](
    work: Callable[[T], R], items: Iterable[T], at_once: int, *, ordered: bool = True
) -> Iterator[Iterator[R]]:
    """Yield the results of ``work`` on each item, ``at_once`` threads at a time: in order, or as they are done.

    An error of a thread is raised where its result is taken. When the block ends, nothing new is begun, and what is at
    work is told to stop and waited for.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(at_once, initializer=_adopt, initargs=(stop,))
    try:
        waiting = [pool.submit(work, item) for item in items]
        yield (future.result() for future in (waiting if ordered else as_completed(waiting)))
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
