"""Images of noise."""

from __future__ import annotations

import numpy as np

from gengap.datasets import load


def test_fake_images_hold_nothing_to_learn() -> None:
    data = load("fake_images", seed=3, train_size=2000, test_size=50)
    images, labels = data.train.inputs, data.train.labels
    assert images.shape == (2000, 32, 32, 3)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    means = np.array([images[labels == label].mean(axis=0) for label in range(10)])
    # Of so many uniform numbers a mean deviates by sd / sqrt(200), whatever the label.
    assert abs(means.std() / (images.std() / np.sqrt(200)) - 1) < 0.05
    assert abs(np.bincount(labels) - 200).max() < 60


def test_the_seed_draws_fake_images() -> None:
    first, again, other = (
        load("fake_images", seed=seed, train_size=10, test_size=10) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    assert not np.array_equal(first.train.inputs, other.train.inputs)
    assert not np.array_equal(first.train.inputs, first.test.inputs)
