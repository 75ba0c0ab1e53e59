"""Would the forecasts have been any good? Rolling origins over the record, scored against three plain baselines."""

from forecast.backtesting.running import Backtest, backtest

__all__ = ["Backtest", "backtest"]
