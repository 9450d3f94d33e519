"""The competition's score: conditional mutual information of a measure and the gap.

Jiang et al., "NeurIPS 2020 Competition: Predicting Generalization in Deep Learning" (arXiv
2012.07976), and "Fantastic generalization measures and where to find them" (ICLR 2020), section
2.2.3. The score asks whether the measure orders two networks as the gap does, with two
hyper-parameters held at given values. A measure's score is that of the pair of hyper-parameters
where it is lowest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gengap.errors import GengapError
from gengap.evaluation.designs import (
    by_network,
    comparable,
    lacking_sentence,
    measure_designs,
    natural_key,
)
from gengap.evaluation.first_order import below_between, below_in_both_between, dense_ranks

PREFIX = "model_"


def conditional_mutual_information(
    predictions: Mapping[str, float], reference: Mapping[str, Any]
) -> float:
    """Score a measure: the minimum over pairs of hyper-parameters, 0 to 1.

    The competition's reports give 100 times this score. The sign of the measure does not matter:
    its negative has the same score, up to ties.

    Args:
        predictions: a measure's value per network; ids with or without ``model_``.
        reference: content of a task's ``model_configs.json``, by network id:
            ``hparams.<name>.{possible_values, current_value}`` and
            ``metrics.{train_acc, test_acc}``.

    Returns:
        The score, 0 to 1.

    Raises:
        GengapError: see ``mutual_information_table``.
    """
    return float(mutual_information_table(predictions, reference)["score"].min())


def mutual_information_table(
    predictions: Mapping[str, float], reference: Mapping[str, Any]
) -> pd.DataFrame:
    """Score a measure for each pair of hyper-parameters, each unordered pair once.

    A cell is an ordered pair of value combinations of the two hyper-parameters. It holds all
    ordered pairs of networks with these values (including a network with itself), as a 2 x 2 table
    of gap difference > 0 against measure difference > 0. So ties count as negative. The mutual
    information of that table and the entropy of its gap signs, in bits, are averaged over the cells
    without weights. A hyper-parameter with one value takes part like any other: its pairs condition
    on the other one alone.

    Args:
        predictions: as in ``conditional_mutual_information``.
        reference: as in ``conditional_mutual_information``.

    Returns:
        first, second (names of the hyper-parameters), mutual_information, gap_entropy (means over
        cells, bits), score (their ratio).

    Raises:
        GengapError: a network is missing on one side or named twice, or a value is not a finite
            number. A hyper-parameter is missing or has an unlisted value, or there are fewer than
            two. A combination of two values has no network, or within all cells of a pair no two
            networks differ in which gap is larger.
    """
    models = {identifier(name): model for name, model in reference.items()}
    if len(models) < len(reference):
        raise GengapError("The reference names a network twice, with and without 'model_'.")
    networks = sorted(models, key=natural_key)
    for network in networks:
        require_known(network, models[network])
    measure = dense_ranks(predicted(predictions, networks))
    gaps = dense_ranks(np.array([gap(network, models[network]) for network in networks]))
    values = possible_values(networks, models)
    codes = {
        name: np.array([code(network, models[network], name, listed) for network in networks])
        for name, listed in values.items()
    }
    rows = []
    for first, second in itertools.combinations(values, 2):
        columns = len(values[second])
        combination = codes[first] * columns + codes[second]
        members = np.bincount(combination, minlength=len(values[first]) * columns)
        if not members.all():
            empty = int(np.argmin(members))
            raise GengapError(
                f"No network has {first} = {values[first][empty // columns]} and "
                f"{second} = {values[second][empty % columns]}, so the score is not defined: "
                "complete the grid, or drop one of the values from possible_values."
            )
        counts = [
            below_between(gaps, combination, len(members)),
            below_between(measure, combination, len(members)),
            below_in_both_between(gaps, measure, combination, len(members)),
        ]
        information, entropy = cells(np.outer(members, members), *counts)
        if entropy == 0:
            raise GengapError(
                f"With {first} and {second} held fixed no two networks differ in which gap is "
                "larger, so the score is not defined: vary a further hyper-parameter, or add "
                "replicates."
            )
        rows.append((first, second, information, entropy, information / entropy))
    return pd.DataFrame(
        rows, columns=["first", "second", "mutual_information", "gap_entropy", "score"]
    )


def score_measures(
    measures: pd.DataFrame,
    gaps: pd.Series,
    hyper_parameters: pd.DataFrame,
    grid: Mapping[str, Sequence[Any]],
) -> pd.DataFrame:
    """Score each scalar measure of a task, times 100 as in the competition's reports.

    All measures are scored on the same networks, chosen as for the leaderboard
    (:func:`gengap.evaluation.designs.comparable`). A measure that one of them lacks has no score,
    nor has one whose score is not defined (a combination of values without any network). Then the
    score is NaN and ``reason`` says why.

    Args:
        measures: tidy table of one task in which every measure has one component.
        gaps: index network.
        hyper_parameters: index network, with the columns in ``grid``.
        grid: possible values of each hyper-parameter.

    Returns:
        measure, family, score (0 to 100), networks (how many), left_out (how many others),
        reason ("" where there is a score); by falling score.

    Raises:
        GengapError: the table contradicts itself (``designs.measure_designs``).
    """
    networks, designs = measure_designs(measures, reduce=())
    known = by_network(gaps, "gaps")
    has_gap = np.isfinite([known.get(network, math.nan) for network in networks])
    compared, lacking = comparable(designs, has_gap)
    names = [network for network, chosen in zip(networks, compared, strict=True) if chosen]
    left_out = len({*networks, *known}) - len(names)
    scored = pd.Series([known[name] for name in names], index=names, dtype=float)
    reference = competition_reference(scored, hyper_parameters, grid)
    rows: list[tuple[str, str, float, int, int, str]] = []
    for design in designs:
        values = dict(zip(names, design.values[compared, 0], strict=True))
        score, reason = math.nan, ""
        try:
            if design.name in lacking:
                raise GengapError(lacking_sentence(lacking[design.name], len(names)))
            score = 100 * conditional_mutual_information(values, reference)
        except GengapError as error:
            reason = str(error) if names else "No network has a gap and measures of every family."
        rows.append((design.name, design.family, score, len(names), left_out, reason))
    columns = ["measure", "family", "score", "networks", "left_out", "reason"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def competition_reference(
    gaps: pd.Series, hyper_parameters: pd.DataFrame, grid: Mapping[str, Sequence[Any]]
) -> dict[str, Any]:
    """Make the content of a ``model_configs.json`` for a task of this library.

    Args:
        gaps: index network; they are written as ``train_acc``, with ``test_acc`` 0.
        hyper_parameters: index network, with the columns in ``grid``.
        grid: possible values of each hyper-parameter.

    Returns:
        By network id, as ``conditional_mutual_information`` reads it.
    """
    rows = hyper_parameters.set_axis(hyper_parameters.index.astype(str))
    return {
        str(network): {
            "hparams": {
                name: {
                    "possible_values": list(listed),
                    "current_value": _known(rows[name][str(network)]),
                }
                for name, listed in grid.items()
            },
            "metrics": {"train_acc": float(value), "test_acc": 0.0},
        }
        for network, value in gaps.items()
    }


def _known(value: Any) -> Any:
    """Return a hyper-parameter; None for one that is missing, which is NaN in a table."""
    return None if isinstance(value, float) and math.isnan(value) else value


def identifier(name: object) -> str:
    """Return a network's id without the prefix that predictions carry."""
    return str(name).removeprefix(PREFIX)


