"""Design matrices, one per measure, from the tidy table: over the same networks in one order."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from gengap.errors import GengapError

COLUMNS = ("task", "network", "family", "measure", "component", "value")
REFERENCE = "reference"
COMBINATION = "combination"
MEAN = f"{REFERENCE}.mean"
HYPER_PARAMETERS = f"{REFERENCE}.hyper_parameters"
MOST_INDICATED_VALUES = 5
"""A numeric hyper-parameter with more values than this enters the model as a number."""
NETWORK, MEASURE, MODEL = "network", "measure", "model"
"""The kinds of what is left out."""
NETWORKS_PER_COMPONENT = 4
"""Smallest number of training networks for each principal component."""


@dataclass(frozen=True)
class Design:
    """What one row of the leaderboard regresses the gap on.

    Attributes:
        name: the measure, or ``reference.<what>``.
        family: the measure's family, or ``reference``.
        components: names of the columns.
        values: (networks, components) float64.
        reduced: whether the columns are replaced by principal components inside each fold.
    """

    name: str
    family: str
    components: tuple[str, ...]
    values: np.ndarray
    reduced: bool = False

    @property
    def kind(self) -> str:
        """``reference``, ``scalar`` (one component) or ``vector``."""
        if self.family == REFERENCE:
            return REFERENCE
        return "scalar" if len(self.components) == 1 else "vector"

    @property
    def constant(self) -> bool:
        """Whether no column varies over the networks, so that nothing can be learnt from them."""
        return bool(np.all(self.values == self.values[:1]))

    def underdetermined(self, training: int, beside: int = 0) -> bool:
        """Tell whether a fit to ``training`` networks has more coefficients than networks.

        One coefficient is the intercept.

        Args:
            training: number of networks that are fitted.
            beside: number of columns in the fit besides those of the measure.

        Returns:
            Whether the solution is not unique.
        """
        columns = len(self.components)
        if self.reduced:
            columns = min(columns, most_principal_components(training))
        return 1 + beside + columns > training

    def rows(self, chosen: np.ndarray) -> Design:
        """Return the same design for some of the networks (indices or mask)."""
        return replace(self, values=self.values[chosen])


@dataclass(frozen=True)
class Designs:
    """The measures of a task that can be compared, over the same networks.

    Attributes:
        networks: ids in natural order ("2" before "10"), whatever the order of the tables.
        gaps: (networks,) float64.
        grid: hyper-parameters in natural order of their names, index ``networks``.
        training: (networks,) float64: training accuracies, losses or errors.
        gap_of: which of them, one of :data:`gengap.names.GAPS`.
        measures: one design per measure, in natural order of the names.
        left_out: what is not compared: kind (network or measure), name, reason.
        draws: (networks,) object: the draw of training data that each network saw; None where all
            networks saw the same data.
        gap_errors: (networks,) float64: standard error of each gap, from the finite test set; None
            where it is unknown.
        standard_errors: (networks,) float64 of each scalar measure that reports them.
    """

    networks: tuple[str, ...]
    gaps: np.ndarray
    grid: pd.DataFrame
    training: np.ndarray
    gap_of: str
    measures: tuple[Design, ...]
    left_out: pd.DataFrame
    draws: np.ndarray | None = None
    gap_errors: np.ndarray | None = None
    standard_errors: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def points(self) -> np.ndarray:
        """(networks,) int: the grid point of each network (:func:`grid_points`)."""
        return grid_points(self.grid)

    def rows(self, chosen: np.ndarray) -> Designs:
        """Return the same measures for some of the networks (indices or mask)."""
        return Designs(
            tuple(np.array(self.networks)[chosen].tolist()),
            self.gaps[chosen],
            self.grid.iloc[chosen],
            self.training[chosen],
            self.gap_of,
            tuple(design.rows(chosen) for design in self.measures),
            self.left_out,
            None if self.draws is None else self.draws[chosen],
            None if self.gap_errors is None else self.gap_errors[chosen],
            {name: errors[chosen] for name, errors in self.standard_errors.items()},
        )

    def left_out_networks(self) -> list[str]:
        """Return the ids of the networks that are not compared."""
        table = self.left_out
        return list(table.loc[table["kind"] == NETWORK, "name"])


def draw_indices(draws: np.ndarray | None, networks: int) -> np.ndarray:
    """Number the draws of the training data.

    Args:
        draws: (networks,) label of each network's draw; None where all saw the same data.
        networks: how many there are.

    Returns:
        (networks,) int64, in the order of the labels as text; all 0 where there is one draw.
    """
    if draws is None:
        return np.zeros(networks, dtype=np.int64)
    return np.unique(np.asarray(draws, dtype=str), return_inverse=True)[1].astype(np.int64)


def most_principal_components(training: int) -> int:
    """Return the largest number of principal components that a reduced design may have."""
    return max(1, training // NETWORKS_PER_COMPONENT)


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that compares digits as numbers: ``model_2`` before ``model_10``.

    The name itself comes last. It orders names whose numbers are the same, such as 0.1 and 0.01.
    """
    parts = re.split(r"([0-9]+)", name)  # digits are at odd places
    key = [(1, int(part), "") if place % 2 else (0, 0, part) for place, part in enumerate(parts)]
    return (*key, (0, 0, name))


