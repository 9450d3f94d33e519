"""Measures of seven kinds of networks of a user's own, from Python."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from tests.foreign.kinds import KINDS, factory

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import MeasureResults, Subject, compute, to_frame
from gengap.networks import adopt

pytestmark = pytest.mark.slow

FAMILIES = (
    "baseline", "competition", "curvature", "tangent", "functional_graph", "margins", "sharpness",
    "response", "gradients", "information",
)  # fmt: skip


def subject(name: str) -> Subject:
    """A network with random weights, and its data."""
    kind = KINDS[name]
    arrays = kind.data()
    inputs, labels = arrays["inputs"][:50], arrays["labels"][:50]
    if kind.layout:
        inputs = np.ascontiguousarray(np.moveaxis(inputs, 1, -1))
    split = Split(inputs, labels, 0 if kind.is_regression else int(labels.max()) + 1)
    torch.manual_seed(0)
    layout = "channels_first" if kind.layout else None
    networks = [adopt(factory(kind)(), inputs[:2], layout=layout) for _ in range(2)]
    return Subject(networks[0], networks[1], split, np.random.default_rng(1))


@pytest.mark.parametrize("name", list(KINDS))
@pytest.mark.parametrize("family", FAMILIES)
def test_measures_are_values_or_sentences_and_leave_the_network_as_it_was(
    name: str, family: str
) -> None:
    data = subject(name)
    data.network.train()
    before = {key: value.clone() for key, value in data.network.state_dict().items()}
    try:
        results = compute(family, data)
    except GengapError as error:  # a family may be left out as a whole, in a sentence
        results = MeasureResults({}, {family: str(error)})
    assert to_frame(results).dropna(subset="value")["value"].map(np.isfinite).all()
    for reason in results.left_out.values():
        assert reason.endswith("."), reason
        assert re.search("needs|sees|not finite|no sense|no mean", reason), reason
    assert data.network.training
    after = data.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(parameter.grad is None for parameter in data.network.parameters())
