"""A finished task as plain tables: its networks, their measures and their diagrams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from gengap import tasks
from gengap.errors import GengapError
from gengap.evaluation import SUMMARIES, Component, Evaluation
from gengap.evaluation.designs import (
    MEASURE,
    Design,
    measure_designs,
    over_networks,
)
from gengap.failures import Failure, read_failures
from gengap.measures.gathering import ALL_NETWORKS
from gengap.names import STAGED_FAMILY
from gengap.topology import find_diagrams, read_diagrams

GAP = "gap"
CLUSTER = "cluster"
TOPOLOGY_STAGES = ("activations", "diagrams", "summaries")
MEASURES = ("scalar", "vector")
"""The kinds of rows of a leaderboard that are measures."""
BAR_COLUMNS = ("dimension", "draw", "birth", "death")
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
        left_out: what the leaderboard leaves out: kind (network or measure), name, reason.
        not_computed: measures that are left out for all networks.
        clusters: measure, network, cluster: those of the scalar measures and of the summaries of
            diagrams, as the evaluation wrote them.
        diagrams: folder of the files of persistence diagrams, None where the task has none.
        learning_curve: name, networks, width_90: how the interval of a network depends on the
            number of networks to learn from.
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
    learning_curve: pd.DataFrame
    predictions: pd.DataFrame | None

    @property
    def is_evaluated(self) -> bool:
        """Whether measures were held against gaps; a task that is only predicted may have none."""
        return len(self.leaderboard) > 0

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

    def table(self, measure: str, component: str) -> pd.DataFrame:
        """Return ``networks``, one component of a measure, and its clusters.

        Clusters are those that the evaluation wrote: K-means of a scalar measure and the gap, 0 for
        the smaller mean gap. A component that is one of ``SUMMARIES`` has the clusters of that
        summary; another component of a vector has none. Clusters are missing where the measure or
        the gap is.

        Args:
            measure: name of a measure.
            component: name of one of its components.

        Returns:
            Index network; the last two columns are the component and ``CLUSTER``.
        """
        values = self.values(measure, component)
        name = _SUMMARY_NAMES.get(Component(measure, component), values.name)
        rows = self.clusters[self.clusters["measure"] == name].set_index("network")
        clusters = rows[CLUSTER].reindex(values.index).astype("Int64")
        return pd.concat([self.networks, values, clusters], axis=1)

    def kendall(self, measure: str, component: str) -> float:
        """Return Kendall's tau-b of one component and the gap; NaN where it is not defined."""
        both = pd.concat([self.values(measure, component), self.networks[GAP]], axis=1)
        both = both[np.isfinite(both.to_numpy()).all(axis=1)]
        if (both.nunique() < 2).any():
            return float("nan")
        return float(kendalltau(both.iloc[:, 0], both.iloc[:, 1]).statistic)

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
        draws, _ = read_diagrams(path, network)
        tables = [
            pd.DataFrame(
                {"dimension": dimension, "draw": draw, "birth": bars[:, 0], "death": bars[:, 1]}
            )
            for draw, diagrams in enumerate(draws)
            for dimension, bars in enumerate(diagrams)
        ]
        if not tables:
            raise GengapError(f"{path} holds no diagram: delete it and run the workflow.")
        return pd.concat(tables, ignore_index=True)[list(BAR_COLUMNS)]


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
    measures = _read_table(folder / "measures.csv")
    predictions = folder / "predictions.csv"
    evaluated = (folder / "evaluation").is_dir() or not predictions.is_file()
    evaluation = Evaluation.read(folder / "evaluation") if evaluated else None
    outcomes = pd.concat([task.outcomes(), task.gaps()], axis=1)
    networks = pd.concat([task.hyper_parameters(), outcomes], axis=1).rename_axis("network")
    failed = _read_table(folder / "failed.csv")
    missing = _read_table(folder / "left_out_measures.csv")
    # Files that an earlier run left are of a task as it was then.
    topology_failed = any(stage.endswith(TOPOLOGY_STAGES) for stage in failed["stage"])
    with_topology = topology_failed or STAGED_FAMILY in set(measures["family"])
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
        predictions=_read_table(predictions) if predictions.is_file() else None,
        **_evaluated(folder, measures, networks.index, evaluation),
    )


def _evaluated(
    folder: Path, measures: pd.DataFrame, networks: pd.Index, evaluation: Evaluation | None
) -> dict[str, Any]:
    """Return what an evaluation says, by the attributes of a view; empty where there is none."""
    if evaluation is None:
        empty = pd.DataFrame()
        known, designs = measure_designs(measures, reduce=())
        aligned = over_networks(designs, known, list(networks))
        return {
            "verdict": "",
            "measures": {design.name: design for design in aligned},
            **dict.fromkeys(
                ("leaderboard", "held_out", "left_out", "clusters", "learning_curve"), empty
            ),
        }
    return {
        "verdict": _read_text(folder / "evaluation" / "summary.txt"),
        "measures": _ranked(measures, networks, evaluation, folder),
        "leaderboard": evaluation.leaderboard.set_index("measure"),
        "held_out": _read_table(folder / "evaluation" / "held_out.csv"),
        "left_out": evaluation.left_out,
        "clusters": _read_table(folder / "evaluation" / "clusters.csv"),
        "learning_curve": evaluation.learning_curve,
    }


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"network": str, "component": str})
    except FileNotFoundError:
        raise GengapError(
            f"{path} is missing, so the task is not finished: run the workflow."
        ) from None
    except (ValueError, OSError) as error:
        raise GengapError(f"{path} is not a readable table: remove it and run again.") from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise GengapError(
            f"{path} is missing, so the task is not finished: run the workflow."
        ) from None


def _ranked(
    measures: pd.DataFrame, networks: pd.Index, evaluation: Evaluation, folder: Path
) -> dict[str, Design]:
    """Return the designs of the leaderboard's measures, best first, over exactly these networks."""
    known, designs = measure_designs(measures, reduce=())
    leaderboard, left_out = evaluation.leaderboard, evaluation.left_out
    rows = leaderboard[leaderboard["kind"].isin(MEASURES)]
    ranked = [
        name
        for first, duplicates in zip(rows["measure"], rows["duplicates"], strict=True)
        for name in (first, *duplicates.split())
    ]
    unranked = left_out.loc[left_out["kind"] == MEASURE, "name"]
    by_name = {design.name: design for design in over_networks(designs, known, list(networks))}
    if set(by_name) != {*ranked, *unranked}:
        name = min(set(by_name) ^ {*ranked, *unranked})
        raise GengapError(
            f"Measure {name!r} is in only one of {folder / 'measures.csv'} and the leaderboard: "
            "run the evaluation of this task again."
        )
    return {name: by_name[name] for name in ranked}
