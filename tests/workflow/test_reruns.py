"""What runs again, and what does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.workflow.runs import REDUCED, Run, planned, results_of

pytestmark = pytest.mark.slow


def changed(folder: Path, **sections: dict[str, object]) -> Path:
    """The reduced config with other values in some sections."""
    config = yaml.safe_load(REDUCED.read_text())
    for name, values in sections.items():
        config[name] = config.get(name, {}) | values
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def test_a_second_run_has_nothing_to_do(finished: Path, snakemake: Run) -> None:
    result = snakemake(finished)
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout + result.stderr


def test_all_cores_are_the_default(finished: Path, root: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(finished), "--configfile", str(REDUCED)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=finished)
    assert result.returncode == 0, result.stderr


def test_the_summary_is_printed_where_nothing_is_to_be_done(finished: Path, snakemake: Run) -> None:
    # As `make run` calls it.
    result = snakemake(finished, "--forcerun", "all")
    assert result.returncode == 0
    output = result.stdout + result.stderr
    assert planned(output) == {"all": 1, "total": 1}
    assert output.count("reduced: what predicts the gap") == 1


def test_another_threshold_touches_the_diagrams_and_what_follows(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    config = changed(tmp_path, topology={"threshold": 0.75})
    result = snakemake(finished, "-n", config=config)
    jobs = planned(result.stdout + result.stderr)
    assert jobs["diagrams"] == jobs["summaries"] == 2
    assert jobs["measures"] == jobs["evaluate"] == 1
    # Activations are temporary files, so they are observed again.
    assert not {"dataset", "check_zoo", "train", "measure"} & set(jobs)
    assert not {"task", "figures_zoo"} & set(jobs)


def test_other_permutations_touch_the_evaluation_alone(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    config = changed(tmp_path, evaluation={"permutations": 30})
    jobs = planned(snakemake(finished, "-n", config=config).stdout)
    assert jobs["evaluate"] == 1
    drawn = {name for name in jobs if name.startswith("figures")}
    assert set(jobs) == {"evaluate", "dashboard", "all", "total"} | drawn
    # The diagrams are those of the extreme networks that the evaluation did not leave out.
    assert "figures_topology" in drawn
    assert "figures_zoo" not in drawn


def test_settings_that_exchange_their_values_make_their_jobs_again(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    settings = yaml.safe_load(REDUCED.read_text())["activations"]
    exchanged = {**settings, "inputs": settings["neurons"], "neurons": settings["inputs"]}
    config = changed(tmp_path, activations=exchanged)
    jobs = planned(snakemake(finished, "-n", config=config).stdout)
    assert jobs["activations"] == jobs["diagrams"] == jobs["summaries"] == 2
    assert "train" not in jobs


def test_a_grid_that_grows_keeps_the_networks_that_it_had(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    config = yaml.safe_load(REDUCED.read_text())
    config["tasks"][0]["zoo"]["grid"]["width"].append(32)
    path = tmp_path / "grown.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    jobs = planned(snakemake(finished, "-n", config=path).stdout)
    assert jobs["train"] == jobs["activations"] == 1
    assert jobs["check_zoo"] == 1


def weights_by_network(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Weights and time of modification of each network, by its hyper-parameters and replicate."""
    found = {}
    for path in (folder / "results" / "reduced" / "networks").glob("[0-9]*/metrics.json"):
        metrics = json.loads(path.read_text())
        name = f"{metrics['hyper_parameters']} {metrics['replicate']}"
        weights = path.with_name("weights.safetensors")
        found[name] = weights.read_bytes(), weights.stat().st_mtime_ns
    return found


