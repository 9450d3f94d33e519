"""Networks of several architectures on one dataset: life, midlife, baselines and the gap."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, baseline
from gengap.studies.context import Context, load_dataset
from gengap.studies.corneanu2020.functional_graphs import functional_graph, graph_inputs
from gengap.studies.outcomes import ExperimentResult, Floats, Integers, Run
from gengap.studies.solving import Solution, solve
from gengap.topology.dipha import EPS_MAX, SHORTEST
from gengap.topology.functional_graph import summarise_graph

MAX_DIM = 1


@dataclass(frozen=True)
class Settings:
    """Every architecture with every training-set size and label corruption.

    Attributes:
        dataset: without ``train_size``.
        networks: keywords of each.
        train_sizes: numbers of training samples.
        label_corruptions: fractions of the training labels that are replaced.
        inputs: number of training inputs over which correlations are computed; equal for all
            networks, since the noise of a correlation depends on it.
        nodes_at_most: where a network has more channels, so many are drawn uniformly.
        largest_epsilon, shortest_bar: end of the filtration, and the length below which a bar
            counts as noise.
    """

    dataset: Mapping[str, Any]
    networks: Sequence[Mapping[str, Any]]
    training: Mapping[str, Any]
    train_sizes: Sequence[int]
    label_corruptions: Sequence[float]
    inputs: int = 400
    nodes_at_most: int | None = None
    largest_epsilon: float = EPS_MAX
    shortest_bar: float = SHORTEST


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The trained networks, one entry of each array per network.

    Attributes:
        gap: training accuracy, on the labels trained on, less test accuracy.
        log_parameters: natural logarithm of the number of parameters.
        margin: minus the normalised margin, see :mod:`gengap.measures.baseline`.
        summaries: of the functional graph, by name and dimension, such as ``life.H1``.
        size, corruption: of the training set, and the fraction of its labels that were replaced.
        architecture: see :func:`name_of`.
        inputs, nodes_at_most, largest_epsilon, shortest_bar: of the settings, so that further
            networks have graphs of the same kind.
    """

    gap: Floats
    train_accuracy: Floats
    test_accuracy: Floats
    log_parameters: Floats
    margin: Floats
    summaries: Mapping[str, Floats]
    size: Integers
    corruption: Floats
    architecture: NDArray[np.str_]
    inputs: int
    nodes_at_most: int | None
    largest_epsilon: float
    shortest_bar: float


LawRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train every architecture with every training-set size and label corruption.

    Returns:
        The networks' gaps, baselines and summaries.

    Raises:
        GengapError: more inputs than the smallest training set has.
    """
    if settings.inputs > min(settings.train_sizes):
        raise GengapError(
            f"The setting 'inputs' is {settings.inputs}, but the smallest of 'train_sizes' is "
            f"{min(settings.train_sizes)}: give at most that, so that all networks have equally "
            "many."
        )
    rows, summaries, architectures = [], [], []
    for network, size, corruption in itertools.product(
        settings.networks, settings.train_sizes, settings.label_corruptions
    ):
        architectures.append(name_of(network))
        own = context.derived("law", architectures[-1], size, str(corruption))
        # The data are drawn with the run's seed: all its networks see the same.
        data = load_dataset(context, {**settings.dataset, "train_size": size}, seed=context.seed)
        recipe = {**settings.training, "label_corruption": corruption}
        solution = solve(own, data, network, recipe)
        summaries.append(summaries_of(own, solution.network, data.train, settings))
        rows.append({"size": size, "corruption": corruption, **_baselines(own, solution)})
    return Result(
        architecture=np.array(architectures),
        summaries=_columns(summaries),
        inputs=settings.inputs,
        nodes_at_most=settings.nodes_at_most,
        largest_epsilon=settings.largest_epsilon,
        shortest_bar=settings.shortest_bar,
        **_columns(rows),
    )


def summaries_of(
    context: Context, network: nn.Module, train: Split, graphs: Settings | Result
) -> dict[str, float]:
    """Summarise the functional graph of a network's channels.

    Args:
        context: of the network, which draws inputs and nodes.
        network: a trained network.
        train: its training inputs.
        graphs: number of inputs and nodes, and the scale of the graphs.

    Returns:
        Summaries by name and dimension, such as ``life.H1``.
    """
    inputs = graph_inputs(context, train, graphs.inputs)
    graph = functional_graph(context, network, inputs, most=graphs.nodes_at_most)
    return summarise_graph(graph, MAX_DIM, graphs.largest_epsilon, graphs.shortest_bar)


def _baselines(context: Context, solution: Solution) -> dict[str, float]:
    train_accuracy, test_accuracy = solution.on_train()[1], solution.on_test()[1]
    subject = Subject(solution.network, None, solution.train, context.generator("baselines"))
    return {
        "gap": train_accuracy - test_accuracy,
        "train_accuracy": train_accuracy,
        "test_accuracy": test_accuracy,
        "log_parameters": float(np.log(baseline.parameter_count(subject))),
        "margin": baseline.negative_normalised_margin(subject),
    }


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, NDArray[Any]]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def name_of(network: Mapping[str, Any]) -> str:
    """Return an architecture's name with its keywords, such as ``conv_2 (width 8)``."""
    keywords = dict(network)
    name = keywords.pop("architecture", None) or keywords.pop("template", "layers")
    variations = ", ".join(f"{key} {value}" for key, value in sorted(keywords.items()))
    return f"{name} ({variations})" if variations else str(name)
