"""One forward pass, and as many backward passes as there are targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.bounds import PixelBounds
from nn_interpretability.engine.coverage import Coverage
from nn_interpretability.engine.layers import LayerOutput, watched
from nn_interpretability.engine.mode import Rulebook, SurrogateMode, check_precision
from nn_interpretability.errors import DataError


class Forward:
    """The forward pass of a model over a batch, ready for any number of backward passes.

    Parameters
    ----------
    model
        Classifier; to be called inside :func:`~nn_interpretability.engine.preserve.left_as_found`. One that multiplies
        the rows of its batch has an attribute ``rows_per_image`` that says how often.
    images
        Batch of shape ``(N, ...)``.
    rulebook
        What replaces the backward passes of operations; None for plain gradients.
    bounds
        Bounds of the pixels, for rules that need them.
    layer
        Dotted name of a layer; gradients are then read at its output instead of at the images.

    Attributes
    ----------
    leaves
        Tensors that relevance is read at: the images and, with bounds, both bounds; or the output of the layer.
    output
        Scores of the model, shape ``(N, K)``, detached.
    coverage
        Which operations had a rule.

    Raises
    ------
    DataError
        If the model's output is not a finite tensor of shape ``(N, K)``, or does not depend on the images.
    ConfigError
        If the layer does not exist, or is not used exactly once.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        rulebook: Rulebook | None = None,
        bounds: PixelBounds | None = None,
        layer: str | None = None,
    ) -> None:
        self.coverage = Coverage()
        leaf = images.detach().clone().requires_grad_(True)
        entry = leaf.clone()  # a model may write into its input
        with watched(model, layer) as found:
            if rulebook is None:
                self._output = model(entry)
            else:
                self._output = self._run(model, entry, rulebook, bounds)
        self.output = check_scores(self._output, images, getattr(model, "rows_per_image", 1))
        if not self._output.requires_grad:
            raise DataError("The output of the model does not depend on the images, or was detached from them.")
        self._layer: LayerOutput | None = None if layer is None else found.once(layer)
        if self._layer is not None:
            self.leaves: tuple[Tensor, ...] = (self._layer.value,)
        else:
            self.leaves = (leaf,) if bounds is None else (leaf, bounds.low, bounds.high)

    def _run(self, model: nn.Module, entry: Tensor, rulebook: Rulebook, bounds: PixelBounds | None) -> Any:
        mode = SurrogateMode(model, rulebook, self.coverage, entry.dtype, bounds)
        mode.witness.mark_input([entry])
        if bounds is not None:
            bounds.start(entry)
        with mode:
            output = model(entry)
        if isinstance(output, Tensor):
            self.coverage.uncovered.update(mode.witness.unseen(output))
        return output

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
        if self._layer is not None:
            return [self._layer.gradient(top, start, keep=not last)]
        gradients = torch.autograd.grad(top, self.leaves, start, retain_graph=not last, allow_unused=True)
        return [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(self.leaves, gradients, strict=True)
        ]

    def release(self) -> None:
        """Let go of the graph: the scores stay, and no backward pass can follow."""
        self._output = self.output


def check_images(images: Tensor, model: nn.Module) -> None:
    """Refuse what is not a batch of images for this model.

    Raises
    ------
    DataError
        If the images are no floating-point batch of finite values, or not of the device and dtype of the model.
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise DataError(f"Images must be a tensor of floating-point values, not {found}.")
    if images.dim() < 2 or len(images) == 0:
        raise DataError(
            f"Images of shape {tuple(images.shape)} are not a batch: (samples, channels, height, width) is "
            "expected. A single image gets its batch axis by image[None]."
        )
    if not bool(torch.isfinite(images).all()):
        raise DataError("The images contain NaN or infinite values.")
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    if parameter is not None and (parameter.device != images.device or parameter.dtype != images.dtype):
        raise DataError(
            f"The images are {images.dtype} on {images.device}, the model is {parameter.dtype} on "
            f"{parameter.device}. Move one to the other; nothing is converted silently."
        )


@contextmanager
def refusal_named(model: nn.Module, images: Tensor) -> Iterator[None]:
    """Say in words that it is the model that does not take the images, where torch itself raised an error.

    Raises
    ------
    DataError
        If the model, called by itself, raises an error, too; other errors go on their way.
    """
    try:
        yield
    except RuntimeError as error:
        if type(error) is not RuntimeError:  # one of ours, or no memory left
            raise
        try:
            with torch.no_grad():
                model(images.clone())
        except RuntimeError as own:
            first = (str(own).strip().splitlines() or [type(own).__name__])[0]
            raise DataError(f"The model does not take images of shape {tuple(images.shape)}: {first}") from error
        raise


def check_scores(output: Any, images: Tensor, rows_per_image: int = 1) -> Tensor:
    """The scores of a model, detached.

    Raises
    ------
    DataError
        If they are not a finite tensor of shape ``(N, K)``, or ``(rows_per_image * N, K)``, of the precision of the
        images.
    """
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of scores (samples, classes). "
            "Wrap it in a module that returns the scores alone."
        )
    rows = images.shape[0] * rows_per_image
    if output.dim() != 2 or output.shape[0] != rows:
        raise DataError(
            f"The model returns scores of shape {tuple(output.shape)} for {rows} images; "
            f"({rows}, classes) is expected. Wrap it in a module that returns one score per class."
        )
    check_precision("The model returns scores", output, images.dtype)
    finite = torch.isfinite(output.detach()).all(dim=1)
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten().tolist()
        raise DataError(f"The model returns NaN or infinite scores for the images at positions {bad[:10]}.")
    return output.detach()
