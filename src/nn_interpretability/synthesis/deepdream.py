r"""DeepDream: change a photograph so that a layer sees more of what it already sees in it.

Mordvintsev, Olah, Tyka 2015, Inceptionism: going deeper into neural networks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nn_interpretability.engine.layers import layer_of
from nn_interpretability.engine.partial import output_of
from nn_interpretability.engine.preserve import left_as_found
from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.stochastic.device_noise import normals_for
from nn_interpretability.stochastic.noise import checked_seed, uniforms
from nn_interpretability.storage.tensors import stored
from nn_interpretability.synthesis.checks import (
    checked_bounds,
    checked_channel,
    checked_normalisation,
    checked_number,
    checked_tile,
)
from nn_interpretability.synthesis.dream_state import Checkpoint, key_of
from nn_interpretability.synthesis.octaves import Size, checked_octaves, octave_size, resized
from nn_interpretability.synthesis.tiles import Span, narrowest, tiles

_NOISE, _ROLL = 0, 1  # which random operation a number belongs to

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Dream:
    """What a synthesis gave.

    Attributes
    ----------
    image
        Of the shape of the photograph that was given, pixel values within ``bounds``.
    sizes
        Height and width of each octave.
    activation
        Mean activation that was maximised, before each step, shape (octaves, steps, pictures), float64; the penalty is
        not in it.
    """

    image: Tensor
    sizes: tuple[Size, ...]
    activation: Tensor


class DeepDream:
    r"""Gradient ascent on the activation of a layer, from coarse to fine, tile by tile.

    In each octave the photograph is resized, what was dreamed so far is added, and each of ``steps`` steps goes

    .. math:: x \leftarrow \operatorname{clip}(x + \eta\, g / \operatorname{std}(g)), \qquad
        g = \nabla_x \bigl(\overline{a(x)} - \lambda \sqrt{\overline{x^2}}\bigr)

    with :math:`\overline{a}` the mean of the layer's output over channels and positions. What the octave added to
    the resized photograph is carried to the next one; after the last it is added to the photograph.

    Parameters
    ----------
    model
        Any convolutional ``torch.nn.Module`` on pictures ``(N, C, H, W)``. It runs in evaluation mode, up to the layer
        only, and is left as it was found.
    layer
        Dotted name, as ``model.named_modules()`` has it.
    channel
        One channel of the layer, or several; None for all.
    octaves
        How many (the last has the photograph's own size), or ascending exponents of ``octave_scale``. A single one, 1,
        switches the technique off.
    octave_scale
        Ratio of the sizes of two octaves, above 1.
    steps
        Steps in each octave.
    learning_rate
        :math:`\eta`, in units of what the model sees (after ``mean`` and ``std``).
    roll
        Whether each step shifts the picture, round its edges, by random numbers of pixels below ``tile``, so that the
        edges of tiles lie elsewhere each time.
    tile
        Largest side of what the model is shown at once; it bounds the memory, whatever the size of the picture. None
        shows the whole picture.
    overlap
        Pixels that a tile sees beyond its own on each side. From the layer's receptive field on, the gradient is that
        of the whole picture.
    noise
        Standard deviation of Gaussian noise that is added to every channel at the begin of each octave, as a share of
        the range of ``bounds``; 0 for none. It is the same for all pictures of a batch.
    penalty
        :math:`\lambda`, weight of the root mean square of what the model sees, whose zero is the colour ``mean``.
        Above 0 it is a penalty, and draws the picture towards that colour; below 0 it is a reward, and drives pixels
        away from it; 0 for none.
    bounds
        Smallest and largest pixel value; the picture never leaves them.
    mean, std
        For each channel, what the model expects to be subtracted from pixel values, and then divided by; None if it
        takes pixel values as they are. The picture that is given and the dream are in pixel values.
    seed
        Of the shifts and the noise, which are functions of it and of the number of octave and step alone.

    Raises
    ------
    ConfigError
        If a value is not allowed, or the model has no such layer; the message names those that there are.
    """

    name = "deepdream"

    def __init__(
        self,
        model: nn.Module,
        *,
        layer: str,
        channel: int | Sequence[int] | None = None,
        octaves: int | Sequence[int] = 5,
        octave_scale: float = 1.5,
        steps: int = 10,
        learning_rate: float = 0.05,
        roll: bool = True,
        tile: int | None = 512,
        overlap: int = 32,
        noise: float = 0.0,
        penalty: float = 0.0,
        bounds: tuple[float, float] = (0.0, 1.0),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ConfigError(f"The model must be a torch.nn.Module, not {type(model).__name__}.")
        layer_of(model, layer)
        self.model, self.layer, self.channel = model, layer, checked_channel(channel)
        self.octaves = checked_octaves(octaves)
        self.octave_scale = checked_number("octave_scale", octave_scale, above=1.0)
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ConfigError(f"steps={steps!r} is not allowed: give an integer >= 1.")
        self.steps = steps
        self.learning_rate = checked_number("learning_rate", learning_rate, above=0.0)
        self.roll = bool(roll)
        self.tile, self.overlap = checked_tile(tile, overlap)
        self.noise = checked_number("noise", noise, least=0.0)
        self.penalty = checked_number("penalty", penalty)
        self.bounds = checked_bounds(bounds)
        self.mean, self.std = checked_normalisation(mean, std)
        self.seed = checked_seed(seed)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Hyper-parameters, for metadata."""
        names = "layer channel octaves octave_scale steps learning_rate roll tile overlap noise penalty bounds mean std"
        return {name: getattr(self, name) for name in [*names.split(), "seed"]}

    def synthesize(
        self, image: Tensor, *, checkpoint: Path | str | None = None, progress: Progress | None = None
    ) -> Dream:
        """Dream over a photograph.

        Parameters
        ----------
        image
            Photograph ``(C, H, W)``, or several of one size ``(N, C, H, W)``, each dreamed by itself; pixel values
            within ``bounds``, on the device and of the dtype of the model. It is not changed.
        checkpoint
            File ``.h5`` that is written after each octave. A later call with the same model, photograph and settings
            goes on behind the last finished octave, and gives the same result; a file of others is replaced.
        progress
            Called as ``progress(done, total)`` with numbers of steps.

        Raises
        ------
        DataError
            If the image is not what is described above, or too small for the coarsest octave.
        ConfigError
            If the layer has no such channel, or returns something else than a tensor.

        Warns
        -----
        UserWarning
            If no step found anything to climb: the channel is silent, and the result is the photograph.
        """
        photographs = self._checked_image(image)
        with torch.inference_mode(False), torch.enable_grad(), left_as_found(self.model):
            dream = self._synthesize(photographs, checkpoint, progress)
        return Dream(dream.image.reshape(image.shape), dream.sizes, dream.activation)

    def _synthesize(self, images: Tensor, path: Path | str | None, progress: Progress | None) -> Dream:
        sizes = tuple(octave_size(_size(images), exponent, self.octave_scale) for exponent in self.octaves)
        photograph = self._seen_by_model(images.detach())
        self._try(photograph, sizes)
        store = None if path is None else Checkpoint(Path(path), key_of(self.model, images, self.parameters))
        begin, dreamed, history = self._stored(store, photograph)
        total = len(sizes) * self.steps
        for octave in range(begin, len(sizes)):
            base = resized(photograph, sizes[octave])
            x = self._clipped(base + self._noise(octave, base) + resized(dreamed, sizes[octave]))
            for step in range(self.steps):
                x, activation = self._step(x, octave * self.steps + step)
                history.append(activation)
                if progress is not None:
                    progress(octave * self.steps + step + 1, total)
            dreamed = x - base
            if store is not None:
                store.save(octave + 1, {"dreamed": stored(dreamed), "history": stored(torch.stack(history))})
        moved = dreamed.abs().flatten(1).amax(dim=1) > 0
        if not bool(moved.all()):
            _warn_of_silence(self.layer, moved)
        activation = torch.stack(history).reshape(len(sizes), self.steps, len(images))
        result = self._clipped(photograph + resized(dreamed, _size(photograph)))
        return Dream(self._pixels(result), sizes, activation)

    def _stored(self, store: Checkpoint | None, photograph: Tensor) -> tuple[int, Tensor, list[Tensor]]:
        """Where to begin: the number of finished octaves, what they dreamed, and the activations so far."""
        found = None if store is None else store.load()
        if found is None:
            return 0, torch.zeros_like(photograph), []
        done, arrays = found
        dreamed = torch.from_numpy(arrays["dreamed"]).to(photograph)
        return done, dreamed, list(torch.from_numpy(arrays["history"]))

    def _step(self, x: Tensor, draw: int) -> tuple[Tensor, Tensor]:
        """One step of the ascent, and the activation before it."""
        shift = self._shift(draw, _size(x))
        gradient, activation = self.gradient(torch.roll(x, shift, dims=(-2, -1)))
        gradient = torch.roll(gradient, (-shift[0], -shift[1]), dims=(-2, -1))
        spread = gradient.double().flatten(1).std(dim=1, correction=0).to(gradient.dtype)
        tiny = torch.finfo(gradient.dtype).tiny
        gradient = gradient / spread.clamp_min(tiny)[:, None, None, None]
        return self._clipped((x + self.learning_rate * gradient).to(x.dtype)), activation

    def gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the objective, tile by tile, and the mean activation.

        Parameters
        ----------
        x
            What the model sees, shape ``(N, C, H, W)``.

        Returns
        -------
        gradient
            Of the shape of ``x``, in float32 at least. Each tile weighs as much as its positions in the layer, so that
            the whole is the gradient of one mean, however it is cut.
        activation
            Mean over channels and positions, shape ``(N,)``, float64, on the CPU.
        """
        height, width = _size(x)
        gradient = torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))  # it underflows in float16
        activation = torch.zeros(len(x), dtype=torch.float64, device="cpu")
        density = None
        for rows, columns in self._cut(height, width):
            seen = x[..., rows.seen, columns.seen].detach().clone().requires_grad_(True)
            with torch.enable_grad():
                units = self._units(output_of(self.model, self.layer, seen.clone()))
                (found,) = torch.autograd.grad(units.mean(dim=1).sum(), seen)
            density = density or units.shape[2] / seen[0, 0].numel()
            gradient[..., rows.own, columns.own] = found[..., rows.own_within, columns.own_within]
            share = (rows.last - rows.first) * (columns.last - columns.first) / (height * width)
            activation += share * units.detach().double().mean(dim=(1, 2)).cpu()
        assert density is not None
        gradient /= density * height * width
        if self.penalty:
            x = x.to(gradient.dtype)
            root = x.double().square().mean(dim=(1, 2, 3), keepdim=True).sqrt().to(x.dtype)
            gradient -= self.penalty * x / (root * x[0].numel()).clamp_min(torch.finfo(x.dtype).tiny)
        return gradient, activation

    def _cut(self, height: int, width: int) -> Iterable[tuple[Span, Span]]:
        """The tiles of a picture of this size, in the order in which the model sees them."""
        return tiles(height, width, self.tile or max(height, width), self.overlap)

    def _units(self, output: Tensor) -> Tensor:
        """The chosen channels of a layer's output, shape (pictures, channels, positions)."""
        if output.dim() < 2 or output.numel() == 0:
            raise ValueError(f"the layer {self.layer!r} returns nothing (shape {tuple(output.shape)})")
        units = output.flatten(2) if output.dim() > 2 else output[:, :, None]
        if self.channel is None:
            return units
        beyond = [c for c in self.channel if not 0 <= c < units.shape[1]]
        if beyond:
            raise ConfigError(
                f"The layer {self.layer!r} has no channel {beyond[0]}: it has {units.shape[1]}, counted from 0."
            )
        return units[:, list(self.channel)]

    def _try(self, photograph: Tensor, sizes: Sequence[Size]) -> None:
        """Run the coarsest octave once; say which one would fit if it does not."""
        problem = self._complaint(photograph, sizes[0])
        if problem is None:
            return
        fits = next((e for e, s in zip(self.octaves, sizes, strict=True) if not self._complaint(photograph, s)), None)
        advice = "Give a larger picture, or another layer."
        if fits is not None:
            advice = (
                f"The first octave that fits is {fits}: give {len(range(fits, 1)) or 1} octaves, or a larger picture."
            )
            if self.octaves[-1] > 0:
                advice = f"The first octave that fits is {fits}: leave out the coarser ones, or give a larger picture."
        height, width = sizes[0]
        raise DataError(
            f"A picture of {_size(photograph)[1]} x {_size(photograph)[0]} pixels is {width} x {height} in octave "
            f"{self.octaves[0]}, which is too small for the layer {self.layer!r} ({problem}). {advice}"
        )

    def _complaint(self, photograph: Tensor, size: Size) -> str | None:
        """What the model says to the smallest tile of a picture of this size; None if it takes it."""
        edge = [narrowest(side, self.tile or side, self.overlap) for side in size]
        try:
            with torch.no_grad():
                trial = photograph.new_zeros(1, photograph.shape[1], *edge)
                self._units(output_of(self.model, self.layer, trial))
        except ConfigError:
            raise
        except (RuntimeError, ValueError) as problem:
            return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        return None

    def _shift(self, draw: int, size: Size) -> tuple[int, int]:
        if not self.roll:
            return 0, 0
        y, x = uniforms(self.seed, draw, (2,), source=_ROLL)
        height, width = (min(side, self.tile or side) for side in size)
        return int(y * height), int(x * width)

    def _noise(self, octave: int, like: Tensor) -> Tensor:
        if not self.noise:
            return like.new_zeros(())
        drawn = normals_for(like, self.seed, [octave], source=_NOISE)[0]
        return drawn * self.noise * (self.bounds[1] - self.bounds[0]) / self._per_channel(self.std, 1.0, like)

    def _clipped(self, x: Tensor) -> Tensor:
        low, high = (self._seen_by_model(x.new_full((1, x.shape[1], 1, 1), bound)) for bound in self.bounds)
        return torch.maximum(torch.minimum(x, high), low)

    def _seen_by_model(self, pixels: Tensor) -> Tensor:
        return (pixels - self._per_channel(self.mean, 0.0, pixels)) / self._per_channel(self.std, 1.0, pixels)

    def _pixels(self, x: Tensor) -> Tensor:
        pixels = x * self._per_channel(self.std, 1.0, x) + self._per_channel(self.mean, 0.0, x)
        return pixels.clamp(*self.bounds)  # rounding may lead out of the box by a bit

    @staticmethod
    def _per_channel(values: Sequence[float] | None, otherwise: float, like: Tensor) -> Tensor:
        return like.new_tensor([otherwise] if values is None else values)[:, None, None]

    def _checked_image(self, image: Tensor) -> Tensor:
        if not isinstance(image, Tensor) or not image.is_floating_point() or image.dim() not in {3, 4}:
            found = (
                f"{image.dtype} of shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
            )
            raise DataError(
                f"The photograph must be a floating-point tensor (channels, height, width), or (pictures, channels, "
                f"height, width), not {found}."
            )
        if image.numel() == 0:
            raise DataError(f"The photograph has no pixels: its shape is {tuple(image.shape)}.")
        if not bool(torch.isfinite(image).all()):
            raise DataError("The photograph contains NaN or infinite values.")
        low, high = float(image.min()), float(image.max())
        if low < self.bounds[0] or high > self.bounds[1]:
            raise DataError(
                f"The photograph has pixel values from {low:g} to {high:g}, but bounds={self.bounds}. Give pixel "
                "values (mean and std are applied inside), or other bounds."
            )
        self._check_against_model(image)
        return image.reshape(-1, *image.shape[-3:])

    def _check_against_model(self, image: Tensor) -> None:
        channels = image.shape[-3]
        if self.mean is not None and len(self.mean) != channels:
            raise DataError(f"The photograph has {channels} channels, but mean and std are given for {len(self.mean)}.")
        parameter = next((p for p in self.model.parameters() if p.is_floating_point()), None)
        if parameter is not None and (parameter.device != image.device or parameter.dtype != image.dtype):
            raise DataError(
                f"The photograph is {image.dtype} on {image.device}, the model is {parameter.dtype} on "
                f"{parameter.device}. Move one to the other; nothing is converted silently."
            )


def _warn_of_silence(layer: str, moved: Tensor) -> None:
    still = (~moved).nonzero().flatten().tolist()
    warnings.warn(
        f"DeepDream found nothing to climb at {layer!r} for the pictures at positions {still[:10]}: what was chosen "
        "there is silent on them. They are unchanged; choose another layer or channel.",
        stacklevel=4,
    )


def _size(images: Tensor) -> Size:
    return images.shape[-2], images.shape[-1]
