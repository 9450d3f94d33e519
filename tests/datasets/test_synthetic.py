"""The synthetic datasets against their geometry."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.datasets import load, synthetic

COUNT = 6000


@pytest.mark.parametrize(
    ("name", "classes"),
    [("gaussians", 3), ("two_spirals", 2), ("circles", 2), ("moons", 2), ("checkerboard", 2)],
)
def test_points_repeat_and_classes_are_of_equal_size(name: str, classes: int) -> None:
    draw = getattr(synthetic, name)
    points, labels = draw(601, np.random.default_rng(5))
    again = draw(601, np.random.default_rng(5))
    assert points.shape == (601, 2)
    assert points.dtype == np.float32
    assert np.array_equal(points, again.inputs)
    assert np.array_equal(labels, again.labels)
    counts = np.bincount(labels, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1
    data = load(name, train_size=30, test_size=60, balanced=True)
    assert np.bincount(data.test.labels).tolist() == [60 // classes] * classes


def test_gaussians_have_their_centres_and_spread() -> None:
    points, labels = synthetic.gaussians(COUNT, np.random.default_rng(0))
    for label, angle in enumerate((0, 2 * np.pi / 3, 4 * np.pi / 3)):
        cloud = points[labels == label]
        error = synthetic.GAUSSIAN_SPREAD / np.sqrt(len(cloud))
        assert np.allclose(cloud.mean(axis=0), [np.cos(angle), np.sin(angle)], atol=4 * error)
        expected = synthetic.GAUSSIAN_SPREAD**2 * np.eye(2)
        assert np.allclose(np.cov(cloud.T), expected, atol=0.03)


def test_spirals_follow_lang_and_witbrock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "SPIRAL_NOISE", 0.0)
    points, labels = synthetic.two_spirals(COUNT, np.random.default_rng(0))
    points = np.where(labels[:, np.newaxis] == 1, -points, points)
    radius = np.hypot(*points.T)
    along = 104 * (1 - radius)  # radius 6.5 (104 - i) / 104, over 6.5
    assert 0 <= along.min() < 1
    assert 95 < along.max() <= 96
    angle = along * np.pi / 16
    formula = radius[:, np.newaxis] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    assert np.allclose(points, formula, atol=1e-4)


def test_checkerboard_is_labelled_by_field_and_fills_the_square() -> None:
    points, labels = synthetic.checkerboard(COUNT, np.random.default_rng(0))
    column, row = np.floor(points * 4).astype(int).T
    assert np.array_equal(labels, (column + row) % 2)
    fields = np.bincount(4 * row + column, minlength=16)
    assert len(fields) == 16
    expected = COUNT / 16
    assert np.all(np.abs(fields - expected) < 5 * np.sqrt(expected))


def test_circles_and_moons_lie_where_they_should() -> None:
    points, labels = synthetic.circles(COUNT, np.random.default_rng(0))
    radius = np.hypot(*points.T)
    assert radius[labels == 0].mean() == pytest.approx(1, abs=0.02)
    assert radius[labels == 1].mean() == pytest.approx(0.5, abs=0.02)
    points, labels = synthetic.moons(COUNT, np.random.default_rng(0))
    upper = np.hypot(*(points[labels == 0]).T)
    lower = np.hypot(*(points[labels == 1] - [1, 0.5]).T)
    assert upper.mean() == pytest.approx(1, abs=0.03)
    assert lower.mean() == pytest.approx(1, abs=0.03)
