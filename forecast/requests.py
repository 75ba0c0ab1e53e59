"""What a forecast is asked of, read and checked before anything is compiled."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

from forecast.record import Record, as_day, load_record
from forecast.silence import require_covered
from forecast.specification import Specification, load_specification


class Request(NamedTuple):
    """Prior file, record (not cut) and origin date of a forecast."""

    specification: Specification
    record: Record
    origin: date

    @property
    def identity(self) -> dict[str, str]:
        """What the manifest of the forecast will say that it was made from (see ``places.refuse_other``)."""
        return {
            "matter": self.specification.matter,
            "origin": str(self.origin),
            "priors_fingerprint": self.specification.fingerprint,
            "record_fingerprint": self.record.as_of(self.origin).fingerprint,
        }


def read_request(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    origin: date | str | None = None,
    *,
    place: str = "origin",
    assume_silence: bool = False,
) -> Request:
    """Return prior file, record and origin as ``forecasting.run`` takes them.

    ``None`` takes the packaged prior file or record, and as origin ``as_of`` of the prior file or the record's last
    complete day, whichever is later. Raises ``InputError`` on bad input, and for an origin (called ``place``) after the
    record's last complete day unless silence is assumed.
    """
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    known = record if isinstance(record, Record) else load_record(record)
    if origin is None:
        day, place = max(spec.as_of, known.complete_until), "origin, by default as_of of the prior file"
    else:
        day = as_day(origin)
    require_covered(known, day, place, assume_silence=assume_silence)
    return Request(spec, known, day)
