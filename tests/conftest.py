"""One packaged forecast for all tests that only look at it: sampling costs half a minute when nothing is compiled."""

import pytest

from forecast import forecasting


@pytest.fixture(scope="session")
def packaged_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged") / "2026-02-03"
    forecasting.save(forecasting.run(origin="2026-02-03"), folder)
    return folder


@pytest.fixture(scope="session")
def packaged(packaged_folder):
    return forecasting.load(packaged_folder)
