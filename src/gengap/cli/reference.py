"""``gengap reference FOLDER``: an evaluated task, frozen into a file that predicts networks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli.command import Command
from gengap.errors import GengapError

if TYPE_CHECKING:
    from gengap.prediction import Reference

SUFFIX = ".safetensors"
EXAMPLES = """\
gengap reference results/digits
gengap reference results/first results/second --output both.safetensors"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap reference``."""
    parser.add_argument(
        "folders",
        metavar="FOLDER",
        nargs="+",
        type=Path,
        help="a task's results with measures; several that share their data are joined",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="the file to write (reference.safetensors in the first folder)",
    )


def run(options: Namespace) -> None:
    """Write the file, and print what the reference can do."""
    from gengap.prediction import freeze

    output = options.output or options.folders[0] / f"reference{SUFFIX}"
    if output.suffix != SUFFIX:
        raise GengapError(f"{output} does not end in {SUFFIX}: name such a file by --output.")
    reference = freeze(options.folders[0])
    reference.save(output)
    print("\n".join(summary_lines(reference)))
    print(f"written: {output}")


def summary_lines(reference: Reference) -> list[str]:
    """Say what a reference can do, in lines for a terminal."""
    assessment = reference.by_measures.assessment
    lines = [
        f"{assessment.networks} networks of {', '.join(reference.tasks)}, on "
        f"{len(reference.draw_digests)} draw(s) of the training data; {len(reference.measures)} "
        f"measures of {len(set(reference.families))} families",
        f"left out together: {assessment.fold} ({assessment.folds} folds)",
        f"predictor: {assessment.learner}, R2 {number(assessment.r2)}, of hyper-parameters alone "
        f"{number(reference.r2_of_hyper_parameters)}; mean error {assessment.mean_error:.3g}, of "
        f"the mean gap {assessment.mean_error_of_mean:.3g}",
        f"90 % intervals: coverage {number(assessment.coverage)}, width {assessment.width:.3g}, "
        f"around the mean gap {assessment.width_of_mean:.3g}; at least "
        f"{assessment.guaranteed_level:.2f} is guaranteed",
        f"too far, and declined: {assessment.declined:.0%} of its own networks",
        f"with a level of a hyper-parameter left out: coverage "
        f"{number(assessment.shifted_coverage)} of {assessment.shifted_networks} predictions",
        *(
            f"  {shift['hyper_parameter']} = {shift['level']}: {shift['declined']:.0%} declined, "
            f"coverage of the others {number(shift['coverage'])}"
            for shift in assessment.shifts
        ),
        "R2 without the family: "
        + ", ".join(f"{name} {number(r2)}" for name, r2 in reference.r2_without.items()),
    ]
    if not assessment.beats_mean:
        lines.append(
            f"It predicts nothing, since no predictor beats the mean gap (p = "
            f"{assessment.p_mean:.2g})."
        )
    return lines


def number(value: float | None) -> str:
    """Format a number; a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


COMMAND = Command(
    "reference",
    "freeze an evaluated task into a file from which other networks are predicted",
    EXAMPLES,
    add_arguments,
    run,
)
