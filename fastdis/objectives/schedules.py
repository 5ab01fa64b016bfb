"""Schedules of weights: functions of the number of steps before.

Step and result are tensors on the device, so that a schedule neither waits for the device nor is a
constant in a compiled or captured step.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def linear(step: Tensor, steps: Tensor) -> Tensor:
    """min(1, step / steps): from 0 at the first step to 1 after ``steps`` of them."""
    return (step / steps).clamp(max=1.0)


def cyclical(step: Tensor, steps: Tensor) -> Tensor:
    """Cycles of ``steps`` steps: 0 to 1 over the first half of each, 1 over the second.

    Fu et al. (2019), with a linear rise over R = 0.5 of a cycle: cycles of T / M steps make M of
    them in a training of T steps.
    """
    return (2.0 * (step % steps) / steps).clamp(max=1.0)


# By name; a "constant" weight is 1.
RISING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"linear": linear, "cyclical": cyclical}
SCHEDULES = ("constant", *RISING)
