r"""The paper's claims, judged on the networks of its tasks.

There is one zoo a task and no seeds, so a value of an estimate belongs to a network. With e the
error of a linear model's prediction of a network's gap from all other networks, and m that of their
mean gap, R2 = sum(m^2 - e^2) / sum(m^2). It is the mean of what each network adds to this ratio,
R2 + (m^2 - e^2 - R2 m^2) / mean(m^2), which is linearised so that the spread of m^2 counts once
(Cochran 1977, "Sampling techniques", chapter 6). Intervals of means over the points of
leave-one-out cross-validation are those of Bayle et al. (2020, arXiv:2007.12671). Of a statistic
that is no mean, the values are the jackknife's pseudo-values n t - (n - 1) t_i, with t that of n
networks and t_i without network i (Tukey 1958).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gengap.evaluation.designs import Design, Designs, hyper_parameter_design, prepare
from gengap.evaluation.mutual_information import (
    competition_reference,
    conditional_mutual_information,
)
from gengap.figures.labels import measure_label
from gengap.studies.claims import Bound, Claim, Published
from gengap.studies.estimates import Estimate, Estimates, Kind, rank_correlation
from gengap.studies.outcomes import Floats
from gengap.tasks import load

SUMMARIES = "deviations_and_averages_of_births_and_deaths"
"""The vectorisation that judges: the moments of births and deaths that the paper's figures show."""
BOTH = f"{SUMMARIES}.H0H1"
JUDGING = (BOTH, f"{SUMMARIES}.H0", f"{SUMMARIES}.H1")
"""Measures that claims need of every task, however few networks it has."""
RIVALS = {"Always Generalize": "always_generalize", "Interpex": "interpex", "BrAIn": "brain"}

ACCURATE = 0.5
"""Share of the variance of the gap that a prediction explains which is called accurate here."""
MARGIN = 0.1
"""An R2 lower by less than this counts as competitive here."""
NOISE = 0.1
"""Share of the variance between networks that the draws may make, for the draws to suffice."""
ALIKE = 0.9
"""Rank correlation from which on fewer neurons count as giving the same summaries."""
FITTED = 0.02
"""Training loss up to which a network counts as fitted: twice that at which PGDL stops."""
NETWORKS_PER_COLUMN = 4
"""Smallest number of networks for each component of a vectorisation that is listed."""
RANK_TOLERANCE = 1e-10

OVER_NETWORKS = (
    "Each value belongs to one network. The networks of a task were trained once, so the intervals "
    "hold for other networks of such a grid on the same data."
)


