"""How a network's answers change when its training inputs are augmented."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import trim_mean
from torch import Tensor, nn
from torch.nn import functional

from gengap.measures.moments import RunningVariance
from gengap.measures.pgdl.drawing import INPUTS, ValueRange, draw
from gengap.measures.pgdl.outputs import BATCH, all_scores, observe, slopes
from gengap.measures.registry import measure
from gengap.measures.subject import Subject
from gengap.networks import batch_size_for, observed_layers, tensor_of
from gengap.networks.layout import IMAGE_RANK, channels_first, channels_last

log = logging.getLogger(__name__)

COLOURS = 3
SATURATION = (0.6, 1.6)
CENTRAL_PART = 0.9
BRIGHTNESS = 0.5
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=np.float32)
SOBEL_SCALE, SOBEL_OFFSET = 0.25, 0.5
ERASED_AREA = (0.02, 0.4)
ERASED_ASPECT = 0.3

SCORED = 3
"""Sets of inputs that are kept with their scores, in case an augmentation gives them again."""

MARGIN_INPUTS = 500
CONTRAST = (0.7, 1.0)
ZOOMS = np.arange(85, 100) / 100
TRIMMED = 0.05
TINY = 1e-7
NORMS = 16
"""Gradients whose norms are computed at a time."""

Transform = Callable[[Tensor, np.random.Generator], Tensor]


class Augmentation(NamedTuple):
    """One augmentation of inputs with values in [0, 1], and the penalty of a changed prediction."""

    name: str
    weight: float
    apply: Transform


@measure(needs={"classes", "float_inputs"}, draws=2)
def always_generalize(subject: Subject) -> float:
    """Compute the penalty for answers that change under augmentation, mean over 2000 inputs.

    Weights: horizontal flip 6, saturation 1, central 0.9 crop 2, Sobel filter 3, brightness 1, flip
    and saturation 12, random erasing 2. The penalty is at least 0 and at most 27; larger predicts a
    larger gap. The published value is minus the sum over inputs.

    Images of any number of channels: saturation acts on the first three of three or more. Images
    of fewer channels stay as they are, so for them "flip and saturation" is a second flip. A crop
    takes whole pixels, so images below 20 pixels a side stay as they are. Values are those of the
    training data's range, whatever their normalisation. For vectors, series and volumes only
    brightness (a shift by half of each feature's or channel's range) and erasing (setting features
    to their lowest value) make sense. Their penalty is scaled up to the full 27.

    Equation:
        The mean over x of sum_a c_a(x), with a the augmentations. c_a(x) is the weight of a if
        argmax f(a(x)) != argmax f(x), else |max softmax f(x) - max softmax f(a(x))|.

    Source:
        Aithal, Kashyap and Subramanyam 2021, "Robustness to augmentations as a generalization
        metric".

    Returns:
        The mean penalty, in [0, 27].
    """
    network, train, rng = subject.network, subject.train, subject.rng
    inputs, _ = draw(train, INPUTS, rng, network)
    values = ValueRange.of(train.inputs, inputs.device)
    unit = values.to_unit(inputs)
    original = all_scores(network, inputs)
    augmentations = IMAGES if inputs.ndim == IMAGE_RANK else VECTORS
    total = 0.0
    scored = [(inputs, original)]
    for name, weight, apply in augmentations:
        changed = values.from_unit(apply(unit, rng))
        # Grey images have no saturation, and small ones are not cropped.
        augmented = next((known for same, known in scored if torch.equal(same, changed)), None)
        if augmented is None:
            augmented = all_scores(network, changed)
            scored = [*scored, (changed, augmented)][:SCORED]
        total += float(penalties(original, augmented, weight).mean())
        log.info("Always Generalize: %s on %d inputs, penalty so far %.4g", name, len(unit), total)
    full = sum(augmentation.weight for augmentation in IMAGES)
    return total * full / sum(augmentation.weight for augmentation in augmentations)


def penalties(original: Tensor, augmented: Tensor, weight: float) -> Tensor:
    """Compute the penalty (n,) of each input, from logits (n, classes) before and after."""
    before, predicted = original.double().softmax(1).max(1)
    after, predicted_after = augmented.double().softmax(1).max(1)
    changed = torch.full_like(before, weight)
    return torch.where(predicted == predicted_after, (before - after).abs(), changed)


def flip(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Flip images left to right."""
    return images.flip(2)


