"""What every rule that computes says of itself."""

from __future__ import annotations

import re
from pathlib import Path

ACTIONS = {"script", "shell", "run", "notebook", "wrapper"}
STATED = {"log", "benchmark", "conda", "threads", "resources"}


def test_every_rule_that_computes_states_what_it_needs(root: Path) -> None:
    computing = 0
    for path in [root / "Snakefile", *(root / "workflow" / "rules").glob("*.smk")]:
        for block in re.split(r"^ *(?:rule|checkpoint)\b", path.read_text(), flags=re.M)[1:]:
            name = block.partition(":")[0]
            directives = set(re.findall(r"^ +(\w+):", block, re.M))
            if directives & ACTIONS:
                computing += 1
                assert directives >= STATED, f"{name} lacks {sorted(STATED - directives)}"
    assert computing > 20
