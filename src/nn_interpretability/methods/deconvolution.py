"""Deconvolution: the reconstruction of a deconvolutional network."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import rows_per_image
from nn_interpretability.methods.rectified import Rectified
from nn_interpretability.rules.relu import Backward, Tap
from nn_interpretability.targets import ResolvedTarget, Target, resolve_target


class Deconvolution(Rectified):
    r"""Project a signal back to the pixels as the mirrored network of Zeiler and Fergus does.

    The mirror has the layers in reverse order: convolutions transposed, with the same weights and without biases,
    max-pooling undone by sending each value to the place of the maximum (the switch), and a ReLU on the
    *reconstruction*, :math:`G \cdot 1[G > 0]`. As a backward pass it is the gradient with that rule at every ReLU;
    where pooling windows overlap, signals add up. Other activations are treated as in
    :class:`~nn_interpretability.methods.guided_backprop.GuidedBackprop`; products of two branches, softmax and other
    operations that have no mirror keep the plain gradient and are named in a warning.

    Parameters
    ----------
    model
        The classifier.
    start
        ``"unit"``: the signal at the top is 1 at the target class (Zeiler and Fergus). ``"logits"``: it is the whole
        vector of scores, as in the 2020 study; there is no target then, and the score is the sum of their squares.
    mode
        None for the whole network. Otherwise one reconstruction for each filter of ``layer``, all in one batch:
        ``values`` has the shape ``(N, filters, C, H, W)``. ``"activation"`` (the paper): everything but one activation
        map of the layer is set to zero, and the map (its positive part) is projected down; there is no target, and the
        score of a filter is the largest value of its map. ``"kernel"`` (the study): the full signal of ``start`` comes
        down from the top, and one filter of the layer alone passes it on; the score is that of the target.
    layer
        For a mode: dotted name of a layer with weights (batch norms count); its second use in a pass is ``name#2``.
    activations
        ``"relu"`` for rectifiers alone; ``"all"`` extends the rule to every elementwise activation.
    strict
        Raise where the method has no rule for an operation, or finds nothing to change, instead of warning.

    Raises
    ------
    ConfigError
        If a hyper-parameter is not allowed, or the model has no such layer.

    References
    ----------
    Zeiler and Fergus 2014, Visualizing and understanding convolutional networks. As a backward pass: Simonyan, Vedaldi
    and Zisserman 2013; Springenberg et al. 2014.
    """

    name: ClassVar[str] = "deconvolution"
    backward: ClassVar[Backward] = "deconvolution"

    def __init__(
        self,
        model: nn.Module,
        *,
        start: Literal["unit", "logits"] = "unit",
        mode: Literal["activation", "kernel"] | None = None,
        layer: str | None = None,
        activations: Literal["relu", "all"] = "relu",
        strict: bool = False,
    ) -> None:
        super().__init__(model, activations=activations, strict=strict)
        if start not in ("unit", "logits"):
            raise ConfigError(f"start={start!r} is not allowed: choose 'unit' or 'logits'.")
        if mode not in (None, "activation", "kernel"):
            raise ConfigError(f"mode={mode!r} is not allowed: choose None, 'activation' or 'kernel'.")
        if (mode is None) != (layer is None):
            raise ConfigError(
                f"mode={mode!r} with layer={layer!r} is not allowed: reconstructions of filters need both, "
                "that of the whole network neither."
            )
        if mode == "activation" and start == "logits":
            raise ConfigError("start='logits' is not allowed with mode='activation', which starts at the layer's maps.")
        self._signal, self._mode, self._layer = start, mode, layer

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {**super().parameters, "start": self._signal, "mode": self._mode, "layer": self._layer}

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """One reconstruction for each image, or one for each image and filter."""
        if self._layer is None:
            return super().explain(images, target, chunk)
        tap = Tap(self._layer)
        forward = self._forward(images, tap)
        output = _found(tap)
        filters = output.shape[tap.axis]
        if self._mode == "activation":
            resolved = _filters_as_targets(target, output.detach(), tap)
        else:
            resolved = self._resolve(target, forward.output)
            if resolved.stacked:
                raise ConfigError("target='all' is not allowed with mode='kernel': give one class per image.")
        del output
        tap.output = None
        forward.release()
        step = filters if chunk is None else rows_per_image(images, chunk)
        blocks = [
            self._reconstruct(images, torch.arange(first, min(first + step, filters)), filters, resolved)
            for first in range(0, filters, step)
        ]
        scores = resolved.scores.expand(filters, -1)
        every = ResolvedTarget(
            f"{resolved.description}, filters of {self._layer}", resolved.starts, scores, resolved.classes, stacked=True
        )
        return self._result(forward, every, torch.cat(blocks))

    def _reconstruct(self, images: Tensor, kept: Tensor, filters: int, resolved: ResolvedTarget) -> Tensor:
        """Reconstructions ``(len(kept), N, ...)``: one batch of every image with every filter."""
        assert self._layer is not None
        rows = images.repeat(len(kept), *([1] * (images.dim() - 1)))
        one_filter = torch.eye(filters, dtype=images.dtype, device=images.device)[kept.to(images.device)]
        one_filter = one_filter.repeat_interleave(len(images), dim=0)
        tap = Tap(self._layer, keep=one_filter if self._mode == "kernel" else None)
        forward = self._forward(rows, tap)
        if self._mode == "kernel":
            start = resolved.starts[0].repeat(len(kept), 1)
            (pulled,) = forward.pull(start, last=True)
        else:
            assert tap.output is not None
            start = tap.output.detach().clamp(min=0) * tap.along(one_filter)
            (pulled,) = forward.pull(start, last=True, source=tap.output)
        return pulled.detach().reshape(len(kept), *images.shape)

    def _resolve(self, target: Target, output: Tensor) -> ResolvedTarget:
        if self._signal == "unit":
            return super()._resolve(target, output)
        _refuse_target(target, "start='logits'")
        weights = resolve_target(output, output)
        return ResolvedTarget("logits", weights.starts, weights.scores, None, stacked=False)


def _refuse_target(target: Target, setting: str) -> None:
    if target is not None:
        raise ConfigError(f"A target has no meaning with {setting}: leave it out.")


def _filters_as_targets(target: Target, output: Tensor, tap: Tap) -> ResolvedTarget:
    """The scores of filters: the largest value of each activation map, ``(filters, N)``."""
    _refuse_target(target, "mode='activation'")
    peaks = output.movedim(tap.axis, 1).flatten(2).amax(dim=2) if output.dim() > 2 else output
    return ResolvedTarget("activation", output.new_zeros(0), peaks.double().T, None, stacked=True)


def _found(tap: Tap) -> Tensor:
    if tap.output is None:
        names = tap.names()
        near = difflib.get_close_matches(tap.layer, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"layer={tap.layer!r} is no layer with weights of the model.{hint} Layers: {', '.join(names)}."
        )
    return tap.output
