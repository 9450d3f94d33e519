"""N_eff beside other guides: partial correlations, networks of one size, choice of alpha."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from gengap.errors import GengapError
from gengap.studies.claims import Claim
from gengap.studies.context import Context
from gengap.studies.maddox2020.experiments import fixed_size
from gengap.studies.maddox2020.experiments.fixed_size import FixedSizeRun
from gengap.studies.maddox2020.guides import (
    GIVEN_PARAMETERS,
    GIVEN_TRAIN_LOSS,
    N_EFF_WITH_LOSS,
    REPRODUCED,
    beside_rivals,
    beyond_parameters,
    choice_of_alpha,
)
from gengap.studies.maddox2020.measurements import Measurements
from gengap.studies.maddox2020.sweeps import FixedSize, partial_rank_correlation
from gengap.studies.outcomes import Floats, Run
from gengap.studies.running import evaluate_claims, plot_experiment, run_experiment

STUDY = "maddox2020"
SEEDS, RECIPES, STARTS = 8, 12, 2
NETWORKS = RECIPES * STARTS


def measurements(shape: tuple[int, ...], **given: Floats) -> Measurements:
    """Measurements (seeds, m) of one eigenvalue each, all else 1."""
    arrays: dict[str, Any] = {entry.name: np.ones(shape) for entry in fields(Measurements)}
    arrays |= {"nodes": np.zeros((*shape, 1)), "weights": np.zeros((*shape, 1))}
    arrays |= {"eigenvalues": np.ones((*shape, 1)), "train_loss": np.zeros(shape)} | given
    return Measurements(**arrays)


def judged(claims: list[Claim], title: str) -> str:
    (claim,) = [claim for claim in claims if claim.title.startswith(title)]
    return claim.verdict.word


def fixed(
    rng: np.random.Generator, *, by_recipe: float = 1.0, n_eff: float = 1.0, train_loss: float = 0.0
) -> list[FixedSizeRun]:
    """Runs whose test loss depends on the recipe, and N_eff on test and training loss."""
    recipe = np.tile(np.arange(RECIPES), STARTS)
    runs = []
    for seed in range(SEEDS):
        loss = by_recipe * recipe + rng.normal(size=NETWORKS)
        trained = np.tile(np.abs(rng.normal(size=RECIPES)), STARTS) * 0.03
        dimension = n_eff * loss + train_loss * trained * 1000 + rng.normal(size=NETWORKS)
        networks = measurements(
            (NETWORKS,),
            test_loss=loss + train_loss * trained * 1000,
            train_loss=trained,
            eigenvalues=np.exp(dimension / 30)[:, None],
            pac_bayes=rng.normal(size=NETWORKS),
            path_norm=loss + rng.normal(size=NETWORKS) * 0.01,
        )
        result = fixed_size.Result(
            networks,
            weight_decay=(recipe // 3).astype(float),
            batch_size=recipe % 3,
            start=np.repeat(np.arange(STARTS), RECIPES),
        )
        runs.append(Run(seed, fixed_size.Settings({}, {}, {}, [], []), result))
    return runs


def test_a_partial_rank_correlation_is_that_of_its_formula() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=30)
    first, second = given + rng.normal(size=30), -given + rng.normal(size=30)
    ab, ac, bc = (
        spearmanr(one, other).statistic
        for one, other in ((first, second), (first, given), (second, given))
    )
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert partial_rank_correlation(first, second, [given]) == pytest.approx(expected)
    assert partial_rank_correlation(first, second, []) == pytest.approx(ab)
    assert np.isnan(partial_rank_correlation(first, 2 * given, [given]))
    assert np.isnan(partial_rank_correlation(first[:3], second[:3], [given[:3]]))


def test_n_eff_that_follows_the_test_loss_at_one_size_agrees() -> None:
    claims = evaluate_claims(STUDY, {"fixed_size": fixed(np.random.default_rng(1))})
    assert judged(claims, "N_eff follows the test loss") == "agrees"
    follows = claims[0]
    assert set(follows.parts) == {N_EFF_WITH_LOSS, GIVEN_TRAIN_LOSS}
    assert f"Per seed {NETWORKS} of {NETWORKS} have" in follows.measured


def test_n_eff_that_falls_with_the_test_loss_disagrees() -> None:
    claims = evaluate_claims(STUDY, {"fixed_size": fixed(np.random.default_rng(1), n_eff=-1.0)})
    assert judged(claims, "N_eff follows the test loss") == "disagrees"
    assert judged(claims, "N_eff is a better guide") == "disagrees"


def test_n_eff_that_follows_the_training_loss_alone_does_not_agree() -> None:
    """Both losses move N_eff, the training loss the other way round than the recipe."""
    runs = fixed(np.random.default_rng(2), n_eff=-1.0, train_loss=1.0)
    claims = evaluate_claims(STUDY, {"fixed_size": runs})
    follows = claims[0]
    assert np.mean(follows.estimates[N_EFF_WITH_LOSS].values) > 0.5
    assert np.mean(follows.estimates[GIVEN_TRAIN_LOSS].values) < -0.5
    assert follows.verdict.word == "mixed"


def test_without_differences_between_recipes_the_premise_fails() -> None:
    claims = evaluate_claims(STUDY, {"fixed_size": fixed(np.random.default_rng(3), by_recipe=0.0)})
    assert judged(claims, "N_eff follows the test loss") == "premise fails"
    assert REPRODUCED in claims[0].premises


def test_networks_that_do_not_fit_are_left_out() -> None:
    runs = fixed(np.random.default_rng(1))
    for run in runs:
        run.result.networks.train_loss[:6] = 3.0
        run.result.networks.test_loss[:6] = 1e3 * np.arange(6)[::-1]
    claims = evaluate_claims(STUDY, {"fixed_size": runs})
    assert judged(claims, "N_eff follows the test loss") == "agrees"
    assert f"Per seed {NETWORKS - 6} of {NETWORKS} have" in claims[0].measured


def test_one_start_has_no_premise_and_two_runs_of_a_seed_are_refused() -> None:
    runs = fixed(np.random.default_rng(1))
    alone = FixedSize.of(runs)
    assert alone.reproduced() is not None
    assert replace(alone, start=np.zeros(NETWORKS, int)).reproduced() is None
    with pytest.raises(GengapError, match="leave its grid empty"):
        FixedSize.of([runs[0], runs[0]])


def test_a_rival_is_compared_where_it_is_known() -> None:
    rng = np.random.default_rng(0)
    loss = rng.normal(size=(SEEDS, 20))
    bound = -loss + 0.1 * rng.normal(size=(SEEDS, 20))
    bound[:, :5] = np.nan
    networks = measurements(
        (SEEDS, 20),
        test_loss=loss,
        eigenvalues=np.exp(loss / 9)[..., None],
        pac_bayes=bound,
        path_norm=rng.normal(size=(SEEDS, 20)),
    )
    claim = beside_rivals(networks, np.ones((SEEDS, 20), bool), "here")
    expected = [
        1 - abs(spearmanr(row[5:], other[5:]).statistic)
        for row, other in zip(loss, bound, strict=True)
    ]
    assert claim.estimates["N_eff ahead of PAC-Bayes bound"].values == pytest.approx(expected)
    assert claim.verdict.word == "agrees"


def test_n_eff_as_a_function_of_width_says_nothing_beyond_parameters() -> None:
    rng = np.random.default_rng(0)
    parameters = np.tile(np.arange(1.0, 13.0), (SEEDS, 1))
    loss = parameters + 4 * rng.normal(size=parameters.shape)
    follows = np.exp((parameters + 3 * loss) / 40)
    every = np.ones(12, bool)
    claims = {
        name: beyond_parameters(
            measurements(
                parameters.shape,
                parameters=parameters,
                test_loss=loss,
                eigenvalues=values[..., None],
            ),
            every,
            "here",
        )
        for name, values in (("width", np.exp(parameters / 40)), ("loss", follows))
    }
    assert np.isnan(claims["width"].estimates[GIVEN_PARAMETERS].values).all()
    assert claims["width"].verdict.word == "undecided"
    assert claims["loss"].verdict.word == "agrees"


def test_alpha_that_reverses_the_order_disagrees() -> None:
    """Ten small eigenvalues set the order up to an alpha of 1, the largest one beyond."""
    rng = np.random.default_rng(0)
    sizes = np.sort(rng.uniform(1, 2, size=(SEEDS, 15)))
    many = np.repeat(0.1 / sizes[..., None], 10, axis=-1)
    reversed_by_alpha = np.concatenate([10 * sizes[..., None], many], axis=-1)
    every, loss = np.ones(15, bool), sizes + 0.3 * rng.normal(size=(SEEDS, 15))
    same = measurements((SEEDS, 15), test_loss=loss, eigenvalues=sizes[..., None])
    assert choice_of_alpha(same, every, "here").verdict.word == "agrees"
    other = measurements((SEEDS, 15), test_loss=loss, eigenvalues=reversed_by_alpha)
    claim = choice_of_alpha(other, every, "here")
    for alpha, order in ((0.01, 1.0), (0.1, 1.0), (10, -1.0)):
        name = f"order at α = {alpha:g} and at 1"
        assert claim.estimates[name].values == pytest.approx([order] * SEEDS)
    assert claim.verdict.word == "disagrees"


def test_an_alpha_below_that_of_the_paper_does_not_decide() -> None:
    """Ten tiny eigenvalues set the order up to an alpha of 0.1, the largest one beyond."""
    sizes = np.sort(np.random.default_rng(0).uniform(1, 2, size=(SEEDS, 15)))
    many = np.repeat(0.01 / sizes[..., None], 10, axis=-1)
    networks = measurements(
        (SEEDS, 15),
        test_loss=sizes,
        eigenvalues=np.concatenate([sizes[..., None], many], axis=-1),
    )
    claim = choice_of_alpha(networks, np.ones(15, bool), "here")
    for alpha, order in ((0.01, -1.0), (0.1, -1.0), (10, 1.0)):
        name = f"order at α = {alpha:g} and at 1"
        assert claim.estimates[name].values == pytest.approx([order] * SEEDS)
    assert claim.verdict.word == "agrees"
    assert list(claim.parts) == ["order at α = 10 and at 1"]


def test_networks_of_one_size_share_data_labels_and_parameters() -> None:
    settings = {
        "dataset": {"name": "digits", "train_size": 40, "test_size": 20},
        "network": {"template": "dense", "width": 3, "depth": 1},
        "training": {"epochs": 2, "optimiser": "adam", "learning_rate": 0.01},
        "weight_decays": [0.0, 0.1],
        "batch_sizes": [20],
        "eigenvalues": 3,
    }
    context = Context(0, None, torch.device("cpu"))
    result = run_experiment(STUDY, "fixed_size", context, settings)
    assert isinstance(result, fixed_size.Result)
    assert result.weight_decay.tolist() == [0.0, 0.1, 0.0, 0.1]
    assert result.start.tolist() == [0, 0, 1, 1]
    assert len(set(result.networks.parameters.tolist())) == 1
    assert len(set(result.networks.test_loss.tolist())) == 4
    run = Run(0, fixed_size.Settings({}, {}, {}, [], []), result)
    assert list(plot_experiment(STUDY, "fixed_size", [run])) == ["fixed_size"]
