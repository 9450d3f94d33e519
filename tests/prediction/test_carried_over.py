"""What a reference says of other tasks, in the study of predicted gaps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.prediction.conftest import MakeTask

from gengap.datasets import read_split, write_split
from gengap.prediction import freeze, predict_task
from gengap.studies.prediction.carried_over import COLUMNS, carried_over
from gengap.tasks import load


@pytest.mark.slow
def test_networks_of_other_data_are_declined_and_ranked(make_task: MakeTask) -> None:
    own, other = make_task(), make_task("other")
    path = other / "dataset" / "train.safetensors"
    data = read_split(path)
    shifted = data.inputs + np.float32(3.0)
    write_split(type(data)(shifted, data.labels, data.classes), path)
    table = carried_over(own, [other])
    assert tuple(table.columns) == COLUMNS
    assert set(table["task"]) == {"other"}
    assert table["declined"].all()
    expected = predict_task(other, freeze(own)).set_index("network")
    np.testing.assert_array_equal(table["rank"], expected.loc[table["network"], "rank"])
    entries = load(other).networks
    gaps = pd.Series({name: entry.gap for name, entry in entries.items()})
    np.testing.assert_allclose(table["gap"], gaps.loc[table["network"]])
