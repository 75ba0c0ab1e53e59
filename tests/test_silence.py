"""Origins after a record's end: refused with what is missing, or taken with the assumption named everywhere."""

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from worlds import NEWS, brief, case, event, load_record, load_specification, with_news, world

import forecast
from forecast import forecasting, replaying
from forecast.backtesting.asking import questions
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.inference import gather
from forecast.joining import joined, silent_time
from forecast.plots import look
from forecast.record import save_record
from forecast.requests import read_request
from forecast.silence import Silence, assumption, require_covered, require_past, silence_of
from forecast.terminal.evidence import notice
from forecast.trees import provenance

END = date(2026, 10, 6)
"""The packaged record's last complete day."""
LATE = date(2026, 11, 27)
REFUSED = "lies 52 days after 2026-10-06, to which the record is complete: .* in 95 open proceedings"


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


def unexamined(day: date) -> int:
    """Days from the last look at each open proceeding of the packaged record to a later day, from the plain file."""
    with (Path(forecast.__file__).parent / "data/proceedings.csv").open(encoding="utf-8", newline="") as stream:
        looked = [row["observed_until"] or str(END) for row in csv.DictReader(stream) if not row["closed_on"]]
    return sum((day - date.fromisoformat(d)).days for d in looked)


def test_days_after_the_last_complete_day_are_silence_and_days_before_are_not():
    record = load_record()
    assert silence_of(record, END) is None
    assert silence_of(record, LATE) == Silence(END, 52, 95, unexamined(LATE))
    assert silence_of(record, date(2026, 10, 7)) == Silence(END, 1, 95, unexamined(date(2026, 10, 7)))


def test_a_refusal_says_how_long_nobody_looked_on_average():
    days = round(unexamined(LATE) / 95)
    with pytest.raises(InputError, match=f"which were last looked at {days} days before 2026-11-27 on average"):
        require_covered(load_record(), LATE, "origin")


def test_a_day_between_two_publications_of_a_longer_record_is_covered():
    """The cut record ends with a publication of 20 January; the longer one says that nothing came up to the 25th."""
    cut = load_record().as_of("2026-01-25")
    assert cut.events["published_on"].max() < pd.Timestamp("2026-01-25")
    assert silence_of(cut, date(2026, 1, 25)) is None
    assert silence_of(cut, date(2026, 1, 27)).days == 2
    with pytest.raises(InputError, match="2 days after 2026-01-25, to which the record is complete"):
        require_covered(cut, date(2026, 1, 27), "origin")


def test_a_cut_beyond_the_end_covers_nothing_more():
    for cut in (load_record().as_of(LATE), load_record().as_of(LATE).as_of("2027-01-01")):
        assert cut.complete_until == END
        assert silence_of(cut, LATE) == Silence(END, 52, 95, unexamined(LATE))
    with pytest.raises(InputError, match=REFUSED):
        forecast.run(record=load_record().as_of(LATE), origin=LATE)


def test_silence_counts_to_the_last_look_or_to_the_origin_where_it_is_assumed():
    record, paris = load_record(), "fr-crim-x-2025"
    for day, last in (("2026-03-01", "2026-03-01"), ("2026-08-01", "2026-06-25"), ("2026-10-06", "2026-06-25")):
        assert record.as_of(day).counted_until(paris, date.fromisoformat(day)) == pd.Timestamp(last)
    assert record.as_of(LATE).counted_until(paris, LATE) == pd.Timestamp(LATE)


def test_run_refuses_an_origin_after_the_end_and_an_as_of_after_it():
    with pytest.raises(InputError, match=f"origin: 2026-11-27 {REFUSED}"):
        forecast.run(origin=LATE)
    later = load_specification().model_copy(update={"as_of": LATE})
    with pytest.raises(InputError, match=f"as_of of the prior file: 2026-11-27 {REFUSED}"):
        forecast.run(later)
    assert read_request(later, assume_silence=True).origin == LATE
    assert read_request().origin == END


def test_the_default_origin_is_the_last_complete_day_where_that_is_later():
    assert read_request(record=with_news()).origin == date(2027, 6, 30)
    longer = replace(load_record(), complete_until=date(2026, 10, 9))
    assert read_request(record=longer).origin == date(2026, 10, 9)
    assert read_request(record=load_record().as_of("2026-02-03")).origin == date(2026, 2, 3)


def test_replay_refuses_an_end_after_the_records():
    with pytest.raises(InputError, match=f"end: 2026-11-27 {REFUSED}"):
        forecast.replay(start="2025-11-27", end=LATE)