def saturation(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Scale each image's HSV saturation by its own factor in [0.6, 1.6], up to 1."""
    if images.shape[-1] < COLOURS:
        return images
    factors = _uniform(rng, SATURATION, images)
    colours, rest = images[..., :COLOURS], images[..., COLOURS:]
    # With hue and value kept, scaling the saturation scales each colour's distance from the value.
    value = colours.amax(-1, keepdim=True)
    distance = value - colours.amin(-1, keepdim=True)
    most = torch.where(distance > 0, value / distance.clamp_min(TINY), 1.0)
    return torch.cat([value - torch.minimum(factors, most) * (value - colours), rest], dim=-1)


def central_crop(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Crop the central 0.9 of each side, in whole pixels, and resize it back bilinearly."""
    height, width = images.shape[1:3]
    top, left = (int((side - side * CENTRAL_PART) / 2) for side in (height, width))
    cropped = channels_first(images[:, top : height - top, left : width - left])
    resized = functional.interpolate(
        cropped, size=(height, width), mode="bilinear", align_corners=False
    )
    return channels_last(resized)


def sobel(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Take the horizontal Sobel derivative of each channel, divided by 4, plus 0.5."""
    kernel = tensor_of(SOBEL, images.device)
    channels = images.shape[-1]
    # A line of pixels has nothing to reflect.
    mode = "reflect" if min(images.shape[1:3]) > 1 else "replicate"
    padded = functional.pad(channels_first(images), (1, 1, 1, 1), mode=mode)
    edges = functional.conv2d(padded, kernel.expand(channels, 1, 3, 3), groups=channels)
    return channels_last(edges) * SOBEL_SCALE + SOBEL_OFFSET


def brightness(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Add half the range to inputs, without clipping."""
    return inputs + BRIGHTNESS


def flip_and_saturation(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Flip images, then change their saturation."""
    return saturation(flip(images, rng), rng)


def erase_rectangle(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Set a random rectangle of each image to 0."""
    count, height, width = images.shape[:3]
    shortest, longest = (
        round(math.sqrt(area * height * width * aspect))
        for area, aspect in zip(ERASED_AREA, (ERASED_ASPECT, 1 / ERASED_ASPECT), strict=True)
    )
    rows = _erased_span(height, shortest, longest, count, rng)
    columns = _erased_span(width, shortest, longest, count, rng)
    erased = rows[:, :, None, None] & columns[:, None, :, None]
    return images.masked_fill(tensor_of(erased, images.device), 0.0)


def erase_features(vectors: Tensor, rng: np.random.Generator) -> Tensor:
    """Set a random subset of each vector's features to 0: at most 0.4 of them, at least one."""
    flat = vectors.flatten(1)
    count, features = flat.shape
    sizes = rng.integers(1, max(1, int(ERASED_AREA[1] * features)), count, endpoint=True)
    ranks = rng.random((count, features)).argsort(1).argsort(1)
    erased = tensor_of(ranks < sizes[:, None], vectors.device)
    return flat.masked_fill(erased, 0.0).reshape(vectors.shape)


IMAGES = (
    Augmentation("flip", 6.0, flip),
    Augmentation("saturation", 1.0, saturation),
    Augmentation("central crop", 2.0, central_crop),
    Augmentation("Sobel filter", 3.0, sobel),
    Augmentation("brightness", 1.0, brightness),
    Augmentation("flip and saturation", 12.0, flip_and_saturation),
    Augmentation("random erasing", 2.0, erase_rectangle),
)
VECTORS = (
    Augmentation("brightness", 1.0, brightness),
    Augmentation("random erasing", 2.0, erase_features),
)


@measure(needs={"classes", "float_inputs"}, draws=4)
def negative_augmented_margin(subject: Subject) -> float:
    """Compute minus the mean margin at the first layer, on augmented training inputs.

    The margin is negative where the prediction is wrong. There are at most 500 inputs. Images are
    flipped at random, their contrast is scaled by a factor in [0.7, 1], and half of them
    are zoomed into by up to 15%; other inputs are taken as they are. Larger predicts a larger gap,
    as published; 0 where the first layer's outputs are constant, and for inputs where its gradient
    is 0.

    Equation:
        -mean of (z_y - z_j) / ||grad_h (z_y - z_j)|| over s, with h the first layer's output, y the
        label and j the class of the largest other logit. s is the square root of the variance of h
        over inputs, averaged over the features without the 5% smallest and largest.

    Source:
        Natekar and Sharma 2020, "Representation based complexity measures for predicting
        generalization in deep learning".

    Returns:
        Minus the mean margin, over the spread of the layer's outputs.
    """
    network, rng = subject.network, subject.rng
    inputs, labels = draw(subject.train, MARGIN_INPUTS, rng, network)
    if inputs.ndim == IMAGE_RANK:
        inputs = _standard_augmentation(inputs, rng)
    name, layer = observed_layers(network)[0]
    size = batch_size_for(network, inputs, BATCH, keeps_graph=True)
    margins, features = [], RunningVariance()
    for batch, batch_labels in zip(
        torch.split(inputs, size), torch.split(labels, size), strict=True
    ):
        of_batch, outputs = _layer_margins(network, name, layer, batch, batch_labels)
        margins.append(of_batch)
        features.add(outputs)
        del outputs  # before the next batch makes its own
    log.info("Augmented margin: %d inputs", len(inputs))
    spread = math.sqrt(trim_mean(features.variance, TRIMMED))
    return 0.0 if spread == 0 else float(-np.concatenate(margins).mean() / (spread + TINY))


def _layer_margins(
    network: nn.Module, name: str, layer: nn.Module, inputs: Tensor, labels: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return margins (n,) at a layer, float64, and its outputs (n, features)."""
    with torch.enable_grad():
        scores, (features,) = observe(network, [layer], inputs.requires_grad_())
        own = scores.gather(1, labels[:, None])
        other = scores.scatter(1, labels[:, None], -math.inf).amax(1, keepdim=True)
        distances = (own - other)[:, 0]
        ((norms,),) = slopes([distances.sum()], {name: features}, _norms)
    margins = distances.detach().double() / (norms + TINY)
    flat = torch.where(norms > 0, margins, 0.0)
    return flat.numpy(force=True), features.flatten(1).numpy(force=True)


def _norms(slopes: Tensor) -> Tensor:
    """Return the norms (n,) of gradients (n, ...) in double precision, a few at a time."""
    return torch.cat([part.flatten(1).double().norm(dim=1) for part in torch.split(slopes, NORMS)])


def _standard_augmentation(images: Tensor, rng: np.random.Generator) -> Tensor:
    count = len(images)
    flipped = tensor_of(rng.random(count) < 0.5, images.device)[:, None, None, None]
    images = torch.where(flipped, images.flip(2), images)
    means = images.mean((1, 2), keepdim=True)
    images = means + _uniform(rng, CONTRAST, images) * (images - means)
    zooms = np.where(rng.random(count) < 0.5, 1.0, rng.choice(ZOOMS, count)).astype(np.float32)
    rows, columns = (
        tensor_of(zooms, images.device)[:, None] * torch.linspace(-1, 1, side, device=images.device)
        for side in images.shape[1:3]
    )
    grid = torch.stack(
        [
            columns[:, None, :].expand(images.shape[:3]),
            rows[:, :, None].expand(images.shape[:3]),
        ],
        dim=-1,
    )
    return channels_last(
        functional.grid_sample(
            channels_first(images), grid, padding_mode="border", align_corners=True
        )
    )


def _uniform(rng: np.random.Generator, bounds: tuple[float, float], images: Tensor) -> Tensor:
    """Draw one number for each image, (count, 1, 1, 1) float32."""
    numbers = rng.uniform(*bounds, size=(len(images), 1, 1, 1)).astype(np.float32)
    return tensor_of(numbers, images.device)


def _erased_span(
    side: int, shortest: int, longest: int, count: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return the pixels of one side that are erased in each image, (count, side) bool."""
    end = min(longest, side)
    lengths = rng.integers(min(shortest, end - 1), end, count)
    starts = rng.integers(0, side - lengths)
    places = np.arange(side)
    erased: NDArray[np.bool_] = (places >= starts[:, None]) & (places < (starts + lengths)[:, None])
    return erased
