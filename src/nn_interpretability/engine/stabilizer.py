"""One object that keeps denominators away from zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from nn_interpretability.errors import ConfigError


@dataclass(frozen=True)
class Stabilizer:
    r"""Add a small number to a denominator :math:`z`, away from zero.

    .. math:: z \mapsto z + s(z)\,\bigl(\epsilon_a + \epsilon_r \sqrt{\tfrac1n\textstyle\sum_k z_k^2}\bigr),
              \qquad s(z) = 1 \text{ if } z \ge 0 \text{ else } -1

    The root mean square is taken over one row (one sample), so that the result for a picture does not depend on
    the other pictures of its batch.

    Attributes
    ----------
    absolute
        :math:`\epsilon_a \ge 0`, in the units of the denominator.
    rms
        :math:`\epsilon_r \ge 0`, relative to the root mean square of the row.
    signed
        False leaves out the sign, as Montavon et al. (2019) and the 2020 study print the rule; a negative
        denominator is then moved *towards* zero.
    """

    absolute: float = 0.0
    rms: float = 0.0
    signed: bool = True

    def __post_init__(self) -> None:
        for name in ("absolute", "rms"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < float("inf"):
                raise ConfigError(f"{name}={value!r} is not allowed in a stabilizer: give a number >= 0.")

    @classmethod
    def of(cls, value: Stabilizer | float | Mapping[str, Any] | None) -> Stabilizer:
        """A stabilizer from a number (absolute), a mapping of its fields, or None (adds nothing).

        Raises
        ------
        ConfigError
            If the value is none of these.
        """
        if isinstance(value, Stabilizer):
            return value
        if value is None:
            return cls()
        if isinstance(value, Mapping):
            unknown = set(value) - {"absolute", "rms", "signed"}
            if unknown:
                raise ConfigError(
                    f"A stabilizer has no setting {', '.join(sorted(map(repr, unknown)))}. "
                    "It has: absolute, rms (relative to the root mean square per row), signed."
                )
            return cls(**value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return cls(absolute=float(value))
        raise ConfigError(f"{value!r} is not a stabilizer: give a number >= 0, or a mapping such as {{'rms': 0.1}}.")

    @property
    def adds_nothing(self) -> bool:
        """Whether the stabilizer leaves every denominator as it is."""
        return self.absolute == 0 and self.rms == 0

    def addition(self, denominator: Tensor) -> Tensor | None:
        """What is added to ``denominator`` (same shape), or None for nothing."""
        if self.adds_nothing:
            return None
        size: Tensor | float = self.absolute
        if self.rms:
            rows = denominator.reshape(denominator.shape[0], -1)
            norm = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
            root = (norm / rows.shape[1] ** 0.5).to(denominator.dtype)
            size = self.absolute + self.rms * root.reshape(-1, *([1] * (denominator.dim() - 1)))
        if not self.signed:
            return torch.zeros_like(denominator) + size
        # Adding zero turns -0 into 0, whose sign is +.
        return torch.copysign(
            torch.as_tensor(size, dtype=denominator.dtype, device=denominator.device), denominator + 0.0
        )

    def describe(self) -> dict[str, Any]:
        """The fields, for metadata."""
        return asdict(self)
