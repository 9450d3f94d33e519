"""Claims on N_eff as a guide to the test loss: beside other guides, at one size, at other alphas.

The paper sets N_eff beside PAC-Bayes bounds and the path norm for networks of growing width and
over width and depth. In both sweeps N_eff moves with the number of parameters. So the number of
parameters is held fixed here as well: by partial correlation in the sweeps, and in networks of one
size that are trained differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.studies.claims import POSITIVE, Bound, Claim
from gengap.studies.estimates import Estimate, Estimates, Kind
from gengap.studies.maddox2020.experiments.fixed_size import FixedSizeRun
from gengap.studies.maddox2020.measurements import HEADLINE_ALPHA, Measurements
from gengap.studies.maddox2020.sweeps import (
    BOUNDS_AND_PATHS,
    LOW_TRAIN_LOSS,
    FixedSize,
    correlations_by_seed,
    partial_correlations_by_seed,
)
from gengap.studies.outcomes import Floats

LARGER_ALPHAS = (10.0,)
"""Above :data:`HEADLINE_ALPHA`, which the authors call reasonable."""

ALPHAS = (0.01, 0.1, *LARGER_ALPHAS)
"""Set beside :data:`HEADLINE_ALPHA`."""

SAME_ORDER = 0.9
"""Rank correlation from which two orders of networks count as the same."""

TRACKS = "In the overparametrised regime the effective dimensionality tracks the test loss."
N_EFF_WITH_LOSS = "N_eff with test loss"
GIVEN_TRAIN_LOSS = f"{N_EFF_WITH_LOSS}, given the training loss"
GIVEN_PARAMETERS = f"{N_EFF_WITH_LOSS}, given the number of parameters"
REPRODUCED = "test losses of recipes, from one start and from another"

Selected = NDArray[np.bool_]


def beside_rivals(networks: Measurements, selected: Selected, where: str) -> Claim:
    """Return the claim that N_eff is the better guide than PAC-Bayes bounds and the path norm.

    Args:
        networks: along (seeds, ...).
        selected: those that fit their labels, (...) or (seeds, ...).
        where: what varies between the networks, such as ``over width``.
    """
    rivals = dict(zip(BOUNDS_AND_PATHS, (networks.pac_bayes, networks.path_norm), strict=True))
    leader = _correlations(networks.dimension, networks.test_loss, selected)
    shown: Estimates = {N_EFF_WITH_LOSS: leader}
    ahead: Estimates = {}
    for title, values in rivals.items():
        # A network without the rival's value has no place in its order.
        known = selected & np.isfinite(values)
        rival = _correlations(values, networks.test_loss, known)
        beside = _correlations(networks.dimension, networks.test_loss, known)
        shown[f"{title} with test loss"] = rival
        ahead[f"N_eff ahead of {title}"] = Estimate(
            [own - abs(other) for own, other in zip(beside.values, rival.values, strict=True)],
            Kind.DIFFERENCE,
        )
    return Claim(
        f"N_eff is a better guide than a PAC-Bayes bound and the path norm, {where}",
        "Tables beside figures 1 and 2: among networks of low training loss, N_eff is more "
        "strongly correlated with the test loss than PAC-Bayes bounds and path norms are.",
        "Spearman's correlation of N_eff with the test loss, less the absolute one of the other "
        f"measure, α = {HEADLINE_ALPHA:g}. The paper's correlations are Pearson's.",
        ahead | shown,
        dict.fromkeys(ahead, POSITIVE),
    )


def beyond_parameters(networks: Measurements, selected: Selected, where: str) -> Claim:
    """Return the claim that N_eff follows the test loss beyond the number of parameters.

    Args:
        networks: along (seeds, ...).
        selected: see :func:`beside_rivals`.
        where: likewise.
    """
    partial = partial_correlations_by_seed(
        networks.dimension, networks.test_loss, [networks.parameters], selected
    )
    return Claim(
        f"N_eff follows the test loss beyond the number of parameters, {where}",
        f"{TRACKS} It explains what counting parameters does not.",
        "Spearman's partial correlation of N_eff with the test loss, given the number of "
        "parameters.",
        {
            GIVEN_PARAMETERS: Estimate(partial, Kind.CORRELATION),
            N_EFF_WITH_LOSS: _correlations(networks.dimension, networks.test_loss, selected),
            "N_eff with the number of parameters": _correlations(
                networks.dimension, networks.parameters, selected
            ),
        },
        {GIVEN_PARAMETERS: POSITIVE},
    )


def choice_of_alpha(networks: Measurements, selected: Selected, where: str) -> Claim:
    """Return the claim that the order of networks by N_eff does not depend on alpha.

    Args:
        networks: along (seeds, ...).
        selected: see :func:`beside_rivals`.
        where: likewise.
    """

    def order_at(alpha: float) -> str:
        return f"order at α = {alpha:g} and at {HEADLINE_ALPHA:g}"

    orders: Estimates = {
        order_at(alpha): _correlations(networks.dimension_at(alpha), networks.dimension, selected)
        for alpha in ALPHAS
    }
    with_loss: Estimates = {
        f"N_eff at α = {alpha:g} with test loss": _correlations(
            networks.dimension_at(alpha), networks.test_loss, selected
        )
        for alpha in sorted((*ALPHAS, HEADLINE_ALPHA))
    }
    return Claim(
        f"The order by N_eff does not depend on alpha, {where}",
        "README of the authors' code: the qualitative behaviour is robust to α above some "
        "threshold. α = 1 is reasonable for figures 1 and 2.",
        "Spearman's correlation of N_eff at two values of α. Orders count as the same from "
        f"{SAME_ORDER:g} on. Values of α above {HEADLINE_ALPHA:g} decide, and smaller ones stand "
        "beside them.",
        orders | with_loss,
        dict.fromkeys((order_at(alpha) for alpha in LARGER_ALPHAS), Bound(SAME_ORDER)),
    )


def of_fixed_size(runs: Sequence[FixedSizeRun]) -> list[Claim]:
    """Judge the claims on networks of one size.

    N_eff grows with the training loss, and so may the test loss, since a network that is stopped
    early has both. So the correlation has to hold given the training loss too.

    Returns:
        The claims.
    """
    every = FixedSize.of(runs)
    networks, fitting = every.networks, every.fitting
    where = "at one width and depth"
    decides: Estimates = {
        N_EFF_WITH_LOSS: _correlations(networks.dimension, networks.test_loss, fitting),
        GIVEN_TRAIN_LOSS: Estimate(
            partial_correlations_by_seed(
                networks.dimension, networks.test_loss, [networks.train_loss], fitting
            ),
            Kind.CORRELATION,
        ),
    }
    others: Estimates = {
        f"{title} with test loss": _correlations(values, networks.test_loss, fitting)
        for title, values in (
            ("training loss", networks.train_loss),
            ("largest eigenvalue", networks.lambda_max),
            ("sharpness", networks.loss_sharpness),
            ("squared norm of the weights", networks.squared_norm),
        )
    }
    with_others: Estimates = {
        f"N_eff with {title}": _correlations(networks.dimension, values, fitting)
        for title, values in (("test error", networks.test_error), ("gap", networks.gap))
    }
    reproduced = every.reproduced()
    premises: Estimates = (
        {} if reproduced is None else {REPRODUCED: Estimate(reproduced, Kind.CORRELATION)}
    )
    return [
        Claim(
            f"N_eff follows the test loss among networks that fit, {where}",
            f"{TRACKS} It is no stand-in for the number of parameters (introduction).",
            "Spearman's correlation among networks that differ in weight decay, batch size and "
            f"initial weights, α = {HEADLINE_ALPHA:g}. Per seed {_numbers(fitting)} of "
            f"{fitting.shape[1]} have a training loss up to {LOW_TRAIN_LOSS:g}. The claim "
            "presupposes test losses that differ by recipe.",
            decides | premises | with_others | others,
            dict.fromkeys(decides, POSITIVE),
            dict.fromkeys(premises, POSITIVE),
        ),
        beside_rivals(networks, fitting, where),
        choice_of_alpha(networks, fitting, where),
    ]


def _correlations(first: Floats, second: Floats, selected: Selected) -> Estimate:
    return Estimate(correlations_by_seed(first, second, selected), Kind.CORRELATION)


def _numbers(fitting: Selected) -> str:
    """The smallest and the largest number of selected networks of a seed, or the only one."""
    counts = fitting.sum(axis=1)
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