def test_backtest_refuses_an_end_after_the_records_however_it_was_cut():
    for record in (load_record(), load_record().as_of(LATE)):
        with pytest.raises(InputError, match="end: 2026-11-27 lies after 2026-10-06, the last day of the record"):
            questions(record, end=LATE)


ROW = {"events": pd.DataFrame([event("ec-dsa-x-grok-2026", "2026-10-20", "preliminary_findings")])}


def test_update_refuses_silence_after_the_joined_record():
    for rows, last, days in (({}, "2026-10-06", 52), (ROW, "2026-10-20", 38)):
        with pytest.raises(InputError, match=f"lies {days} days after {last}, to which the record is complete"):
            joined(saved(), rows, LATE)
        assert joined(saved(), rows, LATE, assume_silence=True).origin == LATE
        assert joined(saved(), rows, LATE, complete_until=LATE).origin == LATE
    assert joined(saved(), ROW).origin == date(2026, 10, 20)
    assert joined(saved(), {}).origin == END
    assert joined(saved(), ROW, complete_until="2026-11-01").origin == date(2026, 11, 1)


def test_an_update_takes_only_what_was_looked_at_for_silence():
    """A row about one proceeding says nothing of others; that all were looked at has to be said."""
    alone, all_ = joined(saved(), ROW), joined(saved(), ROW, complete_until="2026-10-20")
    day = date(2026, 10, 20)
    assert silent_time(alone.record.as_of(day), END, day) == (0, 0)
    assert silent_time(all_.record.as_of(day), END, day) == (94, 94 * 14)


def test_silent_days_by_hand():
    record = world(
        proceedings=[
            case("quiet", "2024-01-01"), case("unseen", "2024-01-01"), case("half", "2024-01-01"),
            case("busy", "2024-01-01"), case("closing", "2024-01-01", "2024-03-01"), case("new", "2024-02-15"),
            case("ended", "2024-01-01", "2024-01-20"),
        ],
        events=[
            *(event(n, "2024-01-01", "opened") for n in ("quiet", "unseen", "half", "busy", "closing", "ended")),
            event("busy", "2024-02-10", "search"),
            event("new", "2024-02-15", "opened"),
            event("quiet", "2024-04-11", "search"),
        ],
    )  # fmt: skip
    looked = {"unseen": "2024-01-31", "half": "2024-02-10"}
    cases = record.proceedings
    cases = cases.assign(observed_until=cases["case_id"].map(looked).astype("datetime64[us]"))
    known = replace(record, proceedings=cases).as_of("2024-04-10")
    days = {"quiet": 70, "half": 10, "closing": 30}  # from 31 January to 10 April, 10 February and 1 March
    assert silent_time(known, date(2024, 1, 31), date(2024, 4, 10)) == (3, sum(days.values()))


def test_figures_published_later_do_not_cover_proceedings():
    users = {"users": pd.DataFrame([{"scope": "EU"} | row for row in NEWS["users"]])}
    with pytest.raises(InputError, match="2026-10-20 lies 14 days after 2026-10-06, to which the record is complete"):
        joined(saved(), users)


def test_an_update_between_two_publications_of_the_record_that_it_was_cut_from_is_silence_too():
    with pytest.raises(InputError, match="lies 5 days after 2026-01-25, to which the record is complete"):
        joined(saved(origin=date(2026, 1, 25)), {}, "2026-01-30")


def test_the_manifest_names_the_assumption_and_is_null_without_one():
    spec, record = load_specification(), load_record()
    late = {"complete_until": "2026-10-06", "days": 52, "open_proceedings": 95, "proceeding_days": unexamined(LATE)}
    for day, expected in ((END, None), (LATE, late)):
        told = provenance(gather(spec, record, day), record.as_of(day), 1, "inside")
        assert told["assumed_silence"] == expected
        assert json.loads(json.dumps(told))["assumed_silence"] == expected


def test_the_assumption_is_the_first_line_and_stands_in_every_caption():
    manifest = {"matter": "m", "origin": "2026-11-27", "view": "inside", "seed": 1}
    manifest |= {"priors_fingerprint": "a" * 64, "record_fingerprint": "b" * 64}
    told = {"complete_until": "2026-10-06", "days": 52, "open_proceedings": 95, "proceeding_days": 12547}
    silence = {"assumed_silence": told}
    sentence = (
        "Assumed silence: the record is complete to 2026-10-06; that nothing came since in 95 open proceedings, up to "
        "2026-11-27, is an assumption about 12,547 days of proceedings that nobody looked at."
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
    assert "2026-10-06" in told
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