def test_a_grid_that_grows_trains_only_what_is_new(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    before = weights_by_network(tmp_path / "run")
    config = yaml.safe_load(REDUCED.read_text())
    zoo = config["tasks"][0]["zoo"]
    # Another replicate and another value shift the positions of all networks but the first two,
    # and a number that is written in another way is the same number.
    zoo["replicates"] = 3
    zoo["grid"]["label_corruption"] = [0, 0.1, 0.3]
    config["tasks"][0]["networks_per_job"] = 9
    path = tmp_path / "grown.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    result = snakemake(tmp_path / "run", "results/reduced/task.json", config=path)
    assert result.returncode == 0, result.stderr
    after = weights_by_network(tmp_path / "run")
    assert len(after) == 18
    assert {name: after.get(name) for name in before} == before
    logs = (tmp_path / "run" / "results" / "reduced" / "logs" / "train").glob("*.log")
    kept = sum(log.read_text().count("is kept: it was made from the same inputs") for log in logs)
    assert kept == 8


def test_results_do_not_depend_on_the_size_of_the_shards(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    config = yaml.safe_load(REDUCED.read_text())
    # Where the finished run had four. All networks in one job: in ``test_draws.py``.
    config["tasks"][0]["networks_per_job"] = 5
    path = tmp_path / "shards.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    # On one core where the finished run had two.
    result = snakemake(tmp_path, "results/reduced/measures.csv", config=path, cores=1)
    assert result.returncode == 0, result.stderr
    for name in ("measures.csv", "standard_errors.csv", "failed.csv", "task.json"):
        expected = (finished / "results" / "reduced" / name).read_bytes()
        assert (tmp_path / "results" / "reduced" / name).read_bytes() == expected, name
    receipts = list((tmp_path / "results" / "reduced" / "shards").glob("*[0-9].json"))
    assert len(receipts) == 2
    assert {len(json.loads(receipt.read_text())["networks"]) for receipt in receipts} == {5, 3}


def test_an_edit_of_the_library_reruns_what_it_reaches(
    root: Path, finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    for name in ("workflow", "scripts", "src", "envs", "studies"):
        shutil.copytree(root / name, checkout / name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(root / name, checkout / name)
    same = planned(snakemake(finished, "-n", checkout=checkout).stdout)
    assert same == {}
    with (checkout / "src" / "gengap" / "topology" / "vectorisation.py").open("a") as file:
        file.write("# edited\n")
    edited = planned(snakemake(finished, "-n", checkout=checkout).stdout)
    assert edited["summaries"] == 2
    assert not {"dataset", "train", "measure"} & set(edited)


def test_a_further_family_and_an_edited_one_recompute_no_other(
    finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    own = tmp_path / "own.py"
    own.write_text(
        "from gengap.measures import measure\n\n\n"
        "@measure()\ndef constant(subject):\n    return 1.0\n\n\n"
        "@measure()\ndef largest_weight(subject):\n"
        "    return max(float(p.detach().abs().max()) for p in subject.network.parameters())\n"
    )
    config = yaml.safe_load(REDUCED.read_text())
    config["families"] = [*config["families"], own.name]
    path = tmp_path / "more.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    results = tmp_path / "run" / "results" / "reduced"
    for value, wanted in ((1.0, "measures.csv"), (2.0, "evaluation/leaderboard.csv")):
        own.write_text(own.read_text().replace("1.0", str(value)))
        result = snakemake(tmp_path / "run", f"results/reduced/{wanted}", config=path)
        assert result.returncode == 0, result.stderr
        lines = (results / "logs" / "measure" / "0.log").read_text().splitlines()
        computed = [line.split()[-1] for line in lines if "gengap INFO: family" in line]
        assert computed == ["own"]
        assert sum("family baseline is kept" in line for line in lines) == 1
    assert (results / "measures.csv").read_text().count("own,constant,0,2.0") == 8
    board = pd.read_csv(results / "evaluation" / "leaderboard.csv").set_index("measure")
    assert board.loc["largest_weight", "family"] == "own"
    assert np.isfinite(board["kendall"].astype(float)["largest_weight"])


def test_a_killed_run_is_finished_by_the_next_to_the_same_bytes(
    root: Path, finished: Path, snakemake: Run, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(tmp_path), "--cores", "2", "--configfile", str(REDUCED)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    networks = tmp_path / "results" / "reduced" / "networks"
    deadline = time.monotonic() + 3000
    while len(list(networks.glob("*/metrics.json"))) < 2:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no network was trained within fifty minutes"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(networks.glob("*/metrics.json"))) < 8

    refused = snakemake(tmp_path)
    assert refused.returncode != 0
    assert "--unlock" in refused.stdout + refused.stderr
    assert snakemake(tmp_path, "--unlock").returncode == 0
    # What is made of the measures, a run on a cluster compares to the byte: ``test_slurm.py``.
    result = snakemake(tmp_path, "results/reduced/measures.csv", cores=1)
    assert result.returncode == 0, result.stderr
    resumed = results_of(tmp_path)
    undisturbed = {
        name: content
        for name, content in results_of(finished).items()
        if not {"evaluation", "figures", "dashboard.html"} & set(Path(name).parts)
    }
    assert list(resumed) == list(undisturbed)
    different = [name for name, content in undisturbed.items() if resumed[name] != content]
    assert different == []


@pytest.mark.parametrize("option", ["--dag", "--rulegraph"])
def test_the_graph_of_the_workflow_can_be_drawn(
    option: str, snakemake: Run, tmp_path: Path
) -> None:
    result = snakemake(tmp_path, option)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("digraph snakemake_dag") == 1
    assert "train" in result.stdout


def test_the_graph_of_one_target_can_be_drawn(snakemake: Run, tmp_path: Path) -> None:
    # Behind --dag a target would be read as the option's value.
    result = snakemake(tmp_path, "results/reduced/shards/0.json", "--dag")
    assert result.returncode == 0, result.stderr
    drawn = set(re.findall(r'label = "(\w+)', result.stdout))
    assert drawn == {"dataset", "train"}
