"""One forward pass, and as many backward passes as there are targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.bounds import Bound, PixelBounds
from nn_interpretability.engine.coverage import Coverage
from nn_interpretability.engine.mode import Rulebook, SurrogateMode
from nn_interpretability.errors import DataError


class Forward:
    """The forward pass of a model over a batch, ready for any number of backward passes.

    Parameters
    ----------
    model
        Classifier; to be called inside :func:`~nn_interpretability.engine.preserve.left_as_found`.
    images
        Batch of shape ``(N, ...)``.
    rulebook
        What replaces the backward passes of operations; None for plain gradients.
    input_bounds
        Lowest and highest value of the pixels, for rules that need them.

    Attributes
    ----------
    leaves
        Tensors that relevance is read at: the images and, with bounds, both bounds.
    output
        Scores of the model, shape ``(N, K)``, detached.
    coverage
        Which operations had a rule.

    Raises
    ------
    DataError
        If the model's output is not a finite tensor of shape ``(N, K)``, or does not depend on the images.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        rulebook: Rulebook | None = None,
        input_bounds: tuple[Bound, Bound] | None = None,
    ) -> None:
        self.coverage = Coverage()
        leaf = images.detach().clone().requires_grad_(True)
        bounds = None if input_bounds is None else PixelBounds.around(leaf.detach(), input_bounds)
        self.leaves: tuple[Tensor, ...] = (leaf,) if bounds is None else (leaf, bounds.low, bounds.high)
        entry = leaf.clone()  # a model may write into its input
        if rulebook is None:
            self._output = model(entry)
        else:
            self._output = self._run(model, entry, rulebook, bounds)
        self.output = self._checked(self._output, images)

    def _run(self, model: nn.Module, entry: Tensor, rulebook: Rulebook, bounds: PixelBounds | None) -> Any:
        mode = SurrogateMode(model, rulebook, self.coverage, bounds)
        mode.witness.mark_input([entry])
        if bounds is not None:
            bounds.start(entry)
        with mode:
            output = model(entry)
        if isinstance(output, Tensor):
            self.coverage.uncovered.update(mode.witness.unseen(output))
        return output

    @staticmethod
    def _checked(output: Any, images: Tensor) -> Tensor:
        if not isinstance(output, Tensor):
            raise DataError(
                f"The model returns a {type(output).__name__}, not a tensor of scores (samples, classes). "
                "Wrap it in a module that returns the scores alone."
            )
        if output.dim() != 2 or output.shape[0] != images.shape[0]:
            raise DataError(
                f"The model returns scores of shape {tuple(output.shape)} for {images.shape[0]} images; "
                f"({images.shape[0]}, classes) is expected. Wrap it in a module that returns one score per class."
            )
        if not output.requires_grad:
            raise DataError("The output of the model does not depend on the images, or was detached from them.")
        finite = torch.isfinite(output.detach()).all(dim=1)
        if not bool(finite.all()):
            bad = (~finite).nonzero().flatten().tolist()
            raise DataError(f"The model returns NaN or infinite scores for the images at positions {bad[:10]}.")
        return output.detach()

    def pull(self, start: Tensor, *, last: bool, source: Tensor | None = None) -> Sequence[Tensor]:
        """One backward pass: the gradients at the leaves.

        Parameters
        ----------
        start
            Start signal, of the shape of the scores ``(N, K)``, or of ``source``.
        last
            Whether the graph may be freed afterwards.
        source
            A tensor of the forward pass to start from, instead of the scores.
        """
        top = self._output if source is None else source
        gradients = torch.autograd.grad(top, self.leaves, start, retain_graph=not last, allow_unused=True)
        return [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(self.leaves, gradients, strict=True)
        ]

    def release(self) -> None:
        """Let go of the graph: the scores stay, and no backward pass can follow."""
        self._output = self.output
