"""The one optimisation loop of activation maximisation: ascent by Adam, each row on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nn_interpretability.errors import DataError
from nn_interpretability.synthesis.parametrisations import Parametrisation

THRESHOLD, STEPS, DIVERGED = "threshold", "steps", "diverged"
REASONS = (THRESHOLD, STEPS, DIVERGED)


@dataclass(frozen=True)
class Standing:
    """How good some images are.

    Attributes
    ----------
    total
        What is maximised, objective and priors, shape ``(N,)``, differentiable.
    objective
        The objective alone, shape ``(N,)``.
    probability
        Probability of the target class, shape ``(N,)``; None where the objective is not that of a class.
    """

    total: Tensor
    objective: Tensor
    probability: Tensor | None


Judge = Callable[[Tensor, Tensor], Standing]


@dataclass(frozen=True)
class Ascent:
    """Where the rows ended.

    Attributes
    ----------
    values
        What was optimised.
    steps
        Steps that each row took, int64.
    reason
        Index into :data:`REASONS` for each row, int64.
    """

    values: Tensor
    steps: Tensor
    reason: Tensor


def ascend(
    parametrisation: Parametrisation,
    start: Tensor,
    judge: Judge,
    *,
    steps: int,
    learning_rate: float,
    threshold: float | None,
    weight_decay: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Ascent:
    """Maximise row by row.

    Adam (Kingma and Ba 2015) keeps its state value by value, and the rows' objectives are added, so no row sees
    another. The images are judged *before* each step: a row whose probability has reached the threshold takes none,
    and its values stay as they are, bit for bit. All rows are computed until the last has stopped: rows computed in
    batches of one shape have the same rounding however many of them still run.

    Parameters
    ----------
    parametrisation
        From values to images.
    start
        Values to start from, one row per sample.
    judge
        From images and values to their standing.
    steps
        At most so many steps.
    learning_rate
        Of Adam.
    threshold
        Probability at which a row stops; None for never.
    weight_decay
        The L2 term that Adam adds to the gradient, outside of what the judge reports; for published settings only.
    progress
        Called with the number of steps done.

    Returns
    -------
    Ascent
        A row that becomes non-finite ends where it last was finite, with the reason ``diverged``.

    Raises
    ------
    DataError
        If the objective is not finite at the start.
    """
    values = start.detach().clone().requires_grad_(True)
    adam = torch.optim.Adam([values], lr=learning_rate, weight_decay=weight_decay)
    taken = torch.zeros(len(values), dtype=torch.int64, device=values.device)
    reason = torch.full_like(taken, REASONS.index(STEPS))
    running = torch.ones_like(taken, dtype=torch.bool)
    before = values.detach().clone()
    for step in range(steps + 1):
        standing = judge(parametrisation.images(values), values)
        (slope,) = torch.autograd.grad(standing.total.sum(), values)
        lost = running & ~(_finite(slope) & torch.isfinite(standing.total))
        if bool(lost.any()):
            if step == 0:
                raise DataError(f"The objective is not finite at the start, for the rows {_rows(lost)}.")
            _put(values, before, lost)
            taken[lost] = step - 1
            reason[lost] = REASONS.index(DIVERGED)
            running = running & ~lost
        reached = running & _reached(standing, threshold)
        reason[reached] = REASONS.index(THRESHOLD)
        running = running & ~reached
        if step == steps or not bool(running.any()):
            break
        before = values.detach().clone()
        values.grad = -torch.where(_rowwise(running, slope), slope, 0.0)
        adam.step()
        with torch.no_grad():
            parametrisation.project_(values)
        _put(values, before, ~running)
        taken[running] = step + 1
        if progress is not None:
            progress(step + 1)
    return Ascent(values.detach(), taken, reason)


def _reached(standing: Standing, threshold: float | None) -> Tensor:
    if threshold is None or standing.probability is None:
        return torch.zeros_like(standing.total, dtype=torch.bool)
    return standing.probability >= threshold


def _finite(values: Tensor) -> Tensor:
    return torch.isfinite(values).flatten(1).all(dim=1)


def _rowwise(flags: Tensor, like: Tensor) -> Tensor:
    return flags.reshape(-1, *[1] * (like.dim() - 1))


def _put(values: Tensor, kept: Tensor, rows: Tensor) -> None:
    with torch.no_grad():
        values.copy_(torch.where(_rowwise(rows, values), kept, values))


def _rows(flags: Tensor) -> str:
    rows = np.flatnonzero(flags.cpu().numpy())
    return ", ".join(map(str, rows[:10])) + (" ..." if len(rows) > 10 else "")
