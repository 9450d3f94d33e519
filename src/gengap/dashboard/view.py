"""A finished task as plain tables: its networks, their measures and their diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from scipy.stats import kendalltau

from gengap import tasks
from gengap.errors import GengapError
from gengap.evaluation import SUMMARIES, Component, Evaluation
from gengap.evaluation.designs import (
    MEASURE,
    Design,
    measure_designs,
    natural_key,
    over_networks,
)
from gengap.failures import Failure, read_failures
from gengap.figures.colouring import drawn_networks
from gengap.files import mapped_arrays
from gengap.measures.gathering import ALL_NETWORKS
from gengap.names import STAGED_FAMILY
from gengap.topology import find_diagrams, read_shard_of_diagrams
from gengap.topology.diagrams import Bars

GAP = "gap"
CLUSTER = "cluster"
TOPOLOGY_STAGES = ("activations", "diagrams", "summaries")
MEASURES = ("scalar", "vector")
"""The kinds of rows of a leaderboard that are measures."""
IDENTIFIERS = {"network": "str", "component": "str"}
"""Types of columns whose texts may look like numbers."""
MANY_ROWS = dict.fromkeys(("task", "network", "family", "measure"), "category")
MANY_ROWS["component"] = "str"
"""Types of the columns of a table with few texts in many rows, which take a byte or two each. The
ids of networks are whole numbers in it, while components may be any text."""
BAR_COLUMNS = ("dimension", "draw", "birth", "death")
LARGEST_KERNEL = 2**20
"""A kernel with more entries than this has no spectrum, since its singular values take long."""
MARGINS = "negative_log_margins"
"""The measure whose components are five numbers of the margins at each of some layers."""
# As gengap.measures.margins names them, which loads PyTorch.
MARGIN_LAYERS = ("input", "first_hidden", "middle_hidden", "last_hidden")
FIVE_NUMBERS = ("lower_fence", "lower_quartile", "median", "upper_quartile", "upper_fence")
_SUMMARY_NAMES = {component: name for name, component in SUMMARIES.items()}


@dataclass(frozen=True)
class View:
    """The tables of one task that the pages show.

    Attributes:
        name: the task's name.
        networks: index network; the hyper-parameters, then ``outcomes``.
        hyper_parameters: names of the first columns of ``networks``.
        outcomes: names of the others: training and test accuracy (or loss, or error), then the gap.
        sources: what networks are called where they come from, if that is not their id.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.
        verdict: what the evaluation says, in paragraphs.
        measures: by name, best first, each followed by its duplicates; their rows are those of
            ``networks``, NaN where one is missing.
        leaderboard: as the evaluation wrote it, references and combinations too, index measure.
        held_out: name, network, gap, prediction: of the networks while they were held out.
        failed: network, stage, reason.
        left_out: what the leaderboard leaves out: kind (network, measure or model), name, reason.
        not_computed: measures that are left out for all networks.
        clusters: measure, network, cluster: those of the scalar measures and of the summaries of
            diagrams, as the evaluation wrote them.
        diagrams: folder of the files of persistence diagrams, None where the task has none.
        weights: folder that has a folder with the weights of each network.
        combination: name, r2_mean, r2_std: what all measures, and those of one family, reach.
        importance: family, importance, low, high: the R2 that is lost without a family.
        learning_curve: name, networks, r2_mean, low, high, width_90: how R2 and the interval of a
            network depend on the number of networks to learn from.
        predictions: columns :data:`gengap.names.PREDICTION_COLUMNS`, from a reference; None where
            the task is not predicted.
    """

    name: str
    networks: pd.DataFrame
    hyper_parameters: tuple[str, ...]
    outcomes: tuple[str, ...]
    sources: dict[str, str]
    gap_of: str
    verdict: str
    measures: dict[str, Design]
    leaderboard: pd.DataFrame
    held_out: pd.DataFrame
    failed: pd.DataFrame
    left_out: pd.DataFrame
    not_computed: tuple[str, ...]
    clusters: pd.DataFrame
    diagrams: Path | None
    weights: Path
    combination: pd.DataFrame
    importance: pd.DataFrame
    learning_curve: pd.DataFrame
    predictions: pd.DataFrame | None

    @property
    def is_evaluated(self) -> bool:
        """Whether measures were held against gaps; a task that is only predicted may have none."""
        return len(self.leaderboard) > 0

    @cached_property
    def drawn(self) -> tuple[str, ...]:
        """The networks that the pages draw and list, in their order: those of the figures.

        A page that lists more is slow to scroll, and a figure with more points slow to draw.
        """
        drawn = drawn_networks(self.networks.index)
        return tuple(network for network in self.networks.index if network in drawn)

    @cached_property
    def drawn_rows(self) -> np.ndarray:
        """(drawn networks,) int64: where they are among all networks."""
        return np.asarray(self.networks.index.get_indexer(pd.Index(self.drawn)))

    @cached_property
    def _rows_of_duplicates(self) -> dict[str, str]:
        return {
            measure: str(row)
            for row, duplicates in self.leaderboard["duplicates"].items()
            for measure in duplicates.split()
        }

    def row_name(self, measure: str) -> str:
        """Return the measure under whose name the leaderboard has this one and its duplicates."""
        return self._rows_of_duplicates.get(measure, measure)

    def row(self, measure: str) -> dict[Any, Any]:
        """Return the row of the leaderboard that stands for a measure."""
        return self.leaderboard.loc[self.row_name(measure)].to_dict()

    def column_name(self, measure: str, component: str) -> str:
        """Return ``measure``, or ``measure[component]`` where it has several components."""
        return measure if len(self.measures[measure].components) == 1 else f"{measure}[{component}]"

    def values(self, measure: str, component: str) -> pd.Series:
        """Return one component of a measure by network.

        Returns:
            Index network; NaN where a network lacks the measure.

        Raises:
            GengapError: an unknown measure or component.
        """
        if measure not in self.measures:
            raise GengapError(
                f"Task '{self.name}' has no measure {measure!r}: choose one of its measures.csv."
            )
        design = self.measures[measure]
        if component not in design.components:
            raise GengapError(
                f"Measure {measure!r} has no component {component!r}: "
                f"choose among {', '.join(design.components[:8])}."
            )
        values = design.values[:, design.components.index(component)]
        name = self.column_name(measure, component)
        return pd.Series(values, index=self.networks.index, name=name)

    @cached_property
    def _clusters(self) -> dict[str, np.ndarray]:
        codes, networks = pd.factorize(self.clusters["network"])
        positions = self.networks.index.get_indexer(pd.Index([str(name) for name in networks]))
        positions = positions[codes]
        values = self.clusters[CLUSTER].to_numpy(dtype=float)
        clusters: dict[str, np.ndarray] = {}
        for measure, rows in self.clusters.groupby("measure", observed=True).indices.items():
            known = rows[positions[rows] >= 0]
            clusters[str(measure)] = np.full(len(self.networks), np.nan)
            clusters[str(measure)][positions[known]] = values[known]
        return clusters

    def cluster(self, measure: str, component: str) -> np.ndarray:
        """Return the clusters of one component that the evaluation wrote.

        They are K-means of a scalar measure and the gap, 0 for the smaller mean gap. A component
        that is one of ``SUMMARIES`` has the clusters of that summary; another component of a vector
        has none.

        Args:
            measure: name of a measure.
            component: name of one of its components.

        Returns:
            (networks,) float64, NaN where the measure or the gap is missing.
        """
        name = _SUMMARY_NAMES.get(Component(measure, component))
        name = name or self.column_name(measure, component)
        missing = np.full(len(self.networks), np.nan)
        return self._clusters.get(name, missing) if len(self.clusters) else missing

    @cached_property
    def _taus(self) -> dict[tuple[str, str], float]:
        return {}

    def kendall(self, measure: str, component: str) -> float:
        """Return Kendall's tau-b of one component and the gap; NaN where it is not defined."""
        if (measure, component) not in self._taus:
            values = self.values(measure, component).to_numpy()
            gaps = self.networks[GAP].to_numpy(dtype=float)
            both = np.isfinite(values) & np.isfinite(gaps)
            self._taus[measure, component] = _kendall(values[both], gaps[both])
        return self._taus[measure, component]

    def strongest_component(self, measure: str) -> str:
        """Return the component with the largest absolute tau; the first one that varies, if any."""
        design = self.measures[measure]
        taus = [abs(self.kendall(measure, component)) for component in design.components]
        return design.components[int(np.nanargmax(taus)) if np.isfinite(taus).any() else 0]

    def default_measure(self) -> str:
        """Return the best eligible scalar measure, or else the first measure."""
        scalars = self.leaderboard[
            (self.leaderboard["kind"] == "scalar") & self.leaderboard["eligible"]
        ]
        return str(scalars.index[0]) if len(scalars) else next(iter(self.measures))

    @cached_property
    def _files_of_diagrams(self) -> dict[str, Path]:
        return find_diagrams(sorted(self.diagrams.glob("*.npz"))) if self.diagrams else {}

    @cached_property
    def _recent_shard(self) -> dict[Path, dict[str, list[list[Bars]]]]:
        """The diagrams of the file that was read last, which often has the next network, too."""
        return {}

    def _draws(self, path: Path, network: str) -> list[list[Bars]]:
        shard = self._recent_shard.get(path)
        if shard is None:
            shard = read_shard_of_diagrams(path)
            self._recent_shard.clear()
            self._recent_shard[path] = shard
        return shard[network]

    @cached_property
    def _failures_of_diagrams(self) -> dict[str, Failure]:
        files = sorted(self.diagrams.glob("*.failed.json")) if self.diagrams else []
        return {entry.network: entry for path in files for entry in read_failures(path)}

    def bars(self, network: str) -> pd.DataFrame:
        """Return all bars of a network's diagrams.

        Returns:
            ``BAR_COLUMNS``; the death may be infinite.

        Raises:
            GengapError: the task or this network has no diagrams; the sentence says why.
        """
        if self.diagrams is None:
            raise GengapError(
                f"Task '{self.name}' has no persistence diagrams: add the family 'topology' to "
                "its config and run the workflow."
            )
        path = self._files_of_diagrams.get(network)
        if path is None:
            failure = self._failures_of_diagrams.get(network)
            raise GengapError(
                f"Network {network} has no persistence diagrams"
                + (
                    f" because its stage '{failure.stage}' failed: {failure.reason}"
                    if failure
                    else f" in {self.diagrams}: run the workflow."
                )
            )
        parts = [
            (dimension, draw, bars)
            for draw, diagrams in enumerate(self._draws(path, network))
            for dimension, bars in enumerate(diagrams)
        ]
        if not parts:
            raise GengapError(f"{path} holds no diagram: delete it and run the workflow.")
        counts = [len(bars) for _, _, bars in parts]
        births_and_deaths = np.concatenate([bars for _, _, bars in parts])
        columns = (
            np.repeat([dimension for dimension, _, _ in parts], counts),
            np.repeat([draw for _, draw, _ in parts], counts),
            births_and_deaths[:, 0],
            births_and_deaths[:, 1],
        )
        return pd.DataFrame(dict(zip(BAR_COLUMNS, columns, strict=True)))

    def spectra(self, network: str) -> dict[str, np.ndarray]:
        """Return the singular values of a network's kernels, largest first.

        A kernel of shape (outputs, inputs, ...) is the matrix (outputs, inputs * ...). Kernels with
        more than ``LARGEST_KERNEL`` entries are left out.

        Returns:
            By name of the kernel, in natural order; empty where the weights are not at hand.
        """
        try:
            arrays, _ = mapped_arrays(self.weights / network / "weights.safetensors")
        except (OSError, ValueError, SafetensorError):
            return {}
        return {
            name: _singular_values(array.reshape(len(array), -1).astype(np.float64))
            for name, array in sorted(arrays.items(), key=lambda item: natural_key(item[0]))
            if array.ndim > 1 and 0 < array.size <= LARGEST_KERNEL and np.isfinite(array).all()
        }

    def margins(self, network: str) -> dict[str, list[float]]:
        """Return five numbers of the negative log margins of a network, by layer.

        Returns:
            The numbers in the order of ``FIVE_NUMBERS``; empty where they were not computed.
        """
        design = self.measures.get(MARGINS)
        if design is None:
            return {}
        row = design.values[self.networks.index.get_loc(network)]
        values = dict(zip(design.components, row, strict=True))
        five = {
            layer: [float(values[f"{layer}_{part}"]) for part in FIVE_NUMBERS]
            for layer in MARGIN_LAYERS
            if f"{layer}_{FIVE_NUMBERS[0]}" in values
        }
        return {layer: numbers for layer, numbers in five.items() if np.isfinite(numbers).all()}


