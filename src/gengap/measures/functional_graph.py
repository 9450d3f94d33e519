"""The family ``functional_graph``: bars and Betti curves of the functional graph in H0 to H2.

Corneanu, Madadi, Escalera and Martinez, "Computing the testing error without a testing set" (CVPR
2020). The nodes of the graph are channels (spatial means) and units of dense layers; its distance
is d = 1 - |r| over training inputs, on the published scale (|r| >= 0.4, bars of at least 0.02 in
epsilon = d / 2).
"""

from __future__ import annotations

import numpy as np

from gengap.activations import choose_inputs, node_activations
from gengap.measures.registry import measure
from gengap.measures.results import Value
from gengap.measures.subject import Subject
from gengap.topology import graph_summaries

INPUTS = 1000
# Larger networks are sampled: a draw of 200 stays within seconds even as a complete graph.
NODES = 200
MAX_DIM = 2
SUMMARIES = ("life", "midlife", "peak", "entropy")

LAW = "life_and_midlife.H1"
"""The two regressors of CVPR 2020's law, as one measure of two components."""

NAMES = tuple(f"{name}.H{dim}" for name in SUMMARIES for dim in range(MAX_DIM + 1))
UNSIGNED = (*(name for name in NAMES if not name.startswith("midlife")), LAW)


@measure(*NAMES, LAW, sign=dict.fromkeys(UNSIGNED, "?"), draws=5)
def summaries(subject: Subject) -> dict[str, Value]:
    """Compute average life and midlife, peak of the Betti curve per node, and persistent entropy.

    They are those of all channels, or means over five uniform draws of 200 where there are more.
    Dimensions without bars give zeros. ``life_and_midlife.H1`` combines both, so that the
    leaderboard cross-validates gap = a + b life + c midlife.

    Signs: a larger midlife predicts a larger gap, since memorising moves cavities to weaker
    correlations, which is a larger epsilon (Corneanu et al., CVPR 2019). Neither paper gives a sign
    for life, peak and entropy: CVPR 2020 fits gap = a + b life + c midlife with whatever signs
    result, and a rank correlation may have either.

    Equation:
        - ``life``: the mean of d - b over the bars (b, d) in epsilon = (1 - |r|) / 2, with r the
          correlation of two nodes.
        - ``midlife``: the mean of (b + d) / 2 over the bars (b, d) in epsilon = (1 - |r|) / 2, with
          r the correlation of two nodes.
        - ``peak``: the largest value of the Betti curve, over the number of nodes.
        - ``entropy``: -sum p log p, with p the bars' lives over their sum.
        - ``life_and_midlife``: both means, as two components.

    Source:
        - ``life``, ``midlife``, ``life_and_midlife``: Corneanu et al. 2020, "Computing the testing
          error without a testing set".
        - ``peak``: Corneanu et al. 2019, "What does it mean to learn in deep networks? And, how
          does one detect adversarial attacks?".
        - ``entropy``: Chintakunta et al. 2015, "An entropy-based persistence barcode".

    Returns:
        Each summary in H0, H1 and H2 by name, and both together under :data:`LAW`.
    """
    inputs_rng, nodes_rng = subject.rng.spawn(2)
    inputs = choose_inputs(subject.train, INPUTS, inputs_rng)
    activations = node_activations(subject.network, inputs).activations
    count = len(activations)
    if count > NODES:
        activations = activations[np.sort(nodes_rng.choice(count, NODES, replace=False))]
    values = graph_summaries(activations, MAX_DIM)
    law = {name: values[f"{name}.H1"] for name in ("life", "midlife")}
    return {**{name: values[name] for name in NAMES}, LAW: law}
