"""Which device a job computes on: what it asks of the scheduler, and what it makes of what it was granted."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from pathlib import Path

from nn_interpretability.errors import ConfigError

LOGGER = logging.getLogger(__name__)
PRETEND_VARIABLE = "NN_INTERPRETABILITY_PRETEND_GPU"


def machine_has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU, found without importing torch.

    The environment variable ``NN_INTERPRETABILITY_PRETEND_GPU`` answers instead where it is set: 0 for no,
    a number for so many, anything else for one.
    """
    return number_of_gpus() > 0


def number_of_gpus() -> int:
    """Return how many NVIDIA GPUs this machine has, or pretends to have (``NN_INTERPRETABILITY_PRETEND_GPU=2``)."""
    pretended = os.environ.get(PRETEND_VARIABLE)
    if pretended is not None:
        return int(pretended) if pretended.isdecimal() else 1
    return len(list(Path("/dev").glob("nvidia[0-9]*"))) or _listed_by_nvidia_smi()


def _listed_by_nvidia_smi() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "--list-gpus"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith(b"GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def gpus_to_ask(device: str) -> int:
    """Return the ``gpu`` resource of a rule that can use one.

    Parameters
    ----------
    device
        ``device`` of the configuration: ``"auto"`` asks where the machine has a GPU (otherwise CPU jobs run
        side by side), ``"cuda"`` always asks, ``"cpu"`` never.
    """
    if device == "auto":
        return int(machine_has_gpu())
    return int(device == "cuda")


def granted_device(device: str, gpus: int) -> str:
    """Return the device that a job computes on: ``"cuda"`` or ``"cpu"``.

    Parameters
    ----------
    device
        ``device`` of the configuration.
    gpus
        The GPUs that the scheduler granted; 0 keeps to the CPU, whatever the configuration says.

    Raises
    ------
    ConfigError
        If ``device`` is ``"cuda"``, a GPU was granted, and torch sees none.
    """
    if gpus == 0:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        compute_exactly()
        return "cuda"
    if device == "cuda":
        raise ConfigError(
            "device: 'cuda' was asked for, but torch sees no GPU on this machine. "
            "Allowed: 'auto' (a GPU where there is one), 'cpu', 'cuda'. "
            "Set device: auto, or install a CUDA build of torch."
        )
    LOGGER.info("a GPU was granted, but torch sees none: computing on the CPU")
    return "cpu"


def compute_exactly() -> None:
    """Set this process to full single precision and the same bits each time on a GPU; call it before CUDA starts.

    Torch lets convolutions round their inputs to ten bits (TF32) and choose their algorithm by the clock. An operation
    without an algorithm that gives the same bits twice warns, and the job's log has the warning.
    """
    import torch

    from nn_interpretability.engine.precision import switch_tf32_off

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    switch_tf32_off()
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
