"""Maddox, Benton and Wilson 2020: the effective dimensionality of networks.

"Rethinking parameter counting in deep models: effective dimensionality revisited",
arXiv:2003.02139. The experiments compute it for networks of growing width
(:mod:`.experiments.double_descent`), for networks of several widths and depths
(:mod:`.experiments.width_depth`), for a linear model (:mod:`.experiments.posterior_contraction`)
and a small Bayesian network (:mod:`.experiments.bayesian_network`) with more and more data, and for
least squares (:mod:`.experiments.random_features`). The last one moves weights along directions in
which a network stays the same function (:mod:`.experiments.degenerate_directions`).
"""
