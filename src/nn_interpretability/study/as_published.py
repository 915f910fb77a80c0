"""Methods as the 2020 study published them: wrong, and kept only to show beside the right figures what they were.

The formulas here reproduce published pictures. Each docstring says what differs from Shrikumar et al. (2017) and why
it is wrong. Nothing of this is part of the public methods; see :mod:`nn_interpretability.study.deeplift_modes` and
:mod:`nn_interpretability.study.lrp_transposed` for the same with correct mathematics.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from nn_interpretability.attribution import Attribution
from nn_interpretability.engine.forward import Forward
from nn_interpretability.engine.mode import Call, Passed, SurrogateMode, Treated, Treatment, Uncovered
from nn_interpretability.engine.operations import (
    BATCH_NORM,
    LINEAR,
    MAX_POOL,
    PRODUCTS,
    TRANSPARENT,
    LinearOperation,
    bind_linear,
    changed_in_place,
    first_input,
)
from nn_interpretability.engine.pairs import Pairs
from nn_interpretability.engine.preserve import seed_generators
from nn_interpretability.engine.surrogate import Surrogate, graft
from nn_interpretability.errors import ConfigError
from nn_interpretability.methods.base import Method
from nn_interpretability.study.deeplift_modes import MODES
from nn_interpretability.study.lrp_transposed import Pooling, TransposedLRP, repeated
from nn_interpretability.targets import Target

_THRESHOLD = 1e-7  # of the study, also its pseudocount
_LEAK = 0.01


class PublishedRescale(Surrogate):
    r"""The study's Rescale rule for a ReLU.

    .. math:: \frac{\Delta y}{\Delta x + 10^{-7}} \cdot 1[x > 0] \cdot g
              \quad\text{and, for } |\Delta x| \le 10^{-7}, \quad 0.01 \cdot 1[x > 0] \cdot g

    Right is :math:`(\Delta y / \Delta x)\, g`. The multiplier is applied to a gradient that the derivative of the ReLU
    has masked already, so nothing passes a unit that is off, and saturation, the reason for DeepLIFT, is not solved.
    The pseudocount has no sign, and 0.01 is no limit of the quotient.
    """

    def __init__(self, pairs: Pairs, before: Tensor, after: Tensor) -> None:
        images, references = pairs.split(before)
        value, base = pairs.split(after)
        difference = images - references
        quotient = (value - base) / (difference + _THRESHOLD)
        slope = torch.where(difference.abs() > _THRESHOLD, quotient, _LEAK)
        self._slope = pairs.padded(slope * (images > 0))

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient times the multiplier and the derivative."""
        return (gradient * self._slope,)


class PublishedRevealCancel(Surrogate):
    r"""The study's RevealCancel rule for a ReLU.

    .. math:: m^+ = \frac{\Delta y^+}{\Delta x^+ + 10^{-7}}, \quad m^- = \frac{\Delta x^-}{\Delta y^- + 10^{-7}}, \quad
              1[x > 0] \, (m^+ \max(g, 0) + m^- \min(g, 0))

    Wrong in four ways: :math:`\Delta x` is split by its own sign instead of into positive and negative contributions,
    so that one part is always zero; :math:`m^-` is upside down; multipliers are chosen by the sign of the gradient
    instead of that of the contribution, which acts like guided backpropagation and explains the clean pictures; and the
    gradient is masked beforehand, as in :class:`PublishedRescale`.
    """

    def __init__(self, pairs: Pairs, before: Tensor) -> None:
        images, references = pairs.split(before)
        difference = images - references
        up, down = difference.clamp(min=0), difference.clamp(max=0)
        start, end = references.relu(), (references + up + down).relu()
        change_up = ((references + up).relu() - start + end - (references + down).relu()) / 2
        change_down = ((references + down).relu() - start + end - (references + up).relu()) / 2
        mask = images > 0
        self._positive = pairs.padded(change_up / (up + _THRESHOLD) * mask)
        self._negative = pairs.padded(down / (change_down + _THRESHOLD) * mask)

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """One multiplier for positive gradients, another for negative ones."""
        return (gradient * torch.where(gradient >= 0, self._positive, self._negative),)


