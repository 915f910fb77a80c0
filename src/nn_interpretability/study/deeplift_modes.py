"""The six DeepLIFT modes of the 2020 study, with correct mathematics.

The study offered every combination of a rule for nonlinearities (none, Rescale, RevealCancel) with and without the
Linear rule, and showed six different pictures. Done right there are three:

* without a rule for nonlinearities the Linear rule *is* the gradient, since both parts of a difference have the same
  multiplier: ``linear`` equals ``no_rule``. Neither sums to anything in particular.
* without the Linear rule differences have no parts, and RevealCancel on the own sign of a difference is Rescale.
  So ``rescale``, ``linear_rescale`` and ``reveal_cancel`` are one.
* only ``linear_reveal_cancel`` differs.

This holds when max-pooling has the same rule in all six, as here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.deeplift import DeepLIFT
from nn_interpretability.methods.references import Reference
from nn_interpretability.rules.deeplift import DeepLIFTSettings, PoolOrder

MODES: Mapping[str, tuple[str, bool]] = {
    "no_rule": ("gradient", False),
    "rescale": ("rescale", False),
    "reveal_cancel": ("reveal_cancel", False),
    "linear": ("gradient", True),
    "linear_rescale": ("rescale", True),
    "linear_reveal_cancel": ("reveal_cancel", True),
}


class DeepLIFTMode(DeepLIFT):
    """DeepLIFT in one of the study's modes; for comparisons, :class:`DeepLIFT` is the method.

    Parameters
    ----------
    model
        The classifier.
    mode
        ``"no_rule"``, ``"rescale"``, ``"reveal_cancel"``, ``"linear"``, ``"linear_rescale"`` or
        ``"linear_reveal_cancel"``.
    reference, pool_order, strict
        As for :class:`~nn_interpretability.methods.deeplift.DeepLIFT`.

    Raises
    ------
    ConfigError
        If a setting is not allowed.
    """

    name: ClassVar[str] = "deeplift_mode"

    def __init__(
        self,
        model: nn.Module,
        *,
        mode: str,
        reference: Reference = 0.0,
        pool_order: PoolOrder = "relu_first",
        strict: bool = False,
    ) -> None:
        super().__init__(model, reference=reference, pool_order=pool_order, strict=strict)
        if mode not in MODES:
            raise ConfigError(f"mode={mode!r} is not allowed: choose one of {', '.join(map(repr, MODES))}.")
        rule, linear_rule = MODES[mode]
        self._mode = mode
        self._settings = DeepLIFTSettings(rule, pool_order=pool_order, linear_rule=linear_rule)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        given = {key: value for key, value in super().parameters.items() if key not in ("rule", "mean_subtraction")}
        return {"mode": self._mode, **given}
