"""The study ballester2023: zoo -> PGDL's files -> import -> diagrams -> statistics -> figures."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib import image
from safetensors.numpy import load_file
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from statsmodels.stats.multitest import multipletests
from tests.workflow.runs import Run, planned

from gengap import tasks
from gengap.evaluation.five_by_two import halves
from gengap.seeding import derive, generator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed"),
]

MINIATURE = Path(__file__).with_name("ballester2023.yaml")
STUDY = Path("results", "ballester2023")
# Where the tidy table has three of the fourteen summaries.
MOMENTS = "deviations_and_averages_of_births_and_deaths"
SUMMARIES = {
    "average_of_deaths.H0": (f"{MOMENTS}.H0", "3"),
    "deviation_of_deaths.H1": (f"{MOMENTS}.H1", "1"),
    "average_of_midlives.H1": ("average_lives_and_midlives.H1", "1"),
}
PUBLISHED = {
    "task1_v4": 96, "task2_v1": 54, "task4": 96, "task5": 64,
    "task6": 96, "task7": 48, "task8": 64, "task9": 32,
}  # fmt: skip


def keeping(folder: Path) -> Path:
    """The miniature, whose dense networks may be kept in a folder, which is made."""
    folder.mkdir()
    settings = yaml.safe_load(MINIATURE.read_text())
    settings["studies"]["ballester2023"]["tasks"][2]["pgdl"]["kept"] = str(folder)
    path = folder.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature, of which no network is kept."""
    return keeping(tmp_path_factory.mktemp("config") / "kept")


@pytest.fixture(scope="module")
def study(snakemake: Run, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the study in miniature; tests read it and do not change it."""
    folder = tmp_path_factory.mktemp("study")
    result = snakemake(folder, "ballester2023", str(STUDY / "digits" / "kept"), config=config)
    assert result.returncode == 0, result.stderr
    return folder / STUDY


@pytest.fixture(scope="module")
def imported(study: Path) -> tasks.Task:
    return tasks.load(study / "digits")


@pytest.fixture(scope="module")
def measures(study: Path) -> pd.DataFrame:
    return pd.read_csv(study / "digits" / "measures.csv", dtype={"network": str, "component": str})


def values_of(measures: pd.DataFrame, name: str) -> pd.Series:
    """A scalar measure or one of the summaries above, by network."""
    measure, component = SUMMARIES.get(name, (name, "0"))
    rows = measures[(measures["measure"] == measure) & (measures["component"] == component)]
    return rows.set_index("network")["value"]


def table_of(study: Path, name: str) -> pd.DataFrame:
    """One of the study's tables, which are those of its tasks: the rows of the dense networks."""
    table = pd.read_csv(study / "tables" / f"{name}.csv", dtype={"network": str})
    assert list(table["task"].unique()) == ["digits", "convolutional"]
    parts = {}
    for task, rows in table.groupby("task"):
        own = study / str(task) / "evaluation" / f"{name}.csv"
        parts[task] = rows.drop(columns="task").reset_index(drop=True)
        pd.testing.assert_frame_equal(
            parts[task], pd.read_csv(own, dtype={"network": str}), check_dtype=False
        )
    return parts["digits"]


def test_the_imported_task_is_the_zoo(study: Path, imported: tasks.Task) -> None:
    zoo = tasks.load(study / "zoo")
    assert list(imported.networks) == list(zoo.networks) == [str(i) for i in range(8)]
    assert imported.grid == zoo.grid
    for part in ("train", "test"):
        ours, theirs = getattr(imported, part), getattr(zoo, part)
        np.testing.assert_array_equal(ours.inputs, theirs.inputs)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
    for name, network in imported.networks.items():
        original = zoo.networks[name]
        assert network.metrics.train_accuracy == original.metrics.train_accuracy
        assert network.metrics.test_accuracy == original.metrics.test_accuracy
        assert network.metrics.hyper_parameters == original.metrics.hyper_parameters
        recomputed = json.loads((network.folder / "recomputed.json").read_text())
        assert recomputed["train"] == pytest.approx(original.metrics.train_accuracy, abs=1e-9)
        assert recomputed["test"] == pytest.approx(original.metrics.test_accuracy, abs=1e-9)
        for file in ("weights.safetensors", "weights_init.safetensors"):
            ours = load_file(network.folder / file)
            theirs = load_file(original.folder / file)
            # PyTorch counts batches, Keras does not.
            kept = [key for key in theirs if not key.endswith("num_batches_tracked")]
            for key in kept:
                np.testing.assert_array_equal(ours[key], theirs[key])
    assert (imported.folder / "disagreements.txt").read_text() == ""


def test_the_receipt_of_the_export_lists_every_file(study: Path) -> None:
    folder = study / "zoo" / "pgdl"
    lines = (folder / "exported.txt").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".txt"]
    models = [path for path in files if path.parent.name.startswith("model_")]
    assert len(models) == 8 * 3
    assert len(listed) == len(files) > 8 * 3 + 2
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert listed[str(path.relative_to(folder))] == digest


