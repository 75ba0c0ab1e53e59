"""Progress of long computations, as records of ``logging.getLogger("forecast")``.

The package only writes records, at level INFO. The command line shows them on standard error. In IPython and
notebooks they are shown on standard output unless logging has been configured. In plain Python,
``forecast.progress.show()`` shows them on standard error.

Work that may take more than five seconds stands in a block of ``working``. While any such block is open, a background
thread logs a line whenever five seconds have passed without one: what is being done, how much of it is done, and about
how long the rest will take. ``Monitor`` keeps the open blocks; the package has one.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

LOGGER = logging.getLogger("forecast")
EVERY = 5.0
"""Seconds without a line after which one is logged."""
LONG = 30.0
"""Seconds of remaining work from which on it is said how to have it quicker."""


def report(line: str) -> None:
    """Log one line of progress."""
    _show_in_notebook()
    _MONITOR.spoke()
    LOGGER.info(line)


def show(stream: TextIO | None = None) -> None:
    """Show progress in plain Python, on standard error or ``stream``; a second call does nothing."""
    if not any(isinstance(handler, _Shown) for handler in LOGGER.handlers):
        LOGGER.addHandler(_Shown(stream or sys.stderr))
        LOGGER.setLevel(logging.INFO)


class _Shown(logging.StreamHandler):
    """Prints progress where nobody has configured logging."""


def _show_in_notebook() -> None:
    """Show progress under IPython, where neither this logger nor the root logger has a handler."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and not LOGGER.hasHandlers():
        show(sys.stdout)


def duration(seconds: float) -> str:
    """Return a duration in words: ``40 s``, ``12 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def expected(what: str, seconds: float, quicker: str) -> str:
    """Say how long some work will take, and how to have it quicker where that is long."""
    return f"{what}: about {duration(seconds)} to go.{f' {quicker}' if seconds >= LONG else ''}"


class Task:
    """Some work that is going on: ``done`` of ``total`` units, or of unknown size where ``total`` is 0.

    ``usual``: how long it usually takes, in words. ``quicker``: how to have it quicker; ``pilot``: the number of units
    after which the time left is estimated, and told with that advice.
    """

    def __init__(self, what: str, total: int, unit: str, usual: str, quicker: str, pilot: int, now: float):
        self.what, self.total, self.unit, self.usual = what, total, unit, usual
        self.quicker, self.pilot = quicker, pilot
        self.began, self.done = now, 0

    def left(self, now: float) -> float | None:
        """Return the seconds left, at the mean pace so far; ``None`` before the pilot units are done."""
        if not self.done or self.done < min(self.pilot, self.total):
            return None  # the first unit often pays for what all share, such as compiling
        return (now - self.began) / self.done * (self.total - self.done)

    def line(self, now: float) -> str:
        """Say how the work stands."""
        so_far, left = f"{duration(now - self.began)} so far", self.left(now)
        if not self.total:
            return f"{self.what}: {so_far}{f', usually {self.usual}' if self.usual else ''}"
        told = f"{self.what}: {self.done} of {self.total} {self.unit}"
        return f"{told}, {so_far}" if left is None else f"{told}, about {duration(left)} left"


class Monitor:
    """The work that is going on, and when a line was last logged.

    ``say`` takes a line; ``clock`` gives seconds; a line comes after ``every`` seconds without one.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic, every: float = EVERY):
        self._say, self._clock, self._every = say, clock, every
        self._lock = threading.Lock()
        self._tasks: list[Task] = []
        self._last = clock()
        self._thread: threading.Thread | None = None
        self._idle = threading.Event()

    def spoke(self) -> None:
        """Take note that a line is being logged now."""
        self._last = self._clock()

    def tick(self) -> None:
        """Log a line if one is due: the outermost work whose size is known, and the innermost beside it."""
        now = self._clock()
        with self._lock:
            due = self._tasks and now - self._last >= self._every
            sized = [task for task in self._tasks if task.total][:1]
            told = dict.fromkeys([*sized, self._tasks[-1]]) if due else {}
        if told:
            self._say("; ".join(task.line(now) for task in told))

    @contextmanager
    def working(
        self, what: str, total: int = 0, unit: str = "", *, usual: str = "", quicker: str = "", pilot: int = 1
    ) -> Iterator[Callable[..., None]]:
        """Have lines logged while the block is open; yields a function that is told how much is done.

        It takes the number of units done so far, or ``None`` for one more. Parameters as in ``Task``. It decorates
        functions as well.
        """
        task = Task(what, total, unit, usual, quicker, pilot, self._clock())
        try:
            self._begin(task)
            yield lambda done=None: self._reached(task, done)
        finally:
            self._end(task)

    def _reached(self, task: Task, done: int | None) -> None:
        with self._lock:
            task.done = min(task.done + 1 if done is None else done, task.total)
            left = task.left(self._clock())
        if task.quicker and task.done == task.pilot and left is not None and left >= LONG:
            self._say(expected(task.what, left, task.quicker))

    def _begin(self, task: Task) -> None:
        with self._lock:
            if not self._tasks:
                self.spoke()
                self._idle = threading.Event()
                self._thread = threading.Thread(target=self._watch, args=(self._idle,), daemon=True)
                self._thread.start()
            self._tasks.append(task)

    def _end(self, task: Task) -> None:
        with self._lock:
            self._tasks = [one for one in self._tasks if one is not task]
            thread = None if self._tasks else self._thread
            if thread is not None:
                self._idle.set()
        if thread is not None:
            thread.join()

    def _watch(self, idle: threading.Event) -> None:
        while not idle.wait(max(self._last + self._every - self._clock(), 0.1)):
            self.tick()


_MONITOR = Monitor(report)
working = _MONITOR.working
