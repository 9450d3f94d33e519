"""Small tables shaped like those that the other rooms write."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

VECTORISATIONS = (
    "persistence_pooling",
    "average_lives_and_midlives",
    "average_lives_and_midlives_with_squares",
    "average_births_and_deaths",
    "average_births_and_deaths_with_squares",
    "average_births_and_deaths_with_squares_and_logarithms",
    "original_and_squared_lives_midlives_births_and_deaths",
    "persistent_entropy",
    "deviations_and_averages_of_births_and_deaths",
    "deviations_and_averages_of_births_and_deaths_with_squares",
    "complex_polynomial",
)
OTHERS = {
    "parameter_count": "norms",
    "sum_of_squared_weights": "norms",
    "distance_from_initialisation": "norms",
    "spectral_norm_product": "norms",
    "output_margin": "margins",
    "training_loss": "training",
    "training_accuracy": "training",
    "always_generalize": "augmentation",
    "interpex": "mixup",
    "brain": "smoothness",
    "hessian_trace": "curvature",
    "ntk_alignment": "tangent",
}


def grid(networks: int) -> pd.DataFrame:
    """Hyper-parameters of ``networks`` of the 128 networks of a grid."""
    combinations = list(
        itertools.product(
            (0.0, 0.1, 0.2, 0.3), (8, 16), ("sgd", "adamw"), (False, True), (0.0, 1e-4), (1, 2)
        )
    )
    order = np.random.default_rng(0).permutation(len(combinations))[:networks]
    rows = [combinations[i] for i in order]
    names = ["label_corruption", "width", "optimiser", "batch_normalisation", "weight_decay"]
    table = pd.DataFrame(rows, columns=[*names, "depth"])
    return table.set_axis([str(i) for i in range(networks)])


def gaps(networks: int, seed: int = 0) -> pd.Series:
    """A gap for each network of the grid, mostly due to its label corruption."""
    noise = np.random.default_rng(seed).normal(0, 0.02, networks)
    return (0.05 + 0.6 * grid(networks)["label_corruption"] + noise).rename("gap")


def leaderboard(measures: dict[str, str], seed: int = 0) -> pd.DataFrame:
    """A leaderboard of these measures (name: family) and the reference rows."""
    rng = np.random.default_rng(seed)
    references = ("reference.mean", "reference.hyper_parameters", "reference.training_accuracy")
    rows = []
    for name in (*measures, *references):
        folds = rng.normal(rng.uniform(-0.3, 0.9), rng.uniform(0.02, 0.2), 10).clip(max=0.98)
        reference = name in references
        components = 1 if reference else int(rng.choice([1, 1, 6, 40]))
        tau = rng.uniform(-0.9, 0.9) if components == 1 else np.nan
        rows.append(
            {
                "measure": name,
                "family": "reference" if reference else measures[name],
                "kind": "reference" if reference else "scalar" if components == 1 else "vector",
                "components": components,
                "underdetermined": components == 40,
                "eligible": components != 40 and not reference,
                "r2_mean": folds.mean(),
                "r2_std": folds.std(ddof=1),
                "r2_min": folds.min(),
                "r2_max": folds.max(),
                "kendall": tau,
                "kendall_low": max(-1, tau - 0.15),
                "kendall_high": min(1, tau + 0.12),
                "networks": 32,
            }
        )
    table = pd.DataFrame(rows).sort_values("r2_mean", ascending=False, ignore_index=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def topological() -> dict[str, str]:
    """All vectorisations in all dimensions."""
    return {
        f"{stem}.{dimensions}": "topology"
        for stem in VECTORISATIONS
        for dimensions in ("H0", "H1", "H0H1")
    }


def tidy(values: dict[str, dict[str | int, np.ndarray]]) -> pd.DataFrame:
    """The tidy table of {measure: {component: values by network}}."""
    rows = [
        ("task", str(network), "family", measure, component, value)
        for measure, components in values.items()
        for component, by_network in components.items()
        for network, value in enumerate(by_network)
    ]
    return pd.DataFrame(
        rows, columns=["task", "network", "family", "measure", "component", "value"]
    )


def correlations(measures: list[str], strata: dict[str, int], seed: int = 0) -> pd.DataFrame:
    """Kendall's tau of each measure in each stratum (name: networks)."""
    rng = np.random.default_rng(seed)
    rows = []
    for measure in measures:
        overall = rng.uniform(-1, 1)
        for stratum, networks in strata.items():
            tau = overall if stratum == "all" else overall * 0.3 + rng.normal(0, 0.2)
            tau = float(np.clip(tau, -1, 1)) if networks > 1 else np.nan
            for statistic in ("kendall", "spearman"):
                rows.append((measure, statistic, stratum, tau, tau - 0.3, tau + 0.3, 0.1, networks))
    columns = ["measure", "statistic", "stratum", "estimate", "low", "high", "p", "networks"]
    return pd.DataFrame(rows, columns=columns)


def histories(networks: int, epochs: int = 30, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Falling losses and rising accuracies."""
    rng = np.random.default_rng(seed)
    tables = {}
    for network in range(networks):
        epoch = np.arange(1, rng.integers(epochs // 2, epochs) + 1)
        loss = 2.3 * np.exp(-epoch * rng.uniform(0.05, 0.2)) * rng.uniform(0.9, 1.1, len(epoch))
        tables[str(network)] = pd.DataFrame(
            {"epoch": epoch, "train_loss": loss, "train_accuracy": np.clip(1 - loss / 2.5, 0, 1)}
        )
    return tables


def draw(bars: int, seed: int = 0) -> list[np.ndarray]:
    """H0 with one infinite bar, and H1."""
    rng = np.random.default_rng(seed)
    deaths = np.sort(rng.beta(4, 4, bars - 1))
    births = rng.beta(6, 4, max(1, bars // 4))
    return [
        np.column_stack([np.zeros(bars), [*deaths, np.inf]]).astype(np.float32),
        np.column_stack([births, births + rng.exponential(0.04, len(births))]).astype(np.float32),
    ]
