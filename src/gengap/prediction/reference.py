"""A reference: an evaluated task, or several, frozen to predict the gaps of other networks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gengap.errors import GengapError
from gengap.evaluation.designs import (
    Design,
    Designs,
    hyper_parameter_design,
    prepare,
)
from gengap.evaluation.duplicates import merged
from gengap.files import writing
from gengap.limits import LEAST_REFERENCE
from gengap.measures.recipe import RECIPE_FILE, Recipe
from gengap.prediction.assessment import (
    DRAWS,
    LEAST_DRAWS,
    POINTS,
    Assessment,
    Shift,
    assess,
    folds_of,
    r2_score,
)
from gengap.prediction.data import ReferenceData, digest_of_rows, row_digests
from gengap.prediction.predictors import CANDIDATES, cross_validate
from gengap.seeding import generator
from gengap.tasks import Task, load

FORMAT = 1
"""Version of the file."""
MAKE_AGAIN = "make it again by 'gengap reference'"
SETTINGS = ("families", "slow", "activations", "topology", "code")
"""What the recipes of joined tasks share."""
ARRAYS = ("values", "gaps", "training", "losses", "sizes", "draws", "folds")
PACKAGES = ("gengap", "numpy", "scipy", "torch")


class TooFewNetworksError(GengapError):
    """So few networks have gaps and measures that they support no interval."""


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
        cls, values: np.ndarray, gaps: np.ndarray, folds: np.ndarray, grid: pd.DataFrame, fold: str
    ) -> Predictor:
        """Judge a set of columns, see :func:`gengap.prediction.assessment.assess`."""
        assessment, shifts = assess(values, gaps, folds, grid, fold)
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
class Reference:
    """Networks whose gaps are known, and what they can predict.

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
        folds: (networks,) int64: what is left out together.
        grid: hyper-parameters, index ``networks``.
        data: what the training data are.
        by_measures: what the measures predict.
        by_measures_and_hyper_parameters: what they predict together; None where no hyper-parameter
            varies.
        r2_without: R2 without the measures of each family, by its name.
        r2_of_hyper_parameters: R2 of the hyper-parameters alone; None where none varies.
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
    folds: np.ndarray
    grid: pd.DataFrame
    data: ReferenceData
    by_measures: Predictor
    by_measures_and_hyper_parameters: Predictor | None
    r2_without: Mapping[str, float | None]
    r2_of_hyper_parameters: float | None
    versions: Mapping[str, str]

    @property
    def fold(self) -> str:
        """What a fold is: a draw of the training data where there are enough, else grid points."""
        return DRAWS if len(self.draw_digests) >= LEAST_DRAWS else POINTS

    def hyper_parameter_columns(self, given: Mapping[str, Any] | None = None) -> np.ndarray:
        """Return indicators of the hyper-parameters' levels.

        Args:
            given: those of one more network, which has levels of the reference.

        Returns:
            (networks, columns), with one row more for the network.
        """
        grid = self.grid
        if given is not None:
            row = pd.DataFrame([{name: given[name] for name in grid.columns}], dtype=object)
            grid = pd.concat([grid.astype(object), row], ignore_index=True)
        return hyper_parameter_design(grid).values

    def save(self, path: str | Path) -> None:
        """Write one safetensors file: arrays, and everything else as JSON in its metadata."""
        predictors = {"measures": self.by_measures}
        if self.by_measures_and_hyper_parameters:
            predictors["measures_and_hyper_parameters"] = self.by_measures_and_hyper_parameters
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
            raise GengapError(f"{path} does not exist: {MAKE_AGAIN}.") from error
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
            by_measures=predictors["measures"],
            by_measures_and_hyper_parameters=predictors.get("measures_and_hyper_parameters"),
            r2_without=content["r2_without"],
            r2_of_hyper_parameters=content["r2_of_hyper_parameters"],
            versions=content["versions"],
            **{name: arrays[name] for name in ARRAYS},
        )


