"""What if: the forecast as it would stand had certain events come, had nothing come, were a mitigation at work.

Supposed events and supposed silence are evidence about their own matters and about the focal one, and about nothing
else: whoever supposes one event says nothing about fifty other proceedings. The record is taken with the supposed
events, and with the proceedings of these matters watched up to the supposed origin; hazards are gathered from it anew,
and stored draws are reweighted by

    log w_i = log p(supposed record | theta_i) - log p(record | theta_i)

where everything else (other matters, openings, sizes, users, rulings) stays as known at the forecast's own origin and
cancels. A lever is no evidence but an intervention, do(lever) (Pearl 2009, doi:10.1017/CBO9780511803161): from the
origin on it multiplies the focal matter's hazards and the full impacts, and leaves the probabilities of the scenarios
alone.

What is supposed moves a forecast in two steps: by the time that passes up to the new origin without any event in the
matters spoken of, and by the supposed events and levers. Both are told apart: now, after the silence, after it all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.evidence.gathering import gather_hazards
from forecast.files import InputError, Problem, whole_file
from forecast.folders import MANIFEST, with_labels
from forecast.forecasting import Forecast, fit
from forecast.gathered import Evidence, gather
from forecast.hypotheses.comparing import Stage, compared
from forecast.hypotheses.suppositions import Supposed, in_words, intervention, read_suppositions, watched
from forecast.inference import Compiled, Posterior
from forecast.observations import observe
from forecast.outcomes import Intervention, imagine
from forecast.places import OF_RESULTS, refuse_unlike
from forecast.progress import report, working
from forecast.record import Record
from forecast.resolution import base_rate, clauses_of
from forecast.silence import assumption
from forecast.summaries import scenario_table, scenario_views, summary_table, targets
from forecast.trees import stored_correction
from forecast.updating import Certificate, efficiency, reweight, settings_of, stored

SUPPOSED = ("new_fine_sum", "new_fine_ceiling", "resolved", "unappealed_fines", "set_off", "opening_raised_left")
"""What supposed events and passing time change besides the hazards' evidence."""


@dataclass(frozen=True, repr=False)
class WhatIf:
    """A forecast before and after a supposition. Nothing in ``silent`` and ``after`` has happened.

    ``before``, ``silent``, ``after``: the tables ``scenarios`` and ``summary``, as in a forecast: as it stands; had
    nothing come in the matters spoken of up to the supposed origin; had the supposed events come, with levers at work.
    ``silent`` is ``None`` where no time passes (levers alone). ``table``: side by side, one number a row: ``target``
    (scenario or target), ``view``, ``horizon_months`` (after each one's own origin; 0: the probability of a scenario
    now), ``statistic``, ``unit``, ``before``, ``silent``, ``after``; ``change`` (after less before) with its Monte
    Carlo error ``mcse``; its two parts ``change_silent`` (silent less before) and ``change_event`` (after less silent),
    each with an error in ``mcse_silent`` and ``mcse_event``. Without ``silent``, its column and the parts are absent.
    ``suppositions`` in words. ``certificate``, ``silent_certificate``: how far the weights can be trusted.
    ``manifest``: that of the forecast, with ``supposed_origin`` and ``method`` (reweighted, refitted, or unchanged
    where only levers are supposed).
    """

    before: dict[str, pd.DataFrame]
    silent: dict[str, pd.DataFrame] | None
    after: dict[str, pd.DataFrame]
    table: pd.DataFrame
    suppositions: tuple[str, ...]
    certificate: Certificate
    silent_certificate: Certificate
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return f"<WhatIf, hypothetical: {'; '.join(self.suppositions)}>"


