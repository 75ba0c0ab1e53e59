"""What ``forecast validate`` says of a path: a prior file, a record, one table of a record, or a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from forecast.files import InputError, Problem

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
    from forecast.prior_check import resolution_check  # noqa: PLC0415
    from forecast.quantities import percent  # noqa: PLC0415
    from forecast.record import load_record  # noqa: PLC0415
    from forecast.resolution import CLEAR  # noqa: PLC0415
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
        table = resolution_check(spec, known)
    except InputError as error:  # its places are keys of the file
        at = [(key_path(problem.where), problem) for problem in error.problems]
        raise InputError(Problem(document.where(key) if key else p.where, p.what) for key, p in at) from None
    shares = {spec.labels[name]: float(table.at[name, name]) for name in table.index}
    told = ", ".join(f"{label} {percent(share, 1)}" for label, share in shares.items())
    lines = [first, f"each scenario resolves as itself, by the prior alone: {told}"]
    low = {label: share for label, share in shares.items() if share < CLEAR}
    if low and spec.resolution.reason is None:
        advice = f"expected {percent(CLEAR)} or more: mend the statements or the rule, or say why in resolution.reason"
        wrong = [f"by the prior alone only {percent(share, 1)} of '{s}' resolves as '{s}'" for s, share in low.items()]
        raise InputError(Problem(document.where(("resolution",)), f"{what}, {advice}") for what in wrong)
    if low:
        lines.append(f"below {percent(CLEAR)}, for this reason: {spec.resolution.reason}")
    unused = unused_of_record(known, spec.regime, known.complete_until)
    return [*lines, *(str(line) for line in unused_rows(unused, spec.matter, full=full))]
