"""Small smooth problems, solved to the last digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nn_interpretability.errors import DataError


def minimise(loss: Callable[..., Tensor], start: Sequence[Tensor], *, steps: int = 500) -> list[Tensor]:
    """Minimise a function of a few tensors by L-BFGS with a line search (strong Wolfe conditions).

    Parameters
    ----------
    loss
        Takes the tensors and returns a number.
    start
        Where to begin; float64, for the sake of the last digits.
    steps
        At most so many.

    Raises
    ------
    DataError
        If the result is not finite.
    """
    values = [value.clone().requires_grad_(True) for value in start]
    optimizer = torch.optim.LBFGS(
        values, max_iter=steps, tolerance_grad=1e-12, tolerance_change=0.0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(*values)
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
    found = [value.detach() for value in values]
    if not all(bool(torch.isfinite(value).all()) for value in found):
        raise DataError("The fit did not converge to finite numbers.")
    return found