def number(value: object, what: str) -> float:
    """Return a finite number, and refuse anything else by name."""
    if isinstance(value, (int, float, np.number)) and math.isfinite(value):
        return float(value)
    raise GengapError(f"The {what} is {value!r}: the score needs a finite number.")


def predicted(predictions: Mapping[str, float], networks: Sequence[str]) -> np.ndarray:
    """Return the (networks,) values in the order of the networks."""
    named = {identifier(name): value for name, value in predictions.items()}
    if len(named) < len(predictions):
        raise GengapError("The predictions name a network twice, with and without 'model_'.")
    for wrong, remedy in (
        (set(networks) - set(named), "has no prediction: compute the measure for it too"),
        (set(named) - set(networks), "is not in the reference: give the task's own reference"),
    ):
        if wrong:
            raise GengapError(
                f"Network {min(wrong, key=natural_key)} (and {len(wrong) - 1} more) {remedy}."
            )
    return np.array(
        [number(named[network], f"prediction for network {network}") for network in networks]
    )


def gap(network: str, model: Mapping[str, Any]) -> float:
    """Return training less test accuracy as the reference states them."""
    metrics = model.get("metrics", {})
    train, test = (
        number(metrics.get(key), f"{key} of network {network} in the reference")
        for key in ("train_acc", "test_acc")
    )
    return train - test


