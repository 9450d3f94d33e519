"""A detector of adversarial images from the topology of the graph of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.activations import node_activations
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import device_of, logits, tensor_of
from gengap.seeding import torch_generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.corneanu2020 import attacks, figures
from gengap.studies.corneanu2020.functional_graphs import (
    Trained,
    accuracies,
    load_data,
    train_network,
    untrained_network,
)
from gengap.topology import (
    Budget,
    betti_curve,
    discriminative_nodes,
    per_sample_graph,
    persistence_diagrams,
    summarise_bars,
)
from gengap.topology.budget import check_diagrams, check_matrix
from gengap.topology.functional_graph import DISCRIMINATIVE_SHARE, kept_nodes

ATTACKS = ("fgsm", "pgd")
HARMLESS = ("clean", "noisy")
PGD_STEPS = 10
MAX_DIMENSION = 1
GRID = np.linspace(0, 1, 101)
# A detector that has seen fewer successful attacks than this says nothing.
LEAST_ATTACKS = 5


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    epsilon: float = 0.1,
    images: int = 150,
    nodes: str = "neurons",
    share: float = DISCRIMINATIVE_SHARE,
    seconds: float = 300.0,
    memory_gib: float = 4.0,
) -> Outcome:
    """Train a network, attack it, and tell attacked images from clean and from noisy ones.

    The detector is a logistic regression on the summaries of H0 and H1 of each image's graph. It is
    fitted on training images and judged on test images. Clean images are those that the network
    classifies rightly; noisy ones are made from them, and how it classifies those is not looked at;
    an attack counts where it succeeds. The network's own doubt (one minus its largest
    probability) is the baseline.

    Args:
        context: seed, data and device.
        dataset: ``name`` and keywords of ``gengap.datasets.load``.
        network: a template or an architecture.
        training: entries of the recipe.
        epsilon: the largest change of a pixel, in the units of the inputs.
        images: of each split that are attacked.
        nodes: ``neurons`` or ``channels``.
        share: of the nodes that are kept, those that tell clean training images from successful
            FGSM ones best, by their linear discriminant coefficients.
        seconds: of CPU that the discriminant's matrix, or one image's graph, may take.
        memory_gib: that it may take.

    Raises:
        OverBudgetError: it costs more; checked before training.
        GengapError: hardly any attack succeeds.
    """
    data = load_data(context, dataset)
    some = node_activations(
        untrained_network(context, data, network, training), data.train.inputs[:1], nodes
    )
    _check_cost(len(some.activations), images, share, Budget(seconds, memory_gib))
    trained = train_network(context, data, network, training)
    limits = (float(data.train.inputs.min()), float(data.train.inputs.max()))
    # Clean training labels: what an attack leads away from is the truth.
    versions = {
        name: _versions(context, trained, split, name, images, epsilon, limits)
        for name, split in (("train", data.train), ("test", data.test))
    }
    chosen = _nodes(trained, versions["train"], nodes, share)
    features = {
        name: {kind: _features(trained, inputs, nodes, chosen) for kind, inputs in some.items()}
        for name, some in versions.items()
    }
    train_accuracy, test_accuracy = accuracies(trained)
    values = {"train_accuracy": train_accuracy, "test_accuracy": test_accuracy}
    arrays: dict[str, NDArray[Any]] = {"grid": GRID, "nodes": chosen}
    for attack in ATTACKS:
        values[f"success.{attack}"] = len(versions["test"][attack]) / len(versions["test"]["clean"])
        scores = _detect(features, attack)
        doubts = {kind: _doubt(trained, versions["test"][kind]) for kind in (attack, *HARMLESS)}
        for detector, found in (("topology", scores), ("doubt", doubts)):
            for kind in HARMLESS:
                key = f"{detector}.{attack}.{kind}"
                values[f"auc.{key}"] = auc(found[attack], found[kind])
                arrays[f"roc.{key}"] = roc(found[attack], found[kind])
    for kind in (*HARMLESS, *ATTACKS):
        arrays[f"curves.{kind}"] = features["test"][kind]["curves"].mean(axis=0)
    return Outcome(values, arrays)


def auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Area under the ROC curve: P(positive score > negative score) + P(equal) / 2.

    By ranks, as in Mann and Whitney (1947).
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))


def roc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> NDArray[np.float64]:
    """(101,) share of positives found at each share 0, 0.01, ..., 1 of false alarms."""
    thresholds = np.quantile(negative, 1 - GRID)
    found: NDArray[np.float64] = (positive[None] >= thresholds[:, None]).mean(axis=1)
    return found


def _versions(
    context: Context,
    trained: Trained,
    split: Split,
    name: str,
    images: int,
    epsilon: float,
    limits: tuple[float, float],
) -> dict[str, NDArray[np.float32]]:
    """Rightly classified images of a split: clean, noisy, and attacked where that succeeded."""
    device = device_of(trained.network)
    inputs, labels = tensor_of(split.inputs, device), tensor_of(split.labels, device)
    right = torch.nonzero(_predicted(trained, inputs) == labels)[:, 0][:images]
    inputs, labels = inputs[right], labels[right]
    made = {
        "clean": inputs,
        "noisy": attacks.noise(
            inputs, epsilon, limits, torch_generator(context.seed, "noise", name)
        ),
        "fgsm": attacks.fgsm(trained.network, inputs, labels, epsilon, limits),
        "pgd": attacks.pgd(
            trained.network,
            inputs,
            labels,
            epsilon,
            limits,
            PGD_STEPS,
            torch_generator(context.seed, "pgd", name),
        ),
    }
    for attack in ATTACKS:
        made[attack] = made[attack][_predicted(trained, made[attack]) != labels]
        if len(made[attack]) < LEAST_ATTACKS:
            raise GengapError(
                f"Only {len(made[attack])} of {len(inputs)} attacks by {attack} on {name} images "
                f"succeed at epsilon {epsilon}: raise epsilon, or train the network longer."
            )
    return {kind: values.numpy(force=True) for kind, values in made.items()}


def _check_cost(nodes: int, images: int, share: float, budget: Budget) -> None:
    """Refuse the discriminant of all nodes, or graphs of those kept, as complete as they can be."""
    check_matrix(nodes, 2 * images, budget)
    kept = kept_nodes(nodes, share)
    check_matrix(kept, 1, budget)
    check_diagrams(1 - np.eye(kept, dtype=np.float32), MAX_DIMENSION, budget=budget)


def _predicted(trained: Trained, inputs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return logits(trained.network, inputs).argmax(1)


def _nodes(
    trained: Trained, versions: Mapping[str, NDArray[np.float32]], nodes: str, share: float
) -> NDArray[np.int64]:
    """Nodes that tell rightly classified images from successfully attacked ones."""
    both = np.concatenate([versions["clean"], versions["fgsm"]])
    right = np.arange(len(both)) < len(versions["clean"])
    values = node_activations(trained.network, both, nodes).activations
    return discriminative_nodes(values, right, share)


def _features(
    trained: Trained, inputs: NDArray[np.float32], nodes: str, chosen: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Of each image's graph: ``summaries`` (n, 16) and ``curves`` (n, 2, 101) of H0 and H1."""
    values = node_activations(trained.network, inputs, nodes).activations[chosen]
    diagrams = [persistence_diagrams(per_sample_graph(one), MAX_DIMENSION) for one in values.T]
    summaries = [
        [value for bars in some for value in summarise_bars(bars, len(chosen)).values()]
        for some in diagrams
    ]
    curves = [[betti_curve(bars, GRID, len(chosen)) for bars in some] for some in diagrams]
    return {"summaries": np.array(summaries), "curves": np.array(curves)}


def _detect(
    features: Mapping[str, Mapping[str, Mapping[str, NDArray[np.float64]]]], attack: str
) -> dict[str, NDArray[np.float64]]:
    """Scores of test images by a detector fitted on training images; larger for attacked ones."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds = (*HARMLESS, attack)
    parts = [features["train"][kind]["summaries"] for kind in kinds]
    attacked = np.repeat([False, False, True], [len(part) for part in parts])
    detector = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000)
    )
    detector.fit(np.concatenate(parts), attacked)
    return {kind: detector.decision_function(features["test"][kind]["summaries"]) for kind in kinds}


def _doubt(trained: Trained, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """One minus the network's largest probability of each image."""
    with torch.inference_mode():
        outputs = logits(trained.network, tensor_of(inputs, device_of(trained.network)))
        doubt: NDArray[np.float64] = 1 - outputs.double().softmax(1).max(1).values.numpy(force=True)
    return doubt


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """The mean curves of each kind of image, and the detectors' ROC curves."""
    return {
        "adversarial_curves": figures.adversarial_curves(runs, (*HARMLESS, *ATTACKS)),
        "adversarial_roc": figures.adversarial_roc(runs, ATTACKS, HARMLESS),
    }
