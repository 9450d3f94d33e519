"""The family ``topology``: persistent homology of the neurons' correlations, in one call.

The workflow does the same in stages (activations, diagrams, summaries), each writing a file, by
calling the same functions. This module computes all of it for one network in memory.
"""

from __future__ import annotations

from gengap.activations import choose_inputs, sample
from gengap.measures.registry import measure
from gengap.measures.results import Value
from gengap.measures.subject import Subject
from gengap.networks import device_of
from gengap.topology import COMPONENTS, draw_diagrams, summarise

# The settings of Ballester et al. 2023; smaller networks and training sets are used whole.
INPUTS = 2000
NEURONS = 3000
DRAWS = 20
RESAMPLES = 1000

STABILITY = tuple(
    f"{kind}_between_draws.H{dimension}"
    for kind in ("bottleneck", "wasserstein", "sliced_wasserstein")
    for dimension in range(2)
)


@measure(*COMPONENTS, *STABILITY, sign="?", slow=True)
def summaries(subject: Subject) -> dict[str, Value]:
    """Vectorise the Vietoris-Rips diagrams (H0, H1) of d = 1 - |r| in every way, mean over draws.

    Ballester et al. 2023 (arXiv:2203.12330). The paper gives no sign: these are features for a
    regression, and a rank correlation may have either sign.

    Returns:
        A vector for each vectorisation, and the distances between draws.
    """
    inputs_rng, neurons_rng, bootstrap_rng = subject.rng.spawn(3)
    drawn = sample(
        subject.network,
        choose_inputs(subject.train, INPUTS, inputs_rng),
        neurons=NEURONS,
        draws=DRAWS,
        rng=neurons_rng,
    )
    device = device_of(subject.network)
    diagrams = draw_diagrams(drawn, gpu=device if device.type == "cuda" else None)
    table = summarise(diagrams, RESAMPLES, bootstrap_rng)
    return {
        str(name): rows["value"].to_numpy() for name, rows in table.groupby("measure", sort=False)
    }
