"""Studies whose experiments make their own networks and data."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tests.workflow.runs import Run, results_of

from gengap.studies.context import STATE_IDENTITY

pytestmark = pytest.mark.slow

STUDIES = ("corneanu2020", "maddox2020", "ortizjimenez2021", "sabanayagam2023")
# The cheapest experiment of all, with fewer seeds than the study's.
CONTRACTION = {"name": "posterior_contraction", "seeds": 2}


# A run with a checkpoint before its end.
CURVES = {
    "name": "training_curves",
    "seeds": 1,
    "settings": {
        "dataset": {"name": "digits", "train_size": 40, "test_size": 40},
        "network": {"template": "dense", "width": 8, "depth": 1},
        "training": {"epochs": 2},
        "checkpoints": [0, 1],
        "inputs": 20,
        "max_dim": 1,
    },
}


def with_experiments(
    folder: Path, *experiments: dict[str, object], study: str = "maddox2020"
) -> Path:
    path = folder / "changed.yaml"
    change = {"studies": {study: {"experiments": list(experiments)}}}
    path.write_text(yaml.safe_dump(change))
    return path


@pytest.fixture(scope="module", params=["small", "paper"])
def plans(
    request: pytest.FixtureRequest, snakemake: Run, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """What a dry run of all studies in a setting says."""
    empty = tmp_path_factory.mktemp("empty")
    arguments = ("-n", *STUDIES, "--config", f"setting={request.param}")
    result = snakemake(empty, *arguments, config=None)
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_planned_in_each_setting(study: str, plans: str) -> None:
    jobs = re.findall(rf"Job \d+: {study}: (.+)$", plans, re.M)
    assert jobs.count("the paper's claims") == 1
    runs = [job for job in jobs if re.search(r", run \d+$", job)]
    drawn = [job for job in jobs if job.startswith("figures of ")]
    # Every experiment has its figures, and three seeds at least where intervals are given.
    assert len(runs) >= 3 * len(drawn) > 0


@pytest.fixture(scope="module")
def contracted(snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    config = with_experiments(folder, CONTRACTION)
    result = snakemake(folder, "results/maddox2020/figures/posterior_contraction", config=config)
    assert result.returncode == 0, result.stderr
    return folder


def test_an_experiment_leaves_runs_and_figures(contracted: Path) -> None:
    study = contracted / "results" / "maddox2020"
    runs = sorted(path.name for path in (study / "runs" / "posterior_contraction").iterdir())
    assert runs == ["0.npz", "1.npz"]
    figures = study / "figures" / "posterior_contraction"
    assert (figures / "posterior_contraction.png").stat().st_size > 5_000
    assert (figures / "posterior_contraction.svg").read_text().count("<svg") == 1


def test_claims_have_a_table_a_page_and_plots(contracted: Path, snakemake: Run) -> None:
    study = contracted / "results" / "maddox2020"
    config = contracted / "changed.yaml"
    result = snakemake(contracted, "results/maddox2020/claims.csv", config=config)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(study / "claims.csv")
    assert set(table["setting"]) == {"small"}
    assert set(table["verdict"]) == {"undecided"}  # of two seeds
    (strip,) = (study / "claims").glob("*.svg")
    assert set(table["strip"]) == {strip.name}
    page = (study / "claims.md").read_text("utf-8")
    assert f"](claims/{strip.name})" in page
    assert "The setting `medium` judges" in page


def test_a_run_that_is_lost_is_made_again_alone(contracted: Path, snakemake: Run) -> None:
    config = contracted / "changed.yaml"
    target = "results/maddox2020/figures/posterior_contraction"
    again = snakemake(contracted, target, config=config)
    assert "Nothing to be done" in again.stdout + again.stderr
    before = results_of(contracted)
    (contracted / "results/maddox2020/runs/posterior_contraction/1.npz").unlink()
    shutil.rmtree(contracted / target)
    result = snakemake(contracted, target, config=config)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^experiment +1$", result.stdout + result.stderr, re.M)
    assert results_of(contracted) == before


def test_an_unfinished_run_keeps_its_state_until_it_is_written(
    snakemake: Run, tmp_path: Path
) -> None:
    config = with_experiments(tmp_path, CURVES, study="corneanu2020")
    runs = tmp_path / "results" / "corneanu2020" / "runs" / "training_curves"
    runs.mkdir(parents=True)
    unfinished = runs / "0.unfinished"
    target = str((runs / "0.npz").relative_to(tmp_path))
    unfinished.write_text("where the folder of the state belongs")
    result = snakemake(tmp_path, target, config=config)
    assert result.returncode != 0
    assert re.search(rf"Cannot write \S*/0\.unfinished/{STATE_IDENTITY}\b", result.stderr)
    unfinished.unlink()
    unfinished.mkdir()
    (unfinished / "of_other_settings.pt").touch()
    result = snakemake(tmp_path, target, config=config)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in runs.iterdir()] == ["0.npz"]
    # The figures have settings of their own, on which the runs do not depend.
    config = with_experiments(tmp_path, CURVES | {"plotting": {"smooth": 2}}, study="corneanu2020")
    result = snakemake(tmp_path, "results/corneanu2020/figures/training_curves", config=config)
    assert result.returncode != 0
    assert "figures of training_curves of corneanu2020 have no setting 'smooth'" in result.stderr
    assert not re.search(r"^experiment +1$", result.stdout + result.stderr, re.M)


@pytest.mark.parametrize(
    ("experiment", "sentence"),
    [
        ({"name": "contraction"}, "names the experiment 'contraction'"),
        (CONTRACTION | {"sedes": 2}, "'sedes' was unexpected"),
        (CONTRACTION | {"grid": {"sizes": [1, 1]}}, "give each value once"),
        (CONTRACTION | {"settings": {"aplha": 5}}, "has no setting 'aplha': choose among"),
    ],
)
def test_a_fault_in_a_study_is_said_before_any_job(
    experiment: dict[str, object], sentence: str, snakemake: Run, tmp_path: Path
) -> None:
    result = snakemake(tmp_path, "-n", "maddox2020", config=with_experiments(tmp_path, experiment))
    assert result.returncode != 0
    said = [line for line in (result.stdout + result.stderr).splitlines() if sentence in line]
    assert len(said) == 1, result.stderr


def test_some_experiments_can_be_asked_for(snakemake: Run, tmp_path: Path) -> None:
    only = "only=[posterior_contraction]"
    result = snakemake(tmp_path, "-n", "maddox2020", "--config", only, config=None)
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", result.stdout, re.M))
    assert jobs["experiment_figures"] == "1"
    assert "claims" not in jobs
    wrong = snakemake(tmp_path, "-n", "maddox2020", "--config", "only=contraction", config=None)
    assert wrong.returncode != 0
    assert "'only' names 'contraction', which is no experiment" in wrong.stdout + wrong.stderr
