"""How long an update takes, step by step, and a new fit of a compiled model: medians of several runs, in seconds.

    uv run python tests/benchmarks/bench_update.py                        # makes a forecast of its own first
    uv run python tests/benchmarks/bench_update.py outputs/2026-02-03     # from a forecast that is there already

Nothing is asserted: the numbers depend on the machine and on what else it does. Where Python may not write bytecode,
every command compiles all it imports from source; the whole command then takes about twice as long.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd

from forecast import forecasting, plots, updating
from forecast.additions import append
from forecast.inference import Compiled, converged, diagnose, gather

RUNS = 5


def timed(name: str, action: Callable[..., Any], prepare: Callable[[], tuple[Any, ...]] = tuple) -> Any:
    """Print the median time of an action, after one run that warms it up; return its last result.

    What ``prepare`` returns goes into the action, and making it is not timed.
    """
    seconds = []
    for _ in range(RUNS + 1):
        given = prepare()
        start = perf_counter()
        result = action(*given)
        seconds.append(perf_counter() - start)
    del seconds[0]
    print(f"{name:32s}{median(seconds):8.2f}{min(seconds):8.2f}{max(seconds):8.2f}", flush=True)
    return result


def one_event(forecast: forecasting.Forecast, folder: Path) -> Path:
    """Write a file with one new event: an information request to the first open focal proceeding, three weeks on."""
    cases, day = forecast.record.proceedings, date.fromisoformat(forecast.manifest["origin"]) + timedelta(weeks=3)
    still_open = cases.loc[(cases["matter_id"] == forecast.manifest["matter"]) & cases["closed_on"].isna(), "case_id"]
    row = {"case_id": still_open.iloc[0], "date": day, "published_on": day, "type": "information_request"}
    path = folder / "one-event.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    return path


def in_process(folder: Path, scratch: Path) -> Path:
    """Time every step of an update in one warm process; return the file of the new event."""
    old = timed("load", lambda: forecasting.load(folder))
    events, was = one_event(old, scratch), date.fromisoformat(old.manifest["origin"])
    spec, settings, day = old.specification, updating.settings_of(old), was + timedelta(weeks=3)
    record = timed("append", lambda: append(old.record, {"events": events}))
    evidence = timed("gather", lambda: gather(spec, record, day))

    summary = old.tables["posterior_summary"]

    def before_and_after() -> tuple[Any, ...]:  # afresh for every run: both keep what was computed from them
        stored = updating.stored(gather(spec, old.record, was), settings, old.tree, summary)
        return stored, gather(spec, record, day)

    posterior, _ = timed("reweight", updating.reweight, before_and_after)
    known = record.as_of(day)
    timed("conclude", lambda: forecasting.conclude(posterior, known))
    result = timed("conclude, prior taken over", lambda: forecasting.conclude(posterior, known, old))
    timed("save", lambda: forecasting.save(result, scratch / "saved"))
    timed("figures", lambda: plots.save(result, scratch / "figures", plots.FIRST, ["png"]))
    compiled = Compiled(evidence)
    fitted = timed("refit, compiled model", lambda: converged(compiled, evidence, settings))
    timed("of it diagnose", lambda: diagnose(fitted.raw, evidence))
    return events


def whole_command(folder: Path, events: Path, scratch: Path) -> None:
    """Time ``forecast update`` as a command of its own."""
    command = [sys.executable, "-m", "forecast", "update", folder, "--events", events, "--out", scratch / "updated"]
    timed("forecast update, whole command", lambda: subprocess.run(command, check=True, capture_output=True))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        scratch, given = Path(name), sys.argv[1:]
        folder = Path(given[0]) if given else scratch / "forecast"
        if not given:
            forecasting.save(forecasting.run(), folder)
        print(f"{'seconds':32s}{'median':>8s}{'min':>8s}{'max':>8s}")
        whole_command(folder, in_process(folder, scratch), scratch)


if __name__ == "__main__":
    main()
