"""The digest of the code that a job runs changes when its result may, and not otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nn_interpretability.code_digest import code_digest, modules_of_script

SOURCE = Path(__file__).resolve().parents[2] / "src"

FILES = {
    "__init__.py": '_PUBLIC = {"LRP": "pkg.methods.lrp", "DeepLIFT": "pkg.methods.deeplift"}\n__version__ = "1"\n',
    "registry.py": 'METHODS = {"lrp": "pkg.methods.lrp"}\nimport pkg.methods.lrp, pkg.methods.deeplift\n',
    "errors.py": "class CoverageError(Exception): pass\n",
    "engine/__init__.py": "",
    "engine/mode.py": '"""The mode."""\nfrom pkg.errors import CoverageError\n\nEPSILON = 1e-6\n',
    "engine/bounds.py": "LOW, HIGH = 0, 1\n",
    "methods/__init__.py": "from .lrp import LRP\nfrom pkg.methods.deeplift import DeepLIFT as DL\n",
    "methods/lrp.py": (
        '"""Layer-wise relevance propagation."""\n'
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from pkg.engine import mode\n"
        "from pkg.registry import METHODS\n"
        "if TYPE_CHECKING:\n"
        "    from pkg.models.card import Card\n"
        "class LRP:\n"
        '    """One class."""\n'
        "    def interpret(self, images):\n"
        '        """One verb."""\n'
        "        from ..engine.bounds import LOW\n"
        "        return images - LOW  # the lower bound\n"
    ),
    "methods/deeplift.py": "import pkg.engine.mode\n\ndef rescale(x):\n    return 2 * x\n\nclass DeepLIFT: pass\n",
    "models/__init__.py": "def build_model(name):\n    from .small_cnn import SmallCNN\n    return SmallCNN()\n",
    "models/small_cnn.py": "class SmallCNN: pass\n",
    "models/card.py": "class Card: pass\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / "pkg" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pkg" / name).write_text(text)
    return tmp_path / "pkg"


def edit(package: Path, name: str, old: str, new: str) -> None:
    text = (package / name).read_text()
    assert old in text
    (package / name).write_text(text.replace(old, new))


def digests(package: Path) -> tuple[str, str]:
    return tuple(code_digest(f"pkg.methods.{name}", package=package) for name in ("lrp", "deeplift"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        # what a method computes
        ("methods/lrp.py", "images - LOW", "images + LOW", (True, False)),
        ("methods/deeplift.py", "2 * x", "3 * x", (False, True)),
        ("engine/bounds.py", "0, 1", "-1, 1", (True, False)),
        ("engine/mode.py", "1e-6", "1e-7", (True, True)),
        ("errors.py", "Exception", "ValueError", (True, True)),
        ("methods/lrp.py", "images - LOW", "images - True", (True, False)),
        ("engine/bounds.py", "0, 1", "0, True", (True, False)),
        ("engine/bounds.py", "0, 1", "0, 1.0", (True, False)),
        ("engine/bounds.py", "0, 1", "0, '1'", (True, False)),
        # what nobody computes with
        ("methods/lrp.py", "  # the lower bound", "", (False, False)),
        ("methods/lrp.py", '"""One verb."""', '"""One verb, in more words."""', (False, False)),
        ("methods/lrp.py", '        """One verb."""\n', "", (False, False)),
        ("methods/lrp.py", "Layer-wise", "Layerwise", (False, False)),
        ("methods/deeplift.py", "2 * x", "(2  *  x)", (False, False)),
        ("engine/bounds.py", "0, 1", "0, 1\n'''Bounds of the input.'''", (False, False)),
        # tables and what only the type checker imports
        ("__init__.py", '"1"', '"2"', (False, False)),
        ("methods/__init__.py", "from .lrp", "X = 1\nfrom .lrp", (False, False)),
        ("registry.py", "METHODS", "METHODS = X", (False, False)),
        ("models/card.py", "pass", "x = 1", (False, False)),
        ("methods/lrp.py", "models.card import Card", "models.small_cnn import SmallCNN", (False, False)),
    ],
)
def test_what_changes_the_digest(package: Path, name: str, old: str, new: str, changed: tuple[bool, bool]) -> None:
    before = digests(package)
    edit(package, name, old, new)
    after = digests(package)
    assert tuple(a != b for a, b in zip(before, after, strict=True)) == changed


@pytest.mark.parametrize(
    ("statement", "followed"),
    [
        ("from pkg import LRP", "methods/lrp.py"),  # through a table
        ("from pkg.methods import LRP", "methods/lrp.py"),  # through an import
        ("from pkg.methods import DL", "methods/deeplift.py"),  # renamed on the way
        ("from pkg.models import build_model", "models/small_cnn.py"),  # defined there
        ("from pkg.models import build_model", "models/__init__.py"),
        ("def f():\n    import pkg.methods.lrp as method", "engine/bounds.py"),
        ("from pkg.methods import lrp", "methods/lrp.py"),
        ("from .methods.lrp import LRP", "methods/lrp.py"),
        ("from . import errors", "errors.py"),
        ("try:\n    from pkg.errors import *\nexcept ImportError:\n    pass", "errors.py"),
    ],
)
def test_how_imports_are_found(package: Path, statement: str, followed: str) -> None:
    (package / "study.py").write_text(statement + "\n")
    before = code_digest("pkg.study", package=package)
    (package / followed).write_text((package / followed).read_text() + "CHANGED = 1\n")
    assert code_digest("pkg.study", package=package) != before


def test_a_name_from_a_table_does_not_pull_in_its_neighbours(package: Path) -> None:
    (package / "study.py").write_text("from pkg import LRP\nfrom pkg.methods import LRP as same\n")
    before = code_digest("pkg.study", package=package)
    edit(package, "methods/deeplift.py", "2 * x", "3 * x")
    assert code_digest("pkg.study", package=package) == before


def test_a_missing_module_is_named(package: Path) -> None:
    with pytest.raises(ValueError, match=r"no module 'pkg\.methods\.nope'"):
        code_digest("pkg.methods.nope", package=package)
    with pytest.raises(ValueError, match="no module 'numpy'"):
        code_digest("numpy", package=package)
    with pytest.raises(ValueError, match="at least one module"):
        code_digest(package=package)
    (package / "study.py").write_text("import pkg.gone\n")
    with pytest.raises(ValueError, match=r"no module 'pkg\.gone'"):
        code_digest("pkg.study", package=package)
    (package / "study.py").write_text("from pkg.methods import nobody\n")
    with pytest.raises(ValueError, match=r"where 'pkg\.methods' takes 'nobody' from"):
        code_digest("pkg.study", package=package)


def test_order_and_repetition_do_not_matter(package: Path) -> None:
    lrp, deeplift = "pkg.methods.lrp", "pkg.methods.deeplift"
    together = code_digest(lrp, deeplift, package=package)
    assert together == code_digest(deeplift, lrp, deeplift, package=package)
    assert together not in digests(package)
    assert len(together) == 16


def test_a_script_names_its_modules(package: Path, tmp_path: Path) -> None:
    script = tmp_path / "attribute.py"
    script.write_text("from pathlib import Path\nfrom pkg import LRP\nfrom pkg.engine import mode\n")
    assert modules_of_script(script, package=package) == ("pkg.engine.mode", "pkg.methods.lrp")


def test_nothing_is_imported_and_every_process_agrees() -> None:
    module = "nn_interpretability.storage.hdf5"
    code = (
        "import sys\n"
        "from nn_interpretability.code_digest import code_digest\n"
        f"print(code_digest('{module}'), '{module}' in sys.modules, 'h5py' in sys.modules)\n"
    )
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert printed.split() == [code_digest(module), "False", "False"]


def test_the_whole_package_can_be_digested_and_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    copy = tmp_path / "nn_interpretability"
    shutil.copytree(SOURCE / "nn_interpretability", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in sorted(copy.rglob("*.py")):
        module = ".".join(file.relative_to(tmp_path).with_suffix("").parts).removesuffix(".__init__")
        assert code_digest(module, package=copy) == code_digest(module)