@working("Supposing")
def whatif(
    forecast: Forecast,
    events: Sequence[str] = (),
    silence_until: date | str | None = None,
    levers: Sequence[str] = (),
    *,
    refit: bool = False,
) -> WhatIf:
    """Return the forecast as it would stand under a supposition; the forecast itself is not touched.

    ``events``: texts ``DATE CASE TYPE [AMOUNT_EUR]``, a scope after a colon, each public on its day. ``silence_until``:
    nothing else happens up to that day (default: the last supposed event's). ``levers``: mitigations of the prior file.
    ``refit``: fit anew where the stored draws cannot be reweighted; without it that is refused, with the certificate.
    Raises ``InputError`` with every mistake, ``NotConvergedError`` if a new fit does not pass the gate.
    """
    spec, old = forecast.specification, held(forecast)
    was = old.evidence.origin
    supposed = read_suppositions(forecast.record, spec, was, events, silence_until, levers)
    matters = spoken_of(forecast, supposed.events)
    steps, passed = _Steps(old, efficiency(forecast), forecast.record, matters, supposed.day, refit), supposed.day > was
    silent = steps.to(forecast.record) if passed else steps.nowhere()
    after = steps.to(supposed.record) if supposed.events else silent
    base = base_rate(forecast.record.in_force(), clauses_of(spec.resolution), spec.matter)
    stages = [_stage(silent, base)] if passed else []
    moved = bool(supposed.events or levers)
    stages.append(_stage(after, base, intervention(spec, levers) if levers else None) if moved else stages[0])
    before = Stage({name: forecast.tables[name] for name in stages[0].tables}, forecast.outcomes, old)
    return WhatIf(
        before=before.tables,
        silent=stages[0].tables if passed else None,
        after=stages[-1].tables,
        table=compared([before, *stages], forecast),
        suppositions=tuple(in_words(spec, supposed, was, matters)),
        certificate=after.certificate,
        silent_certificate=silent.certificate,
        manifest={**forecast.manifest, "supposed_origin": str(supposed.day), "method": after.method},
    )


class _Step(NamedTuple):
    """A posterior that a supposition leads to, how far its weights can be trusted, and how it was reached."""

    posterior: Posterior
    certificate: Certificate
    method: str


@dataclass(frozen=True)
class _Steps:
    """Leads from a forecast's posterior, and its record ``known``, to what is supposed of ``matters`` up to ``day``."""

    old: Posterior
    efficiency: float
    known: Record
    matters: Sequence[str]
    day: date
    refit: bool

    def nowhere(self) -> _Step:
        """Return the forecast's own posterior."""
        return _Step(
            self.old, Certificate(0.0, self.efficiency * len(self.old.draws), self.efficiency, {}), "unchanged"
        )

    def to(self, record: Record) -> _Step:
        """Return the posterior given what ``record`` says of the matters up to the day; refuse weights that fail."""
        record = watched(record, self.known, self.matters, self.day)
        evidence = supposed_evidence(self.old.evidence, record, self.day)
        posterior, certificate = reweight(self.old, evidence, self.efficiency)
        failures = certificate.failures + posterior.failures
        if not failures:
            return _Step(posterior, certificate, "reweighted")
        if not self.refit:
            raise InputError(_too_far(failures))
        report(f"Fitting anew ({'; '.join(failures)})")
        return _Step(fit(Compiled(evidence), evidence, record, self.old.settings), certificate, "refitted")


def _too_far(failures: list[str]) -> Problem:
    unlike = f"what is supposed is so unlike anything drawn that weights fail ({'; '.join(failures)})"
    advice = "suppose fewer events, or an earlier day; or fit anew (refit), which takes a minute"
    return Problem("whatif", f"{unlike}; {advice}")


def held(forecast: Forecast) -> Posterior:
    """Return the posterior that a forecast holds, with its evidence; ``InputError`` if its draws cannot be reused."""
    spec, tree = forecast.specification, forecast.tree
    if "posterior" not in tree.children:
        raise InputError(Problem("forecast", "a fitted forecast was expected; here is the prior alone"))
    if spec.pooling.value < 1:
        raise InputError(Problem("pooling", "below 1 needs the fit at the brief's date: use forecast update on a copy"))
    origin = date.fromisoformat(forecast.manifest["origin"])
    evidence = gather(spec, forecast.record, origin, correction=stored_correction(tree, spec))
    return stored(evidence, settings_of(forecast), tree, forecast.tables["posterior_summary"])


