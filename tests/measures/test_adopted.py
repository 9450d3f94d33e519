"""Measures of adopted modules: those of the same network built from a spec, and of any network."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tests.networks.test_adoption import CASES, made
from torch import nn

from gengap import measures
from gengap.datasets import Split
from gengap.measures import Subject
from gengap.networks import Network, adopt, build, dense

FAMILIES = (
    "baseline", "competition", "curvature", "tangent", "functional_graph", "margins", "sharpness",
    "response", "gradients", "information",
)  # fmt: skip


def values(family: str, network: Network, train: Split) -> dict[str, float]:
    subject = Subject(network, copy.deepcopy(network), train, np.random.default_rng(0))
    computed = measures.compute(family, subject)
    return {name: float(value) for name, value in computed.items() if isinstance(value, float)}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adopted_module_has_the_measures_of_the_same_network(family: str) -> None:
    built = build(dense([6], 3, width=12, depth=2))
    module = nn.Sequential(
        nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 3)
    )
    module.load_state_dict(dict(zip(module.state_dict(), built.state_dict().values(), strict=True)))
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((60, 6)).astype(np.float32)
    train = Split(inputs, rng.integers(0, 3, 60), 3)
    expected = values(family, built, train)
    adopted = values(family, adopt(module, inputs), train)
    assert adopted.keys() == expected.keys()
    for name, value in expected.items():
        assert adopted[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize(
    "family", ["baseline", pytest.param("competition", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", CASES)
def test_each_family_knows_each_kind_of_network(name: str, family: str) -> None:
    module, example = made(name)
    network = adopt(module, example)
    rng = np.random.default_rng(2)
    inputs = np.concatenate([example] * 8)
    if inputs.dtype == np.float32:
        inputs += 0.3 * rng.standard_normal(inputs.shape).astype(np.float32)
    classes = network.outputs if network.outputs > 1 else 0
    labels = np.arange(len(inputs)) % max(classes, 1)
    train = Split(inputs, labels if classes else labels.astype(np.float32), classes)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    computed = values(family, network, train)
    assert all(np.isfinite(value) for value in computed.values())
    assert len(computed) >= (5 if family == "baseline" or classes else 1)
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[key])
