"""The ledger: forecasts as they were issued, how they resolved and scored; nothing in it is ever rewritten."""

from forecast.ledger.chain import Entry, Ledger, TamperedError, open_ledger
from forecast.ledger.issuing import LEDGER, issue
from forecast.ledger.packaged import packaged_ledger
from forecast.ledger.resolving import Resolution, resolve
from forecast.ledger.scoring import FEW, LedgerScores, score_ledger, score_name

__all__ = [
    "FEW",
    "LEDGER",
    "Entry",
    "Ledger",
    "LedgerScores",
    "Resolution",
    "TamperedError",
    "issue",
    "open_ledger",
    "packaged_ledger",
    "resolve",
    "score_ledger",
    "score_name",
]
