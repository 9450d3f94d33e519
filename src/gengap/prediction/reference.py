"""A reference: an evaluated task, or several, frozen to predict the gaps of other networks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gengap.errors import GengapError
from gengap.evaluation.designs import (
    Designs,
    hyper_parameter_design,
    level_like,
    levels,
    prepare,
)
from gengap.evaluation.duplicates import merged
from gengap.files import writing
from gengap.limits import LEAST_REFERENCE
from gengap.measures.recipe import RECIPE_FILE, Recipe
from gengap.prediction.assessment import (
    LEAST_DRAWS,
    Assessment,
    Shift,
    assess,
    folds_of,
    point_folds,
    r2_score,
)
from gengap.prediction.data import ReferenceData, digest_of_rows, row_digests
from gengap.prediction.predictors import CANDIDATES, cross_validate
from gengap.seeding import generator
from gengap.tasks import Task, TrainedNetwork, load

FORMAT = 1
"""Version of the file."""
MAKE_AGAIN = "make it again by 'gengap reference'"
SETTINGS = ("families", "slow", "activations", "topology", "code")
"""What the recipes of joined tasks share."""
ROWS = ("values", "gaps", "training", "losses", "sizes")
"""Arrays with a row for each network."""
ARRAYS = ("values", "gaps", "training", "losses", "sizes", "draws", "folds")
PACKAGES = ("gengap", "numpy", "scipy", "torch")


@dataclass(frozen=True)
class Predictor:
    """What a set of columns can predict.

    Attributes:
        assessment: how well, and by which learner and penalty.
        shifts: how networks with levels of hyper-parameters that were left out are predicted.
    """

    assessment: Assessment
    shifts: tuple[Shift, ...]

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        gaps: np.ndarray,
        folds: np.ndarray,
        grid: pd.DataFrame,
        draws: np.ndarray | None,
    ) -> Predictor:
        """Judge a set of columns, see :func:`gengap.prediction.assessment.assess`."""
        assessment, shifts = assess(values, gaps, folds, grid, draws)
        return cls(assessment, tuple(shifts))

    @property
    def candidate(self) -> int:
        """Its place in :data:`gengap.prediction.predictors.CANDIDATES`."""
        return CANDIDATES.index((self.assessment.learner, self.assessment.penalty))

    def content(self) -> dict[str, Any]:
        """Return what is no array, ready for JSON."""
        assessment = asdict(self.assessment)
        if self.candidate == 0:
            assessment["penalty"] = None  # JSON has no infinity
        shifts = [[shift.hyper_parameter, shift.level, shift.candidate] for shift in self.shifts]
        return {"assessment": assessment, "shifts": shifts}

    @classmethod
    def from_file(
        cls, content: Mapping[str, Any], known: np.ndarray, near: np.ndarray
    ) -> Predictor:
        """Make it from what :meth:`content` returned and the masks of the shifts."""
        assessment = dict(content["assessment"])
        if assessment["penalty"] is None:
            assessment["penalty"] = np.inf
        shifts = (
            Shift(name, level, inside, close, candidate)
            for (name, level, candidate), inside, close in zip(
                content["shifts"], known, near, strict=True
            )
        )
        return cls(Assessment(**assessment), tuple(shifts))


@dataclass(frozen=True, eq=False)
class Measured:
    """Networks whose gaps and measures are known.

    Attributes:
        tasks: names of the tasks.
        networks: ``<task>/<id>`` of each network.
        recipe: how the measures were computed.
        gap_of: what the gap is of, one of :data:`gengap.names.GAPS`.
        measures: names of the columns.
        families: the family of each.
        values: (networks, measures).
        gaps: (networks,).
        training: (networks,) training accuracies, losses or errors that the gap is of.
        losses: (networks,) training losses; NaN where they are unknown.
        sizes: (networks,) number of training inputs.
        draws: (networks,) int64: the set of training inputs of each, by its place in
            ``draw_digests``.
        draw_digests: a digest of each set of training inputs.
        grid: hyper-parameters, index ``networks``.
        data: what the training data are.
        versions: of packages, when the reference was made.
    """

    tasks: tuple[str, ...]
    networks: tuple[str, ...]
    recipe: Recipe
    gap_of: str
    measures: tuple[str, ...]
    families: tuple[str, ...]
    values: np.ndarray
    gaps: np.ndarray
    training: np.ndarray
    losses: np.ndarray
    sizes: np.ndarray
    draws: np.ndarray
    draw_digests: tuple[str, ...]
    grid: pd.DataFrame
    data: ReferenceData
    versions: Mapping[str, str]

    @property
    def fold_draws(self) -> np.ndarray | None:
        """(networks,) draws of the training data where folds are draws; None where too few are."""
        return self.draws if len(self.draw_digests) >= LEAST_DRAWS else None

    def part(self, inside: np.ndarray) -> Measured:
        """Return some of the networks, and the draws of their training data.

        Args:
            inside: (networks,) bool; at least one.

        Returns:
            The networks, with all measures.
        """
        known, draws = np.unique(self.draws[inside], return_inverse=True)
        rows = {name: getattr(self, name)[inside] for name in ROWS}
        return Measured(
            **{field.name: getattr(self, field.name) for field in fields(Measured)}
            | rows
            | {
                "networks": tuple(self.grid.index[inside]),
                "draws": draws.astype(np.int64),
                "draw_digests": tuple(self.draw_digests[draw] for draw in known),
                "grid": self.grid[inside],
            }
        )


@dataclass(frozen=True, eq=False)
class Reference(Measured):
    """Networks whose gaps are known, and what they can predict.

    Attributes:
        folds: (networks,) int64: what is left out together.
        by_measures: what the measures predict; None where there are fewer networks than
            :data:`LEAST_REFERENCE`.
        by_measures_and_hyper_parameters: what they predict together; None also where no
            hyper-parameter varies.
        r2_without: R2 without the measures of each family, by its name; None where no other family
            is there.
        r2_with_only: R2 of the measures of each family alone.
        r2_of_hyper_parameters: R2 of the hyper-parameters alone; None where none varies.
    """

    folds: np.ndarray
    by_measures: Predictor | None
    by_measures_and_hyper_parameters: Predictor | None
    r2_without: Mapping[str, float | None]
    r2_with_only: Mapping[str, float | None]
    r2_of_hyper_parameters: float | None

    @classmethod
    def of(cls, measured: Measured) -> Reference:
        """Judge what networks can predict.

        Args:
            measured: the networks.

        Returns:
            The reference.
        """
        draws, grid = measured.fold_draws, measured.grid
        values, gaps = measured.values, measured.gaps
        folds = folds_of(measured.draws, grid, generator(0, "prediction", "folds"))
        indicators = hyper_parameter_design(grid).values
        alone, both, by_measures = None, None, None
        r2_without: dict[str, float | None] = {}
        r2_with_only: dict[str, float | None] = {}
        if len(gaps) >= LEAST_REFERENCE:
            by_measures = Predictor.of(values, gaps, folds, grid, draws)
            if indicators.shape[1]:
                both = Predictor.of(np.hstack([values, indicators]), gaps, folds, grid, draws)
                alone = nested_r2(indicators, gaps, folds)
            for family in sorted(set(measured.families)):
                own = np.array([one == family for one in measured.families])
                r2_without[family] = nested_r2(values[:, ~own], gaps, folds)
                r2_with_only[family] = nested_r2(values[:, own], gaps, folds)
        return cls(
            **vars(measured),
            folds=folds,
            by_measures=by_measures,
            by_measures_and_hyper_parameters=both,
            r2_without=r2_without,
            r2_with_only=r2_with_only,
            r2_of_hyper_parameters=alone,
        )

    @cached_property
    def point_folds(self) -> np.ndarray:
        """(networks,) int64: folds of grid points, for networks on a draw of the reference."""
        return point_folds(self.grid, generator(0, "prediction", "folds"))

    def hyper_parameter_columns(self, given: Sequence[Mapping[str, Any]] = ()) -> np.ndarray:
        """Return indicators of the hyper-parameters' levels.

        Args:
            given: those of more networks, which have levels of the reference.

        Returns:
            (networks, columns), with one row more for each of these.
        """
        grid = self.grid
        if given:
            # Values as the reference has them: a number that is given as a text would make texts of
            # the whole column.
            names = list(map(str, grid.columns))
            rows = {name: self._like(name, [one[name] for one in given]) for name in names}
            grid = pd.concat(
                [grid.astype(object), pd.DataFrame(rows, dtype=object)], ignore_index=True
            )
        return hyper_parameter_design(grid).values

    def _like(self, name: str, given: Sequence[object]) -> list[object]:
        """Find the levels of given values of a hyper-parameter.

        Returns:
            For each of them, the value that the reference's networks of this level have.

        Raises:
            ValueError: the reference has no such level.
        """
        distinct, index = levels(self.grid[name])
        own = self.grid[name].tolist()
        values = []
        for value in given:
            place = level_like(distinct, value)
            if place is None:
                raise ValueError(f"{name} has no level {value!r}")
            values.append(own[int(np.argmax(index == place))])
        return values

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: arrays, and everything else as JSON in its metadata."""
        named = {
            "measures": self.by_measures,
            "measures_and_hyper_parameters": self.by_measures_and_hyper_parameters,
        }
        predictors = {name: one for name, one in named.items() if one is not None}
        arrays = {name: getattr(self, name) for name in ARRAYS} | self.data.arrays()
        for name, predictor in predictors.items():
            for kind in ("known", "near"):
                masks = [getattr(shift, kind) for shift in predictor.shifts]
                arrays[f"{name}.{kind}"] = np.array(masks, dtype=bool).reshape(-1, len(self.gaps))
        content = {
            "format": FORMAT,
            "tasks": self.tasks,
            "networks": self.networks,
            "recipe": asdict(self.recipe),
            "gap_of": self.gap_of,
            "measures": self.measures,
            "families": self.families,
            "draw_digests": self.draw_digests,
            "grid": {name: [plain(value) for value in self.grid[name]] for name in self.grid},
            "data": self.data.content(),
            "predictors": {name: one.content() for name, one in predictors.items()},
            "r2_without": self.r2_without,
            "r2_with_only": self.r2_with_only,
            "r2_of_hyper_parameters": self.r2_of_hyper_parameters,
            "versions": self.versions,
        }
        text = json.dumps(content, sort_keys=True)
        with writing(path) as part:
            contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            save_file(contiguous, part, metadata={"reference": text})

    @classmethod
    def load(cls, path: str | Path) -> Reference:
        """Read what :meth:`save` wrote.

        Args:
            path: the file.

        Returns:
            The reference.

        Raises:
            GengapError: the file is missing, damaged, or no reference.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                content = json.loads((file.metadata() or {})["reference"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except FileNotFoundError as error:
            raise GengapError(
                f"{path} does not exist: correct the path, or write it by 'gengap reference' first."
            ) from error
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise GengapError(f"{path} is no reference: {MAKE_AGAIN}.") from error
        if content.get("format") != FORMAT:
            raise GengapError(f"{path} was made by another version of gengap: {MAKE_AGAIN}.")
        try:
            return cls._of_file(content, arrays, path)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise GengapError(
                f"{path} is a damaged reference ({error!r}): {MAKE_AGAIN}."
            ) from error

    @classmethod
    def _of_file(
        cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: str | Path
    ) -> Reference:
        index = pd.Index(content["networks"], name="network", dtype=object)
        grid = pd.DataFrame(content["grid"], index=index, columns=list(content["grid"]))
        predictors = {
            name: Predictor.from_file(entry, arrays[f"{name}.known"], arrays[f"{name}.near"])
            for name, entry in content["predictors"].items()
        }
        return cls(
            tasks=tuple(content["tasks"]),
            networks=tuple(content["networks"]),
            recipe=Recipe.from_mapping(content["recipe"], path),
            gap_of=content["gap_of"],
            measures=tuple(content["measures"]),
            families=tuple(content["families"]),
            draw_digests=tuple(content["draw_digests"]),
            grid=grid,
            data=ReferenceData.from_file(content["data"], arrays),
            by_measures=predictors.get("measures"),
            by_measures_and_hyper_parameters=predictors.get("measures_and_hyper_parameters"),
            r2_without=content["r2_without"],
            r2_with_only=content["r2_with_only"],
            r2_of_hyper_parameters=content["r2_of_hyper_parameters"],
            versions=content["versions"],
            **{name: arrays[name] for name in ARRAYS},
        )


def join(references: Sequence[Reference]) -> Reference:
    """Make one reference of several that share their data.

    Args:
        references: of tasks with other names, on the same data, or on draws from one pool.

    Returns:
        The reference of all their networks, with the measures and hyper-parameters that all have.

    Raises:
        GengapError: the tasks do not belong together, or share no measure.
    """
    if not references:
        raise GengapError("There is no reference to join: name at least one.")
    first = references[0]
    if len(references) == 1:
        return first
    check_together(references)
    keys = [set(zip(one.families, one.measures, strict=True)) for one in references]
    shared = [
        key
        for key in zip(first.families, first.measures, strict=True)
        if all(key in own for own in keys)
    ]
    if not shared:
        raise GengapError(
            f"The tasks {', '.join(sum((one.tasks for one in references), ()))} have no measure in "
            "common: compute the same families for them."
        )
    names = [measure for _, measure in shared]
    digests = tuple(dict.fromkeys(sum((one.draw_digests for one in references), ())))
    common = [name for name in first.grid if all(name in one.grid for one in references)]
    losses = tuple(dict.fromkeys(sum((one.recipe.losses for one in references), ())))
    return Reference.of(
        Measured(
            tasks=sum((one.tasks for one in references), ()),
            networks=sum((one.networks for one in references), ()),
            recipe=replace(first.recipe, losses=losses),
            gap_of=first.gap_of,
            measures=tuple(names),
            families=tuple(family for family, _ in shared),
            values=np.vstack(
                [one.values[:, [one.measures.index(name) for name in names]] for one in references]
            ),
            gaps=np.concatenate([one.gaps for one in references]),
            training=np.concatenate([one.training for one in references]),
            losses=np.concatenate([one.losses for one in references]),
            sizes=np.concatenate([one.sizes for one in references]),
            draws=np.concatenate(
                [
                    np.array([digests.index(digest) for digest in one.draw_digests])[one.draws]
                    for one in references
                ]
            ),
            draw_digests=digests,
            grid=pd.concat([one.grid[common] for one in references]),
            data=max((one.data for one in references), key=lambda data: len(data.digests)),
            versions=first.versions,
        )
    )


def check_together(references: Sequence[Reference]) -> None:
    """Refuse references that do not share their gap, data or recipe, or that share a task.

    Raises:
        GengapError: what differs.
    """
    first = references[0]
    largest = max((one.data for one in references), key=lambda data: len(data.digests))
    names = [name for one in references for name in one.tasks]
    if len(set(names)) < len(names):
        raise GengapError(f"The tasks {', '.join(names)} share a name: rename one of them.")
    for other in references:
        own, known = ", ".join(other.tasks), ", ".join(first.tasks)
        if other.gap_of != first.gap_of:
            raise GengapError(
                f"The gap of {own} is of {other.gap_of}, that of {known} of {first.gap_of}: join "
                "tasks with one kind of gap."
            )
        for key in SETTINGS:
            if getattr(other.recipe, key) != getattr(first.recipe, key):
                raise GengapError(
                    f"The measures of {own} and of {known} were computed with other '{key}' (see "
                    f"{RECIPE_FILE} in their folders): compute them alike."
                )
        if other.data.classes != largest.classes or not other.data.within(largest):
            raise GengapError(
                f"The data of {own} are not those of the other tasks: join tasks whose training "
                "data are of one pool."
            )


def freeze(folder: str | Path) -> Reference:
    """Make a reference of an evaluated task.

    Networks that are not fit to judge measures by are left out, as in the evaluation, and so are
    measures with several components, measures that some network lacks, and duplicates of others.

    Args:
        folder: the task's folder, with measures.csv and recipe.json.

    Returns:
        The reference. With fewer than :data:`LEAST_REFERENCE` networks it predicts nothing, but may
        be joined with others.

    Raises:
        GengapError: a file is missing, no network has a gap and measures, or no measure varies.
    """
    return Reference.of(measured_networks(folder))


def measured_networks(folder: str | Path) -> Measured:
    """Read the networks of an evaluated task whose gaps and measures are known.

    Args:
        folder: the task's folder.

    Returns:
        The networks, see :func:`freeze`.

    Raises:
        GengapError: as there.
    """
    task = load(folder)
    recipe = Recipe.read(task.folder / RECIPE_FILE)
    designs = designs_of(task)
    chosen = [design for design in designs.measures if design.kind == "scalar"]
    chosen = [design for design in chosen if not design.constant]
    if not chosen or not np.ptp(designs.gaps):
        raise GengapError(
            f"{folder}: no measure with one component varies over the networks, or all gaps are "
            "equal, so nothing can be predicted: ask for more families, or vary the grid more."
        )
    names = tuple(f"{task.name}/{network}" for network in designs.networks)
    entries = [task.networks[network] for network in designs.networks]
    losses = [entry.metrics.train_loss for entry in entries]
    draws, draw_digests, sizes = training_sets(task, entries)
    return Measured(
        tasks=(task.name,),
        networks=names,
        recipe=recipe,
        gap_of=designs.gap_of,
        measures=tuple(design.name for design in chosen),
        families=tuple(design.family for design in chosen),
        values=np.hstack([design.values for design in chosen]),
        gaps=designs.gaps,
        training=designs.training,
        losses=np.array(losses, dtype=np.float64),
        sizes=sizes,
        draws=draws,
        draw_digests=draw_digests,
        grid=designs.grid.set_axis(pd.Index(names, name="network", dtype=object)),
        data=ReferenceData.of_split(task.train),
        versions={package: version(package) for package in PACKAGES},
    )


def read_measures(task: Task) -> pd.DataFrame:
    """Read the table of a task's measures.

    Args:
        task: the task.

    Returns:
        Rows of task, network, family, measure, component and value.

    Raises:
        GengapError: there is none.
    """
    path = task.folder / "measures.csv"
    if not path.is_file():
        raise GengapError(f"{path} does not exist: run the workflow to measure the networks.")
    return pd.read_csv(path, dtype={"network": str, "component": str})


def designs_of(task: Task) -> Designs:
    """Return the designs of a task's networks that are fit, without duplicates."""
    designs = prepare(
        read_measures(task),
        task.gaps(),
        task.hyper_parameters(),
        task.training_outcomes(),
        (),
        task.gap_of,
        leave_out=task.unfit(),
    )
    return merged(designs)[0]


def training_sets(
    task: Task, networks: Sequence[TrainedNetwork]
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Tell which set of training inputs each network was trained on.

    Args:
        task: whose networks they are.
        networks: some of them.

    Returns:
        (networks,) int64, the place of each one's set among the digests; a digest of each set, in
        the order of the networks; and (networks,) int64, the number of its inputs.
    """
    digests = row_digests(task.train.inputs)
    of_all = digest_of_rows(digests)
    sets, sizes = [], []
    for network in networks:
        rows = network.rows()
        sets.append(of_all if rows is None else digest_of_rows(digests[rows]))
        sizes.append(len(digests) if rows is None else len(rows))
    distinct = list(dict.fromkeys(sets))
    draws = np.array([distinct.index(own) for own in sets], dtype=np.int64)
    return draws, tuple(distinct), np.array(sizes, dtype=np.int64)


def nested_r2(values: np.ndarray, gaps: np.ndarray, folds: np.ndarray) -> float | None:
    """Return the R2 of nested predictions from some columns; None where there are none."""
    if not values.shape[1]:
        return None
    return r2_score(cross_validate(values, gaps, folds).nested(), gaps)


def plain(value: Any) -> Any:
    """Return a value of a hyper-parameter as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value
