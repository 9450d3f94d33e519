"""The runs of each experiment, as figures and claims take them."""

from gengap.studies.maddox2020.experiments import (
    bayesian_network,
    degenerate_directions,
    double_descent,
    posterior_contraction,
    random_features,
    width_depth,
)
from gengap.studies.outcomes import Run

BayesianNetworkRun = Run[bayesian_network.Settings, bayesian_network.Result]
DegenerateDirectionsRun = Run[degenerate_directions.Settings, degenerate_directions.Result]
DoubleDescentRun = Run[double_descent.Settings, double_descent.Result]
PosteriorContractionRun = Run[posterior_contraction.Settings, posterior_contraction.Result]
RandomFeaturesRun = Run[random_features.Settings, random_features.Result]
WidthDepthRun = Run[width_depth.Settings, width_depth.Result]
