"""``gengap reference FOLDER``: an evaluated task, frozen into a file that predicts networks."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli.command import Command
from gengap.cli.progress import working
from gengap.errors import GengapError
from gengap.limits import LEAST_REFERENCE
from gengap.names import REFERENCE_FILE, REFERENCE_SUFFIX

if TYPE_CHECKING:
    from gengap.prediction import Reference

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
    from gengap.prediction import freeze, join

    output = options.output or options.folders[0] / REFERENCE_FILE
    if output.suffix != REFERENCE_SUFFIX:
        raise GengapError(
            f"{output} does not end in {REFERENCE_SUFFIX}: name such a file by --output."
        )
    with working("freezing"):
        reference = join([freeze(folder) for folder in options.folders])
    reference.save(output)
    print("\n".join(summary_lines(reference)))
    print(f"written: {output}")


def summary_lines(reference: Reference) -> list[str]:
    """Say what a reference can do, in lines for a terminal."""
    draws = len(reference.draw_digests)
    lines = [
        f"{len(reference.networks)} networks of {', '.join(reference.tasks)}, on {draws} draw(s) "
        f"of the training data; {len(reference.measures)} measures of "
        f"{len(set(reference.families))} families"
    ]
    if reference.by_measures is None:
        return [
            *lines,
            f"It predicts nothing: it needs at least {LEAST_REFERENCE} networks. Join it with "
            "others.",
        ]
    assessment = reference.by_measures.assessment
    both = reference.by_measures_and_hyper_parameters
    lines += [
        f"left out together: {assessment.fold} ({assessment.folds} folds)",
        f"predictor: {assessment.learner}, R2 {number(assessment.r2)}, of hyper-parameters alone "
        f"{number(reference.r2_of_hyper_parameters)}, of both "
        f"{number(both.assessment.r2 if both else None)}; mean error "
        f"{assessment.mean_error:.3g}, of the mean gap {assessment.mean_error_of_mean:.3g}",
        f"90 % intervals, from the other folds: coverage {number(assessment.coverage)} (by fold "
        f"{', '.join(map(number, assessment.coverage_by_fold))}), width {assessment.width:.3g}, "
        f"around the mean gap {assessment.width_of_mean:.3g}; for a new network from all folds "
        f"{assessment.new_width:.3g}",
        f"so many networks support levels up to {assessment.highest_level:.3f}; were they "
        f"exchangeable, a coverage of {assessment.guaranteed_level:.2f} would be guaranteed",
        draws_line(draws),
        f"too far, and declined: {assessment.declined:.0%} of its own networks",
        f"with a level of a hyper-parameter left out: coverage "
        f"{number(assessment.shifted_coverage)} of {assessment.shifted_networks} predictions",
        *(
            f"  {shift['hyper_parameter']} = {shift['level']}: {shift['declined']:.0%} declined, "
            f"coverage of the others {number(shift['coverage'])}"
            for shift in assessment.shifts
        ),
        "R2 of one family alone, and of all others: "
        + ", ".join(
            f"{name} {number(r2)} and {number(reference.r2_without[name])}"
            for name, r2 in reference.r2_with_only.items()
        ),
    ]
    if not assessment.beats_mean:
        lines.append(
            f"It predicts nothing, since no predictor beats the mean gap (p = "
            f"{assessment.p_mean:.2g})."
        )
    return lines


def draws_line(draws: int) -> str:
    """Say what a reference knows of other draws of the training data."""
    if draws == 1:
        return "one draw: networks on another draw are declined, since how draws differ is unknown"
    if draws == 2:
        return "two draws: intervals for another draw are wide, since how draws differ is uncertain"
    return f"intervals for another draw allow for what {draws} draws leave uncertain"


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