def _kendall(values: np.ndarray, gaps: np.ndarray) -> float:
    if not len(values) or np.ptp(values) == 0 or np.ptp(gaps) == 0:
        return float("nan")
    return float(kendalltau(values, gaps, method="asymptotic").statistic)


def _singular_values(matrix: np.ndarray) -> np.ndarray:
    """Return the singular values, largest first; those below 1e-8 of the largest are inexact."""
    # Eigenvalues of the smaller product take a tenth of the time of a decomposition.
    product = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return np.sqrt(np.maximum(np.linalg.eigvalsh(product)[::-1], 0.0))


def read_view(folder: str | Path) -> View:
    """Read a finished task.

    Args:
        folder: ``results/<task>``, with ``task.json``, ``measures.csv`` and ``evaluation``.

    Returns:
        The tables that the pages show.

    Raises:
        GengapError: the folder is missing, not finished, or contradicts itself.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise GengapError(
            f"There is no folder {folder}: give the results/<task> of a finished run."
        )
    task = tasks.load(folder)
    measures = _read_table(folder / "measures.csv", MANY_ROWS)
    predictions = folder / "predictions.csv"
    evaluated = (folder / "evaluation").is_dir() or not predictions.is_file()
    evaluation = Evaluation.read(folder / "evaluation") if evaluated else None
    outcomes = pd.concat([task.outcomes(), task.gaps()], axis=1)
    networks = pd.concat([task.hyper_parameters(), outcomes], axis=1).rename_axis("network")
    failed = _read_table(folder / "failed.csv")
    missing = _read_table(folder / "left_out_measures.csv")
    # Files that an earlier run left are of a task as it was then.
    topology_failed = any(stage.endswith(TOPOLOGY_STAGES) for stage in failed["stage"])
    with_topology = topology_failed or STAGED_FAMILY in measures["family"].unique()
    diagrams = folder / "topology" / "diagrams"
    return View(
        name=task.name,
        networks=networks,
        hyper_parameters=tuple(task.grid),
        outcomes=tuple(outcomes.columns),
        sources={
            name: network.metrics.source_id
            for name, network in task.networks.items()
            if network.metrics.source_id is not None
        },
        gap_of=task.gap_of,
        failed=failed,
        not_computed=tuple(missing.loc[missing["network"] == ALL_NETWORKS, "measure"]),
        diagrams=diagrams if with_topology and diagrams.is_dir() else None,
        weights=folder / "networks",
        predictions=_read_table(predictions) if predictions.is_file() else None,
        **_evaluated(folder, _designs(measures, networks.index), evaluation),
    )


def _designs(measures: pd.DataFrame, networks: pd.Index) -> dict[str, Design]:
    """Return the measures by name, over exactly these networks."""
    known, designs = measure_designs(measures, reduce=())
    return {design.name: design for design in over_networks(designs, known, list(networks))}


def _evaluated(
    folder: Path, designs: dict[str, Design], evaluation: Evaluation | None
) -> dict[str, Any]:
    """Return what an evaluation says, by the attributes of a view; empty where there is none."""
    if evaluation is None:
        empty = pd.DataFrame()
        return {
            "verdict": "",
            "measures": designs,
            **dict.fromkeys(
                (
                    "leaderboard",
                    "held_out",
                    "left_out",
                    "clusters",
                    "combination",
                    "importance",
                    "learning_curve",
                ),
                empty,
            ),
        }
    return {
        "verdict": evaluation.summary,
        "measures": _ranked(designs, evaluation, folder),
        "leaderboard": evaluation.leaderboard.set_index("measure"),
        "held_out": evaluation.held_out,
        "left_out": evaluation.left_out,
        "clusters": _read_table(folder / "evaluation" / "clusters.csv", MANY_ROWS),
        "combination": evaluation.combination,
        "importance": evaluation.importance,
        "learning_curve": evaluation.learning_curve,
    }


def _read_table(path: Path, types: Mapping[str, str] = IDENTIFIERS) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=dict(types))
    except FileNotFoundError:
        raise GengapError(
            f"{path} is missing, so the task is not finished: run the workflow."
        ) from None
    except (ValueError, OSError) as error:
        raise GengapError(f"{path} is not a readable table: remove it and run again.") from error


def _ranked(designs: dict[str, Design], evaluation: Evaluation, folder: Path) -> dict[str, Design]:
    """Return the designs of the leaderboard's measures, best first."""
    leaderboard, left_out = evaluation.leaderboard, evaluation.left_out
    rows = leaderboard[leaderboard["kind"].isin(MEASURES)]
    ranked = [
        name
        for first, duplicates in zip(rows["measure"], rows["duplicates"], strict=True)
        for name in (first, *duplicates.split())
    ]
    unranked = left_out.loc[left_out["kind"] == MEASURE, "name"]
    if set(designs) != {*ranked, *unranked}:
        name = min(set(designs) ^ {*ranked, *unranked})
        raise GengapError(
            f"Measure {name!r} is in only one of {folder / 'measures.csv'} and the leaderboard: "
            "run the evaluation of this task again."
        )
    return {name: designs[name] for name in ranked}