def join(references: Sequence[Reference]) -> Reference:
    """Make one reference of several that share their data.

    Args:
        references: of tasks with other names, on the same data.

    Returns:
        The reference of all their networks, with the measures that all of them have.
    """
    raise NotImplementedError(references)


def freeze(folder: str | Path) -> Reference:
    """Make a reference of evaluated tasks that share their data and their recipe of measures.

    Networks that are not fit to judge measures by are left out, as in the evaluation, and so are
    measures with several components, measures that some network lacks, and duplicates of others.

    Args:
        folder: the task's folder, with measures.csv and recipe.json.

    Returns:
        The reference.

    Raises:
        GengapError: a file is missing, the tasks do not belong together, or no measure varies.
        TooFewNetworksError: fewer than :data:`LEAST_REFERENCE` networks have a gap and measures.
    """
    tasks = [load(folder)]
    recipes = [Recipe.read(task.folder / RECIPE_FILE) for task in tasks]
    check_together(tasks, recipes)
    designs = joined_designs(tasks)
    where = ", ".join(str(task.folder) for task in tasks)
    if len(designs.networks) < LEAST_REFERENCE:
        raise TooFewNetworksError(
            f"{where}: {len(designs.networks)} networks have a gap and measures, but a reference "
            f"needs at least {LEAST_REFERENCE}: add networks to the grid, or replicates, or tasks."
        )
    chosen = [design for design in designs.measures if design.kind == "scalar"]
    chosen = [design for design in chosen if not design.constant]
    if not chosen or not np.ptp(designs.gaps):
        raise GengapError(
            f"{where}: no measure with one component varies over the networks, or all gaps are "
            "equal, so nothing can be predicted: ask for more families, or vary the grid more."
        )
    draws, draw_digests, sizes = training_sets(tasks, designs.networks)
    folds = folds_of(draws, designs.grid, generator(0, "prediction", "folds"))
    return frozen(tasks, recipes[0], designs, chosen, draws, draw_digests, sizes, folds)


def frozen(
    tasks: Sequence[Task],
    recipe: Recipe,
    designs: Designs,
    chosen: Sequence[Design],
    draws: np.ndarray,
    draw_digests: tuple[str, ...],
    sizes: np.ndarray,
    folds: np.ndarray,
) -> Reference:
    """Judge the predictors, and put the reference together.

    Args:
        tasks: whose networks these are.
        recipe: of the measures.
        designs: of all measures.
        chosen: the measures with one column, which predict.
        draws: (networks,) the training set of each, by its place in ``draw_digests``.
        draw_digests: a digest of each training set.
        sizes: (networks,) number of training inputs.
        folds: (networks,) what is left out together.

    Returns:
        The reference.
    """
    values, gaps, grid = np.hstack([one.values for one in chosen]), designs.gaps, designs.grid
    families = tuple(design.family for design in chosen)
    indicators = hyper_parameter_design(grid).values
    fold = DRAWS if len(draw_digests) >= LEAST_DRAWS else POINTS
    both, alone = None, None
    if indicators.shape[1]:
        both = Predictor.of(np.hstack([values, indicators]), gaps, folds, grid, fold)
        alone = r2_score(cross_validate(indicators, gaps, folds).nested(), gaps)
    r2_without = {}
    for family in sorted(set(families)):
        others = values[:, [one != family for one in families]]
        nested = cross_validate(others, gaps, folds).nested() if others.shape[1] else None
        r2_without[family] = None if nested is None else r2_score(nested, gaps)
    losses = {
        full_name(task, network): entry.metrics.train_loss
        for task in tasks
        for network, entry in task.networks.items()
    }
    return Reference(
        tasks=tuple(task.name for task in tasks),
        networks=designs.networks,
        recipe=recipe,
        gap_of=designs.gap_of,
        measures=tuple(design.name for design in chosen),
        families=families,
        values=values,
        gaps=gaps,
        training=designs.training,
        losses=np.array([losses[network] for network in designs.networks], dtype=np.float64),
        sizes=sizes,
        draws=draws,
        draw_digests=draw_digests,
        folds=folds,
        grid=grid,
        data=ReferenceData.of_splits([task.train for task in tasks]),
        by_measures=Predictor.of(values, gaps, folds, grid, fold),
        by_measures_and_hyper_parameters=both,
        r2_without=r2_without,
        r2_of_hyper_parameters=alone,
        versions={package: version(package) for package in PACKAGES},
    )