def by_network(table: pd.Series, name: str) -> dict[str, float]:
    """Return the numbers of a table by network id, as text.

    Args:
        table: index network.
        name: what the numbers are, for error messages.

    Returns:
        The number of each network.

    Raises:
        GengapError: the table has no index, a network occurs twice, or a value is not a number.
    """
    if not isinstance(table, pd.Series):
        raise GengapError(
            f"The {name} are a {type(table).__name__}: give a pandas.Series whose index has the "
            "networks."
        )
    networks = [str(network) for network in table.index]
    index = pd.Index(networks)
    if index.has_duplicates:
        raise GengapError(
            f"Network {index[index.duplicated()][0]} occurs more than once in the {name}: "
            "keep one row per network."
        )
    return dict(zip(networks, numbers(table, name), strict=True))


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """Return a column as (rows,) float64; missing values become NaN."""
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise GengapError(
            f"The {name} hold something that is not a number ({error}): "
            "write numbers, or leave the row out."
        ) from error


def measure_designs(
    measures: pd.DataFrame, reduce: Collection[str]
) -> tuple[list[str], list[Design]]:
    """Make one design per measure from a tidy table; missing values are NaN.

    Args:
        measures: tidy table of one task: ``COLUMNS``.
        reduce: prefixes of the names of measures that are reduced inside the folds.

    Returns:
        Network ids, and the designs in natural order of their names, components likewise.

    Raises:
        GengapError: columns or rows are missing, there are several tasks, a value is given twice,
            or a measure is in two families or has the name of a reference or combination row.
    """
    absent = [column for column in COLUMNS if column not in measures.columns]
    if absent:
        raise GengapError(
            f"The table of measures lacks the column {absent[0]!r}: it needs {', '.join(COLUMNS)}."
        )
    if measures.empty:
        raise GengapError("The table of measures is empty: choose at least one family of measures.")
    for column in COLUMNS[:-1]:
        if measures[column].isna().any():
            raise GengapError(
                f"The table of measures has a row without {column}: write the table again."
            )
    tasks = {str(task) for task in measures["task"].unique()}
    if len(tasks) > 1:
        raise GengapError(
            f"The table of measures holds several tasks ({', '.join(sorted(tasks))}): "
            "evaluate one task at a time."
        )
    # Text of distinct values only: the tables have many rows and few ids.
    network_codes, network_values = pd.factorize(measures["network"])
    networks = [str(value) for value in network_values]
    values = numbers(measures["value"], "values of the measures")
    component_codes, component_values = pd.factorize(measures["component"])
    components = [str(value) for value in component_values]
    family_codes, family_values = pd.factorize(measures["family"])
    family_names = [str(value) for value in family_values]
    designs = []
    for name, rows in measures.groupby("measure", sort=False).indices.items():
        families = [family_names[code] for code in pd.unique(family_codes[rows])]
        if len(families) > 1:
            raise GengapError(
                f"Measure {name} occurs in the families {families[0]} and {families[1]}: "
                "give one of them another name."
            )
        for kind in (REFERENCE, COMBINATION):
            if str(name).startswith(f"{kind}.") or families[0] == kind:
                raise GengapError(
                    f"Measure {name} of the family {families[0]} looks like a {kind} row: choose "
                    f"another family than {kind!r}, and a name that does not start with it."
                )
        has_component = np.bincount(component_codes[rows], minlength=len(components)) > 0
        columns = np.flatnonzero(has_component)
        positions = (np.cumsum(has_component) - 1)[component_codes[rows]]
        order = sorted(range(len(columns)), key=lambda c: natural_key(components[columns[c]]))
        matrix = np.full((len(networks), len(columns)), np.nan)
        matrix[network_codes[rows], positions] = values[rows]
        cells = network_codes[rows] * len(columns) + positions
        counts = np.bincount(cells)
        if counts.max() > 1:
            first = int(np.argmax(counts > 1))
            raise GengapError(
                f"Measure {name}, component {components[columns[first % len(columns)]]} is given "
                f"twice for network {networks[first // len(columns)]}: keep one row of them."
            )
        designs.append(
            Design(
                name=str(name),
                family=families[0],
                components=tuple(components[code] for code in columns[order]),
                values=matrix[:, order],
                reduced=str(name).startswith(tuple(reduce)),
            )
        )
    return networks, sorted(designs, key=lambda design: natural_key(design.name))


