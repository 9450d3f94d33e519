"""Values as rows, and one table from those of all networks and families."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.measures import MeasureResults, tidy, to_frame, write_tables
from gengap.measures.gathering import gather, write_table
from gengap.measures.results import Value


def test_values_become_tidy_rows() -> None:
    frame = to_frame({"count": 3.0, "pair": np.array([1.0, 2.0]), "named": {"mean": 0.5}})
    table = tidy(frame, "digits", "7", "mine")
    assert table.to_dict("list") == {
        "task": ["digits"] * 4,
        "network": ["7"] * 4,
        "family": ["mine"] * 4,
        "measure": ["count", "pair", "pair", "named"],
        "component": [0, 0, 1, "mean"],
        "value": [3.0, 1.0, 2.0, 0.5],
    }


def test_tables_are_gathered_in_the_order_of_networks(tmp_path: Path) -> None:
    for network in ("10", "2"):
        table = tidy(to_frame({"count": float(network)}), "digits", network, "mine")
        table.to_csv(tmp_path / f"{network}.csv", index=False)
    with_error = tidy(
        to_frame({"entropy": 1.0}).assign(standard_error=0.1), "digits", "2", "topology"
    )
    with_error.to_csv(tmp_path / "topology.csv", index=False)
    failures = [Failure("diagrams", "11", "few"), Failure("train", "3", "NaN")]
    gathered = gather(
        [tmp_path / "10.csv", tmp_path / "2.csv", tmp_path / "topology.csv"], failures * 2
    )
    assert list(gathered["measures"]["network"]) == ["2", "2", "10"]
    assert list(gathered["measures"]["value"]) == [2.0, 1.0, 10.0]
    assert list(gathered["errors"]["standard_error"]) == [0.1]
    assert list(gathered["failed"]["network"]) == ["3", "11"]
    with pytest.raises(GengapError, match=r"No network has any measure; the first reason: few"):
        gather([], failures)


def test_a_shard_whose_networks_all_failed_changes_nothing_of_the_others(tmp_path: Path) -> None:
    values = {"third": 1 / 3, "small": 1e-7, "large": 1e17}
    write_tables([tidy(to_frame(values), "digits", "0", "mine")], tmp_path / "0.csv")
    write_tables([], tmp_path / "1.csv")
    failures = [Failure("train", "1", "NaN")]
    alone = gather([tmp_path / "0.csv"], failures)["measures"]
    beside = gather([tmp_path / "0.csv", tmp_path / "1.csv"], failures)["measures"]
    pd.testing.assert_frame_equal(beside, alone)
    with pytest.raises(GengapError, match=r"the first reason: NaN"):
        gather([tmp_path / "1.csv"], failures)


def test_measures_that_were_left_out_are_listed_apart(tmp_path: Path) -> None:
    complete = MeasureResults({"count": 2.0, "pair": np.array([1.0, 2.0])})
    lacking = MeasureResults({"count": 3.0}, {"pair": "It needs images, and gets vectors."})
    for network, results in {"10": lacking, "2": complete}.items():
        tidy(to_frame(results), "digits", network, "mine").to_csv(
            tmp_path / f"{network}.csv", index=False
        )
    assert "reason" not in (tmp_path / "2.csv").read_text()
    gathered = gather([tmp_path / "10.csv", tmp_path / "2.csv"], [])
    assert gathered["left_out"].to_dict("records") == [
        {
            "network": "10",
            "family": "mine",
            "measure": "pair",
            "reason": "It needs images, and gets vectors.",
        }
    ]
    only = tidy(to_frame({"count": 3.0}), "digits", "10", "mine")
    expected = pd.concat([tidy(to_frame(complete), "digits", "2", "mine"), only])
    assert gathered["measures"].to_csv(index=False) == expected.to_csv(index=False)
    assert gathered["failed"].empty


def test_what_the_task_does_not_know_of_some_networks_is_left_out_once_for_all(
    tmp_path: Path,
) -> None:
    known = MeasureResults({"count": 2.0, "distance": 5.0}, {"images": "It needs images."})
    unknown = MeasureResults(
        {"count": 3.0},
        {"distance": "It needs the initial weights.", "images": "It needs images."},
        unmet={"distance": "initial"},
    )
    paths = [tmp_path / f"{network}.csv" for network in range(3)]
    for path, results in zip(paths, (known, unknown, known), strict=True):
        tidy(to_frame(results), "digits", path.stem, "mine").to_csv(path, index=False)
    gathered = gather(paths, [])
    assert list(gathered["measures"]["measure"]) == ["count"] * 3
    assert list(gathered["measures"]["value"]) == [2.0, 3.0, 2.0]
    assert gathered["left_out"].to_dict("records") == [
        {"network": "all", "family": "mine", "measure": name, "reason": reason}
        for name, reason in {
            "images": "It needs images.",
            "distance": "It needs the initial weights.",
        }.items()
    ]


def test_what_single_networks_lack_costs_the_others_nothing(tmp_path: Path) -> None:
    smooth = MeasureResults({"trace": 2.0})
    kinked = MeasureResults({}, {"trace": "Not here."}, unmet={"trace": "twice_differentiable"})
    for network, results in {"0": smooth, "1": kinked}.items():
        table = tidy(to_frame(results), "digits", network, "mine")
        table.to_csv(tmp_path / f"{network}.csv", index=False)
    gathered = gather([tmp_path / "0.csv", tmp_path / "1.csv"], [])
    assert list(gathered["measures"]["network"]) == ["0"]
    assert list(gathered["left_out"]["network"]) == ["1"]


def test_a_task_without_any_value_says_why(tmp_path: Path) -> None:
    nothing = MeasureResults({}, {"trace": "It needs classes."}, unmet={"trace": "classes"})
    tidy(to_frame(nothing), "digits", "0", "mine").to_csv(tmp_path / "0.csv", index=False)
    with pytest.raises(GengapError, match=r"the first reason: It needs classes\."):
        gather([tmp_path / "0.csv"], [])


def test_where_nothing_was_left_out_the_list_has_its_columns(tmp_path: Path) -> None:
    tidy(to_frame({"count": 1.0}), "digits", "0", "mine").to_csv(tmp_path / "0.csv", index=False)
    left_out = gather([tmp_path / "0.csv"], [])["left_out"]
    assert list(left_out) == ["network", "family", "measure", "reason"]
    assert left_out.empty


def test_measures_that_saw_a_share_of_the_parameters_are_listed_apart(tmp_path: Path) -> None:
    values: dict[str, Value] = {"norm": 2.0, "pair": np.array([1.0, 2.0]), "count": 3.0}
    complete = MeasureResults(values, coverage={"norm": 1.0, "pair": 1.0})
    partial = MeasureResults(values, coverage={"norm": 0.75, "pair": 0.5})
    assert "coverage" not in to_frame(complete)
    for network, results in {"10": partial, "2": complete}.items():
        table = tidy(to_frame(results), "digits", network, "mine")
        table.to_csv(tmp_path / f"{network}.csv", index=False)
    gathered = gather([tmp_path / "10.csv", tmp_path / "2.csv"], [])
    assert gathered["coverage"].to_dict("records") == [
        {"network": "10", "family": "mine", "measure": "norm", "coverage": 0.75},
        {"network": "10", "family": "mine", "measure": "pair", "coverage": 0.5},
    ]
    plain = [tidy(to_frame(values), "digits", network, "mine") for network in ("2", "10")]
    assert gathered["measures"].to_csv(index=False) == pd.concat(plain).to_csv(index=False)
    only = gather([tmp_path / "2.csv"], [])["coverage"]
    assert list(only) == ["network", "family", "measure", "coverage"]
    assert only.empty


def test_a_table_has_the_bytes_that_pandas_writes(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    texts = ["plain", 'with "quotes"', "with, comma", "two\nlines", "tabs\t", "", "é", "'", " "]
    numbers = [0.0, -0.0, 1.0, 1e300, 1e-7, 123456789.0, np.inf, -np.inf, np.nan, 0.1, 5e-324]
    table = pd.DataFrame(
        {
            "text": chance.choice(texts, 500),
            "value, in all": chance.choice(numbers, 500) * chance.choice([1.0, np.pi], 500),
            "number": chance.integers(-5, 5, 500),
            "mixed": [
                [0, 1, 1.0, "1", None, np.nan][place] for place in chance.integers(0, 6, 500)
            ],
            "sure": chance.random(500) < 0.5,
            "lacking": pd.array([None, "some"] * 250, dtype="string"),
        }
    )
    ones = pd.DataFrame({"a": [1, 1.0, True, "1", None, np.nan], "b": [np.nan] * 6}, dtype=object)
    for number, one in enumerate((table, table.iloc[::-1], table.iloc[:0], ones)):
        write_table(one, tmp_path / f"ours{number}.csv")
        one.to_csv(tmp_path / f"theirs{number}.csv", index=False)
        ours, theirs = (tmp_path / f"{whose}{number}.csv" for whose in ("ours", "theirs"))
        assert ours.read_bytes() == theirs.read_bytes()
