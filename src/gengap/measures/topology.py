"""The family ``topology``: persistent homology of the neurons' correlations, in one call.

The workflow does the same in stages (activations, diagrams, summaries), each writing a file, by
calling the same functions. This module computes all of it for one network in memory.
"""

from __future__ import annotations

from gengap.activations import choose_inputs, sample
from gengap.measures.registry import measure
from gengap.measures.results import Estimate
from gengap.measures.subject import Subject
from gengap.networks import device_of
from gengap.topology import COMPONENTS, draw_diagrams, summarise

# The settings of Ballester et al. 2023; smaller networks and training sets are used whole.
INPUTS = 2000
NEURONS = 3000
DRAWS = 20

STABILITY = tuple(
    f"{kind}_between_draws.H{dimension}"
    for kind in ("bottleneck", "wasserstein", "sliced_wasserstein")
    for dimension in range(2)
)


@measure(*COMPONENTS, *STABILITY, sign="?", slow=True)
def summaries(subject: Subject) -> dict[str, Estimate]:
    """Vectorise the Vietoris-Rips diagrams (H0, H1) of d = 1 - |r| in every way, mean over draws.

    Ballester et al. give no sign: these are features for a regression, and a rank correlation may
    have either sign. Infinite bars are left out. ``H0H1`` has the numbers of both dimensions.

    Equation:
        - ``persistence_pooling``: the ten longest lives d - b of the bars (b, d), padded with 0.
        - ``average_lives_and_midlives``: the means of d - b and of (b + d) / 2 over the bars.
        - ``average_lives_and_midlives_squared``: the means of d - b and of (b + d) / 2 over the
          bars, and their squares.
        - ``average_births_and_deaths``: the means of b and of d over the bars.
        - ``average_births_and_deaths_squared``: the means of b and of d over the bars, and their
          squares.
        - ``average_births_and_deaths_log``: the means m of b and of d over the bars, and
          log(1 + m).
        - ``lives_midlives_births_deaths_squared``: the means of d - b, (b + d) / 2, b and d over
          the bars, and their squares.
        - ``persistent_entropy``: -sum p log p, with p the bars' lives over their sum.
        - ``deviations_and_averages_of_births_and_deaths``: the standard deviations and the means
          of b and of d over the bars.
        - ``deviations_and_averages_of_births_and_deaths_squared``: the standard deviations and the
          means of b and of d over the bars, and their squares.
        - ``complex_polynomial``: the real and imaginary parts of the ten coefficients after the
          leading one of prod (z - T(b, d)), with T(b, d) = (d - b) / 2 (cos a - sin a + i (cos a +
          sin a)) and a = sqrt(b^2 + d^2).
        - ``persistence_image``: sum (d - b) G(b, d - b) over the bars, integrated over 20 x 20
          pixels (in H0 over 20, by life), with G a Gaussian of the size of a pixel.
        - ``persistence_landscape``: the five largest of max(0, min(t - b, d - t)) over the bars, at
          100 values of t.
        - ``persistence_silhouette``: the mean of max(0, min(t - b, d - t)) over the bars, weighted
          by d - b, at 100 values of t.
        - ``heat_kernel``: sum G(z - (b, d)) - G(z - (d, b)) over the bars, at the centres z above
          the diagonal of 20 x 20 pixels, with G a Gaussian of the size of a pixel.
        - ``lifetime_sums``: sum (d - b)^alpha over the bars, for alpha = 1/2, 1 and 2; that of 1 is
          the total persistence.
        - ``bottleneck_between_draws``: the bottleneck distance of the diagrams of consecutive
          draws.
        - ``wasserstein_between_draws``: the 1-Wasserstein distance, with Euclidean costs, of the
          500 longest bars of consecutive draws.
        - ``sliced_wasserstein_between_draws``: the mean over 50 lines of the 1-Wasserstein distance
          of the diagrams of consecutive draws, projected onto the line.

    Source:
        - ``persistence_pooling``, ``average_lives_and_midlives``,
          ``average_lives_and_midlives_squared``, ``average_births_and_deaths``,
          ``average_births_and_deaths_squared``, ``average_births_and_deaths_log``,
          ``lives_midlives_births_deaths_squared``, ``persistent_entropy``,
          ``deviations_and_averages_of_births_and_deaths``,
          ``deviations_and_averages_of_births_and_deaths_squared``: Ballester et al. 2023,
          arXiv:2203.12330.
        - ``complex_polynomial``: Di Fabio and Ferri 2015, arXiv:1505.01335; Ballester et al. 2023,
          arXiv:2203.12330.
        - ``persistence_image``: Adams et al. 2017, "Persistence images: a stable vector
          representation of persistent homology".
        - ``persistence_landscape``: Bubenik 2015, "Statistical topological data analysis using
          persistence landscapes".
        - ``persistence_silhouette``: Chazal, Fasy, Lecci, Rinaldo and Wasserman 2014, "Stochastic
          convergence of persistence landscapes and silhouettes".
        - ``heat_kernel``: Reininghaus, Huber, Bauer and Kwitt 2015, "A stable multi-scale kernel
          for topological machine learning".
        - ``lifetime_sums``: Birdal, Lou, Guibas and Simsekli 2021, "Intrinsic dimension, persistent
          homology and generalization in neural networks" (the sums).
        - ``bottleneck_between_draws``: Cohen-Steiner, Edelsbrunner and Harer 2007, "Stability of
          persistence diagrams" (the distance).
        - ``wasserstein_between_draws``: Cohen-Steiner, Edelsbrunner, Harer and Mileyko 2010,
          "Lipschitz functions have L_p-stable persistence" (the distance).
        - ``sliced_wasserstein_between_draws``: Carriere, Cuturi and Oudot 2017, "Sliced Wasserstein
          kernel for persistence diagrams" (the distance).

    Returns:
        A vector for each vectorisation, and the distances between draws, with the standard errors
        of the draws of neurons.
    """
    inputs_rng, neurons_rng = subject.rng.spawn(2)
    drawn = sample(
        subject.network,
        choose_inputs(subject.train, INPUTS, inputs_rng),
        neurons=NEURONS,
        draws=DRAWS,
        rng=neurons_rng,
    )
    device = device_of(subject.network)
    diagrams = draw_diagrams(drawn, gpu=device if device.type == "cuda" else None)
    table = summarise(diagrams)
    return {
        str(name): Estimate(rows["value"].to_numpy(), rows["standard_error"].to_numpy())
        for name, rows in table.groupby("measure", sort=False)
    }
