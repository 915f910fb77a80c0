"""The study's networks, one file each, and reading and writing their weights."""

from __future__ import annotations

from nn_interpretability.models.build import architecture_module, architectures, build_model

__all__ = ["architecture_module", "architectures", "build_model"]
