"""``python -m gengap.evaluation PREDICTIONS REFERENCE``: the competition's score, times 100."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gengap.errors import GengapError
from gengap.evaluation.competition import score_folder


def main(arguments: list[str] | None = None) -> None:
    """Print measure, task, networks, score (0 to 100) as CSV."""
    parser = argparse.ArgumentParser(
        prog="python -m gengap.evaluation",
        description="Conditional mutual information (0 to 100) of measures and the gap.",
    )
    parser.add_argument("predictions", type=Path, help="folder of <task>.predict files")
    parser.add_argument("reference", type=Path, help="folder with <task>/model_configs.json")
    chosen = parser.parse_args(arguments)
    try:
        table = score_folder(chosen.predictions, chosen.reference)
    except GengapError as error:
        sys.exit(f"error: {error}")
    table["score"] *= 100
    table.to_csv(sys.stdout, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
