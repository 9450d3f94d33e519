"""Always Generalize and the augmented margin against other libraries, loops and hand work."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import trim_mean
from tests.measures.pgdl.conftest import Builder, Data, value
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject
from gengap.measures.pgdl import augmentation
from gengap.measures.pgdl.drawing import ValueRange
from gengap.measures.pgdl.outputs import all_scores
from gengap.networks import build, convolutional, dense, logits, weight_layers
from gengap.networks.layout import Flatten

CPU = torch.device("cpu")


def random_images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def penalty_of(
    apply: augmentation.Transform, network: nn.Module, images: torch.Tensor
) -> torch.Tensor:
    with torch.inference_mode():
        after = logits(network, apply(images, np.random.default_rng(0)))
        return augmentation.penalties(logits(network, images), after, 6.0)


def test_penalties_against_a_loop() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.normal(size=(2, 40, 3))
    expected = []
    for old, new in zip(before, after, strict=True):
        p, q = (np.exp(z) / np.exp(z).sum() for z in (old, new))
        expected.append(5.0 if p.argmax() != q.argmax() else abs(p.max() - q.max()))
    found = augmentation.penalties(torch.from_numpy(before), torch.from_numpy(after), 5.0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert 5.0 in expected
    assert len(set(expected)) > 10


def test_weights_are_the_published_ones() -> None:
    assert [weight for _, weight, _ in augmentation.IMAGES] == [6, 1, 2, 3, 1, 12, 2]


def test_saturation_is_that_of_hsv() -> None:
    images = random_images(6, 4, 4, 3)
    images[0, 0, 0] = 0.0
    images[0, 0, 1] = 0.7
    factors = np.random.default_rng(9).uniform(0.6, 1.6, size=6)
    found = augmentation.saturation(images, np.random.default_rng(9)).numpy()
    for image, changed, factor in zip(images.numpy(), found, factors, strict=True):
        for pixel, got in zip(image.reshape(-1, 3), changed.reshape(-1, 3), strict=True):
            hue, saturation, brightness = colorsys.rgb_to_hsv(*map(float, pixel))
            wanted = colorsys.hsv_to_rgb(hue, min(1.0, factor * saturation), brightness)
            np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_saturation_leaves_grey_and_a_fourth_channel_alone() -> None:
    rng = np.random.default_rng(0)
    grey, four = random_images(3, 5, 5, 1), random_images(3, 5, 5, 4)
    assert torch.equal(augmentation.saturation(grey, rng), grey)
    changed = augmentation.saturation(four, rng)
    assert torch.equal(changed[..., 3], four[..., 3])
    assert not torch.equal(changed[..., :3], four[..., :3])


def test_sobel_is_scipys() -> None:
    images = random_images(2, 7, 6, 2)
    found = augmentation.sobel(images, np.random.default_rng(0)).numpy()
    # scipy smooths along all other axes, so each channel of each image on its own.
    for image in range(2):
        for channel in range(2):
            edges = ndimage.sobel(images[image, :, :, channel].numpy(), axis=1, mode="mirror")
            np.testing.assert_allclose(found[image, :, :, channel], edges / 4 + 0.5, atol=1e-6)


def test_deterministic_augmentations_are_tensorflows() -> None:
    tf = pytest.importorskip("tensorflow")
    images = random_images(3, 32, 32, 3)
    same = tf.constant(images.numpy())
    rng = np.random.default_rng(0)
    expected = {
        augmentation.flip: tf.image.flip_left_right(same),
        augmentation.central_crop: tf.image.resize_with_pad(
            tf.image.central_crop(same, 0.9), 32, 32
        ),
        augmentation.sobel: tf.image.sobel_edges(same)[..., 1] / 4 + 0.5,
        augmentation.brightness: tf.image.adjust_brightness(same, 0.5),
    }
    for apply, wanted in expected.items():
        np.testing.assert_allclose(apply(images, rng).numpy(), wanted.numpy(), atol=1e-5)
    factor = np.random.default_rng(4).uniform(0.6, 1.6)
    saturated = augmentation.saturation(images[:1], np.random.default_rng(4)).numpy()
    wanted = tf.image.adjust_saturation(same[:1], factor).numpy()
    np.testing.assert_allclose(saturated, wanted, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 32), (8, 8), (3, 3), (1, 9), (1, 1)])
def test_erasing_leaves_a_rectangle_of_zeros(shape: tuple[int, int]) -> None:
    images = random_images(200, *shape, 2) + 0.5
    erased = augmentation.erase_rectangle(images, np.random.default_rng(1))
    shortest = min(round(math.sqrt(0.02 * 0.3 * shape[0] * shape[1])), *(s - 1 for s in shape))
    for image, original in zip(erased.numpy(), images.numpy(), strict=True):
        gone = (image == 0).all(-1)
        assert ((image == 0).any(-1) == gone).all()
        rows, columns = gone.any(1), gone.any(0)
        np.testing.assert_array_equal(gone, rows[:, None] & columns[None, :])
        np.testing.assert_array_equal(image[~gone], original[~gone])
        assert not gone.all() or shape == (1, 1)
        if gone.any():
            assert np.diff(np.flatnonzero(rows)).max(initial=1) == 1
            assert min(rows.sum(), columns.sum()) >= shortest
    if min(shape) > 3:
        assert (erased == 0).any(dim=(1, 2, 3)).all()


@pytest.mark.parametrize("features", [1, 3, 20])
def test_erasing_features_of_vectors(features: int) -> None:
    erased = augmentation.erase_features(
        random_images(300, features) + 0.5, np.random.default_rng(1)
    )
    counts = (erased == 0).sum(1)
    assert counts.min() == 1
    assert counts.max() == max(1, int(0.4 * features))
    assert (erased == 0).any(0).all()


def test_a_network_that_cannot_see_a_flip_pays_nothing_for_it() -> None:
    spec = {
        "model_config": [
            {"layer_name": "Conv2D", "filters": 4, "kernel_size": [1, 1], "activation": "relu"},
            {"layer_name": "GlobalAveragePooling2D"},
            {"layer_name": "Dense", "units": 3},
        ],
        "input_shape": [6, 6, 3],
    }
    network, images = build(spec).eval(), random_images(30, 6, 6, 3)
    assert penalty_of(augmentation.flip, network, images).max() < 1e-6
    assert penalty_of(augmentation.sobel, network, images).max() > 1e-3


def test_all_predictions_changed_by_a_flip_cost_its_weight(layered: Builder) -> None:
    network = nn.Sequential(Flatten(), layered([[1.0, 0.0], [0.0, 1.0]]))
    images = random_images(20, 1, 2, 1)
    found = penalty_of(augmentation.flip, network, images)
    np.testing.assert_array_equal(found.numpy(), 6.0)


def test_normalised_images_are_augmented_in_their_own_range(seeded: Builder, images: Data) -> None:
    spec = convolutional((8, 8, 3), 3, width=4, depth=1)
    plain = seeded(spec)
    undoing = {"layer_name": "BatchNormalization", "epsilon": 0.0}
    folded = build({**spec, "model_config": [undoing, *spec["model_config"]]}).eval()
    train = images(50)
    train.inputs[0, 0, 0] = 0.0
    train.inputs[0, 0, 1] = 1.0
    means, scales = np.array([[0.4, 0.5, 0.6], [0.2, 0.3, 0.1]], np.float32)
    normalised = Split((train.inputs - means) / scales, train.labels, 3)
    with torch.no_grad():
        first, *layers = list(folded.children())
        first.get_parameter("weight").copy_(torch.from_numpy(scales))
        first.get_parameter("bias").copy_(torch.from_numpy(means))
        for own, other in zip(layers, plain.children(), strict=True):
            own.load_state_dict(other.state_dict())
    name = "always_generalize"
    assert value(name, folded, normalised) == pytest.approx(value(name, plain, train), rel=1e-4)


@pytest.mark.parametrize(
    ("shape", "different"),
    # Grey images have a flip twice and no saturation; small ones are not cropped.
    [((24, 24, 3), 8), ((24, 24, 1), 6), ((8, 8, 3), 7), ((8, 8, 1), 5)],
)
def test_inputs_that_no_augmentation_changes_are_scored_once(
    shape: tuple[int, int, int],
    different: int,
    seeded: Builder,
    images: Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, train = seeded(convolutional(shape, 3, width=4, depth=1)), images(30, shape)
    scored: list[torch.Tensor] = []

    def remember(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        scored.append(inputs)
        return all_scores(network, inputs)

    monkeypatch.setattr(augmentation, "all_scores", remember)
    subject = Subject(network, None, train, np.random.default_rng(0))
    measured = augmentation.always_generalize(subject)
    assert len(scored) == different
    # Without any reuse.
    monkeypatch.setattr(augmentation, "SCORED", 0)
    scored.clear()
    subject = Subject(network, None, train, np.random.default_rng(0))
    assert augmentation.always_generalize(subject) == measured
    assert len(scored) >= 8 - 2


def test_the_range_of_inputs() -> None:
    rng = np.random.default_rng(0)
    within = rng.random((10, 4, 4, 2), dtype=np.float32) / 2 + 0.25
    assert torch.equal(ValueRange.of(within, CPU).low, torch.zeros(2))
    assert torch.equal(ValueRange.of(within, CPU).span, torch.ones(2))
    beyond = within * np.array([10, 20], np.float32) - 5
    beyond[..., 1] = 7.0
    values = ValueRange.of(beyond, CPU)
    unit = values.to_unit(torch.from_numpy(beyond))
    assert (float(unit.amin()), float(unit[..., 0].amax())) == (0.0, 1.0)
    assert torch.equal(unit[..., 1], torch.zeros_like(unit[..., 1]))
    np.testing.assert_allclose(values.from_unit(unit).numpy(), beyond, rtol=1e-5)
    vectors = np.array([[0.1, 5.0], [0.2, 9.0]], np.float32)
    assert ValueRange.of(vectors, CPU).low.tolist() == vectors[0].tolist()


def test_vectors_are_brightened_and_erased_up_to_the_full_scale(layered: Builder) -> None:
    # The prediction is 1 where the single feature is above 1/2 of its range [0, 1], which adding
    # half a range brings about, and setting it to its lowest value undoes.
    network = nn.Sequential(layered([[0.0], [1.0]]), _Threshold())
    inputs = np.array([[0.0], [0.25], [0.75], [1.0]], np.float32)
    train = Split(inputs, np.array([0, 0, 1, 1]), 2)
    # Brightness changes the first two (weight 1), erasing the last two (weight 2); of the others
    # the confidence stays, as the outputs are steps.
    expected = (2 * 1.0 + 2 * 2.0) / 4 * 27 / 3
    assert value("always_generalize", network, train) == pytest.approx(expected)


class _Threshold(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.stack([values[:, 0], (values[:, 1] >= 0.5).float() - 0.25], dim=1)


def test_the_margin_worked_by_hand(layered: Builder) -> None:
    # The first layer copies positive vectors; there the margin of label 0 is (3 x0 - 4 x1) / 5.
    network = layered([[1.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [0.0, 4.0]])
    inputs = np.array([[4, 1], [1, 1], [2, 5], [3, 2]], np.float32)
    labels = np.array([0, 0, 1, 1])
    margins = (3 * inputs[:, 0] - 4 * inputs[:, 1]) / 5 * np.where(labels == 0, 1, -1)
    spread = math.sqrt(trim_mean(inputs.var(axis=0), 0.05))
    found = value("negative_augmented_margin", network, Split(inputs, labels, 2))
    assert found == pytest.approx(-margins.mean() / spread, rel=1e-5)


def test_scaling_the_layers_does_not_change_the_margin(seeded: Builder, images: Data) -> None:
    network, train = seeded(convolutional((8, 8, 3), 3, width=4, depth=2)), images(50)
    before = value("negative_augmented_margin", network, train)
    first, *_, last = [layer for _, layer in weight_layers(network)]
    with torch.no_grad():
        for layer, factor in ((first, 3.0), (last, 10.0)):
            layer.weight.mul_(factor)
        last.bias.mul_(10.0)  # type: ignore[union-attr]
        first.bias.mul_(3.0)  # type: ignore[union-attr]
        # Later biases are zero, so scaling the first layer scales the logits.
    after = value("negative_augmented_margin", network, train)
    assert after == pytest.approx(before, rel=1e-3)


def test_wrong_labels_turn_the_margin_of_a_linear_layer_around(layered: Builder) -> None:
    network = layered([[1.0, 0.0], [0.0, 1.0]])
    inputs = np.random.default_rng(0).random((30, 2), dtype=np.float32)
    right = inputs.argmax(1).astype(np.int64)
    found = value("negative_augmented_margin", network, Split(inputs, right, 2))
    wrong = value("negative_augmented_margin", network, Split(inputs, 1 - right, 2))
    assert found < 0
    assert wrong == pytest.approx(-found, rel=1e-5)


def test_standard_augmentation_keeps_constant_images() -> None:
    constant = torch.full((40, 6, 6, 2), 0.3)
    augmented = augmentation._standard_augmentation(constant, np.random.default_rng(0))
    torch.testing.assert_close(augmented, constant)
    changing = random_images(40, 6, 6, 2)
    augmented = augmentation._standard_augmentation(changing, np.random.default_rng(0))
    assert augmented.min() >= 0
    assert augmented.max() <= 1
    assert not torch.allclose(augmented, changing, atol=0.05)


def test_dense_networks_on_images_get_the_image_augmentations(
    seeded: Builder, images: Data
) -> None:
    train = images(40, (4, 4, 1))
    network = seeded(dense((4, 4, 1), 3, width=5, depth=1))
    unit = torch.from_numpy(train.inputs)
    parts = []
    with torch.inference_mode():
        for _, weight, apply in augmentation.IMAGES[:-1]:
            after = logits(network, apply(unit, np.random.default_rng(0)))
            parts.append(float(augmentation.penalties(logits(network, unit), after, weight).mean()))
    # Grey images have no saturation and these are too small for the crop.
    assert parts[1] == pytest.approx(0.0, abs=1e-6)
    assert parts[2] == pytest.approx(0.0, abs=1e-6)
    # Only random erasing draws anything here.
    assert sum(parts) < value("always_generalize", network, train) <= sum(parts) + 2
