"""Origins after a record's end: refused with what is missing, or taken with the assumption named everywhere."""

import json
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest
from worlds import NEWS, brief, event, load_record, load_specification, with_news

import forecast
from forecast import forecasting, replaying
from forecast.backtesting.asking import questions
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.inference import gather
from forecast.joining import joined, silent_proceedings
from forecast.plots import look
from forecast.record import save_record
from forecast.requests import read_request
from forecast.silence import Silence, assumption, require_covered, require_past, silence_of
from forecast.terminal.evidence import notice
from forecast.trees import provenance

END = date(2026, 2, 3)
"""The packaged record's last publication."""
LATE = date(2026, 11, 27)
REFUSED = "lies 297 days after the record's last publication, 2026-02-03: .* in 56 open proceedings"


@pytest.fixture(autouse=True)
def never_compiled(monkeypatch):
    def stop(evidence):
        raise AssertionError("a model was compiled")

    for module in (forecasting, replaying):
        monkeypatch.setattr(module, "Compiled", stop)


def saved(record=None, origin=END, **manifest):
    """What ``joined`` needs of a forecast."""
    known = (record or load_record()).as_of(origin)
    return SimpleNamespace(
        specification=load_specification(), record=known, manifest={"origin": str(origin), **manifest}
    )


def test_days_after_the_last_publication_are_silence_and_days_before_are_not():
    record = load_record()
    assert silence_of(record, END) is None
    assert silence_of(record, LATE) == Silence(END, 297, 56)
    assert silence_of(record, date(2026, 2, 4)) == Silence(END, 1, 56)


def test_a_day_between_two_publications_of_a_longer_record_is_covered():
    """The cut record ends with a publication of 20 January; the longer one says that nothing came up to the 25th."""
    cut = load_record().as_of("2026-01-25")
    assert cut.events["published_on"].max() < pd.Timestamp("2026-01-25")
    assert silence_of(cut, date(2026, 1, 25)) is None
    assert silence_of(cut, date(2026, 1, 27)).days == 2
    with pytest.raises(InputError, match="2 days after the day to which the record was cut, 2026-01-25"):
        require_covered(cut, date(2026, 1, 27), "origin")


def test_a_cut_beyond_the_end_covers_nothing_more():
    for cut in (load_record().as_of(LATE), load_record().as_of(LATE).as_of("2027-01-01")):
        assert cut.last_covered == END
        assert silence_of(cut, LATE) == Silence(END, 297, 56)
    with pytest.raises(InputError, match=REFUSED):
        forecast.run(record=load_record().as_of(LATE), origin=LATE)


def test_run_refuses_an_origin_after_the_end_and_an_as_of_after_it():
    with pytest.raises(InputError, match=f"origin: 2026-11-27 {REFUSED}"):
        forecast.run(origin=LATE)
    later = load_specification().model_copy(update={"as_of": LATE})
    with pytest.raises(InputError, match=f"as_of of the prior file: 2026-11-27 {REFUSED}"):
        forecast.run(later)
    assert read_request(later, assume_silence=True).origin == LATE
    assert read_request().origin == END


def test_the_default_origin_is_the_last_publication_where_that_is_later():
    assert read_request(record=with_news()).origin == date(2027, 6, 30)


def test_replay_refuses_an_end_after_the_records():
    with pytest.raises(InputError, match=f"end: 2026-11-27 {REFUSED}"):
        forecast.replay(start="2025-11-27", end=LATE)


def test_backtest_refuses_an_end_after_the_records_however_it_was_cut():
    for record in (load_record(), load_record().as_of(LATE)):
        with pytest.raises(InputError, match="end: 2026-11-27 lies after 2026-02-03, the last day of the record"):
            questions(record, end=LATE)


def test_update_refuses_silence_after_the_joined_record():
    row = {"events": pd.DataFrame([event("ec-dsa-x-grok-2026", "2026-03-03", "preliminary_findings")])}
    for rows, last, days in (({}, "2026-02-03", 297), (row, "2026-03-03", 269)):
        with pytest.raises(InputError, match=f"lies {days} days after the record's last publication, {last}"):
            joined(saved(), rows, LATE)
        assert joined(saved(), rows, LATE, assume_silence=True).origin == LATE
    assert joined(saved(), row).origin == date(2026, 3, 3)