@dataclass(frozen=True)
class MeasuredTask:
    """The networks of a task, their gaps and measures.

    Attributes:
        name: of the task.
        networks: name of the task whose networks they are; tasks of one name differ in neurons.
        neurons: in each draw.
        designs: the measures that are compared.
        errors: standard error of each component of the summaries, (networks, components).
        grid: values of each hyper-parameter.
        losses: training loss (networks,); NaN where it is unknown.
        five_by_two: mean and deviation of R2 over the paper's ten folds, by measure.
    """

    name: str
    networks: str
    neurons: int
    designs: Designs
    errors: Floats
    grid: Mapping[str, Sequence[object]]
    losses: Floats
    five_by_two: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, networks: str, neurons: int) -> MeasuredTask:
        """Read the folder of a task whose measures were evaluated."""
        task = load(folder)
        texts = {"network": str, "component": str}
        measures = pd.read_csv(folder / "measures.csv", dtype=texts)
        errors = pd.read_csv(folder / "standard_errors.csv", dtype=texts)
        # Grids of images and landscapes have more components than there are networks.
        most = len(task.networks) // NETWORKS_PER_COLUMN
        components = measures.groupby("measure")["component"].transform("nunique")
        designs = prepare(
            measures[(components <= most) | measures["measure"].isin(JUDGING)],
            task.gaps(),
            task.hyper_parameters(),
            task.training_outcomes(),
            (),
            task.gap_of,
        )
        of_summaries = errors[errors["measure"] == BOTH].pivot_table(
            index="network", columns="component", values="standard_error"
        )
        losses = [task.networks[network].metrics.train_loss for network in designs.networks]
        table = pd.read_csv(folder / "evaluation" / "five_by_two.csv").set_index("measure")
        return cls(
            folder.name,
            networks,
            neurons,
            designs,
            of_summaries.reindex(list(designs.networks)).to_numpy(),
            task.grid,
            np.array(losses, dtype=np.float64),
            table,
        )

    @cached_property
    def by_name(self) -> dict[str, Design]:
        """The measures by name."""
        return {design.name: design for design in self.designs.measures}

    @cached_property
    def of_mean(self) -> Floats:
        """Squared errors (networks,) of the mean gap of all other networks."""
        return self.squared_errors(np.empty((len(self.designs.gaps), 0)))

    def predictions(self, *columns: Floats) -> Floats:
        """Predict the gap of each network linearly from all other networks.

        Args:
            columns: (networks, columns) what it is predicted from.

        Returns:
            (networks,); NaN for a network that alone determines a coefficient.
        """
        gaps = self.designs.gaps
        values = np.column_stack(columns)
        spread = values.std(axis=0)
        scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
        model = np.column_stack([np.ones(len(gaps)), scaled])
        left, size, _ = np.linalg.svd(model, full_matrices=False)
        basis = left[:, size > RANK_TOLERANCE * size.max()]
        leverage = (basis**2).sum(axis=1)
        residuals = gaps - basis @ (basis.T @ gaps)
        others = np.where(leverage < 1 - RANK_TOLERANCE, 1 - leverage, np.nan)
        return np.asarray(gaps - residuals / others)

    def squared_errors(self, *columns: Floats) -> Floats:
        """Squared errors (networks,) of :meth:`predictions`."""
        return (self.designs.gaps - self.predictions(*columns)) ** 2

    def of(self, measure: str) -> Floats:
        """Squared errors (networks,) of the prediction from one measure."""
        return self.squared_errors(self.by_name[measure].values)

    def share(self, errors: Floats, than: Floats | None = None) -> Estimate:
        """How much of the gap's variance is explained, or is explained more than by another.

        Args:
            errors: squared errors (networks,).
            than: those of the other; those of the mean gap by default.

        Returns:
            What each network adds to the R2, or to the difference of two.
        """
        explained = (self.of_mean if than is None else than) - errors
        ratio = explained.sum() / self.of_mean.sum()
        added = ratio + (explained - ratio * self.of_mean) / self.of_mean.mean()
        return Estimate(added.tolist())

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which networks (networks,) have a training loss of at most :data:`FITTED`."""
        return np.asarray(self.losses <= FITTED)

    def share_among_fitted(self) -> Estimate:
        """How much the summaries explain of the variance among the networks that fit.

        Returns:
            What each of these networks adds to the R2 that they have without the others.
        """
        fitted = self.fitted
        among = replace(
            self,
            designs=replace(self.designs, measures=(self.by_name[BOTH],)).rows(fitted),
            errors=self.errors[fitted],
            losses=self.losses[fitted],
        )
        return among.share(among.of(BOTH))

    def information(self, *measures: Floats) -> Callable[[NDArray[np.int_]], Floats]:
        """Return the conditional mutual information of measures, for some networks.

        Args:
            measures: values (networks,) of each.

        Returns:
            A function of the places of networks; it gives (measures,).
        """
        names = np.array(self.designs.networks)

        def scores(chosen: NDArray[np.int_]) -> Floats:
            gaps = pd.Series(self.designs.gaps[chosen], index=names[chosen])
            grid = self.designs.grid.iloc[chosen]
            reference = competition_reference(gaps, grid, self.grid)
            return np.array(
                [
                    conditional_mutual_information(
                        dict(zip(names[chosen], values[chosen], strict=True)), reference
                    )
                    for values in measures
                ]
            )

        return scores


def claims(tasks: Sequence[MeasuredTask]) -> list[Claim]:
    """Judge the claims on the tasks of the study that have summaries, in the order of the paper."""
    tasks = [task for task in tasks if BOTH in task.by_name]
    largest = {
        networks: max(
            (task for task in tasks if task.networks == networks), key=lambda task: task.neurons
        )
        for networks in dict.fromkeys(task.networks for task in tasks)
    }
    main = [*largest.values()]
    judged = [_predicts(main), _accurately(main)]
    if any(_enough(task) and not task.fitted.all() for task in main):
        judged += [_among_fitted(main)]
    judged += [_both_dimensions(main)]
    rivalled = [task for task in main if set(RIVALS.values()) <= set(task.by_name)]
    if rivalled:
        judged += [_competes(rivalled)]
    drawn = [task for task in tasks if np.any(task.errors > 0)]
    if drawn:
        judged += [_draws(drawn)]
    fewer = [task for task in tasks if task not in main]
    if fewer:
        judged += [_neurons(fewer, largest)]
    judged += [_beside_hyper_parameters(main)]
    if rivalled:
        judged += [_information(rivalled)]
    return [replace(claim, unit="network") for claim in judged]


def _predicts(tasks: Sequence[MeasuredTask]) -> Claim:
    deciding = {_named(task, BOTH): task.share(task.of(BOTH)) for task in tasks}
    others = {
        _named(task, design.name): task.share(task.of(design.name))
        for task in tasks
        for design in task.designs.measures
        if design.family == "topology" and design.name != BOTH
    }
    return Claim(
        "Summaries of the diagrams predict the gap",
        "A combination of numerical summaries of the persistence diagrams predicts the "
        "generalisation gap without a test set (abstract).",
        "R2 of a linear model. Each network is predicted from all others. Deviations and averages "
        "of births and deaths in both dimensions judge; the other vectorisations stand below. "
        "Those of more components than a quarter of the networks are left out. "
        f"The paper's design of 5x2 folds gives {_five_by_two(tasks)}.",
        deciding | _finite(others),
        dict.fromkeys(deciding, Bound()),
    )


def _named(task: MeasuredTask, measure: str) -> str:
    return f"{task.name}: {measure_label(measure)}"


def _accurately(tasks: Sequence[MeasuredTask]) -> Claim:
    return Claim(
        "The prediction is accurate",
        "The summaries predict the gap accurately (abstract).",
        f"R2 as above, against {ACCURATE:g}: half of the variance. This limit is ours.",
        {task.name: task.share(task.of(BOTH)) for task in tasks},
        Bound(ACCURATE),
    )


def _enough(task: MeasuredTask) -> bool:
    """Whether twice as many networks fit as the model of the summaries has coefficients."""
    return bool(task.fitted.sum() >= 2 * (1 + len(task.by_name[BOTH].components)))


def _among_fitted(tasks: Sequence[MeasuredTask]) -> Claim:
    estimates: Estimates = {}
    deciding, too_few = [], []
    for task in tasks:
        part = f"{task.name}: {task.fitted.sum()} of {len(task.fitted)} networks"
        if _enough(task):
            deciding.append(part)
            estimates[part] = task.share_among_fitted()
        else:
            too_few.append(part)
        if np.all(task.losses > 0):
            loss = task.squared_errors(np.log(task.losses)[:, None])
            estimates[f"{task.name}: all networks, from their training loss"] = task.share(loss)
    left_out = f" Left out, since too few fit: {', '.join(too_few)}." if too_few else ""
    return Claim(
        "The summaries predict the gap among networks that fit",
        "The networks of both tasks were trained to the same cross-entropy, 0.01 (PGDL).",
        "R2 of the summaries as above, among the networks whose training loss is at most "
        f"{FITTED:g}. The gap of others may say how well they fit. Below stands the R2 of the "
        f"logarithm of the training loss alone, among all networks.{left_out}",
        estimates,
        dict.fromkeys(deciding, Bound()),
    )


def _both_dimensions(tasks: Sequence[MeasuredTask]) -> Claim:
    return Claim(
        "Both dimensions together predict better than one",
        "A combination of summaries predicts the gap: of connected components (H0) and of cycles "
        "(H1).",
        "R2 of the summaries of both dimensions, minus that of one.",
        {
            f"{task.name}: both minus {dimension} alone": task.share(
                task.of(BOTH), task.of(f"{SUMMARIES}.{dimension}")
            )
            for task in tasks
            for dimension in ("H0", "H1")
        },
    )


def _competes(tasks: Sequence[MeasuredTask]) -> Claim:
    return Claim(
        "It is competitive with methods of the competition",
        "The prediction is competitive when compared against state-of-the-art methods (abstract).",
        "R2 of the summaries minus that of each method, under a linear model of its value. It "
        f"counts as competitive if it is lower by less than {MARGIN:g}; this margin is ours.",
        {
            f"{task.name}: minus {title}": task.share(task.of(BOTH), task.of(rival))
            for task in tasks
            for title, rival in RIVALS.items()
        },
        Bound(-MARGIN),
    )


def _draws(tasks: Sequence[MeasuredTask]) -> Claim:
    estimates: Estimates = {}
    for task in tasks:
        values = task.by_name[BOTH].values
        variance = values.var(axis=0, ddof=1)
        vary = variance > 0
        noise = (task.errors[:, vary] ** 2 / variance[vary]).mean(axis=1)
        estimates[f"{task.name}, {task.neurons} neurons"] = Estimate(noise.tolist())
    return Claim(
        "Averages over draws are stable",
        "Neurons are drawn several times, and the summaries are averaged over the draws.",
        "Squared standard error of the average over the draws, divided by the variance of the "
        "averages between networks; mean over the summaries that vary. "
        f"Below {NOISE:g} it is called stable here. "
        "Tasks whose draws have all neurons are left out.",
        estimates,
        Bound(NOISE, "below"),
    )


def _neurons(tasks: Sequence[MeasuredTask], largest: Mapping[str, MeasuredTask]) -> Claim:
    return Claim(
        "Fewer neurons order networks in the same way",
        "The diagrams of a sample of the neurons stand for those of all.",
        "Spearman's correlation between networks of each summary with fewer neurons and with "
        f"most; mean over the summaries that vary, against {ALIKE:g}.",
        {
            f"{task.name}: {task.neurons} neurons": jackknife(
                _likeness(task, largest[task.networks]), len(task.designs.gaps), Kind.DIFFERENCE
            )
            for task in tasks
            if task.designs.networks == largest[task.networks].designs.networks
        },
        Bound(ALIKE),
    )


def _likeness(task: MeasuredTask, other: MeasuredTask) -> Callable[[NDArray[np.int_]], float]:
    pairs = [
        (first, second)
        for first, second in zip(
            task.by_name[BOTH].values.T, other.by_name[BOTH].values.T, strict=True
        )
        if np.ptp(first) > 0 and np.ptp(second) > 0
    ]
    return lambda chosen: float(
        np.mean([rank_correlation(first[chosen], second[chosen]) for first, second in pairs])
    )


def _beside_hyper_parameters(tasks: Sequence[MeasuredTask]) -> Claim:
    estimates: Estimates = {}
    for task in tasks:
        known = hyper_parameter_design(task.designs.grid).values
        alone = task.squared_errors(known)
        together = task.squared_errors(known, task.by_name[BOTH].values)
        estimates[f"{task.name}: what they add"] = task.share(together, alone)
        estimates[f"{task.name}: hyper-parameters alone"] = task.share(alone)
    return Claim(
        "The summaries say more than the hyper-parameters",
        "The summaries partially explain the gap (abstract). They do so beyond what is known "
        "without them only if they add to the hyper-parameters.",
        "R2 of hyper-parameters and summaries together, minus that of the hyper-parameters alone.",
        estimates,
        {name: Bound() for name in estimates if name.endswith("they add")},
    )


def _information(tasks: Sequence[MeasuredTask]) -> Claim:
    estimates: Estimates = {}
    for task in tasks:
        measures = [task.by_name[rival].values[:, 0] for rival in RIVALS.values()]
        scores = task.information(task.predictions(task.by_name[BOTH].values), *measures)
        own, *others = pseudo_values(scores, len(task.designs.gaps)).T
        for title, other in zip(RIVALS, others, strict=True):
            # Pseudo-values of a difference are the differences of pseudo-values.
            difference = Estimate((own - other).tolist(), Kind.DIFFERENCE)
            estimates[f"{task.name}: minus {title}"] = difference
        for title, values in zip(("summaries", *RIVALS), (own, *others), strict=True):
            estimates[f"{task.name}: {title}"] = Estimate(values.tolist(), Kind.SHARE)
    return Claim(
        "Their conditional mutual information is that of the competition's methods",
        "The prediction is competitive by the competition's score, too.",
        "Conditional mutual information of the gap predicted from the summaries, each network from "
        f"all others, minus that of each method. A difference above -{MARGIN:g} is competitive. "
        "These predictions are kept where the jackknife leaves a network out. A score whose "
        "jackknife estimate is below 0 stands as 0.",
        estimates,
        {name: Bound(-MARGIN) for name in estimates if ": minus " in name},
        published=Published(
            "0.056 to 0.277 (task 1) and 0.064 to 0.374 (task 2) of four published measures",
            "public score files of PGDL, not the paper",
            comparable=False,
        ),
    )


def jackknife(
    statistic: Callable[[NDArray[np.int_]], float], count: int, kind: Kind = Kind.MEAN
) -> Estimate:
    """Return the pseudo-values of a statistic, one for each network.

    Args:
        statistic: of the networks at some places.
        count: number of networks.
        kind: what the statistic is.
    """
    return Estimate(pseudo_values(statistic, count).tolist(), kind)


def pseudo_values(statistic: Callable[[NDArray[np.int_]], float | Floats], count: int) -> Floats:
    """Return the pseudo-values of one statistic, or of several that are computed together.

    Args:
        statistic: of the networks at some places: a number, or (statistics,).
        count: number of networks.

    Returns:
        (count,) or (count, statistics).
    """
    every = np.arange(count)
    without = np.array([statistic(np.delete(every, place)) for place in every])
    return np.asarray(count * statistic(every) - (count - 1) * without)


def _finite(estimates: Estimates) -> Estimates:
    return {name: one for name, one in estimates.items() if np.all(np.isfinite(one.values))}


def _five_by_two(tasks: Sequence[MeasuredTask]) -> str:
    """R2 of the summaries in the paper's design, as words."""
    rows = {task.name: task.five_by_two.loc[BOTH] for task in tasks}
    return ", ".join(
        f"{row['r2_mean']:.2f} (deviation {row['r2_std']:.2f}) for {name}"
        for name, row in rows.items()
    )
