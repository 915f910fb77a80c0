r"""Dropout with masks from keys, for any model, whatever its training flags.

A mode sees each call of a dropout function, by a module or not, in training or not, and puts in its place the product
with a mask :math:`m / (1 - p)` (for alpha dropout, the affine function that it is) whose numbers depend on
(seed, ordinal of the dropout in the forward pass, number of the pass) alone. Everything else, batch norm above all,
stays in evaluation mode. The rule of a method then sees a product with constants, which is linear, so relevance passes
to the units that were kept, without the factor :math:`1 / (1 - p)`.

A batch has rows ``(groups, passes, images)``: more than one group where a method runs references beside its images, or
several points of a path at once. All groups and all images of a pass have the same mask.

**Passes born late.** What stands before the first dropout is the same in all passes. The images then enter once, and
the first dropout multiplies them into passes; on the way back autograd sums over passes there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nn_interpretability.engine.operations import DROPOUT, first_input, function_name
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.stochastic.draws import BlockDraws, Floats

_SELU = 1.6732632423543772848170429916717 * 1.0507009873554804934193349852946  # minus the limit of SELU
_UNBATCHED = {"dropout1d": 2, "dropout3d": 4}  # so many axes have no batch axis, for torch
_WHOLE_FEATURES = frozenset({"dropout1d", "dropout2d", "dropout3d", "feature_dropout", "feature_alpha_dropout"})
_DEPTH = ("StochasticDepth", "DropPath")  # torchvision's and timm's name


class ShapeSurpriseError(Exception):
    """A batch does not have the rows that it should; the message says where."""


@dataclass
class Found:
    """What the forward passes of a block met.

    Attributes
    ----------
    dropouts
        Names of the calls that dropped something, in order of execution.
    left
        Sources of randomness that were left alone, in words.
    """

    dropouts: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class _Lookalike(nn.Module):
    """Looks like a model: the same names of modules and parameters, the same flags."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._given: tuple[nn.Module] = (model,)  # in a tuple, so that it does not become a child

    def named_modules(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Module]]:
        """Those of the model."""
        yield from self._given[0].named_modules(*args, **kwargs)

    def named_children(self) -> Iterator[tuple[str, nn.Module]]:
        """Those of the model."""
        return self._given[0].named_children()

    def train(self, mode: bool = True) -> Self:
        """Sets the model's own flags."""
        self._given[0].train(mode)
        return self


class Undisturbed(_Lookalike):
    """A model whose dropouts are all off, also those that a function call switches on whatever the training flag."""

    def forward(self, images: Tensor) -> Any:
        """The model's scores."""
        with _NoDropoutMode():
            return self._given[0](images)


class Randomised(_Lookalike):
    """A model whose dropouts are active, for a block of passes at once.

    Rows in: ``(groups, passes, images)``, or with passes born late ``(groups, images)``; rows out: ``(groups, passes,
    images)``.

    Parameters
    ----------
    model
        The model.
    seed
        Of the masks.
    draws
        The random numbers of the passes.
    images
        Number of images in each pass.
    late
        Whether passes are born at the first dropout, and not at the input.
    stochastic_depth
        Whether to treat stochastic depth as a dropout of whole branches, too.
    """

    def __init__(
        self,
        model: nn.Module,
        seed: int,
        draws: BlockDraws,
        images: int,
        *,
        late: bool = False,
        stochastic_depth: bool = False,
    ) -> None:
        super().__init__(model)
        self.found = Found()
        self.rows_per_image = len(draws.passes) if late else 1
        self._seed, self._draws, self._images = seed, draws, images
        self._late, self._stochastic_depth = late, stochastic_depth

    def forward(self, images: Tensor) -> Any:
        """The model's scores."""
        (model,) = self._given
        self.found = Found()
        passes = 1 if self._late else len(self._draws.passes)
        groups, rest = divmod(len(images), passes * self._images)
        if rest:
            raise ShapeSurpriseError(f"{len(images)} rows enter the model for {self._images} images in {passes} passes")
        layout = _Layout(groups, len(self._draws.passes), self._images, self._late, self._late)
        mode = _DropoutMode(layout, self._seed, self._draws, self.found)
        with _depth_dropped(model, mode, self._stochastic_depth, self.found), mode:
            return model(images)


@dataclass
class _Layout:
    """How the rows of a batch lie, whether its passes are born late, and whether they still wait for that."""

    groups: int
    passes: int
    images: int
    late: bool
    unborn: bool

    def folded(self, rows: int) -> tuple[int, bool]:
        """How many rows each row of the batch has been folded into, and whether passes are born here."""
        born = self.groups * self.passes * self.images
        before = self.groups * self.images
        if self.late and (self.unborn or rows == before) and rows % before == 0:
            self.unborn = False
            return rows // before, True
        if not self.unborn and rows % born == 0:
            return rows // born, False
        raise ShapeSurpriseError(
            f"a dropout works on {rows} rows, which are not {self.images} images in {self.passes} passes"
        )


