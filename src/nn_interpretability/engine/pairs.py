"""Images and references in one batch, so that each operation sees both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """A batch of images followed by their references: one for each image, or one for all.

    An operation of the model may fold further axes into the first one (windows, time steps); their rows stay together.

    Attributes
    ----------
    images
        Number of images.
    references
        Number of references, equal to ``images``, or 1.
    """

    images: int
    references: int

    def fits(self, tensor: Tensor) -> bool:
        """Whether the first axis of a tensor can be this batch."""
        return tensor.dim() > 0 and len(tensor) > 0 and len(tensor) % (self.images + self.references) == 0

    def split(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of the images, and those of the references in a form that broadcasts against them; detached."""
        tensor = tensor.detach()
        rows = len(tensor) // (self.images + self.references)
        images, references = tensor[: self.images * rows], tensor[self.images * rows :]
        if rows > 1 and self.references != self.images:
            references = references.repeat(self.images, *([1] * (tensor.dim() - 1)))
        return images, references

    def padded(self, values: Tensor) -> Tensor:
        """Values of the images' rows, with zeros for those of the references."""
        rows = len(values) // self.images * self.references
        return torch.cat([values, values.new_zeros(rows, *values.shape[1:])])

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of image and reference in the rows of the images; the references' rows as they are."""
        images, references = self.split(tensor)
        return torch.cat([(images + references) / 2, tensor.detach()[len(images) :]])
