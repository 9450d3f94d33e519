"""The claims of ballester2023, against scikit-learn and direct loops over networks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from gengap.evaluation.designs import prepare
from gengap.evaluation.mutual_information import score_measures
from gengap.studies.ballester2023.claims import (
    BOTH,
    RIVALS,
    SUMMARIES,
    MeasuredTask,
    _among_fitted,
    claims,
    jackknife,
    pseudo_values,
)
from gengap.studies.claims import Claim
from gengap.studies.estimates import Kind

GRID: dict[str, list[Any]] = {
    "depth": [1, 2, 3],
    "width": [8, 16],
    "dropout": [0.0, 0.5],
    "batch_size": [8, 32],
}
POINTS = pd.DataFrame(list(itertools.product(*GRID.values())), columns=list(GRID))
COUNT = len(POINTS)
NAMES = [str(place) for place in range(COUNT)]


def made(
    neurons: int = 3000,
    *,
    told: float = 1.0,
    moved: float = 0.0,
    noise: float = 0.01,
    unfit: int = 0,
) -> MeasuredTask:
    """A task whose gaps the first summary of each dimension tells, up to some noise."""
    chance = np.random.default_rng(0)
    summaries = chance.normal(size=(COUNT, 8))
    rivals = chance.normal(size=(COUNT, len(RIVALS)))
    gaps = told * (summaries[:, 0] + summaries[:, 4]) + 0.3 * chance.normal(size=COUNT)
    summaries = summaries + moved * chance.normal(size=summaries.shape)
    vectors = {
        f"{SUMMARIES}.H0": summaries[:, :4],
        f"{SUMMARIES}.H1": summaries[:, 4:],
        BOTH: summaries,
    }
    rows = [
        ("made", network, family, measure, str(component), values[place, component])
        for family, measures in {
            "topology": vectors,
            "competition": dict(zip(RIVALS.values(), rivals.T[:, :, None], strict=True)),
        }.items()
        for measure, values in measures.items()
        for place, network in enumerate(NAMES)
        for component in range(values.shape[1])
    ]
    columns = ["task", "network", "family", "measure", "component", "value"]
    index = pd.Index(NAMES, name="network")
    designs = prepare(
        pd.DataFrame(rows, columns=columns),
        pd.Series(gaps, index),
        POINTS.set_axis(index),
        pd.Series(1.0, index),
        (),
        "accuracy",
    )
    scores = pd.DataFrame({"r2_mean": [0.5], "r2_std": [0.1]}, index=[BOTH])
    errors = np.full((COUNT, 8), noise)
    losses = np.full(COUNT, 0.01)
    losses[:unfit] = 0.5
    return MeasuredTask("made", "zoo", neurons, designs, errors, GRID, losses, scores)


def judged(*tasks: MeasuredTask) -> dict[str, Claim]:
    return {claim.title: claim for claim in claims(tasks)}


def left_out(values: NDArray[np.float64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions of a linear model that is fitted anew without each network."""
    predicted: NDArray[np.float64] = cross_val_predict(
        LinearRegression(), values, gaps, cv=LeaveOneOut()
    )
    return predicted


def test_an_r2_is_that_of_fits_without_each_network() -> None:
    task = made()
    gaps, values = task.designs.gaps, task.by_name[BOTH].values
    predicted = left_out(values, gaps)
    means = np.array([np.delete(gaps, place).mean() for place in range(COUNT)])
    expected = 1 - ((gaps - predicted) ** 2).sum() / ((gaps - means) ** 2).sum()
    np.testing.assert_allclose(task.predictions(values), predicted)
    estimate = judged(task)["The prediction is accurate"].estimates["made"]
    assert len(estimate.values) == COUNT
    assert np.mean(estimate.values) == pytest.approx(expected)
    error = np.std(estimate.values, ddof=1) / np.sqrt(COUNT)
    assert estimate.interval().high - expected == pytest.approx(
        stats.t.ppf(0.975, COUNT - 1) * error
    )


