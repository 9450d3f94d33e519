"""The workflow as a module of another one, and from another working directory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.workflow.runs import REDUCED, results_of

from gengap.names import NETWORK_RECEIPT

pytestmark = [pytest.mark.slow, pytest.mark.workflow]

ALL = "gengap_all"
OUTER = """
configfile: "{config}"

module gengap:
    snakefile: "{snakefile}"
    config: config

use rule * from gengap as gengap_*

onstart:
    gengap.onstart()

rule own:
    input: "results/reduced/plan.json"
    output: "results/own.txt"
    shell: "cp {{input}} {{output}}"
"""


def test_the_workflow_is_a_module_of_another(root: Path, finished: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer" / "workflow.smk"
    outer.parent.mkdir()
    other = tmp_path / "elsewhere" / "results" / "reduced" / "networks" / "7"
    other.mkdir(parents=True)
    (other / NETWORK_RECEIPT).write_text('{"identity": "of_another_grid"}')
    outer.write_text(OUTER.format(config=REDUCED, snakefile=root / "Snakefile"))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(outer), "--cores", "1"]
    command += ["--directory", str(tmp_path / "elsewhere"), "--nocolor"]
    targets = ["results/own.txt", "results/reduced/shards/0.json"]
    result = subprocess.run([*command, *targets], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    ours, expected = results_of(tmp_path / "elsewhere"), results_of(finished)
    assert ours["results/own.txt"] == expected["results/reduced/plan.json"]
    for name in targets[1:]:
        assert ours[name] == expected[name]
    # The run was prepared, whatever the outer workflow calls the rules.
    assert (other.parent / "unused" / "of_another_grid").is_dir()


def test_the_command_line_of_the_outer_workflow_is_not_its_own(root: Path, tmp_path: Path) -> None:
    outer, config = tmp_path / "workflow.smk", tmp_path / "outer.yaml"
    section = yaml.safe_load(REDUCED.read_text())
    config.write_text(yaml.safe_dump({"gengap": section | {"seed": 7}, "seed": 3}))
    text = OUTER.format(config=config, snakefile=root / "Snakefile")
    outer.write_text(text.replace("config: config", 'config: config["gengap"]'))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(outer), "--dry-run"]
    result = subprocess.run(
        [*command, "--directory", str(tmp_path), "--config", "seed=text", "other=4", "--", ALL],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_as_a_module_it_plans_what_it_plans_by_itself(root: Path, tmp_path: Path) -> None:
    outer = tmp_path / "workflow.smk"
    outer.write_text(OUTER.format(config=REDUCED, snakefile=root / "Snakefile"))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(outer), "--dry-run"]
    result = subprocess.run(
        [*command, "--directory", str(tmp_path), ALL], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "gengap_figures_topology" in result.stdout
    assert "gengap_dashboard" in result.stdout


@pytest.mark.parametrize("moved", ['prefix: "inner"', 'replace_prefix: {"results/": "inner/"}'])
def test_a_prefix_is_refused(moved: str, root: Path, tmp_path: Path) -> None:
    outer = tmp_path / "workflow.smk"
    text = OUTER.format(config=REDUCED, snakefile=root / "Snakefile")
    outer.write_text(text.replace("config: config", f"config: config\n    {moved}"))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(outer), "--dry-run"]
    result = subprocess.run(
        [*command, "--directory", str(tmp_path), ALL], capture_output=True, text=True
    )
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "give its module neither `prefix:` nor `replace_prefix:`" in said
