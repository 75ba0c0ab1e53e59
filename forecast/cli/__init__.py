"""The command line."""

import sys

from forecast.cli import backtest as backtest
from forecast.cli import calibration as calibration
from forecast.cli import coverage as coverage
from forecast.cli import forecasts as forecasts  # importing a module of commands registers them
from forecast.cli import ledger as ledger
from forecast.cli import sensitivity as sensitivity
from forecast.cli import types as types
from forecast.cli import updates as updates
from forecast.cli.shell import exit_code


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(exit_code(arguments))