def test_differences_of_r2_are_those_of_the_two_models() -> None:
    task = made()
    gaps = task.designs.gaps
    of_mean = ((gaps - np.mean(gaps)) * COUNT / (COUNT - 1)) ** 2
    errors = {
        name: ((gaps - left_out(task.by_name[name].values, gaps)) ** 2).sum()
        for name in (BOTH, f"{SUMMARIES}.H0", *RIVALS.values())
    }
    found = judged(task)
    pairs = {
        "Both dimensions together predict better than one": ("both minus H0 alone", ".H0"),
        "It is competitive with methods of the competition": ("minus BrAIn", "brain"),
    }
    for title, (name, other) in pairs.items():
        than = next(error for measure, error in errors.items() if measure.endswith(other))
        mean = np.mean(found[title].estimates[f"made: {name}"].values)
        assert mean == pytest.approx((than - errors[BOTH]) / of_mean.sum())


def test_hyper_parameters_are_indicators_beside_which_the_summaries_stand() -> None:
    task = made()
    gaps, values = task.designs.gaps, task.by_name[BOTH].values
    indicators = pd.get_dummies(POINTS.astype(str), drop_first=True).to_numpy(dtype=float)
    alone = ((gaps - left_out(indicators, gaps)) ** 2).sum()
    together = ((gaps - left_out(np.hstack([indicators, values]), gaps)) ** 2).sum()
    of_mean = ((gaps - np.mean(gaps)) * COUNT / (COUNT - 1)) ** 2
    added = judged(task)["The summaries say more than the hyper-parameters"]
    mean = np.mean(added.estimates["made: what they add"].values)
    assert mean == pytest.approx((alone - together) / of_mean.sum())
    assert added.verdict.word == "agrees"


def test_claims_follow_what_was_made() -> None:
    telling = judged(made())
    silent = judged(made(told=0.0))
    for title in (
        "Summaries of the diagrams predict the gap",
        "The prediction is accurate",
        "Both dimensions together predict better than one",
        "It is competitive with methods of the competition",
    ):
        assert telling[title].verdict.word == "agrees"
        assert silent[title].verdict.word != "agrees"
    # 24 networks do not decide against it: the pseudo-values of some are far out.
    assert np.mean(silent["The prediction is accurate"].estimates["made"].values) < 0


FITTING = "The summaries predict the gap among networks that fit"


def test_networks_that_fit_are_judged_without_the_others() -> None:
    task = made(unfit=6)
    claim = judged(task)[FITTING]
    (part,) = claim.parts
    assert part == "made: 18 of 24 networks"
    (other,) = set(claim.estimates) - {part}
    losses = np.log(task.losses)[:, None]
    for name, known, gaps in (
        (part, task.by_name[BOTH].values[6:], task.designs.gaps[6:]),
        (other, losses, task.designs.gaps),
    ):
        of_mean = (gaps - left_out(np.zeros((len(gaps), 1)), gaps)) ** 2
        expected = 1 - ((gaps - left_out(known, gaps)) ** 2).sum() / of_mean.sum()
        assert np.mean(claim.estimates[name].values) == pytest.approx(expected)
        assert len(claim.estimates[name].values) == len(gaps)


def test_a_task_of_which_too_few_networks_fit_is_named() -> None:
    # Where all fit, it is the first claim. Nine coefficients ask for 18 networks.
    assert FITTING not in judged(made())
    assert FITTING not in judged(made(unfit=7))
    claim = _among_fitted([made(unfit=0), made(unfit=6), made(unfit=7)])
    assert list(claim.parts) == ["made: 24 of 24 networks", "made: 18 of 24 networks"]
    assert claim.measured.endswith("Left out, since too few fit: made: 17 of 24 networks.")


@pytest.mark.parametrize("loss", [np.nan, 0.0])
def test_a_loss_without_a_logarithm_explains_nothing(loss: float) -> None:
    task = made(unfit=6)
    task.losses[0] = loss
    claim = _among_fitted([task])
    assert list(claim.estimates) == list(claim.parts)
    fitted = 18 + (loss == 0)
    assert list(claim.parts) == [f"made: {fitted} of 24 networks"]