def brute_force_score(values: pd.Series, task: tasks.Task) -> float:
    """The competition's score, pair by pair, as its definition reads."""
    gaps, grid = task.gaps(), task.hyper_parameters()
    names = list(task.networks)
    scores = []
    for first, second in itertools.combinations(grid.columns, 2):
        groups: dict[tuple[Any, Any], list[str]] = {}
        for name in names:
            groups.setdefault((grid.loc[name, first], grid.loc[name, second]), []).append(name)
        information, entropy = [], []
        for one, other in itertools.product(groups.values(), repeat=2):
            table = np.zeros((2, 2))
            for a, b in itertools.product(one, other):
                table[int(gaps[a] > gaps[b]), int(values[a] > values[b])] += 1
            share = table / table.sum()
            rows, columns = share.sum(axis=1), share.sum(axis=0)
            information.append(
                sum(
                    share[i, j] * math.log2(share[i, j] / (rows[i] * columns[j]))
                    for i in (0, 1)
                    for j in (0, 1)
                    if share[i, j] > 0
                )
            )
            entropy.append(-sum(p * math.log2(p) for p in rows if p > 0))
        scores.append(np.mean(information) / np.mean(entropy))
    return float(100 * min(scores))


def test_scores_are_those_of_the_definition(
    study: Path, imported: tasks.Task, measures: pd.DataFrame
) -> None:
    scores = table_of(study, "mutual_information").set_index("measure")["score"]
    for name in (*SUMMARIES, "always_generalize", "interpex", "brain"):
        expected = brute_force_score(values_of(measures, name), imported)
        assert scores[name] == pytest.approx(expected, abs=1e-9)


def test_feature_sets_are_tested_pairwise(
    study: Path, imported: tasks.Task, measures: pd.DataFrame
) -> None:
    sets = table_of(study, "feature_sets")
    tests = table_of(study, "feature_set_tests").set_index(["first", "second"])
    folds = pd.read_csv(study / "digits" / "evaluation" / "five_by_two_folds.csv")
    assert list(sets["measure"]) == [
        f"{MOMENTS}_squared.H0H1", f"{MOMENTS}.H1", "always_generalize", "interpex", "brain",
    ]  # fmt: skip
    assert list(sets["components"]) == [16, 4, 1, 1, 1]
    scores = {}
    for label, measure in zip(sets["feature_set"], sets["measure"], strict=True):
        rows = folds[folds["measure"] == measure].sort_values(["repeat", "fold"])
        scores[label] = rows["r2"].to_numpy().reshape(5, 2)
    np.testing.assert_allclose(sets["r2_mean"], [score.mean() for score in scores.values()])
    expected = {}
    for pair in itertools.combinations(scores, 2):
        difference = scores[pair[0]] - scores[pair[1]]
        variance = difference.var(axis=1, ddof=1)
        t = difference[0, 0] / math.sqrt(variance.mean())
        expected[pair] = (t, 2 * stats.t.sf(abs(t), 5))
    assert list(tests.index) == list(expected)
    np.testing.assert_allclose(tests[["t", "p"]], list(expected.values()), rtol=1e-6)
    corrected = multipletests([p for _, p in expected.values()], method="holm")[1]
    np.testing.assert_allclose(tests["p_holm"], corrected, rtol=1e-6)

    x = values_of(measures, "interpex").loc[list(imported.networks)].to_numpy()[:, None]
    y = imported.gaps().to_numpy()
    seed = derive(0, "digits", "evaluation")
    found = []
    for first in halves(8, generator(seed, "evaluation", "halves", "all")):
        for test in (first, ~first):
            model = LinearRegression().fit(x[~test], y[~test])
            found.append(r2_score(y[test], model.predict(x[test])))
    np.testing.assert_allclose(scores["Interpex"].ravel(), found, rtol=1e-5)


