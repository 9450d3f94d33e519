"""The table of what carries over is planned where the config has several tasks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.workflow.runs import REDUCED, Run


@pytest.mark.slow
def test_the_table_across_tasks_is_planned_with_several_tasks_alone(
    snakemake: Run, tmp_path: Path
) -> None:
    single = snakemake(tmp_path, "--dry-run")
    assert single.returncode == 0, single.stderr
    assert not re.search(r"^across_tasks +1$", single.stdout, re.MULTILINE)
    config = yaml.safe_load(REDUCED.read_text())
    config["tasks"].append({**config["tasks"][0], "name": "second"})
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    several = snakemake(tmp_path, "--dry-run", config=file)
    assert several.returncode == 0, several.stderr
    assert re.search(r"^across_tasks +1$", several.stdout, re.MULTILINE)
    for task in (config["tasks"][0]["name"], "second"):
        assert f"results/{task}/measures.csv" in several.stdout
