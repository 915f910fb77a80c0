"""What guided backpropagation and deconvolution share: another backward pass at rectifiers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.forward import Forward
from nn_interpretability.errors import ConfigError, CoverageError, CoverageWarning
from nn_interpretability.methods.base import Method
from nn_interpretability.rules.relu import ACTIVATIONS, Backward, ReLURulebook, Tap


class Rectified(Method):
    """A gradient with another backward pass at rectifiers; see :mod:`nn_interpretability.rules.relu`.

    Parameters
    ----------
    model
        The classifier.
    activations
        ``"relu"`` for rectifiers alone; ``"all"`` extends the rule to every elementwise activation.
    strict
        Raise where the method has no rule for an operation, or finds nothing to change, instead of warning.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed.
    """

    backward: ClassVar[Backward]

    def __init__(self, model: nn.Module, *, activations: Literal["relu", "all"] = "relu", strict: bool = False) -> None:
        super().__init__(model)
        if activations not in ("relu", "all"):
            raise ConfigError(f"activations={activations!r} is not allowed: choose 'relu' or 'all'.")
        self._activations = activations
        self._strict = strict

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"activations": self._activations}

    def _forward(self, images: Tensor, tap: Tap | None = None) -> Forward:
        forward = Forward(self.model, images, ReLURulebook(self.backward, self._activations, tap))
        if self._strict:
            forward.coverage.require(type(self).__name__)
            if not ACTIVATIONS & set(forward.coverage.ruled):
                raise CoverageError(f"{self._nothing_changed()} Leave out strict=True to have it all the same.")
        return forward

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        return gradients[0]

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        super()._warn(result, stacklevel=stacklevel + 1)
        if not ACTIVATIONS & set(result.coverage["ruled"]) and not result.coverage["uncovered"]:
            warnings.warn(self._nothing_changed(), CoverageWarning, stacklevel=stacklevel + 1)

    def _nothing_changed(self) -> str:
        return f"{type(self).__name__} found no ReLU in the model: the map is the plain gradient."