class PublishedLinear(Surrogate):
    r"""The study's Linear rule.

    .. math:: 1[\Delta x > 0]\, W_+^T (\Delta y \, g) + 1[\Delta x < 0]\, W_-^T (\Delta y \, g)
              + 1[\Delta x = 0]\, W^T g

    The rule has no factor :math:`\Delta y`, which makes values grow by orders of magnitude from layer to layer, and
    a positive difference also contributes through negative weights, which are dropped here. The study's own layers
    had random biases in addition, so that its pictures differed from run to run; they are left out.
    """

    weighted = True

    def __init__(self, pairs: Pairs, operation: LinearOperation, after: Tensor) -> None:
        images, references = pairs.split(operation.input)
        value, base = pairs.split(after)
        self._pairs, self._operation = pairs, operation
        self._difference, self._change = images - references, value - base

    def pull(self, gradient: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """The gradient times the change of the output, back through weights of one sign."""
        weight, given = self._operation.weight, gradient[: len(self._change)]
        scaled = self._change * given
        up, down = (self._back(part, scaled) for part in (weight.clamp(min=0), weight.clamp(max=0)))
        difference = self._difference
        at_zero = torch.where(difference == 0, self._back(weight, given), 0.0)
        return (
            self._pairs.padded(torch.where(difference > 0, up, 0.0) + torch.where(difference < 0, down, 0.0) + at_zero),
        )

    def _back(self, weight: Tensor, gradient: Tensor) -> Tensor:
        with torch.enable_grad():
            leaf = torch.zeros_like(self._difference, requires_grad=True)
            (moved,) = torch.autograd.grad(self._operation.apply(leaf, weight, None), leaf, gradient)
        return moved


class PublishedRulebook:
    """ReLUs and linear layers of the study's implementation; everything else by the plain gradient."""

    def __init__(self, mode: str, pairs: Pairs) -> None:
        self._rule, self._linear_rule = MODES[mode]
        self._pairs = pairs

    def treat(self, call: Call, context: SurrogateMode) -> Treatment:
        """The treatment of one call."""
        if call.name == "relu" and self._rule != "gradient":
            return self._relu(call)
        if call.name in LINEAR and self._linear_rule:
            return self._linear(call, context)
        plain = TRANSPARENT | LINEAR | MAX_POOL | BATCH_NORM | PRODUCTS | {"relu"}  # products: with dropout masks
        return Passed() if call.name in plain else Uncovered(call.name)

    def _relu(self, call: Call) -> Treatment:
        before = first_input(call.args, call.kwargs)
        if before is None:
            return Uncovered(call.name)
        scratch = before.detach().clone()
        version = scratch._version
        after = call.on(scratch)
        in_place = changed_in_place(scratch, version)
        # The study looked at the input of a ReLU after the call: one in place had rectified it by then.
        seen = after if in_place else before.detach()
        surrogate = (
            PublishedRescale(self._pairs, seen, after)
            if self._rule == "rescale"
            else PublishedRevealCancel(self._pairs, seen)
        )
        grafted = graft(after, surrogate, [before])
        return Treated(before.copy_(grafted) if in_place else grafted)

    def _linear(self, call: Call, context: SurrogateMode) -> Treatment:
        bound = bind_linear(call.function, call.args, call.kwargs)
        if bound is None:
            return Uncovered(call.name)
        values, weight, _, settings, options = bound
        layer = context.layer_name(call.name, weight)
        detached = values.detach().clone()
        operation = LinearOperation(layer, call.name, call.function, detached, weight.detach(), None, settings, options)
        after = call.run().detach()
        return Treated(graft(after, PublishedLinear(self._pairs, operation, after), [values]))


class PublishedDeepLIFT(Method):
    """The study's DeepLIFT: multipliers from a black reference, with its defects.

    Beside the defective rules (see the surrogates of this module) it returns multipliers without the difference from
    the reference, so nothing sums to anything; and max-pooling uses the plain gradient, which is not complete where
    image and reference have different winners. In-place ReLUs make Rescale the plain gradient.

    Parameters
    ----------
    model
        A network of linear layers, ReLUs and pooling.
    mode
        One of the six modes of :mod:`nn_interpretability.study.deeplift_modes`.

    Raises
    ------
    ConfigError
        If there is no such mode.
    """

    name: ClassVar[str] = "deeplift_as_published"

    def __init__(self, model: nn.Module, *, mode: str) -> None:
        super().__init__(model)
        if mode not in MODES:
            raise ConfigError(f"mode={mode!r} is not allowed: choose one of {', '.join(map(repr, MODES))}.")
        self._mode = mode

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {"mode": self._mode}

    def _forward(self, images: Tensor) -> Forward:
        pairs = Pairs(len(images), 1)
        joint = torch.cat([images, torch.zeros_like(images[:1])])
        return OfImages(self.model, joint, PublishedRulebook(self._mode, pairs), pairs)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        return gradients[0]


class OfImages(Forward):
    """A forward pass over images and references of which only the images are seen."""

    def __init__(self, model: nn.Module, joint: Tensor, rulebook: PublishedRulebook, pairs: Pairs) -> None:
        super().__init__(model, joint, rulebook)
        self._pairs = pairs
        self.output = self.output[: pairs.images]

    def pull(self, start: Tensor, *, last: bool, source: Tensor | None = None) -> Sequence[Tensor]:
        """The gradients at the images."""
        pulled = super().pull(self._pairs.padded(start), last=last, source=source)
        return [each[: self._pairs.images] for each in pulled]


class PublishedTransposedLRP(TransposedLRP):
    r"""The study's LRP-0 through transposed layers.

    Two things differ from :class:`~nn_interpretability.study.lrp_transposed.TransposedLRP`. The transposed layers are
    new modules that keep the *random bias* they are born with, which adds :math:`a_j b_j` to the relevance of every
    unit: the maps differ from run to run and sum to anything. And the transpose of an average pool repeats its value
    without dividing by the size of the window, so that each of :math:`n` pools of 2 by 2 makes relevance four times
    as large, :math:`4^n` in all.

    Parameters
    ----------
    model, pooling
        As for :class:`~nn_interpretability.study.lrp_transposed.TransposedLRP`.
    random_biases
        Whether the transposed layers have them.
    seed
        Of the biases, drawn as torch draws those of a new layer.
    """

    name: ClassVar[str] = "lrp_transposed_as_published"

    def __init__(
        self, model: nn.Module, *, pooling: Pooling = "winner", random_biases: bool = True, seed: int = 0
    ) -> None:
        super().__init__(model, pooling=pooling)
        self._random_biases, self._seed = random_biases, seed
        generator = torch.Generator().manual_seed(seed)
        self._biases = {layer: _bias_of_a_new_transpose(layer, generator) for layer in reversed(self._layers)}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        return {**super().parameters, "random_biases": self._random_biases, "seed": self._seed}

    def _transposed(self, layer: nn.Module, given: Tensor, share: Tensor) -> Tensor:
        back = super()._transposed(layer, given, share)
        bias = self._biases[layer].to(back) if self._random_biases else back.new_zeros(1)
        return back + bias.reshape(-1, *[1] * (back.dim() - 2))

    def _spread(self, share: Tensor, side: int, given: Tensor) -> Tensor:
        return repeated(share, side, given)


def _bias_of_a_new_transpose(layer: nn.Module, generator: torch.Generator) -> Tensor:
    """Uniform within one over the root of the fan-in that torch computes for the transposed layer."""
    if isinstance(layer, nn.Linear):
        count, fan_in = layer.in_features, layer.out_features
    elif isinstance(layer, nn.Conv2d):
        # torch reads the fan-in off the second axis of the weights, for transposed layers the outputs
        count, fan_in = layer.in_channels, layer.weight[0].numel()
    else:
        return torch.zeros(1)
    drawn = torch.rand(count, generator=generator, dtype=torch.float64)
    return (2 * drawn - 1) / math.sqrt(fan_in)


class TrainingModeLeftOn(Method):
    """A method on a model that is in training mode, as the study left every model that it explained.

    Dropout then draws new masks while a map is made, so that the map is that of a random part of the network, and
    batch norm takes mean and deviation from the pictures that happen to be explained together. Right is evaluation
    mode, or many passes with their masks kept. For a network with neither it is the method itself.

    Parameters
    ----------
    method
        The method, for example ``Gradient(model)``.
    seed
        Of torch's random numbers while a batch is explained.
    """

    name: ClassVar[str] = "training_mode_left_on"

    def __init__(self, method: Method, *, seed: int = 0) -> None:
        if not isinstance(method, Method):
            raise ConfigError(f"TrainingModeLeftOn goes around a method, not a {type(method).__name__}.")
        super().__init__(method.model)
        self.method, self._seed = method, seed

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        of = {"method": self.method.name, "parameters": dict(self.method.parameters)}
        return {"of": of, "seed": self._seed}

    def for_samples(self, index: Tensor, images: Tensor) -> Self:
        """The same method for some of the images."""
        chosen = copy.copy(self)
        chosen.method = self.method.for_samples(index, images)
        return chosen

    def explain(self, images: Tensor, target: Target, chunk: int | None) -> Attribution:
        """Explain one batch in training mode; the caller restores the mode and the random state."""
        seed_generators(self._seed, self.model)
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.model.train()
        try:
            explained = self.method.explain(images, target, chunk)
        finally:
            self.model.eval()
            for name, buffer in self.model.named_buffers():  # batch norm has moved its running statistics
                buffer.copy_(buffers[name])
        return replace(explained, method=self.name, parameters=dict(self.parameters))

    def _warn(self, result: Attribution, *, stacklevel: int) -> None:
        self.method._warn(result, stacklevel=stacklevel + 1)

    def _read(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
        raise AssertionError("maps are read by the method that this one goes around")
