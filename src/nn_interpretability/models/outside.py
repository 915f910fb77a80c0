"""Networks from outside the package: of a Python file, or of torchvision.

A file is run, as ``import`` would run it: read what you did not write. Weights are never pickled objects, but tensors
by name (:mod:`nn_interpretability.models.weights`), so the network is always built by code that can be read.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from torch import nn

from nn_interpretability.errors import ConfigError

# What torchvision sets where it loads the weights itself; no file of weights says it.
_SHIFTING = {"transform_input": True, "init_weights": False}
_AS_PUBLISHED: dict[str, dict[str, Any]] = {"googlenet": _SHIFTING, "inception_v3": _SHIFTING}


def from_file(path: Path | str, factory: str = "build") -> nn.Module:
    """Run a Python file and build the network that it defines, with new weights.

    Parameters
    ----------
    path
        The file. It may import installed packages, but no files beside it: only its own text is followed by jobs.
    factory
        Name of a function without arguments that returns a module, or of a module's class.

    Raises
    ------
    ConfigError
        If there is no such file or factory, its code raises an error, or what it returns is no network.
    """
    module = _run(Path(path))
    make = getattr(module, factory, None)
    if not callable(make):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        close = difflib.get_close_matches(factory, names, n=1)
        raise ConfigError(
            f"{path} defines no function or class {factory!r}"
            + (f"; did you mean {close[0]!r}?" if close else f"; it defines: {', '.join(names) or 'none'}.")
        )
    try:
        network = make()
    except Exception as error:
        raise ConfigError(f"{factory}() of {path} failed: {_words(error, path)}") from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{factory}() of {path} returned {type(network).__name__}, not a torch.nn.Module.")
    return network


def from_torchvision(name: str) -> nn.Module:
    """A classifier of torchvision with new weights, built as torchvision builds it for the weights that it publishes.

    So ``googlenet`` and ``inception_v3`` take pictures normalised as for ImageNet, like all others, and bring them to
    [-1, 1] themselves.

    Raises
    ------
    ConfigError
        If torchvision has no classifier of this name.
    """
    import torchvision.models
    from torchvision.models import get_model, list_models

    known = list_models(module=torchvision.models)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "torchvision.models.list_models() names them."
        raise ConfigError(f"torchvision has no classifier {name!r}; {hint}")
    network: nn.Module = get_model(name, weights=None, **_AS_PUBLISHED.get(name, {}))
    return network


class _SourceAlone(SourceFileLoader):
    """Compiles a file each time, and leaves no folder of bytecode beside it."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _run(path: Path) -> ModuleType:
    """The file as a module of a name that nothing else has."""
    if not path.is_file():
        raise ConfigError(f"There is no Python file {path}. Correct the path.")
    name = f"_outside_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    # Its source, never bytecode kept of it: that is found by second and size, so a quick edit would not be seen.
    loader = _SourceAlone(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader) if path.suffix == ".py" else None
    if spec is None:
        raise ConfigError(f"{path} cannot be imported; the name of a Python file ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} cannot be imported: {_words(error, path)}") from error
    return module


def _words(error: Exception, path: Path | str) -> str:
    """The error, with the last line of the file that took part in it."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == Path(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    line = error.lineno if isinstance(error, SyntaxError) else line
    place = f"line {line}: " if line else ""
    return f"{place}{type(error).__name__}: {error}"
