"""Progress: what is said, when, to whom, and that the thread that says it ends. No test waits for a clock."""

import logging
import subprocess
import sys
import threading

import pytest

from forecast import parallel, progress
from forecast.progress import Monitor, Task, duration, expected


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def monitor(told, clock):
    return Monitor(told.append, clock, every=5.0)


def test_nothing_is_said_before_five_seconds_have_passed(monitor, clock, told):
    with monitor.working("Compiling the model", usual="20 to 60 s"):
        clock.now += 4.9
        monitor.tick()
        assert told == []
        clock.now += 0.2
        monitor.tick()
    assert told == ["Compiling the model: 5 s so far, usually 20 to 60 s"]


def test_another_line_puts_the_next_one_off(monitor, clock, told):
    with monitor.working("Work"):
        clock.now += 4
        monitor.spoke()
        clock.now += 4
        monitor.tick()
        assert told == []
        clock.now += 1
        monitor.tick()
    assert told == ["Work: 9 s so far"]


def test_time_left_follows_from_the_pace_so_far(monitor, clock, told):
    with monitor.working("Backtest", 12, "origins") as reached:
        clock.now += 6
        monitor.tick()
        reached()
        reached()
        clock.now += 6
        reached(3)
        monitor.tick()
    assert told == ["Backtest: 0 of 12 origins, 6 s so far", "Backtest: 3 of 12 origins, about 36 s left"]


def test_the_whole_is_told_beside_what_is_at_work(monitor, clock, told):
    with monitor.working("forecast backtest"), monitor.working("Backtest", 4, "origins") as reached:
        clock.now += 10
        reached()
        with monitor.working("Sampling", 100, "draws") as drawn:
            drawn(50)
            clock.now += 5
            monitor.tick()
    assert told == ["Backtest: 1 of 4 origins, about 45 s left; Sampling: 50 of 100 draws, about 5 s left"]


def test_after_the_first_units_it_is_said_how_to_have_it_quicker(monitor, clock, told):
    advice = "Quicker: fewer worlds (--worlds 20)."
    with monitor.working("Calibration", 100, "worlds", quicker=advice, pilot=2) as reached:
        clock.now += 3
        reached()
        clock.now += 3
        reached()
        reached()
    assert told == [f"Calibration: about 5 min to go. {advice}"]
    with monitor.working("Calibration", 4, "worlds", quicker=advice) as reached:
        clock.now += 1
        reached()
    assert len(told) == 1  # three seconds are no reason for advice


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (720, "12 min"), (9000, "2.5 h")])
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
    assert expected("Valuing", seconds, "Quicker: less.").endswith("Quicker: less.") == (seconds > 30)


def test_the_thread_says_it_by_itself_and_ends_with_the_work():
    said = threading.Event()
    monitor = Monitor(lambda line: said.set(), every=0.0)
    before = set(threading.enumerate())
    with monitor.working("Work"):
        assert said.wait(60)
        assert set(threading.enumerate()) - before
    assert set(threading.enumerate()) == before


def test_the_thread_ends_with_work_that_fails():
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt), progress.working("Work"), progress.working("Part of it"):
        raise KeyboardInterrupt
    assert set(threading.enumerate()) == before


def test_a_notebook_shows_progress_without_being_asked_and_plain_python_when_asked():
    code = (
        "import sys, types; sys.modules['IPython'] = types.SimpleNamespace(get_ipython=lambda: {})\n"
        "from forecast.progress import report, show; report('one line'); report('two lines')"
    )
    done = subprocess.run([sys.executable, "-c", code.format("object()")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["one line", "two lines"]
    silent = subprocess.run([sys.executable, "-c", code.format("None")], capture_output=True, text=True, check=True)
    assert silent.stdout + silent.stderr == ""
    asked = "import forecast; forecast.progress.show(); forecast.progress.show(); forecast.progress.report('a line')"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["a line"]


def test_a_notebook_with_logging_of_its_own_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", type(sys)("IPython"))
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", object, raising=False)
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    before = list(progress.LOGGER.handlers)
    try:
        progress.report("a line")
        assert progress.LOGGER.handlers == before
    finally:
        logging.getLogger().removeHandler(handler)


def test_threads_that_are_no_longer_wanted_stop():
    begun, stopped = threading.Event(), threading.Event()

    def work(number):
        if number == 0:
            assert begun.wait(60)
            return number
        begun.set()
        try:
            while True:
                parallel.check()
        except parallel.StoppedError:
            stopped.set()
            raise

    before = set(threading.enumerate())

    def interrupted():
        with parallel.each(work, range(5), 2) as found:
            assert next(found) == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stopped.is_set()
    assert set(threading.enumerate()) == before
    parallel.check()  # the main thread is always wanted


def test_results_come_in_order_or_as_they_are_done():
    second = threading.Event()

    def work(number):
        if number == 0:
            assert second.wait(60)
        else:
            second.set()
        return number

    with parallel.each(work, [0, 1], 2) as found:
        assert list(found) == [0, 1]
    second.clear()
    with parallel.each(work, [0, 1], 2, ordered=False) as found:
        assert sorted(found) == [0, 1]


def test_the_time_left_is_not_told_before_the_pilot_units_are_done():
    """The first of many readings compiles: at its pace the others would take hours."""
    task = Task("Readings", 288, "readings", "", "", 3, 0.0)
    task.done = 2
    assert task.left(40.0) is None
    assert task.line(40.0) == "Readings: 2 of 288 readings, 40 s so far"
    task.done = 3
    assert task.left(42.0) == pytest.approx(42.0 / 3 * 285)
    short = Task("Fits", 2, "fits", "", "", 3, 0.0)
    short.done = 2
    assert short.left(10.0) == 0