@pytest.mark.slow
def test_draws_are_stable_where_their_noise_is_small() -> None:
    title = "Averages over draws are stable"
    small, large = judged(made(noise=0.1))[title], judged(made(noise=0.9))[title]
    assert (small.verdict.word, large.verdict.word) == ("agrees", "disagrees")
    task = made(noise=0.1)
    variances = task.by_name[BOTH].values.var(axis=0, ddof=1)
    (estimate,) = small.estimates.values()
    assert np.mean(estimate.values) == pytest.approx(np.mean(0.01 / variances))
    # Draws of all neurons do not differ.
    assert title not in judged(made(noise=0.0))


@pytest.mark.slow
def test_fewer_neurons_are_held_against_most() -> None:
    title = "Fewer neurons order networks in the same way"
    assert title not in judged(made())
    like = judged(made(), made(500, moved=0.05))[title]
    other = judged(made(), made(500, moved=2.0))[title]
    assert (like.verdict.word, other.verdict.word) == ("agrees", "disagrees")
    bare = replace(made(), designs=replace(made().designs, measures=()))
    without_most = judged(bare, made(1000), made(500))[title]
    assert list(without_most.estimates) == ["made: 500 neurons"]
    fewer, most = made(500, moved=2.0), made()
    whole = np.mean(
        [
            stats.spearmanr(one, two).statistic
            for one, two in zip(
                fewer.by_name[BOTH].values.T, most.by_name[BOTH].values.T, strict=True
            )
        ]
    )
    # The jackknife moves a statistic by its bias alone.
    assert other.estimates["made: 500 neurons"].interval().mean == pytest.approx(whole, abs=0.05)


def test_mutual_information_is_that_of_the_tables() -> None:
    task = made()
    values = task.by_name["brain"].values[:, 0]
    index = pd.Index(NAMES, name="network")
    table = pd.DataFrame(
        {
            "task": "made", "network": NAMES, "family": "competition", "measure": "brain",
            "component": "0", "value": values,
        }
    )  # fmt: skip
    score = score_measures(table, pd.Series(task.designs.gaps, index), POINTS.set_axis(index), GRID)
    (mine,) = task.information(values)(np.arange(COUNT))
    assert 100 * mine == pytest.approx(score["score"][0])
    assert mine > 0


def test_the_jackknife_of_a_mean_is_its_values() -> None:
    values = np.random.default_rng(1).normal(size=9)
    estimate = jackknife(lambda chosen: float(values[chosen].mean()), 9, Kind.MEAN)
    np.testing.assert_allclose(estimate.values, values)
    # That of the variance with divisor n takes away its bias.
    variance = jackknife(lambda chosen: float(values[chosen].var()), 9)
    assert np.mean(variance.values) == pytest.approx(values.var(ddof=1))


def test_statistics_that_are_computed_together_have_the_pseudo_values_of_each() -> None:
    task = made()
    first, second = (task.by_name[name].values[:, 0] for name in ("brain", "interpex"))
    both = pseudo_values(task.information(first, second), COUNT)
    assert both.shape == (COUNT, 2)
    for column, values in zip(both.T, (first, second), strict=True):
        (alone,) = pseudo_values(task.information(values), COUNT).T
        np.testing.assert_array_equal(column, alone)
    differences = pseudo_values(
        lambda chosen: float(np.subtract(*task.information(first, second)(chosen))), COUNT
    )
    np.testing.assert_allclose(both[:, 0] - both[:, 1], differences, atol=1e-12)


def test_a_task_without_the_competitions_measures_has_claims_on_the_summaries() -> None:
    task = made()
    names = {f"{SUMMARIES}.H0", f"{SUMMARIES}.H1", BOTH}
    for name in set(task.by_name) - names:
        del task.by_name[name]
    titles = set(judged(task))
    assert "The prediction is accurate" in titles
    assert not any("competition" in title for title in titles)