def require_known(network: str, model: object) -> None:
    """Refuse an entry of the reference that does not say what the score needs.

    Raises:
        GengapError: it is no mapping, or a hyper-parameter of it lacks a list of possible values or
            its own value.
    """
    if not isinstance(model, Mapping) or not isinstance(model.get("metrics", {}), Mapping):
        raise GengapError(
            f"Network {network} has {model!r} in the reference: give it 'hparams' and 'metrics', "
            "as model_configs.json does."
        )
    hyper_parameters = model.get("hparams", {})
    if not isinstance(hyper_parameters, Mapping):
        raise GengapError(
            f"Network {network} has no 'possible_values' of its hyper-parameters in the reference "
            f"({hyper_parameters!r}): list them by name in 'hparams'."
        )
    for name, entry in hyper_parameters.items():
        if not (
            isinstance(entry, Mapping)
            and isinstance(entry.get("possible_values"), Sequence)
            and "current_value" in entry
        ):
            raise GengapError(
                f"Network {network} has no 'possible_values' or no 'current_value' of the "
                f"hyper-parameter '{name}' in the reference: state both."
            )


def possible_values(
    networks: Sequence[str], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Return the values of each hyper-parameter, as the first network lists them."""
    if not networks:
        raise GengapError("The reference names no network: give the task's model_configs.json.")
    listed = models[networks[0]].get("hparams", {})
    if len(listed) < 2:
        raise GengapError(
            f"The reference has {len(listed)} hyper-parameters, but the score conditions on pairs "
            "of them: use a task with at least two."
        )
    return {name: list(entry["possible_values"]) for name, entry in listed.items()}


def code(network: str, model: Mapping[str, Any], name: str, listed: Sequence[Any]) -> int:
    """Return the position of a network's value among the possible ones."""
    entry = model.get("hparams", {}).get(name)
    if entry is None:
        raise GengapError(
            f"Network {network} has no hyper-parameter {name} in the reference: state it for all."
        )
    value = entry["current_value"]
    if value not in listed:
        raise GengapError(
            f"Network {network} has {name} = {value}, which is not among the possible values "
            f"{listed}: correct the reference."
        )
    return listed.index(value)


def cells(
    pairs: np.ndarray, gap_larger: np.ndarray, measure_larger: np.ndarray, both: np.ndarray
) -> tuple[float, float]:
    """Average the mutual information and the entropy of the gap signs over cells.

    Each argument counts ordered pairs of networks, (combinations, combinations).

    Args:
        pairs: all pairs.
        gap_larger: those whose first network has the larger gap.
        measure_larger: those whose first network has the larger measure.
        both: those whose first network has the larger gap and the larger measure.

    Returns:
        Both means, in bits.
    """
    table = np.array(
        [
            [both, gap_larger - both],
            [measure_larger - both, pairs - gap_larger - measure_larger + both],
        ]
    )
    share = table / pairs
    gap_share, measure_share = share.sum(axis=1), share.sum(axis=0)
    entropy = np.sum(-plogp(gap_share), axis=0)
    information = (
        np.sum(plogp(share), axis=(0, 1))
        - np.sum(plogp(gap_share), axis=0)
        - np.sum(plogp(measure_share), axis=0)
    )
    # The information cannot be negative; differences of logarithms can, by rounding.
    return max(0.0, float(information.mean())), float(entropy.mean())


def plogp(share: np.ndarray) -> np.ndarray:
    """Return p log2 p, which is 0 at 0."""
    return np.asarray(share * np.log2(np.where(share > 0, share, 1.0)))
