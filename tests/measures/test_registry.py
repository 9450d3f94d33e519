"""The registry: families, measures of one's own, tidy tables, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.failures import Failure
from gengap.measures import compute, tidy, to_frame
from gengap.measures.gathering import gather
from gengap.measures.registry import FAMILIES, members
from gengap.networks import build, dense

MINE = """
from gengap.measures import measure

@measure()
def largest_weight(network, initial, train, rng):
    return max(float(p.detach().abs().max()) for p in network.parameters())

@measure("noise", "labels")
def two(network, initial, train, rng):
    return {"noise": rng.standard_normal(3), "labels": {"mean": train.labels.mean()}}

@measure()
def infinite(network, initial, train, rng):
    return float("inf")
"""


@pytest.fixture
def network() -> nn.Module:
    return build(dense((3,), 2, width=4, depth=1)).eval()


@pytest.fixture
def train() -> Split:
    return Split(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), 2)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return str(tmp_path / "mine.py")


def test_every_family_of_the_library_has_measures() -> None:
    known = {"topology", "baseline", "competition", "curvature", "tangent", "functional_graph"}
    assert set(FAMILIES) == known
    for family in FAMILIES:
        assert members(family), family


def test_a_family_of_ones_own(mine: str, network: nn.Module, train: Split) -> None:
    values = compute(f"{mine}:noise", network, None, train, np.random.default_rng(0))
    again = compute(f"{mine}:noise", network, None, train, np.random.default_rng(0))
    assert list(values) == ["noise"]
    np.testing.assert_array_equal(values["noise"], again["noise"])
    largest = compute(f"{mine}:largest_weight", network, None, train, np.random.default_rng(0))
    flat = np.concatenate([p.detach().numpy().ravel() for p in network.parameters()])
    assert largest == {"largest_weight": float(np.abs(flat).max())}


def test_a_value_that_is_not_finite_is_refused_by_name(
    mine: str, network: nn.Module, train: Split
) -> None:
    with pytest.raises(GengapError, match="The measure 'infinite' is not finite"):
        compute(mine, network, None, train, np.random.default_rng(0))


def test_one_measure_has_the_value_that_its_family_gives_it(
    network: nn.Module, train: Split
) -> None:
    everything = compute("baseline", network, network, train, np.random.default_rng(1))
    for name, value in everything.items():
        alone = compute(f"baseline:{name}", network, network, train, np.random.default_rng(1))
        assert alone == {name: value}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("curvture", r"Unknown family of measures 'curvture'.*baseline"),
        ("baseline:norm", r"Unknown measure 'norm' of family 'baseline'.*parameter_count"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    name: str, sentence: str, network: nn.Module, train: Split
) -> None:
    with pytest.raises(GengapError, match=sentence):
        compute(name, network, network, train, np.random.default_rng(0))


def test_a_module_without_measures_is_refused(
    tmp_path: Path, network: nn.Module, train: Split
) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(GengapError, match=r"no measure: decorate its functions with @gengap"):
        compute(str(tmp_path / "empty.py"), network, None, train, np.random.default_rng(0))


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
