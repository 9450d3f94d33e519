"""The synthetic datasets against their geometry."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.datasets import load
from gengap.datasets.catalogue import synthetic
from gengap.errors import GengapError

COUNT = 6000


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("gaussians", 3),
        ("two_spirals", 2),
        ("circles", 2),
        ("moons", 2),
        ("checkerboard", 2),
        ("gauss_mixture", 3),
        ("hierarchical", 4),
        ("checkerboard_linear", 2),
        ("checkerboard_noisy", 2),
    ],
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


def test_spirals_follow_lang_and_witbrock() -> None:
    points, labels = synthetic.two_spirals(COUNT, np.random.default_rng(0), noise=0.0)
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


@pytest.mark.parametrize(
    ("name", "centres", "spreads"),
    [
        ("gauss_mixture", [(2, -1), (-2, 0), (0, 2)], [(0.5, 0.5), (0.5, 1.0), (0.5, 0.5)]),
        ("hierarchical", [(2, -1), (2, 1), (-2, 1), (-2, -1)], [(0.5, 0.55)] * 4),
    ],
)
def test_clouds_have_the_published_centres_and_spreads(
    name: str, centres: list[tuple[float, float]], spreads: list[tuple[float, float]]
) -> None:
    points, labels = getattr(synthetic, name)(COUNT, np.random.default_rng(0))
    for label, (centre, spread) in enumerate(zip(centres, spreads, strict=True)):
        cloud = points[labels == label]
        assert np.allclose(cloud.mean(axis=0), centre, atol=5 * max(spread) / np.sqrt(len(cloud)))
        assert np.allclose(cloud.std(axis=0), spread, rtol=0.1)


@pytest.mark.parametrize(("name", "offset"), [("linear", 0.8), ("noisy", 0.5)])
def test_zigzag_clouds_take_turns_along_y(name: str, offset: float) -> None:
    points, labels = getattr(synthetic, f"checkerboard_{name}")(COUNT, np.random.default_rng(0))
    heights = {0: (-3, 1), 1: (-1, 3)}
    for label, side in ((0, offset), (1, -offset)):
        for height in heights[label]:
            cloud = points[(labels == label) & (np.abs(points[:, 1] - height) < 1)]
            assert len(cloud) == pytest.approx(COUNT / 4, rel=0.1)
            assert np.allclose(cloud.mean(axis=0), [side, height], atol=0.05)
            assert np.allclose(cloud.std(axis=0), [0.3, 0.1], rtol=0.1)


def test_intro1d_is_six_points_for_both_splits() -> None:
    data = load("intro1d")
    order = np.argsort(data.train.inputs[:, 0])
    assert np.allclose(data.train.inputs[order, 0], [0.5, 1.0, 1.1, 1.3, 1.4, 1.45])
    assert data.train.labels[order].tolist() == [0, 1, 1, 1, 0, 0]
    assert sorted(data.test.inputs[:, 0]) == sorted(data.train.inputs[:, 0])
    with pytest.raises(GengapError, match="has 6 samples"):
        load("intro1d", train_size=7)


@pytest.mark.parametrize("name", ["circles", "moons", "two_spirals"])
def test_the_noise_of_some_is_a_keyword(name: str) -> None:
    default = {"circles": 0.08, "moons": 0.15, "two_spirals": 0.02}[name]
    exact, some, usual = (
        load(name, train_size=200, test_size=20, noise=noise).train.inputs
        for noise in (0.0, default, None)
    )
    assert np.array_equal(some, usual)
    assert np.std(some - exact) == pytest.approx(default, rel=0.2)


def test_noise_is_refused_where_there_is_none() -> None:
    with pytest.raises(GengapError, match="digits has no noise to be set, which two_spirals, circ"):
        load("digits", noise=0.1)
    with pytest.raises(GengapError, match="noise of dataset moons is -1: give a number from 0"):
        load("moons", noise=-1)
