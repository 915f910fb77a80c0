"""How rough a map is: total variation, and the share of high frequencies."""

from __future__ import annotations

import torch
from torch import Tensor

from nn_interpretability.metrics.maps import per_pixel, where_defined

_ROUNDING = 1e-24


def total_variation(relevance: Tensor, *, undefined: float | None = None) -> Tensor:
    r"""Total variation of a map over its L1 norm.

    .. math:: \frac{\sum_{y,x} |R_{y+1,x} - R_{y,x}| + |R_{y,x+1} - R_{y,x}|}{\sum_{y,x} |R_{y,x}|}

    Anisotropic; what is beyond the border adds nothing. 0 for a constant, 4 for a single pixel inside. The factor of a
    map does not matter.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed.
    undefined
        What stands for the metric of a map of zeros, where it is 0 / 0; None to raise.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 4; lower is smoother.

    Raises
    ------
    DataError
        If the maps are no finite batch, or one is zero everywhere and ``undefined`` is None.

    References
    ----------
    Rudin, Osher and Fatemi 1992, Nonlinear total variation based noise removal algorithms.
    """
    pixels = per_pixel(relevance)
    jumps = pixels.diff(dim=1).abs().sum(dim=(1, 2)) + pixels.diff(dim=2).abs().sum(dim=(1, 2))
    size = pixels.abs().sum(dim=(1, 2))
    return where_defined(jumps / size, size > 0, undefined, "total variation", "they are zero everywhere")


def high_frequency_share(relevance: Tensor) -> Tensor:
    r"""Share of the spectral energy of a map above half the Nyquist frequency.

    .. math:: \frac{\sum_{|k| > 1/4} |\hat R_k|^2}{\sum_k |\hat R_k|^2}, \qquad |k|
        \text{ in cycles per pixel}

    The mean does not count, and the edges are faded (Hann window) so that they add no energy, as in
    :func:`nn_interpretability.synthesis.picture_measures.high_frequency_share`. White noise has the share 1 - pi / 16,
    about 0.80. The factor of a map, and a constant added to it, do not matter.

    Parameters
    ----------
    relevance
        Maps ``(N, ..., H, W)``; channels are summed.

    Returns
    -------
    Tensor
        Float64 ``(N,)``, 0 to 1; lower is smoother. 0 for a constant map, of zeros too: it has no high frequencies.

    Raises
    ------
    DataError
        If the maps are no finite batch.
    """
    pixels = per_pixel(relevance)
    size = pixels.abs().amax(dim=(1, 2), keepdim=True)
    pixels = pixels / torch.where(size > 0, size, 1.0)  # squares of tiny relevances would be lost
    height, width = pixels.shape[1:]
    window = _hann(height, pixels)[:, None] * _hann(width, pixels)
    centred = pixels - (pixels * window).sum(dim=(1, 2), keepdim=True) / window.sum()
    energy = torch.fft.fft2(centred * window).abs().square()
    rows = torch.fft.fftfreq(height, dtype=torch.float64, device=pixels.device)
    columns = torch.fft.fftfreq(width, dtype=torch.float64, device=pixels.device)
    high = energy[:, torch.hypot(rows[:, None], columns) > 0.25].sum(dim=1)
    total = energy.sum(dim=(1, 2))
    rounding = _ROUNDING * height * width * (pixels * window).square().sum(dim=(1, 2))
    return torch.where(total > rounding, high / total, 0.0)


def _hann(length: int, like: Tensor) -> Tensor:
    """A Hann window without its zeros at both ends."""
    return torch.hann_window(length + 2, periodic=False, dtype=torch.float64, device=like.device)[1:-1]