def test_correlations_within_depth_are_scipys_and_the_strongest_is_named(
    study: Path, imported: tasks.Task, measures: pd.DataFrame
) -> None:
    table = table_of(study, "summary_correlations")
    estimates = table.set_index(["measure", "statistic", "stratum"])["estimate"]
    depths = imported.hyper_parameters()["depth"]
    functions: dict[str, Callable[..., Any]] = {
        "kendall": stats.kendalltau, "spearman": stats.spearmanr, "pearson": stats.pearsonr,
    }  # fmt: skip
    for name in (*SUMMARIES, "brain"):
        for stratum in ("all", "depth=1", "depth=2"):
            chosen = [
                network
                for network in imported.networks
                if stratum == "all" or f"depth={depths[network]}" == stratum
            ]
            values = values_of(measures, name).loc[chosen]
            for statistic, function in functions.items():
                expected = function(values, imported.gaps().loc[chosen]).statistic
                assert estimates[name, statistic, stratum] == pytest.approx(expected, nan_ok=True)
    strongest = table_of(study, "strongest").set_index(["stratum", "statistic", "family"])
    assert {"topology", "competition"} <= set(strongest.index.unique("family"))
    for row in strongest.reset_index().to_dict("records"):
        stratum, statistic, family = row["stratum"], row["statistic"], row["family"]
        rivals = table[
            (table["stratum"] == stratum)
            & (table["statistic"] == statistic)
            & (table["family"] == family)
        ]
        assert abs(row["estimate"]) == rivals["estimate"].abs().max()
        assert row["measure"] in set(rivals["measure"])


def test_clusters_are_the_best_of_all_partitions(
    study: Path, imported: tasks.Task, measures: pd.DataFrame
) -> None:
    clusters = table_of(study, "clusters")
    assert (
        len([name for name in clusters["measure"].unique() if name.endswith((".H0", ".H1"))]) >= 14
    )
    for name in SUMMARIES:
        rows = (
            clusters[clusters["measure"] == name].set_index("network").loc[list(imported.networks)]
        )
        np.testing.assert_array_equal(rows["value"], values_of(measures, name))
        np.testing.assert_allclose(rows["gap"], imported.gaps())
        points = stats.zscore(rows[["value", "gap"]].to_numpy(), axis=0)

        def inertia(labels: np.ndarray, points: np.ndarray = points) -> float:
            return sum(
                float(((points[labels == k] - points[labels == k].mean(axis=0)) ** 2).sum())
                for k in (0, 1)
            )

        partitions = (np.array([0, *rest]) for rest in itertools.product((0, 1), repeat=7))
        best = min(inertia(labels) for labels in partitions if labels.any())
        assert inertia(rows["cluster"].to_numpy()) == pytest.approx(best)
        means = rows.groupby("cluster")["gap"].mean()
        assert means[0] <= means[1]


def test_figures_compare_the_tasks(study: Path) -> None:
    for name in ("r2_heatmap", "moments"):
        pixels = image.imread(study / "figures" / f"{name}.png")
        assert min(pixels.shape[:2]) > 300
        assert np.ptp(pixels[..., :3]) > 0.5
        drawn = (study / "figures" / f"{name}.svg").read_text()
        assert drawn.count("<svg") == 1
        # Letters are drawn as paths, each text under a comment that says it.
        assert drawn.count("<!-- digits -->") == drawn.count("<!-- convolutional -->") == 1
    # The panel: mean and deviation of deaths, in H0 and H1, of either task.
    panels = re.findall(r'<g id="axes_\d+">', (study / "figures" / "moments.svg").read_text())
    assert len(panels) == 2 * 4
    names = {path.stem for path in (study / "digits" / "figures").glob("*.png")}
    assert {"leaderboard", "gaps", "r2_heatmap"} <= names
    # An imported network has no history.
    assert "training" not in names


def test_a_second_run_of_the_study_has_nothing_to_do(
    study: Path, config: Path, snakemake: Run
) -> None:
    result = snakemake(study.parents[1], "ballester2023", config=config)
    assert "Nothing to be done" in result.stdout + result.stderr


def test_networks_that_are_kept_are_not_made_again(
    study: Path, snakemake: Run, tmp_path: Path
) -> None:
    config = keeping(tmp_path / "kept")
    tables = [
        "task.json", "measures.csv", "standard_errors.csv", "left_out_measures.csv", "failed.csv",
        "coverage.csv", "disagreements.txt", "evaluation/five_by_two.csv",
    ]  # fmt: skip
    files = sorted((study / "digits" / "kept").glob("*.xz"))
    assert len(files) == 8
    for number in (5, 8):
        for path in files[:number]:
            shutil.copy(path, tmp_path / "kept")
        folder = tmp_path / f"with {number}"
        folder.mkdir()
        result = snakemake(
            folder, *(str(STUDY / "digits" / name) for name in tables), config=config
        )
        assert result.returncode == 0, result.stderr
        later = folder / STUDY
        assert len(list((later / "zoo").glob("networks/*"))) == 8 - number
        for name in tables:
            assert (later / "digits" / name).read_bytes() == (study / "digits" / name).read_bytes()


