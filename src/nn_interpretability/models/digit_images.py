"""What the networks for digits take."""

from __future__ import annotations

from torch import Tensor

IMAGE_SHAPE = (1, 28, 28)


def check_digit_images(images: Tensor, architecture: str) -> None:
    """Make sure that images have the shape (n, 1, 28, 28).

    Raises
    ------
    ValueError
        If they have another one; the message names the network.
    """
    if images.ndim != 4 or tuple(images.shape[1:]) != IMAGE_SHAPE:
        raise ValueError(
            f"{architecture} takes images of shape (n, 1, 28, 28), not {tuple(images.shape)}; "
            "one image needs its batch and channel dimensions, image[None, None]."
        )
