"""Inputs of a user's own in any layout and type, made what a split holds: channels last, float32.

Images and volumes of 8 or 16 bits become numbers in [0, 1]. Other numbers keep their values, and
are refused where float32 cannot hold them.
"""

from __future__ import annotations

import logging

import numpy as np

from gengap.datasets.part import listed
from gengap.errors import GengapError
from gengap.names import INPUT_KINDS, LAYOUTS

log = logging.getLogger(__name__)

CHANNELS = (1, 3, 4)
"""Numbers of channels by which an axis is recognised as that of the channels."""

RECOGNISED = {4: ("NHWC", "NCHW"), 5: ("NDHWC", "NCDHW")}
"""Layouts that can be recognised, by the number of axes: channels last and channels first."""

WHITE_16_BIT = 65535
EXACT_INTEGERS = 2**24
"""Up to here float32 holds every integer."""

VECTOR_AXES = 2


def channels_last(
    inputs: np.ndarray, where: str, *, layout: str | None = None, kind: str | None = None
) -> np.ndarray:
    """Return inputs channels last, in a type of a split.

    Args:
        inputs: (n, d), or more axes in one of the layouts.
        where: what they were read from, for messages.
        layout: one of :data:`gengap.names.LAYOUTS`; None recognises it where one of the axes alone
            can be that of the channels, and says so in the log.
        kind: ``tokens`` or ``vector``, which integers (n, d) must state.

    Returns:
        float32; int64 where they are tokens; uint8 where they are images of 8 bits, which are
        scaled once samples have been selected.

    Raises:
        GengapError: the layout or the kind is needed and not given, or does not fit; a value is
            missing, infinite or not exact in float32.
    """
    if layout is not None and layout not in LAYOUTS:
        raise GengapError(
            f"layout={layout!r} of {where} is unknown: choose one of {', '.join(LAYOUTS)}."
        )
    if kind is not None and kind not in INPUT_KINDS:
        raise GengapError(
            f"kind={kind!r} of {where} is unknown: choose one of {', '.join(INPUT_KINDS)}."
        )
    if inputs.dtype.kind not in "biuf":
        raise GengapError(
            f"The inputs of {where} are of type {inputs.dtype}: give real numbers, or integers "
            "for tokens."
        )
    _check_present(inputs, where)
    if inputs.ndim == VECTOR_AXES:
        return _of_two_axes(inputs, where, layout, kind)
    if kind is not None:
        raise GengapError(
            f"The inputs of {where} have shape {inputs.shape}, so they are no {kind}: leave 'kind' "
            "out."
        )
    if layout is None:
        layout = _recognised(inputs, where)
    if inputs.ndim != len(layout):
        raise GengapError(
            f"The inputs of {where} have shape {inputs.shape}, which layout {layout} does not fit: "
            "give the layout that they have."
        )
    if "C" in layout:
        ordered = np.moveaxis(inputs, layout.index("C"), -1)
    else:
        ordered = inputs[..., np.newaxis]
    return as_numbers(ordered, where, scaled="H" in layout)


def as_numbers(inputs: np.ndarray, where: str, *, scaled: bool = False) -> np.ndarray:
    """Return finite inputs as float32.

    Args:
        inputs: any numbers.
        where: what they were read from, for messages.
        scaled: whether integers of 8 and 16 bits are values of pixels; those of 8 bits are then
            returned as they are.

    Returns:
        float32, or uint8 pixels.

    Raises:
        GengapError: float32 cannot hold a value.
    """
    if scaled and inputs.dtype == np.uint8:
        return inputs
    if scaled and inputs.dtype == np.uint16:
        return inputs.astype(np.float32) / np.float32(WHITE_16_BIT)
    if inputs.dtype.kind in "iu" and inputs.dtype.itemsize > 2:
        low, high = int(inputs.min()), int(inputs.max())
        if max(-low, high) > EXACT_INTEGERS:
            raise GengapError(
                f"The inputs of {where} reach from {low} to {high}, and float32 is exact up to "
                f"{EXACT_INTEGERS} only: scale them down, or leave out numbers that are names."
            )
    with np.errstate(over="ignore"):
        numbers: np.ndarray = inputs.astype(np.float32)
    rows = bad_rows(~np.isfinite(numbers))
    if rows.size:
        raise GengapError(
            f"The inputs of {where} are too large for float32 in row {listed(rows)}: scale them."
        )
    if scaled and inputs.dtype.kind in "iu":
        log.warning(
            "%s: pixels are %s with values from %s to %s, which are not scaled to [0, 1]",
            where, inputs.dtype, inputs.min(), inputs.max(),
        )  # fmt: skip
    return numbers


def bad_rows(faulty: np.ndarray) -> np.ndarray:
    """Return the rows, counted from 0, of an array (n, ...) that hold anything true."""
    return np.flatnonzero(faulty.reshape(len(faulty), -1).any(axis=1))


def _check_present(inputs: np.ndarray, where: str) -> None:
    if inputs.ndim < VECTOR_AXES or 0 in inputs.shape:
        raise GengapError(
            f"The inputs of {where} have shape {inputs.shape}: give (n, d), or more axes and their "
            "layout, none of them empty."
        )
    if inputs.dtype.kind != "f":
        return
    rows = bad_rows(~np.isfinite(inputs))
    if rows.size:
        raise GengapError(
            f"The inputs of {where} hold NaN or infinity in {rows.size} rows ({listed(rows)}, "
            "counted from 0): remove these rows, or fill in the values."
        )


def _of_two_axes(
    inputs: np.ndarray, where: str, layout: str | None, kind: str | None
) -> np.ndarray:
    if layout is not None:
        raise GengapError(
            f"The inputs of {where} have shape {inputs.shape}, so they are vectors or tokens "
            f"without channels: leave 'layout: {layout}' out."
        )
    is_integer = inputs.dtype.kind in "iu"
    if kind is None and is_integer:
        raise GengapError(
            f"The inputs of {where} are integers of shape {inputs.shape}, which may be tokens or "
            "numbers: say 'kind: tokens' or 'kind: vector'."
        )
    if kind != "tokens":
        return as_numbers(inputs, where)
    if not is_integer:
        raise GengapError(
            f"The inputs of {where} are {inputs.dtype}, but 'kind: tokens' needs integers: convert "
            "them, or leave 'kind' out."
        )
    if inputs.min() < 0:
        raise GengapError(
            f"The tokens of {where} reach down to {inputs.min()}: number them from 0."
        )
    return inputs.astype(np.int64)


def _recognised(inputs: np.ndarray, where: str) -> str:
    """Guess the layout where one axis alone may be that of the channels, and say so."""
    last, first = RECOGNISED.get(inputs.ndim, ("", ""))
    may_be_last, may_be_first = inputs.shape[-1] in CHANNELS, inputs.shape[1] in CHANNELS
    if not last or may_be_last == may_be_first:
        fitting = [name for name in LAYOUTS if len(name) == inputs.ndim]
        choice = f"say 'layout:' with one of {', '.join(fitting)}" if fitting else "reshape them"
        raise GengapError(
            f"The inputs of {where} have shape {inputs.shape}, which does not tell where the "
            f"channels are: {choice}."
        )
    layout = last if may_be_last else first
    log.warning(
        "%s: inputs of shape %s are taken to be %s; write 'layout: %s' to state it",
        where, inputs.shape, layout, layout,
    )  # fmt: skip
    return layout
