"""What ``forecast validate`` says of a path: a prior file, a record, one table of a record, or a forecast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.files import InputError, Problem

if TYPE_CHECKING:
    from forecast.prior_check import Check
    from forecast.specification import Specification
    from forecast.yaml_files import KeyPath

UNREACHED = 0.2
"""Share of simulated sums of fines below a scenario's range from which on the range cannot be reached: four times what
a range of 90 % leaves there. Proceedings that may come under laws without a ceiling leave some sums within reach."""
TABLE_SUFFIXES = (".csv", ".parquet")


def checked(path: Path, record: Path | None, *, full: bool = False) -> list[str]:
    """Return what a valid path holds, in a line, and more lines if there is more to say; else raise ``InputError``.

    ``record``: folder of the record by which the scenarios of a prior file are checked, the packaged one if ``None``.
    ``full``: name all rows of a record that enter no likelihood of hazards, not only those of the focal matter.
    """
    if (path / "manifest.json").is_file():
        return [_forecast(path)]
    if path.is_dir():
        return _record(path, full=full)
    if path.name.endswith(TABLE_SUFFIXES):
        return _table(path)
    return _prior_file(path, record, full=full)


def record_among(paths: Sequence[Path]) -> Path | None:
    """Return the first of the paths that is the folder of a record, if any is."""
    tables = [f"proceedings{suffix}" for suffix in TABLE_SUFFIXES]
    return next((path for path in paths if any((path / name).is_file() for name in tables)), None)


def _forecast(path: Path) -> str:
    from forecast import forecasting  # noqa: PLC0415

    manifest = forecasting.load(path).manifest
    return f"forecast of {manifest['matter']} at {manifest['origin']}"


def _record(path: Path, *, full: bool) -> list[str]:
    """Return what a record holds, and which of its rows enter no likelihood of hazards under the packaged regime."""
    from forecast.record import load_record  # noqa: PLC0415
    from forecast.regime import load_regime  # noqa: PLC0415
    from forecast.terminal.news import unused_rows  # noqa: PLC0415
    from forecast.unused import unused_of_record  # noqa: PLC0415

    found = load_record(path)
    unused = unused_of_record(found, load_regime(), found.complete_until)
    return [str(found).strip("<>"), *(str(line) for line in unused_rows(unused, None, full=full))]


def _table(path: Path) -> list[str]:
    from forecast.additions import check_alone  # noqa: PLC0415
    from forecast.record_tables import REFERENCES  # noqa: PLC0415

    name, rows, left_out = check_alone(path)
    lines = [f"{rows} rows of {name}, checked alone"]
    if names := REFERENCES.get(name):
        unseen = " and ".join(f"{column} (in {table})" for column, (table, _) in names.items())
        lines.append(f"not checked: whether the rows exist that it names by {unseen}")
    if name == "events":
        lines.append("not checked: whether the days lie within those of the proceedings")
    if left_out:
        lines.append(f"left out, as only an addition to a record may: {', '.join(left_out)}")
    return lines


def _prior_file(path: Path, record: Path | None, *, full: bool) -> list[str]:
    from forecast.specification import load_specification, prior_path  # noqa: PLC0415

    spec = load_specification(path)
    first = f"prior file on {spec.matter}, as of {spec.as_of}, fingerprint {spec.fingerprint[:12]}"
    from forecast.prior_check import check_brief  # noqa: PLC0415
    from forecast.record import load_record  # noqa: PLC0415
    from forecast.terminal.news import unused_rows  # noqa: PLC0415
    from forecast.unused import unused_of_record  # noqa: PLC0415
    from forecast.yaml_files import key_path, read_yaml  # noqa: PLC0415

    known = load_record(record)
    if spec.matter not in set(known.as_of(spec.as_of).proceedings["matter_id"]):
        where = f"the record {record}" if record else "the packaged record (--record names another)"
        why = f"nothing is public about the matter {spec.matter!r} by {spec.as_of} in {where}"
        return [first, f"not checked: whether the scenarios resolve as themselves; {why}"]
    document = read_yaml(prior_path(path))
    try:
        check = check_brief(spec, known)
    except InputError as error:  # its places are keys of the file
        at = [(key_path(problem.where), problem) for problem in error.problems]
        raise InputError(
            Problem(document.where(key) if key[:1] and key[0] in document.data else p.where, p.what) for key, p in at
        ) from None
    wrong = [Problem(document.where(key), what) for key, what in (*_unreached(spec, check), *_unclear(spec, check))]
    if wrong:
        raise InputError(wrong)
    unused = unused_of_record(known, spec.regime, known.complete_until)
    told = [*_resolutions(spec, check), *_sums(spec, check), *_statements(spec, check)]
    return [first, *told, *(str(line) for line in unused_rows(unused, spec.matter, full=full))]


def _unreached(spec: Specification, check: Check) -> Iterator[tuple[KeyPath, str]]:
    """Yield the scenarios whose sum of fines cannot be reached: no fine comes, or ceilings cut most sums off."""
    from forecast.quantities import percent, printed  # noqa: PLC0415

    key = "eur" if spec.fines.reading == "eur" else "share"
    for name, row in check.fines.iterrows():
        place: KeyPath = ("fines", key, str(name))
        if not row["fined"] and "fine" not in spec.statements.families:
            yield place, "no fine comes in any simulated course, so that no sum can be reached: state how likely one is"
        elif row["below"] > UNREACHED:
            unit = "EUR" if key == "eur" else "of ceiling x turnover"
            yield (
                (*place, "low"),
                f"{printed(row['low'])} {unit} cannot be reached: where fines come, {percent(row['below'])} of their "
                f"simulated sums are lower, for the law's ceilings cut them off; their median is "
                f"{printed(row['middle'])}",
            )


def _unclear(spec: Specification, check: Check) -> Iterator[tuple[KeyPath, str]]:
    """Yield the scenarios that do not resolve as themselves, unless the file says why."""
    from forecast.quantities import percent  # noqa: PLC0415
    from forecast.resolution import CLEAR  # noqa: PLC0415

    advice = f"expected {percent(CLEAR)} or more: mend the statements or the rule, or say why in resolution.reason"
    for name, label in spec.labels.items():
        share = float(check.resolution.at[name, name])
        if share < CLEAR and spec.resolution.reason is None:
            what = f"by the prior alone only {percent(share, 1)} of '{label}' resolves as '{label}', {advice}"
            yield ("resolution",), what


def _resolutions(spec: Specification, check: Check) -> list[str]:
    from forecast.quantities import percent  # noqa: PLC0415
    from forecast.resolution import CLEAR  # noqa: PLC0415

    own = {name: float(check.resolution.at[name, name]) for name in spec.labels}
    told = "; ".join(f"{spec.labels[name]} {percent(share, 1)}" for name, share in own.items())
    lines = [f"each scenario resolves as itself, by the prior alone: {told}"]
    for name, label in spec.labels.items():
        row = check.resolution.loc[name]
        parts = [f"{percent(float(row[to]), 1)} as '{other}'" for to, other in spec.labels.items()]
        lines.append(f"  '{label}' resolves: {'; '.join(parts)}")
    if min(own.values()) < CLEAR:
        lines.append(f"below {percent(CLEAR)}, for this reason: {spec.resolution.reason}")
    return lines


def _sums(spec: Specification, check: Check) -> list[str]:
    from forecast.quantities import percent, printed  # noqa: PLC0415

    unit = "EUR" if spec.fines.reading == "eur" else "of ceiling x turnover"
    lines = [f"sum of fines, {unit}, in courses with a fine: share of simulated sums below and above what is stated"]
    for name, row in check.fines.iterrows():
        ends = f"{percent(row['below'], 1)} below {printed(row['low'])}, {percent(row['above'], 1)} above "
        lines.append(f"  '{spec.labels[str(name)]}': {ends}{printed(row['high'])}")
    return lines


def _statements(spec: Specification, check: Check) -> list[str]:
    from forecast.quantities import percent  # noqa: PLC0415

    lines = ["first events within so many months of the day of the brief: probability stated (simulated)"]
    for (family, name), rows in check.statements.groupby(["family", "scenario"], sort=False):
        each = [f"{r.within_months:g}: {percent(r.stated, 2)} ({percent(r.simulated, 2)})" for r in rows.itertuples()]
        lines.append(f"  {family}, given '{spec.labels[name]}': {', '.join(each)}")
    return lines