def comparable(designs: Sequence[Design], usable: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Choose the networks and the measures that are compared.

    All measures are compared on the same networks. A network that has no measure at all of some
    family has failed there, and is not compared. A measure that one of the remaining networks lacks
    is not compared, so a measure that fails costs neither networks nor other measures.

    Args:
        designs: one per measure, all over the same networks; NaN where a value is missing.
        usable: (networks,) bool, the networks that have a gap and whatever else is needed.

    Returns:
        (networks,) bool, the networks that are compared; and for each measure that is not compared,
        how many of these networks lack it.
    """
    finite = {design.name: np.isfinite(design.values).all(axis=1) for design in designs}
    compared = usable
    for family in {design.family for design in designs}:
        of_family = [finite[design.name] for design in designs if design.family == family]
        compared = compared & np.any(of_family, axis=0)
    lacking = {name: int((compared & ~values).sum()) for name, values in finite.items()}
    return compared, {name: count for name, count in lacking.items() if count}


def lacking_sentence(lacking: int, networks: int) -> str:
    """Say why a measure is not compared."""
    return f"no finite value for {lacking} of {networks} networks"


def grid_points(grid: pd.DataFrame) -> np.ndarray:
    """Number the distinct combinations of hyper-parameters.

    Replicates, i.e. networks with equal hyper-parameters, have one number. Numbers follow the order
    of the levels, so they do not depend on the order of the networks or on their names. Where no
    hyper-parameter varies, every network is a point of its own.

    Args:
        grid: hyper-parameters, one row for each network.

    Returns:
        (networks,) int64, from 0 upwards without a hole.
    """
    indices = level_indices(grid)
    if not indices.shape[1]:
        return np.arange(len(grid))
    _, points = np.unique(indices, axis=0, return_inverse=True)
    return np.asarray(points.reshape(-1), dtype=np.int64)


def level_indices(grid: pd.DataFrame) -> np.ndarray:
    """Return (networks, varying hyper-parameters) int64: the index of each value's level.

    Columns are in natural order of the hyper-parameters' names.
    """
    names = sorted(grid.columns, key=lambda column: natural_key(str(column)))
    columns = [levels(grid[name])[1] for name in names]
    columns = [column for column in columns if len(column) and np.ptp(column)]
    return np.column_stack(columns) if columns else np.zeros((len(grid), 0), dtype=np.int64)


def prepare(
    measures: pd.DataFrame,
    gaps: pd.Series,
    grid: pd.DataFrame,
    training: pd.Series,
    reduce: Collection[str],
    gap_of: str,
    *,
    draws: pd.Series | None = None,
    gap_errors: pd.Series | None = None,
    standard_errors: pd.DataFrame | None = None,
    leave_out: Mapping[str, str] | None = None,
) -> Designs:
    """Prepare the measures of one task for a comparison on the same networks.

    A network without a gap, hyper-parameters or training accuracy (or loss, or error), or without
    any measure of some family, is left out. So is a measure without a finite value for one of the
    other networks (:func:`comparable`). ``left_out`` names both and says why.

    Args:
        measures: tidy table of one task.
        gaps: index network.
        grid: hyper-parameters, index network.
        training: training accuracies, losses or errors, index network.
        reduce: prefixes of the names of measures that are reduced inside the folds.
        gap_of: which of them the gap is of, one of :data:`gengap.names.GAPS`.
        draws: label of the draw of training data that a network saw, index network; None where all
            saw the same data.
        gap_errors: standard errors of the gaps, index network.
        standard_errors: tidy table of one task with the column standard_error.
        leave_out: networks that are not compared, with the reason.

    Returns:
        The designs of the measures that are compared.

    Raises:
        GengapError: the tables contradict themselves (see ``measure_designs``), or a network has no
            draw.
    """
    known, designs = measure_designs(measures, reduce)
    known_gaps = by_network(gaps, "gaps")
    named = f"training {gap_of}"
    known_training = by_network(training, named)
    configured = {str(network): position for position, network in enumerate(grid.index)}
    if len(configured) < len(grid):
        raise GengapError("A network occurs more than once in the grid: keep one row per network.")
    unfit = {str(network): reason for network, reason in (leave_out or {}).items()}
    # An unfit network is named, even where its measures failed too.
    absent = sorted(set(configured) & set(unfit) - {*known, *known_gaps}, key=natural_key)
    candidates = sorted({*known, *known_gaps, *absent}, key=natural_key)
    designs = over_networks(designs, known, candidates)
    has = {
        "gap": np.isfinite([known_gaps.get(network, np.nan) for network in candidates]),
        named: np.isfinite([known_training.get(network, np.nan) for network in candidates]),
        "hyper-parameters": np.array([network in configured for network in candidates]),
    }
    fit = np.array([network not in unfit for network in candidates])
    compared, lacking = comparable(designs, np.all([fit, *has.values()], axis=0))
    has |= {design.name: np.isfinite(design.values).all(axis=1) for design in designs}
    left_out = [
        (NETWORK, network, unfit.get(network) or missing_sentence(has, row))
        for row, network in enumerate(candidates)
        if not compared[row]
    ]
    left_out += [
        (MEASURE, name, lacking_sentence(count, int(compared.sum())))
        for name, count in lacking.items()
    ]
    networks = [network for network, chosen in zip(candidates, compared, strict=True) if chosen]
    rows = grid.iloc[[configured[network] for network in networks]]
    named_columns = sorted(grid.columns, key=lambda column: natural_key(str(column)))
    chosen_designs = tuple(
        design.rows(compared) for design in designs if design.name not in lacking
    )
    return Designs(
        networks=tuple(networks),
        gaps=np.array([known_gaps[network] for network in networks]),
        grid=rows[named_columns].set_axis(pd.Index(networks, name="network", dtype=object)),
        training=np.array([known_training[network] for network in networks]),
        gap_of=gap_of,
        measures=chosen_designs,
        left_out=pd.DataFrame(left_out, columns=["kind", "name", "reason"]),
        draws=draw_labels(draws, networks),
        gap_errors=errors_of(gap_errors, networks),
        standard_errors=scalar_errors(standard_errors, chosen_designs, networks),
    )


def missing_sentence(has: Mapping[str, np.ndarray], row: int) -> str:
    """Say what a network lacks, so that it is not compared."""
    return f"no finite {', '.join(name for name in has if not has[name][row])}"


def draw_labels(draws: pd.Series | None, networks: Sequence[str]) -> np.ndarray | None:
    """Return (networks,) labels of the draws, or None where all networks saw the same data.

    Raises:
        GengapError: a network has no draw, or several.
    """
    if draws is None or not len(networks):
        return None
    index = pd.Index([str(network) for network in draws.index])
    if index.has_duplicates:
        raise GengapError(
            f"Network {index[index.duplicated()][0]} occurs more than once in the draws of the "
            "training data: keep one row per network."
        )
    known = dict(zip(index, draws, strict=True))
    for network in networks:
        if network not in known or pd.isna(known[network]):
            raise GengapError(
                f"Network {network} has no draw of the training data, but others have: "
                "name the draw of every network."
            )
    labels = np.array([str(known[network]) for network in networks], dtype=object)
    return labels if len(set(labels)) > 1 else None


def errors_of(errors: pd.Series | None, networks: Sequence[str]) -> np.ndarray | None:
    """Return (networks,) standard errors of the gaps, or None unless all are known."""
    if errors is None:
        return None
    known = by_network(errors, "standard errors of the gaps")
    values = np.array([known.get(network, np.nan) for network in networks])
    return values if np.isfinite(values).all() else None


def scalar_errors(
    table: pd.DataFrame | None, designs: Sequence[Design], networks: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return (networks,) standard errors of each scalar measure that reports all of them."""
    if table is None or table.empty:
        return {}
    scalars = {design.name for design in designs if design.kind == "scalar"}
    rows = table[table["measure"].isin(scalars)]
    errors = {}
    for name, own in rows.groupby("measure", sort=False):
        series = pd.Series(own["standard_error"].to_numpy(), index=own["network"].astype(str))
        known = by_network(series, f"standard errors of {name}")
        values = np.array([known.get(network, np.nan) for network in networks])
        if np.isfinite(values).all():
            errors[str(name)] = values
    return errors


def over_networks(
    designs: Sequence[Design], known: Sequence[str], networks: Sequence[str]
) -> list[Design]:
    """Return the designs with one row per entry of ``networks``, NaN for one that is not known."""
    position = {network: row for row, network in enumerate(known)}
    absent = len(known)
    rows = np.array([position.get(network, absent) for network in networks], dtype=np.int64)
    return [
        replace(
            design, values=np.vstack([design.values, np.full(len(design.components), np.nan)])[rows]
        )
        for design in designs
    ]


def levels(column: pd.Series) -> tuple[list[Hashable], np.ndarray]:
    """Order the distinct values of a hyper-parameter.

    Numbers are ordered by size, everything else by its text. A missing value (None or NaN) and a
    list count as values like any other.

    Args:
        column: (networks,) values.

    Returns:
        The distinct values in order, and (networks,) the index of each network's value among them.
    """
    if column.dtype.kind in "iuf" and not column.isna().any():
        numeric, codes = np.unique(column.to_numpy(), return_inverse=True)
        return numeric.tolist(), codes.reshape(-1).astype(np.int64)
    values = [value.item() if isinstance(value, np.generic) else value for value in column]
    distinct: list[Hashable]
    if all(isinstance(value, (int, float)) and not math.isnan(value) for value in values):
        distinct = sorted(set(values))
    else:
        values = [_text(value) for value in values]
        distinct = [*sorted(set(values), key=natural_key)]
    index = {value: position for position, value in enumerate(distinct)}
    return distinct, np.array([index[value] for value in values], dtype=np.int64)


def _text(value: object) -> str:
    """A level as text; 8 and 8.0 are one, since a missing value makes a column one of floats."""
    if isinstance(value, float) and math.isnan(value):
        return str(None)
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def level_like(distinct: Sequence[Hashable], value: object) -> int | None:
    """Return the place of a value among the levels of a hyper-parameter.

    Args:
        distinct: what :func:`levels` returned.
        value: as a user gives it, a number perhaps as text.

    Returns:
        The place of the level that is equal or has the same text, None and NaN being the same; None
        if there is no such level.
    """
    same = {str(value), _text(value)}
    for place, level in enumerate(distinct):
        if level == value or _text(level) in same or str(level) in same:
            return place
    return None


def hyper_parameter_design(grid: pd.DataFrame) -> Design:
    """Make the reference row of the hyper-parameters alone: an additive model of their values.

    A hyper-parameter with up to ``MOST_INDICATED_VALUES`` values, or whose values are not numbers,
    gives one indicator column per value but the first, so any dependence on it can be fitted; a
    number with more values enters as itself. One that does not vary gives nothing.

    Returns:
        (networks, columns) with the names of the columns.
    """
    names: list[str] = []
    columns: list[np.ndarray] = []
    for name in sorted(grid.columns, key=lambda column: natural_key(str(column))):
        distinct, index = levels(grid[name])
        numeric = all(isinstance(value, (int, float)) for value in distinct)
        if numeric and len(distinct) > MOST_INDICATED_VALUES:
            names.append(str(name))
            columns.append(np.array(distinct, dtype=np.float64)[index])
        else:
            names += [f"{name}={value}" for value in distinct[1:]]
            columns += [(index == level).astype(np.float64) for level in range(1, len(distinct))]
    values = np.column_stack(columns) if columns else np.zeros((len(grid), 0))
    return Design(HYPER_PARAMETERS, REFERENCE, tuple(names), values)