def spoken_of(forecast: Forecast, events: Sequence[Supposed]) -> tuple[str, ...]:
    """Return the matters that a supposition speaks of: the focal one, and those of the supposed events."""
    matter = forecast.record.proceedings.set_index("case_id")["matter_id"]
    return tuple(dict.fromkeys([forecast.specification.matter, *(str(matter[e.case]) for e in events)]))


def supposed_evidence(old: Evidence, record: Record, day: date) -> Evidence:
    """Return ``old`` with the hazards' evidence of a supposed record by ``day``, and of all else what that changes.

    ``record``: the old one with supposed events, ``watched`` up to the day.
    """
    later = observe(record, old.specification, day)
    return replace(
        old,
        hazards=gather_hazards(record, old.regime, day, old.statements),
        observations=replace(old.observations, **{name: getattr(later, name) for name in SUPPOSED}),
    )


def _stage(step: _Step, base: Mapping[str, int], assumed: Intervention | None = None) -> Stage:
    """Return the tables and joint draws that a posterior implies; without lever and news those of the forecast.

    The order of random numbers is that of ``forecasting.conclude``. A lever acts on what follows, not on the views of
    the scenarios.
    """
    draws, settings, origin = step.posterior.draws, step.posterior.settings, str(step.posterior.evidence.origin)
    rng = np.random.default_rng([settings.seed, 3])
    future = imagine(draws, rng)
    outside = imagine(draws, rng, outside=True) if future.view == "inside" else future
    if assumed is not None:
        future = imagine(draws, np.random.default_rng([settings.seed, 3]), intervention=assumed)
    outcomes = targets(future)
    views = scenario_views(draws, outcomes, outside.scenario, base)
    tables = {
        "scenarios": scenario_table(views, origin, settings.chains),
        "summary": summary_table(outcomes, origin, settings.chains),
    }
    labels = draws.evidence.specification.labels
    return Stage({name: with_labels(table, labels) for name, table in tables.items()}, outcomes, step.posterior)


def require_file(path: Path, about: Mapping[str, Any] | None = None, *, overwrite: bool = False) -> None:
    """Raise ``InputError`` where a table cannot be written: in the folder of a forecast, or over a folder.

    ``about``: what the new table was made from. Over a file that is no such table, or one of another matter, prior file
    or record, it is written only with ``overwrite``.
    """
    if any((folder / MANIFEST).is_file() for folder in path.absolute().parents):
        raise InputError(Problem(str(path), "lies in the folder of a forecast: choose another place"))
    if path.is_dir():
        raise InputError(Problem(str(path), "is a folder; expected a file to write"))
    if path.is_file() and about:
        refuse_unlike(path, _notes_in(path), about, OF_RESULTS, overwrite=overwrite)


def _notes_in(path: Path) -> dict[str, str]:
    """Return what a file of hypothetical numbers says of itself; nothing of any other file."""
    with path.open(encoding="utf-8", errors="replace") as stream:
        lines = [line[2:].rstrip("\n") for line in takewhile(lambda line: line.startswith("# "), stream)]
    return {key: value for key, _, value in (line.partition(": ") for line in lines)}


def write_table(path: Path, table: pd.DataFrame, notes: Mapping[str, str], *, overwrite: bool = False) -> None:
    """Write a table of what has not happened, under lines ``# key: value`` that say so; whole or not at all.

    Raises ``InputError`` where it cannot be written.
    """
    require_file(path, notes, overwrite=overwrite)
    try:
        with whole_file(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(f"# {key}: {' '.join(value.split())}\n" for key, value in notes.items())
            table.to_csv(stream, index=False, float_format="%.10g", lineterminator="\n")
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from error


def notes_of(manifest: Mapping[str, Any], suppositions: Sequence[str]) -> dict[str, str]:
    """Return what a file of hypothetical numbers says of itself."""
    names = ("matter", "origin", "supposed_origin", "view", "seed", "priors_fingerprint", "record_fingerprint")
    told = {name: str(manifest[name]) for name in names if name in manifest}
    if assumption(manifest):
        told["assumed_silence"] = assumption(manifest)
    return {"content": "hypothetical: nothing of this has happened", **told, "supposed": "; ".join(suppositions)}
