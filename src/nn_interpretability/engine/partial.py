"""Run a model up to a layer, and no further."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from nn_interpretability.engine.layers import layer_of
from nn_interpretability.errors import ConfigError


class _Reached(Exception):  # noqa: N818 (no error: it ends a forward pass early)
    def __init__(self, output: Any) -> None:
        self.output = output


def output_of(model: nn.Module, layer: str, images: Tensor) -> Tensor:
    """What a layer returns; nothing behind it runs, and nothing behind it takes memory.

    The hook that this takes only reads, and is gone afterwards. Of a layer that is used several times, the first use
    counts.

    Parameters
    ----------
    model
        Any module; to be called inside :func:`~nn_interpretability.engine.preserve.left_as_found`.
    layer
        Dotted name.
    images
        Batch ``(N, ...)``.

    Raises
    ------
    ConfigError
        If there is no such layer, if it does not run, or if it returns something else than a tensor.
    """

    def stop(_: nn.Module, __: Any, output: Any) -> None:
        raise _Reached(output)

    handle = layer_of(model, layer).register_forward_hook(stop)
    try:
        model(images)
    except _Reached as reached:
        if not isinstance(reached.output, Tensor):
            raise ConfigError(
                f"The layer {layer!r} returns a {type(reached.output).__name__}, not one tensor. Name another layer."
            ) from None
        return reached.output
    finally:
        handle.remove()
    raise ConfigError(f"The layer {layer!r} does not run in a forward pass. Name another layer.")
