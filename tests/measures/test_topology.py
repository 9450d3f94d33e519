"""The topological family in one call against its stages."""

from __future__ import annotations

import numpy as np

from gengap.activations import choose_inputs, sample
from gengap.datasets import load
from gengap.measures import Subject, compute
from gengap.measures.topology import STABILITY
from gengap.networks import build, convolutional
from gengap.topology import COMPONENTS, draw_diagrams, vectorise


def test_one_call_equals_the_stages() -> None:
    train = load("digits", train_size=60, test_size=20, seed=0).train
    network = build(convolutional((8, 8, 1), 10, width=2, depth=1)).eval()
    values = compute("topology", Subject(network, None, train, np.random.default_rng(0)))
    assert set(values) == {*COMPONENTS, *STABILITY}
    for name, components in COMPONENTS.items():
        assert np.asarray(values[name]).shape == (components,)

    # Fewer neurons than the paper's 3000: every draw is all of them, whatever the generator.
    drawn = sample(
        network,
        choose_inputs(train, 60, np.random.default_rng(1)),
        neurons=3000,
        draws=2,
        rng=np.random.default_rng(2),
    )
    assert drawn.activations.shape == (drawn.population, 60)
    expected = vectorise(draw_diagrams(drawn)[0])
    for name in COMPONENTS:
        found = np.asarray(values[name])
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-7)
    for name in STABILITY:
        np.testing.assert_array_equal(np.asarray(values[name]), [0.0])