def test_figures_published_later_do_not_cover_proceedings():
    users = {"users": pd.DataFrame([{"scope": "EU"} | row for row in NEWS["users"]])}
    with pytest.raises(InputError, match="2026-10-20 lies 259 days after the record's last publication, 2026-02-03"):
        joined(saved(), users)


def test_an_update_between_two_publications_of_the_record_that_it_was_cut_from_is_silence_too():
    with pytest.raises(InputError, match="lies 5 days after the day to which the record was cut, 2026-01-25"):
        joined(saved(origin=date(2026, 1, 25)), {}, "2026-01-30")


def test_open_proceedings_without_an_event_since_are_counted():
    record = with_news()
    silent = silent_proceedings(record.as_of("2026-06-15"), END)
    since = record.in_force().events.query("date > '2026-02-03' and published_on <= '2026-06-15'")["case_id"]
    assert silent == 56 - len(set(since) - {"es-x"}) == 54  # es-x was opened later
    assert silent_proceedings(load_record(), END) == 56


def test_the_manifest_names_the_assumption_and_is_null_without_one():
    spec, record = load_specification(), load_record()
    for day, expected in ((END, None), (LATE, {"last_publication": "2026-02-03", "days": 297, "open_proceedings": 56})):
        told = provenance(gather(spec, record, day), record.as_of(day), 1, "inside")
        assert told["assumed_silence"] == expected
        assert json.loads(json.dumps(told))["assumed_silence"] == expected


def test_the_assumption_is_the_first_line_and_stands_in_every_caption():
    manifest = {"matter": "m", "origin": "2026-11-27", "view": "inside", "seed": 1}
    manifest |= {"priors_fingerprint": "a" * 64, "record_fingerprint": "b" * 64}
    silence = {"assumed_silence": {"last_publication": "2026-02-03", "days": 297, "open_proceedings": 56}}
    sentence = (
        "Assumed silence: the record's last publication is of 2026-02-03; that nothing came in the 297 days from then "
        "to 2026-11-27 in 56 open proceedings is an assumption."
    )
    assert assumption(manifest) == assumption(manifest | {"assumed_silence": None}) == ""
    assert assumption(manifest | silence) == sentence
    caption = look.source_of(manifest | silence)
    assert " ".join(caption.split()).startswith(sentence)
    assert max(map(len, caption.splitlines())) <= 140
    assert look.source_of(manifest).startswith("m, origin 2026-11-27")
    assert [line.plain for line in notice(manifest | silence, manifest, manifest | silence)] == [sentence]
    assert notice(manifest) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--origin", str(LATE)],
        ["replay", "--from", "2025-11-27", "--to", str(LATE)],
        ["backtest", "--to", str(LATE)],
    ],
)
def test_commands_exit_with_one_and_write_nothing(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert exit_code(arguments) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "2026-11-27 lies" in told
    assert "2026-02-03" in told
    assert not list(tmp_path.iterdir())


def test_a_record_of_ones_own_that_ends_early_is_refused_by_the_command(tmp_path, capsys):
    save_record(load_record().as_of("2026-01-20"), tmp_path / "record")
    assert exit_code(["run", "--record", str(tmp_path / "record"), "--out", str(tmp_path / "out")]) == 1
    assert "as_of of the prior file: 2026-02-03 lies 14 days after" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_matter_unknown_to_the_record_is_named_before_its_end():
    with pytest.raises(InputError, match="nobody"):
        forecast.run(brief("nobody"))


def test_an_origin_in_the_future_is_refused():
    """A misspelt year in a new event would count years of silence."""
    today = date(2026, 11, 27)
    for day in (date(2026, 2, 3), today, date(2026, 11, 28)):
        require_past(day, "origin", today)
    with pytest.raises(InputError, match=r"origin: 2062-02-10 lies in the future: today is 2026-11-27"):
        require_past(date(2062, 2, 10), "origin", today)
