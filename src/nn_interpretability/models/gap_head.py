"""Give a convolutional net an end that class activation maps can read."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from nn_interpretability.engine.layers import layer_of
from nn_interpretability.engine.partial import output_of
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError

_SIZES = (224, 64, 32, 28)


class GapHeadNet(nn.Module):
    """A convolutional net cut after a layer, with global average pooling and a linear layer as its new end.

    Attributes
    ----------
    body
        The net, without the layers that would run after the cut.
    layer
        Dotted name, in the body, of the layer it is cut after.
    fc
        The linear layer.
    """

    def __init__(self, body: nn.Module, layer: str, fc: nn.Linear) -> None:
        super().__init__()
        self.body, self.layer, self.fc = body, layer, fc

    def forward(self, images: Tensor) -> Tensor:
        """Scores ``(n, classes)``; the mean is taken over the positive part of the feature maps."""
        features = output_of(self.body, self.layer, images)
        scores: Tensor = self.fc(features.relu().mean(dim=(2, 3)))
        return scores


def with_gap_head(
    model: nn.Module,
    images: Tensor | None = None,
    *,
    classes: int | None = None,
    layer: str | None = None,
    seed: int = 0,
) -> GapHeadNet:
    """Cut a convolutional net after its last block, and add global average pooling and a linear layer.

    The linear layer has new weights and must be trained (with the rest of the net, or alone) before
    :class:`~nn_interpretability.methods.cam.CAM` says anything.

    Parameters
    ----------
    model
        The net; it is copied, not changed.
    images
        One or more images for a trial run. None tries black squares of 224, 64, 32 and 28 pixels, with as many channels
        as the first convolution takes.
    classes
        Number of scores; None for as many as the model has.
    layer
        Dotted name of the layer to cut after. None: the last one that holds a convolution and returns feature maps of
        more than one place.
    seed
        Of the new weights; torch's own random numbers are not touched.

    Raises
    ------
    ConfigError
        If the layer does not exist, if no layer returns feature maps, or if no trial image fits the model.
    """
    body = copy.deepcopy(model)
    if layer is not None:
        layer_of(body, layer)
    with torch.no_grad(), left_as_found(body):
        ran, shapes, scores = _trial(body, images)
    chosen = _last_block(body, shapes) if layer is None else layer
    if len(shapes.get(chosen, ())) != 4:
        raise ConfigError(
            f"The layer {chosen!r} returns no feature maps (samples, channels, height, width): name a convolution, or "
            "a block of them."
        )
    _drop_all_but(body, set(ran[: ran.index(chosen) + 1]))
    like = next(body.parameters())
    fc = _new_linear(shapes[chosen][1], scores if classes is None else classes, seed).to(like.device, like.dtype)
    return GapHeadNet(body, chosen, fc)


def _trial(model: nn.Module, images: Tensor | None) -> tuple[list[str], dict[str, torch.Size], int]:
    """Run once: names of the modules in the order they finish, shapes of what they return, and the number of scores."""
    problems = []
    for trial in [images] if images is not None else _trial_images(model):
        try:
            return _record(model, trial)
        except (RuntimeError, ValueError) as problem:
            problems.append(f"{tuple(trial.shape)}: {problem}")
    raise ConfigError(
        f"The trial run failed for images of shape {'; '.join(problems) or 'unknown'}. Give images that fit the model: "
        "with_gap_head(model, images)."
    )


def _trial_images(model: nn.Module) -> list[Tensor]:
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        raise ConfigError(f"{type(model).__name__} has no convolution, so it has no feature maps to pool.")
    return [first.weight.new_zeros(1, first.in_channels, size, size) for size in _SIZES]


def _record(model: nn.Module, images: Tensor) -> tuple[list[str], dict[str, torch.Size], int]:
    ran: list[str] = []
    shapes: dict[str, torch.Size] = {}
    handles = []

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            ran.append(name)
            shapes[name] = output.shape if isinstance(output, Tensor) else torch.Size()

        return hook

    try:
        handles = [m.register_forward_hook(note(name)) for name, m in model.named_modules() if name]
        output = model(images)
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(output, Tensor) or output.dim() != 2:
        raise ConfigError("The model does not return scores (samples, classes).")
    return ran, shapes, output.shape[1]


def _last_block(model: nn.Module, shapes: dict[str, torch.Size]) -> str:
    modules = dict(model.named_modules())
    blocks = [
        name
        for name, shape in shapes.items()
        if len(shape) == 4
        and math.prod(shape[2:]) > 1
        and any(isinstance(m, nn.Conv2d) for m in modules[name].modules())
    ]
    if not blocks:
        raise ConfigError(f"No convolution of {type(model).__name__} returns feature maps of more than one place.")
    return blocks[-1]


def _drop_all_but(model: nn.Module, kept: set[str], prefix: str = "") -> None:
    """Replace what would run after the cut, so that its weights are neither stored nor trained."""
    for child, module in list(model.named_children()):
        path = f"{prefix}{child}"
        if path in kept:
            continue
        if any(name.startswith(f"{path}.") for name in kept):
            _drop_all_but(module, kept, f"{path}.")
        else:
            setattr(model, child, nn.Identity())


def _new_linear(inputs: int, outputs: int, seed: int) -> nn.Linear:
    """A linear layer initialised as torch does it, from a generator of its own."""
    generator = torch.Generator().manual_seed(seed)
    fc = skip_init(nn.Linear, inputs, outputs)
    bound = 1 / math.sqrt(inputs)
    for parameter in fc.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    assert isinstance(fc, nn.Linear)
    return fc
