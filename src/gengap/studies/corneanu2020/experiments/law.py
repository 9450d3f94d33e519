"""Networks of several architectures on one dataset: life, midlife, baselines and the gap."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.activations import node_activations
from gengap.errors import GengapError
from gengap.measures import baseline
from gengap.seeding import derive, generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.corneanu2020 import figures, gap_law
from gengap.studies.corneanu2020.functional_graphs import (
    Trained,
    accuracies,
    graph_inputs,
    load_data,
    sampled_nodes,
    train_network,
)
from gengap.topology import graph_summaries

MAX_DIMENSION = 1


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    networks: Sequence[Mapping[str, Any]],
    training: Mapping[str, Any],
    train_sizes: Sequence[int],
    label_corruptions: Sequence[float],
    inputs: int = 400,
    nodes_at_most: int | None = None,
) -> Outcome:
    """Train every architecture with every training-set size and label corruption.

    Args:
        context: seed, data and device.
        dataset: ``name`` and keywords of ``gengap.datasets.load`` but ``train_size``.
        networks: templates or architectures.
        training: entries of the recipe.
        train_sizes: numbers of training samples.
        label_corruptions: parts of the training labels that are replaced.
        inputs: training inputs on which correlations are computed, as many for every network,
            since the noise of a correlation depends on their number.
        nodes_at_most: where a network has more channels, so many are drawn uniformly.

    Raises:
        GengapError: more inputs than the smallest training set has.
    """
    if inputs > min(train_sizes):
        raise GengapError(
            f"The setting 'inputs' is {inputs}, but the smallest of 'train_sizes' is "
            f"{min(train_sizes)}: give at most that, so that all networks have equally many."
        )
    rows = []
    for network, size, corruption in itertools.product(networks, train_sizes, label_corruptions):
        words = (name_of(network), size, str(corruption))
        own = Context(derive(context.seed, "law", *words), context.data_dir, context.device)
        # The data are drawn with the run's seed: all its networks see the same.
        data = load_data(context, {**dataset, "train_size": size})
        recipe = {**training, "label_corruption": corruption}
        trained = train_network(own, data, network, recipe)
        points = graph_inputs(own, data, "train", inputs)
        row = _row(own, trained, points, nodes_at_most)
        rows.append({**row, "size": size, "corruption": corruption})
    table = pd.DataFrame(rows)
    arrays = {str(name): table[name].to_numpy() for name in table}
    arrays["architecture"] = np.array(
        [name_of(network) for network in networks for _ in train_sizes for _ in label_corruptions]
    )
    return Outcome({}, arrays)


def _row(
    context: Context,
    trained: Trained,
    points: NDArray[np.float32],
    nodes_at_most: int | None,
) -> dict[str, float]:
    train_accuracy, test_accuracy = accuracies(trained)
    activations = node_activations(trained.network, points).activations
    found = graph_summaries(sampled_nodes(context, activations, nodes_at_most), MAX_DIMENSION)
    rng = generator(context.seed, "baselines")
    parameters = float(
        np.asarray(baseline.parameter_count(trained.network, None, trained.train, rng))
    )
    margin = baseline.negative_normalised_margin(trained.network, None, trained.train, rng)
    return {
        "gap": train_accuracy - test_accuracy,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "log_parameters": float(np.log(parameters)),
        "margin": float(np.asarray(margin)),
        **found,
    }


def name_of(network: Mapping[str, Any]) -> str:
    """An architecture by its name and keywords, e.g. ``conv_2 (width 8)``."""
    keywords = dict(network)
    name = keywords.pop("architecture", None) or keywords.pop("template", "layers")
    variations = ", ".join(f"{key} {value}" for key, value in sorted(keywords.items()))
    return f"{name} ({variations})" if variations else str(name)


def task_of(dataset: Mapping[str, Any]) -> str:
    """A dataset by its name, and the number of groups that its labels are joined to."""
    groups = dataset.get("groups")
    return f"{dataset['name']} in {len(groups)} groups" if groups else str(dataset["name"])


def networks_table(runs: Sequence[Run]) -> pd.DataFrame:
    """All networks of some runs, a row each, with where they come from.

    Columns besides those of the outcome: ``dataset``, whose images or points a left-out dataset
    shares with no other; ``task``, the dataset with its grouping of labels; the run's ``seed``.
    """
    return pd.concat(
        [
            pd.DataFrame(dict(run_.outcome.arrays)).assign(
                dataset=str(run_.settings["dataset"]["name"]),
                task=task_of(run_.settings["dataset"]),
                seed=run_.seed,
            )
            for run_ in runs
        ],
        ignore_index=True,
    )


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """The gap against life and midlife, test accuracy as predicted, and the models' errors."""
    table = networks_table(runs)
    return {
        "gap_law": figures.gap_law(table),
        "predicted_accuracy": figures.predicted_accuracy(table),
        "law_errors": figures.law_errors(
            [gap_law.errors(rows) for _, rows in table.groupby("seed")]
        ),
    }
