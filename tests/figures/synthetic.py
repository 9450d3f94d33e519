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

REFERENCE_R2 = {
    "reference.hyper_parameters_pairwise": 0.64,
    "reference.hyper_parameters": 0.58,
    "reference.replicate_ceiling": 0.72,
    "reference.training_accuracy": 0.03,
    "reference.mean": -0.02,
    "reference.random": -0.04,
}
REFERENCES = dict.fromkeys(REFERENCE_R2, "reference")
HYPER_PARAMETERS = ("template", "depth", "width", "learning_rate", "batch_size")


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


def leaderboard(measures: dict[str, str], seed: int = 0, networks: int = 96) -> pd.DataFrame:
    """A leaderboard of these measures (name: family), the references and the combinations."""
    rng = np.random.default_rng(seed)
    rows = []
    for place, (name, family) in enumerate([*measures.items(), *REFERENCES.items()]):
        reference = family == "reference"
        components = 1 if reference else (1, 1, 6, 40)[place % 4] if "." in name else 1
        underdetermined = components == 40 and place % 8 == 3
        r2 = REFERENCE_R2[name] if reference else float(rng.beta(1.2, 1.5) - 0.25)
        tau = np.sign(rng.normal() + 1) * np.sqrt(max(r2, 0.01)) * 0.8
        scalar = components == 1 and not (reference and "hyper" in name)
        p = float(np.clip(np.exp(-30 * max(r2, 0.0)), 0.001, 1)) if not reference else np.nan
        rows.append(
            {
                "measure": name,
                "family": family,
                "kind": "reference" if reference else "scalar" if components == 1 else "vector",
                "components": components,
                "duplicates": "",
                "transform": "log" if components == 1 and place % 2 else "identity",
                "underdetermined": underdetermined,
                "eligible": not underdetermined and not reference,
                "r2_mean": r2,
                "r2_std": float(rng.uniform(0.004, 0.03)),
                "r2_new_draw": r2 - 0.1,
                "increment_additive": max(0.0, r2 - 0.45),
                "increment_pairwise": max(0.0, r2 - 0.6),
                "p_mean": p,
                "p_additive": p if r2 > 0.5 else min(1.0, 40 * p),
                "p_pairwise": p if r2 > 0.62 else 0.4 if not reference else np.nan,
                "p_within": p if r2 > 0.3 else 0.7 if not reference else np.nan,
                "kendall": tau if scalar else np.nan,
                "kendall_low": max(-1, tau - 0.12) if scalar else np.nan,
                "kendall_high": min(1, tau + 0.1) if scalar else np.nan,
                "width_90": 0.2 * np.sqrt(1 - min(r2, 0.98)),
                "networks": networks,
                "left_out": 1,
            }
        )
    table = pd.concat([pd.DataFrame(rows), combinations(networks)], ignore_index=True)
    table = table.sort_values("r2_mean", ascending=False, ignore_index=True)
    ranked = table["eligible"] & table["kind"].isin(["scalar", "vector"])
    best = table.loc[ranked, "r2_mean"].max()
    groups = (1 + np.floor((best - table["r2_mean"]) / 0.08)).where(ranked)
    table.insert(0, "rank", groups.rank(method="dense").astype("Int64"))
    return table


def combinations(networks: int) -> pd.DataFrame:
    """The rows of a leaderboard of kind combination."""
    table = combination()
    return pd.DataFrame(
        {
            "measure": table["name"],
            "family": "combination",
            "kind": "combination",
            "components": table["measures"],
            "duplicates": "",
            "transform": "",
            "underdetermined": False,
            "eligible": False,
            "r2_mean": table["r2_mean"],
            "r2_std": table["r2_std"],
            "width_90": table["width_90"],
            "networks": networks,
            "left_out": 1,
        }
    )


def combination() -> pd.DataFrame:
    """What measures reach together."""
    rows = [
        ("combination.all", "ridge", 41, 0.78, 0.011, 0.016, 0.07),
        ("combination.all_and_hyper_parameters", "ridge", 41, 0.81, 0.01, 0.015, 0.066),
        ("combination.best_single", "linear", 41, 0.61, 0.035, 0.022, 0.11),
        ("combination.norms", "ridge", 12, 0.42, 0.016, 0.027, 0.13),
        ("combination.margins", "ridge", 8, 0.55, 0.014, 0.024, 0.12),
    ]
    columns = ["name", "learner", "measures", "r2_mean", "r2_std", "mean_error", "width_90"]
    return pd.DataFrame(rows, columns=columns)