def check_together(tasks: Sequence[Task], recipes: Sequence[Recipe]) -> None:
    """Refuse tasks that do not share their names, gap, data or recipe.

    Raises:
        GengapError: what differs.
    """
    first, recipe = tasks[0], recipes[0]
    data = ReferenceData.of_splits([first.train]) if len(tasks) > 1 else None
    names = [task.name for task in tasks]
    if len(set(names)) < len(names):
        raise GengapError(f"The tasks {', '.join(names)} share a name: rename one of them.")
    for task, other in zip(tasks[1:], recipes[1:], strict=True):
        if task.gap_of != first.gap_of:
            raise GengapError(
                f"The gap of {task.folder} is of {task.gap_of}, that of {first.folder} of "
                f"{first.gap_of}: join tasks with one kind of gap."
            )
        for key in SETTINGS:
            if getattr(other, key) != getattr(recipe, key):
                raise GengapError(
                    f"The measures of {task.folder} and of {first.folder} were computed with "
                    f"other '{key}' (see {RECIPE_FILE} there): compute them alike."
                )
        difference = data.difference(task.train) if data else None
        if difference:
            raise GengapError(
                f"The data of {task.folder} are not those of {first.folder}, since {difference}: "
                "join tasks that share their data."
            )


def joined_designs(tasks: Sequence[Task]) -> Designs:
    """Return the designs of all networks of several tasks, named ``<task>/<id>``."""
    tables, gaps, grids, training = [], [], [], []
    unfit: dict[str, str] = {}
    for task in tasks:
        path = task.folder / "measures.csv"
        if not path.is_file():
            raise GengapError(f"{path} does not exist: run the workflow to measure the networks.")
        table = pd.read_csv(path, dtype={"network": str, "component": str})
        names = {network: full_name(task, network) for network in task.networks}
        tables.append(table.assign(network=table["network"].map(names), task="reference"))
        gaps.append(task.gaps().rename(names))
        grids.append(task.hyper_parameters().rename(names))
        training.append(task.training_outcomes().rename(names))
        unfit |= {names[network]: reason for network, reason in task.unfit().items()}
    grid = pd.concat(grids)
    # A hyper-parameter that one of the tasks does not vary is unknown there.
    grid = grid[[name for name in grid.columns if all(name in one.columns for one in grids)]]
    designs = prepare(
        pd.concat(tables, ignore_index=True),
        pd.concat(gaps),
        grid,
        pd.concat(training),
        (),
        tasks[0].gap_of,
        leave_out=unfit,
    )
    return merged(designs)[0]


def training_sets(
    tasks: Sequence[Task], networks: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Tell which set of training inputs each network was trained on.

    Args:
        tasks: whose networks they are.
        networks: ``<task>/<id>``.

    Returns:
        (networks,) int64, the place of each one's set among the digests; a digest of each set, in
        the order of the networks; and (networks,) int64, the number of its inputs.
    """
    sets, sizes = {}, {}
    for task in tasks:
        digests = row_digests(task.train.inputs)
        of_all = digest_of_rows(digests)
        for network, entry in task.networks.items():
            name = full_name(task, network)
            if name not in networks:
                continue
            rows = entry.rows()
            sets[name] = of_all if rows is None else digest_of_rows(digests[rows])
            sizes[name] = len(digests) if rows is None else len(rows)
    distinct = list(dict.fromkeys(sets[network] for network in networks))
    draws = np.array([distinct.index(sets[network]) for network in networks], dtype=np.int64)
    return draws, tuple(distinct), np.array([sizes[network] for network in networks])


def full_name(task: Task, network: str) -> str:
    """Return the name of a network within a reference."""
    return f"{task.name}/{network}"


def plain(value: Any) -> Any:
    """Return a value of a hyper-parameter as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value
