"""What if: the forecast as it would stand had certain events come, had nothing come, were a mitigation at work.

Supposed events and supposed silence are evidence about their own matters and about the focal one, and about nothing
else: whoever supposes one event says nothing about fifty other proceedings. With ``M`` the matters spoken of,

    log w_i = sum_{m in M} [ log p(record of m up to the new origin | theta_i) - log p(record of m as known | theta_i) ]

and everything else (other matters, openings, sizes, users, rulings) stays as known at the forecast's own origin. A
lever is no evidence but an intervention, do(lever) (Pearl 2009, doi:10.1017/CBO9780511803161): from the origin on it
multiplies the focal matter's hazards and the full impacts, and leaves the probabilities of the scenarios alone.

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

from forecast.exposure import Exposure, build_exposure
from forecast.files import InputError, Problem, whole_file
from forecast.folders import MANIFEST, with_labels
from forecast.forecasting import Forecast, fit
from forecast.hypotheses.comparing import Stage, compared
from forecast.hypotheses.suppositions import Supposed, in_words, intervention, read_suppositions
from forecast.inference import Compiled, Evidence, Posterior, gather
from forecast.observations import observe
from forecast.outcomes import imagine
from forecast.paths import Intervention
from forecast.places import OF_RESULTS, refuse_unlike
from forecast.progress import report, working
from forecast.record import Record
from forecast.silence import assumption
from forecast.summaries import scenario_table, scenario_views, summary_table, targets
from forecast.updating import Certificate, efficiency, reweight, settings_of, stored
from forecast.watchlist import focal_statute

SUPPOSED = (
    "new_fine_amount",
    "new_fine_ceiling",
    "new_fine_instrument",
    "new_order_scopes",
    "resolved_families",
    "resolved_order_scopes",
    "resolved_fine_total",
    "unappealed_fines",
    "opening_raised_left",
)
"""What supposed events and passing time change besides the matters' own months and events."""


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
    was = old.evidence.exposure.origin
    supposed = read_suppositions(forecast.record, spec, was, events, silence_until, levers)
    matters = spoken_of(forecast, supposed.events)
    steps, passed = _Steps(old, efficiency(forecast), matters, supposed.day, refit), supposed.day > was
    silent = steps.to(forecast.record) if passed else steps.nowhere()
    after = steps.to(supposed.record) if supposed.events else silent
    stages = [_stage(silent, forecast.record, intervention(spec, ()))] if passed else []
    moved = bool(supposed.events or levers)
    stages.append(_stage(after, supposed.record, intervention(spec, levers)) if moved else stages[0])
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
    """Leads from the posterior of a forecast to others on ``day``, of which ``matters`` are spoken."""

    old: Posterior
    efficiency: float
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
        evidence = supposed_evidence(self.old.evidence, record, self.day, self.matters)
        posterior, certificate = reweight(self.old, evidence, self.efficiency, matters=self.matters)
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
    evidence = gather(spec, forecast.record, date.fromisoformat(forecast.manifest["origin"]))
    return stored(evidence, settings_of(forecast), tree, forecast.tables["posterior_summary"])


def spoken_of(forecast: Forecast, events: Sequence[Supposed]) -> tuple[str, ...]:
    """Return the matters that a supposition speaks of: the focal one, and those of the supposed events."""
    matter = forecast.record.proceedings.set_index("case_id")["matter_id"]
    return tuple(dict.fromkeys([forecast.specification.matter, *(str(matter[e.case]) for e in events)]))


def supposed_evidence(old: Evidence, record: Record, day: date, matters: Sequence[str]) -> Evidence:
    """Return ``old`` with the months and events of some matters as ``record`` has them by ``day``, and nothing else.

    ``record`` is the old one with supposed events beside what it held.
    """
    later = observe(record, old.specification, day)
    observations = replace(old.observations, **{name: getattr(later, name) for name in SUPPOSED})
    return replace(old, exposure=supposed_exposure(old, record, day, matters), observations=observations)


def supposed_exposure(old: Evidence, record: Record, day: date, matters: Sequence[str]) -> Exposure:
    """Return the exposure of ``old`` with the rows of some matters as ``record`` has them by ``day``."""
    cases = record.proceedings.loc[record.proceedings["matter_id"].isin(matters)]
    own = replace(record, proceedings=cases, events=record.events.loc[record.events["case_id"].isin(cases["case_id"])])
    return _spliced(old.exposure, build_exposure(own, old.specification, day))


def _spliced(old: Exposure, new: Exposure) -> Exposure:
    """Return ``old`` with the rows that ``new`` has; the focal matter's rows come first in both."""
    rows = np.array([old.cases.index(case) for case in new.cases])
    kept = ~np.isin(old.event_row, rows)
    later = {"event_row": rows[new.event_row], "event_family": new.event_family, "event_cell": new.event_cell}
    parts: dict[str, Any] = {k: np.concatenate([getattr(old, k)[kept], values]) for k, values in later.items()}
    for name in ("months", "is_open", "stage", "age"):
        parts[name] = getattr(old, name).copy()
        parts[name][rows] = getattr(new, name)
    news = ("news_months", "first_months", "stated_months", "news_row", "news_family", "news_cell", "news_group")
    parts |= {name: getattr(new, name) for name in (*news, "happened", "origin", "inside")}
    return replace(old, **parts)


def _stage(step: _Step, record: Record, assumed: Intervention) -> Stage:
    """Return the tables and joint draws that a posterior implies; without lever and news those of the forecast."""
    posterior = step.posterior
    draws, settings, origin = posterior.draws, posterior.settings, posterior.evidence.exposure.origin
    law = focal_statute(draws, record.as_of(origin))
    rng = np.random.default_rng([settings.seed, 3])
    outcomes = targets(imagine(draws, law.ceilings, law.instruments, rng, intervention=assumed))
    views = scenario_views(draws, outcomes)
    tables = {
        "scenarios": scenario_table(views, str(origin), settings.chains),
        "summary": summary_table(outcomes, str(origin), settings.chains),
    }
    labels = draws.evidence.specification.labels
    return Stage({name: with_labels(table, labels) for name, table in tables.items()}, outcomes, posterior)


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
