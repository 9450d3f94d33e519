"""Images: t-SNE of the inputs, coloured by alignment, from a normal and an adversarial start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from gengap.curvature.alignment import alignments
from gengap.errors import GengapError
from gengap.figures.style import (
    DIVERGING,
    DOUBLE_COLUMN,
    MARKERS,
    PALETTE,
    legend_below,
    new_figure,
    styled,
)
from gengap.networks import Network
from gengap.seeding import derive
from gengap.studies import Context, Outcome, Run, load_data
from gengap.studies.sabanayagam2023.maps import (
    ALIGNMENT,
    SETUP_LABELS,
    alignment_bar,
    eigenvalue_label,
)
from gengap.studies.sabanayagam2023.quantities import (
    measured_g_theta,
    random_alignments,
    spectrum_of,
)
from gengap.studies.sabanayagam2023.solutions import matched, memorised, solve

MAPPED = 4
POINT_AREA = 7.0
LARGEST_EMBEDDED = 3000


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    random_training: Mapping[str, Any] | None = None,
    loss: str = "cross_entropy",
    setups: Sequence[str] = ("normal", "adversarial"),
    start: str | None = None,
    matched_loss: float | None = None,
    leading: int = 60,
) -> Outcome:
    """Train from each start; align the training images with the top eigenvectors.

    Args:
        context: seed, data and device.
        dataset: keywords of ``gengap.datasets.load``.
        network: see :func:`~gengap.studies.sabanayagam2023.solutions.network_of`.
        training: keywords of the recipe, augmentation among them.
        random_training: keywords laid over them for the random labels, without augmentation.
        loss: of training, and of the Hessian.
        setups: any of ``normal``, ``adversarial``, ``large_norm``, and ``file``.
        start: a safetensors file for ``file``.
        matched_loss: cross-entropy at which to compare, by scaling the logits; null takes the
            networks as they are.
        leading: eigenpairs, where the Hessian is too large to be formed.

    Returns:
        Values ``<setup>_<quantity>``; ``split`` is the share of the variance of the alignments with
        the first classes - 1 eigenvectors that lies between classes, ``split_random`` that of
        random vectors. Arrays: the embedding and alignments.
    """
    data = load_data(context, dataset)
    if len(data.train.labels) > LARGEST_EMBEDDED:
        raise GengapError(
            f"t-SNE of {len(data.train.labels)} images takes too long: set 'train_size' of the "
            f"dataset to at most {LARGEST_EMBEDDED}."
        )
    spec = {**network, "softmax": True} if loss == "nll" else network
    recipe = {**training, "loss": loss}
    values: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {"labels": data.train.labels}
    first: Any = start
    if set(setups) & {"adversarial", "large_norm"}:
        shuffled = {**recipe, "augmentation": (), **(random_training or {})}
        random = solve(context, data, spec, shuffled, "random_labels")
        values |= memorised(random)
        first = random.result.weights
    compared: dict[str, Network] = {}
    for setup in setups:
        own = {"normal": None, "file": start}.get(setup, first)
        solution = solve(context, data, spec, recipe, setup, first=own)
        compared[setup] = solution.network
        values[f"{setup}_train_accuracy"] = solution.accuracy
        values[f"{setup}_test_accuracy"] = solution.test_accuracy
        values[f"{setup}_train_loss"] = float(solution.result.history[-1]["train_loss"])
    if matched_loss is not None:
        compared, values["matched_loss"] = matched(compared, data.train, matched_loss)
    for setup, final in compared.items():
        spectrum = spectrum_of(context, final, data.train, loss, leading)
        g = measured_g_theta(context, final, data.train, spectrum)
        aligned = alignments(final, data.train.inputs, spectrum.vectors[:, :leading])
        control = random_alignments(context, final, data.train.inputs)
        found = {
            "g_theta_count": float(g.count),
            "g_theta": g.fraction,
            "trace": spectrum.trace,
            "lambda_1": float(spectrum.values[0]),
            "outliers": float(spectrum.outliers),
            "split": _between(aligned[:, : data.classes - 1], data.train.labels),
            "split_random": _between(control, data.train.labels),
        }
        values |= {f"{setup}_{key}": value for key, value in found.items()}
        arrays[f"{setup}_alignments"] = aligned.astype(np.float32)
        arrays[f"{setup}_eigenvalues"] = spectrum.values[:leading]
    arrays["embedding"] = _embedding(context, data.train.inputs)
    return Outcome(values, arrays)


def _between(aligned: np.ndarray, labels: np.ndarray) -> float:
    """Share of the variance between classes, mean over columns of (n, m)."""
    total = aligned.var(axis=0)
    means = np.stack([aligned[labels == label].mean(axis=0) for label in labels])
    return float(np.mean(means.var(axis=0) / np.maximum(total, np.finfo(float).tiny)))


def _embedding(context: Context, images: np.ndarray) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) of the pixels, (n, 2)."""
    flat = images.reshape(len(images), -1)
    model = TSNE(
        perplexity=min(30.0, (len(flat) - 1) / 3),
        init="pca",
        random_state=derive(context.seed, "t-SNE") % 2**32,
    )
    embedded: np.ndarray = model.fit_transform(flat)
    return embedded.astype(np.float32)


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """``tsne``: of the first run."""
    return {"tsne": tsne(runs[0].outcome)}


@styled
def tsne(outcome: Outcome) -> Figure:
    """Inputs by class, then coloured by their alignment with each top eigenvector, by start."""
    arrays = outcome.arrays
    setups = [key[: -len("_alignments")] for key in arrays if key.endswith("_alignments")]
    maps = min(MAPPED, *(arrays[f"{setup}_alignments"].shape[1] for setup in setups))
    figure = new_figure(DOUBLE_COLUMN, 1.55 * len(setups) + 0.35)
    grid = figure.subplots(len(setups), maps + 1, squeeze=False)
    labels, points = arrays["labels"], arrays["embedding"]
    handles: list[Any] = []
    for row, setup in zip(grid, setups, strict=True):
        handles = [
            row[0].scatter(
                *points[labels == label].T,
                s=POINT_AREA,
                marker=MARKERS[label % len(MARKERS)],
                color=PALETTE[label % len(PALETTE)],
                label=f"class {label + 1}",
                linewidths=0,
            )
            for label in np.unique(labels)
        ]
        row[0].set_ylabel(
            f"{SETUP_LABELS[setup]}\n"
            + rf"$G_\theta$: {outcome.values[f'{setup}_g_theta_count']:.0f}"
        )
        for index, axes in enumerate(row[1:]):
            axes.scatter(
                *points.T,
                c=arrays[f"{setup}_alignments"][:, index],
                cmap=DIVERGING,
                norm=ALIGNMENT,
                s=POINT_AREA,
                linewidths=0.15,
                edgecolors="grey",
            )
            value = arrays[f"{setup}_eigenvalues"][index]
            axes.set_xlabel(eigenvalue_label(index, value))
    for axes in np.ravel(grid):
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(True)
    grid[0, 0].set_title("classes")
    for index, axes in enumerate(grid[0, 1:]):
        axes.set_title(f"$v_{index + 1}$")
    alignment_bar(figure, list(np.ravel(grid)))
    legend_below(figure, handles)
    return figure