def test_the_organisers_toy_networks_are_imported(
    shared: Callable[[str], Path], snakemake: Run, tmp_path: Path
) -> None:
    source = shared("pgdl/toy_data")
    config = toy_config(tmp_path, source, correlate_within="num_layers")
    result = snakemake(tmp_path, "results/toy/task.json", config=config)
    assert result.returncode == 0, result.stderr
    stated = json.loads((source / "model_configs.json").read_text())
    task = tasks.load(tmp_path / "results" / "toy")
    assert len(task.networks) == 8
    for name, network in task.networks.items():
        entry = stated[str(network.metrics.source_id)]
        recomputed = json.loads((network.folder / "recomputed.json").read_text())
        assert int(network.metrics.source_id or -1) == int(name)
        assert recomputed["train"] == pytest.approx(entry["metrics"]["train_acc"], abs=1e-6)
        assert recomputed["test"] == pytest.approx(entry["metrics"]["test_acc"], abs=1e-6)
        for key, parameter in entry["hparams"].items():
            assert network.metrics.hyper_parameters[key] == parameter["current_value"]
    assert (tmp_path / "results" / "toy" / "disagreements.txt").read_text() == ""


def test_a_role_that_imported_networks_do_not_have_stops_the_download(
    shared: Callable[[str], Path], snakemake: Run, tmp_path: Path
) -> None:
    config = toy_config(tmp_path, shared("pgdl/toy_data"), correlate_within="depth")
    result = snakemake(tmp_path, "results/toy/task.json", config=config)
    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if line.startswith("gengap ERROR")]
    assert len(said) == 1
    assert "'correlate_within' of task 'toy' is 'depth'" in said[0]
    assert "num_layers" in said[0]
    assert not (tmp_path / "results" / "toy" / "download" / "receipt.json").exists()


def toy_config(folder: Path, source: Path, correlate_within: str) -> Path:
    """A config that imports the first eight of the toy networks."""
    pgdl = {"task": "toy_data", "source": str(source), "networks": 8}
    path = folder / "toy.yaml"
    path.write_text(
        yaml.safe_dump(
            {"tasks": [{"name": "toy", "pgdl": pgdl, "correlate_within": correlate_within}]}
        )
    )
    return path


def test_the_papers_setting_plans_every_published_network(snakemake: Run, tmp_path: Path) -> None:
    arguments = ("-n", "ballester2023", "--config", "setting=paper")
    result = snakemake(tmp_path, *arguments, config=None)
    assert result.returncode == 0, result.stderr
    jobs = planned(result.stdout)
    assert jobs["download"] == jobs["import_task"] == jobs["evaluate"] == len(PUBLISHED)
    assert sum(PUBLISHED.values()) == 550
    for rule in ("import_networks", "activations", "diagrams", "summaries", "measure"):
        assert jobs[rule] == 550
    assert jobs["figures_study"] == 1
    assert "train" not in jobs


def test_the_small_setting_plans_two_zoos_and_their_imports(snakemake: Run, tmp_path: Path) -> None:
    arguments = ("-n", "ballester2023", "--config", "setting=small")
    result = snakemake(tmp_path, *arguments, config=None)
    assert result.returncode == 0, result.stderr
    jobs = planned(result.stdout)
    assert jobs["train"] == jobs["import_networks"] == jobs["diagrams"] == 2 * 2
    assert jobs["export"] == jobs["import_task"] == jobs["evaluate"] == 2
    assert jobs["figures_study"] == 1


def test_some_tasks_of_the_paper_can_be_asked_for(snakemake: Run, tmp_path: Path) -> None:
    arguments = ("-n", "ballester2023", "--config", "setting=paper", "only=[task2_v1,task9]")
    jobs = planned(snakemake(tmp_path, *arguments, config=None).stdout)
    assert jobs["import_networks"] == 54 + 32
    assert jobs["evaluate"] == 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"only": "task3"}, "'only' names 'task3', which is no task of ballester2023"),
        ({"studies": {"balester2023": {}}}, "'studies' names 'balester2023'"),
        ({"studies": {"ballester2023": {"sead": 1}}}, "'sead' was unexpected"),
        (
            {"studies": {"ballester2023": {"tasks": [{"name": "a", "pgdl": {"task": "mine"}}]}}},
            "set 'networks'",
        ),
        (
            {"studies": {"ballester2023": {"tasks": [{"name": "a", "pgdl": {"exported": "b"}}]}}},
            "'exported' of task 'a' is 'b', which is no zoo",
        ),
        (
            {"studies": {"ballester2023": {"figures": {"compared": ["task1"]}}}},
            "'compared' of figures names the task 'task1'",
        ),
    ],
)
def test_a_study_that_cannot_work_is_refused_before_any_job(
    change: dict[str, Any], sentence: str, snakemake: Run, tmp_path: Path
) -> None:
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(change))
    result = snakemake(tmp_path, "-n", "ballester2023", config=path)
    assert result.returncode != 0
    said = [line for line in (result.stdout + result.stderr).splitlines() if sentence in line]
    assert len(said) == 1, result.stderr