def comparisons(board: pd.DataFrame) -> pd.DataFrame:
    """The difference of every row from each reference, with an interval."""
    scores = board.set_index("measure")["r2_mean"]
    rows = [
        (name, against, scores[name] - scores[against], scores[name] - scores[against] - 0.1,
         scores[name] - scores[against] + 0.1, 0.03, 0.2, 0.9, 0.08, 0.02)
        for against in scores.index.intersection(list(REFERENCES))
        for name in scores.index if name != against
    ]  # fmt: skip
    columns = ["measure", "against", "difference", "low", "high", "p", "p_holm"]
    columns += ["probability_better", "probability_equal", "probability_worse"]
    return pd.DataFrame(rows, columns=columns)


def left_out() -> pd.DataFrame:
    """One network and one measure that are not compared."""
    rows = [
        ("network", "7", "Its training accuracy of 0.10 is that of chance."),
        ("measure", "vc_dimension", "2 networks lack it, e.g. network 3."),
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "reason"])


def held_out(board: pd.DataFrame, networks: int = 96, seed: int = 0) -> pd.DataFrame:
    """Held-out predictions by all measures, the best of them, and without one."""
    rng = np.random.default_rng(seed + 100)
    measured = gaps(networks, seed)
    best = board.loc[board["rank"] == 1, "measure"].iloc[0]
    scores = board.set_index("measure")["r2_mean"]
    names = ("combination.all", best, "reference.hyper_parameters", "reference.mean")
    shown = {name: scores[name] for name in names}
    tables = []
    for name, r2 in shown.items():
        share = max(float(r2), 0.0)
        noise = rng.normal(0, np.sqrt(share * (1 - share)), networks) * measured.std()
        prediction = measured.mean() + share * (measured - measured.mean()) + noise
        tables.append(
            pd.DataFrame(
                {
                    "name": name,
                    "network": measured.index,
                    "gap": measured.to_numpy(),
                    "prediction": prediction.to_numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def learning_curve() -> pd.DataFrame:
    """R2 and width by the number of networks to learn from."""
    heights = {
        "combination.all": 0.8,
        "combination.best_single": 0.65,
        "reference.hyper_parameters": 0.55,
    }
    rows = []
    for name, height in heights.items():
        for networks in (12, 24, 36, 48, 60, 72, 84):
            r2 = height - 4.5 / networks
            spread = 1.5 / networks
            width = 0.2 * np.sqrt(1 - r2)
            rows.append((name, networks, r2, r2 - spread, r2 + spread, width))
    return pd.DataFrame(rows, columns=["name", "networks", "r2_mean", "low", "high", "width_90"])


def importance() -> pd.DataFrame:
    """The loss of R2 when the columns of a family are permuted."""
    losses = {
        "margins": 0.31, "response": 0.12, "norms": 0.08, "sharpness": 0.03, "curvature": 0.01,
        "topology": -0.004,
    }  # fmt: skip
    rows = [(name, loss, loss - 0.05, loss + 0.06) for name, loss in losses.items()]
    return pd.DataFrame(rows, columns=["family", "importance", "low", "high"])


def environments(measures: list[str], seed: int = 0) -> pd.DataFrame:
    """Granulated Kendall coefficients and sign errors by hyper-parameter."""
    rng = np.random.default_rng(seed)
    rows = []
    for measure in measures:
        own = rng.uniform(-0.5, 0.9)
        psi = {name: float(np.clip(own + rng.normal(0, 0.2), -1, 1)) for name in HYPER_PARAMETERS}
        psi[HYPER_PARAMETERS[-1]] = np.nan if measure == measures[0] else psi[HYPER_PARAMETERS[-1]]
        psi["all"] = float(np.nanmean(list(psi.values())))
        for name, value in psi.items():
            rows.append(
                (
                    measure,
                    name,
                    value,
                    (1 - value) / 2,
                    min(1.0, (1 - value) / 2 + 0.2),
                    24,
                    400,
                    30,
                )
            )
    columns = ["measure", "hyper_parameter", "psi", "sign_error_mean", "sign_error_worst"]
    return pd.DataFrame(rows, columns=[*columns, "environments", "pairs", "pairs_left_out"])


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
                half = 1 / np.sqrt(networks)
                low, high = max(-1, tau - half), min(1, tau + half)
                p = 0.01 if abs(tau) > 2 * half else 0.3
                rows.append((measure, statistic, stratum, tau, low, high, p / 5, p, networks))
    columns = ["measure", "statistic", "stratum", "estimate", "low", "high", "p"]
    columns += ["p_family", "networks"]
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