class _NoDropoutMode(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        values = first_input(args, kwargs or {}) if function_name(func) in DROPOUT else None
        return func(*args, **(kwargs or {})) if values is None else values


class _DropoutMode(TorchFunctionMode):
    def __init__(self, layout: _Layout, seed: int, draws: BlockDraws, found: Found) -> None:
        super().__init__()
        self._layout, self._seed, self._draws, self._found = layout, seed, draws, found

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = function_name(func)
        if name not in DROPOUT:
            return func(*args, **kwargs)
        values = first_input(args, kwargs)
        rate = float(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
        if values is None or rate == 0:
            return func(*args, **kwargs)
        in_place = bool(kwargs.get("inplace", args[3] if len(args) > 3 else False)) or _ends_in_underscore(func)
        return self.dropped(values, rate, name, in_place=in_place)

    def dropped(self, values: Tensor, rate: float, name: str, *, in_place: bool = False) -> Tensor:
        """The values with a mask of the next source on each pass."""
        source = len(self._found.dropouts)
        self._found.dropouts.append(name)
        if values.dim() < 2 or _UNBATCHED.get(name) == values.dim():
            raise DataError(f"{name} on values of shape {tuple(values.shape)}, without a batch axis, has no passes.")
        rows = len(values)
        folded, born_here = self._layout.folded(rows)
        shape = (folded, *_mask_shape(name, values))
        factor, shift = _mask(name, rate, self._draws.uniforms(self._seed, source, shape), values)
        if born_here:
            return _born(values, factor, shift, self._layout, folded)
        factor = self._on_rows(factor, values)
        result = values.mul_(factor) if in_place else values * factor
        if shift is None:
            return result
        shift = self._on_rows(shift, values)
        return result.add_(shift) if in_place else result + shift

    def _on_rows(self, mask: Tensor, values: Tensor) -> Tensor:
        """A mask ``(passes, folded, ...)`` on the rows ``(groups, passes, images, folded)`` of a batch."""
        layout = self._layout
        whole = mask[None, :, None].expand(layout.groups, layout.passes, layout.images, *mask.shape[1:])
        return whole.reshape(len(values), *mask.shape[2:])


def _born(values: Tensor, factor: Tensor, shift: Tensor | None, layout: _Layout, folded: int) -> Tensor:
    """Rows ``(groups, images, folded)`` become ``(groups, passes, images, folded)``, by broadcasting."""
    rest = values.shape[1:]
    apart = values.reshape(layout.groups, 1, layout.images, folded, *rest)
    result = apart * factor[None, :, None]
    if shift is not None:
        result = result + shift[None, :, None]
    return result.reshape(layout.groups * layout.passes * layout.images * folded, *rest)


def _mask_shape(name: str, values: Tensor) -> tuple[int, ...]:
    """The shape of the mask of one row."""
    if name in _DEPTH:
        return (1,) * (values.dim() - 1)
    if name in _WHOLE_FEATURES:
        return (values.shape[1], *([1] * (values.dim() - 2)))
    return tuple(values.shape[1:])


def _mask(name: str, rate: float, drawn: Floats, values: Tensor) -> tuple[Tensor, Tensor | None]:
    r"""Factor and shift; for alpha dropout (Klambauer et al. 2017) what is dropped takes the limit of SELU."""
    kept = torch.from_numpy((drawn >= rate).astype(np.float64))
    if "alpha" not in name:
        factor = kept / (1 - rate) if rate < 1 else kept
        return factor.to(values), None
    if rate == 1:
        return kept.to(values), None  # as torch does
    scale = 1 / math.sqrt((_SELU**2 * rate + 1) * (1 - rate))
    return (scale * kept).to(values), (scale * _SELU * (kept - 1 + rate)).to(values)


def _ends_in_underscore(function: Callable[..., Any]) -> bool:
    name = str(getattr(function, "__name__", ""))
    return name.endswith("_") and not name.endswith("__")


@contextmanager
def _depth_dropped(model: nn.Module, mode: _DropoutMode, asked: bool, found: Found) -> Iterator[None]:
    """Drop whole branches where asked, by hooks that are gone afterwards; else note that they are left alone."""
    handles = []
    try:
        for name, module in model.named_modules():
            kind = type(module).__name__
            rate = float(getattr(module, "p", getattr(module, "drop_prob", 0.0)) or 0.0) if kind in _DEPTH else 0.0
            if rate == 0:
                continue
            if not asked:
                found.left.append(f"stochastic depth {name}")
                continue

            def drop(_: nn.Module, __: Any, output: Tensor, kind: str = kind, rate: float = rate) -> Tensor:
                return mode.dropped(output, rate, kind)

            handles.append(module.register_forward_hook(drop))
        yield
    finally:
        for handle in handles:
            handle.remove()


def require_dropout(found: Found) -> None:
    """Make sure that something was dropped.

    Raises
    ------
    ConfigError
        If not; the message says what was looked for, and what there is instead.
    """
    if found.dropouts:
        return
    other = ""
    if found.left:
        count = len(found.left)
        other = f" It has {count} x stochastic depth, which is treated as dropout if asked: stochastic_depth=True."
    raise ConfigError(
        "The model has no dropout: in one forward pass there was no call of "
        f"{', '.join(sorted(DROPOUT))} (by a module or a function, in training or not) with p > 0.{other} "
        "Dropout in scripted modules, inside nn.MultiheadAttention, between the layers of recurrent modules, or behind "
        "`if self.training` is not seen."
    )
