"""Mistakes planted in the rules, one at a time: the fast tests of that file must notice each of them.

A mutant is a line of a file of ``rules/`` as it is, and as it would be with a sign flipped, a bias dropped, a winner
swapped and the like. The tests run on a copy of the checkout; a mutant that they pass is a hole in them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("src", "tests", "reference", "workflow", "pyproject.toml", "config.yaml")


@dataclass(frozen=True)
class Mutant:
    """A mistake: in which file, what it is, the text as it is and as it would be."""

    file: str
    mistake: str
    right: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}: {self.mistake}"


TESTS = {
    "activation": ("unit/test_rules_activation.py",),
    "affine": ("identities/test_batch_norm.py",),
    "composite": ("unit/test_methods_lrp.py", "identities/test_lrp.py"),
    "deeplift": ("identities/test_deeplift.py", "unit/test_methods_deeplift.py", "identities/test_deeplift_twin.py"),
    "differences": ("identities/test_deeplift.py", "unit/test_methods_deeplift.py", "identities/test_deeplift_twin.py"),
    "gap_head": ("unit/test_methods_cam.py",),
    "linear": ("unit/test_rules_linear.py", "identities/test_lrp.py", "identities/test_conservation.py"),
    "lrp": ("unit/test_methods_lrp.py", "identities/test_lrp_input_and_layers.py", "identities/test_batch_norm.py"),
    "pooling": ("unit/test_rules_pooling.py",),
    "relu": ("unit/test_rules_relu.py", "identities/test_deconvolution.py"),
    "spread": ("identities/test_deeplift.py", "unit/test_methods_deeplift.py", "identities/test_deeplift_twin.py"),
    "winners": ("identities/test_deeplift.py", "unit/test_methods_deeplift.py", "identities/test_deeplift_twin.py"),
}
"""The fast tests of each file of rules."""

MUTANTS = (
    Mutant("activation", "the inverse of the secant", "after / before)", "before / after)"),
    Mutant("activation", "a slope of 1 at zero", "torch.where(before == 0, 0.0,", "torch.where(before == 0, 1.0,"),
    Mutant("activation", "relevance dropped", "return (gradient * self._slope,)", "return (gradient * 0,)"),
    Mutant("affine", "the sign of the mean", "shift = -mean * scale", "shift = mean * scale"),
    Mutant("affine", "the bias of the norm dropped", "shift = shift + given", "shift = shift + 0 * given"),
    Mutant("affine", "the layer's bias not scaled", "operation.bias * self.scale + self", "operation.bias + self"),
    Mutant("affine", "no epsilon", '(variance + given.get("eps", 1e-5))', "(variance + 0)"),
    Mutant("composite", "gamma for the layers above", "if place.index < third:", "if place.index >= third:"),
    Mutant("composite", "another gamma", '"gamma": 0.25', '"gamma": 0.5'),
    Mutant("composite", "the first match wins over the name", "if place.layer in self._rules:", "if False:"),
    Mutant("composite", "pools are layers", 'if key == "*" and not place.weighted:', "if False:"),
    Mutant("deeplift", "signed weights for the spread", "operation.weight.abs(), None)", "operation.weight, None)"),
    Mutant(
        "deeplift", "the bias of references ignored", 'return self.rule != "gradient"', 'return self.rule == "gradient"'
    ),
    Mutant(
        "differences",
        "the sum of inputs",
        "    difference = images - references\n    near",
        "    difference = images + references\n    near",
    ),
    Mutant(
        "differences",
        "the derivative at the image",
        "derivative(function, references), slope)",
        "derivative(function, images) * 2, slope)",
    ),
    Mutant(
        "differences",
        "positive and negative part swapped",
        "up, down = (difference + spread) / 2, (difference - spread) / 2",
        "down, up = (difference + spread) / 2, (difference - spread) / 2",
    ),
    Mutant(
        "differences",
        "the other order left out",
        "change_up = ((after_up - after_reference) + (after - after_down)) / 2",
        "change_up = after_up - after_reference",
    ),
    Mutant(
        "differences",
        "the multiplier of the spread with the wrong sign",
        "return (up + down) / 2, (up - down) / 2",
        "return (up + down) / 2, (down - up) / 2",
    ),
    Mutant("gap_head", "the mean along one axis", "features.mean(dim=(2, 3))", "features.mean(dim=(2, 3)) * 2"),
    Mutant("gap_head", "features of another sign", "return GapHead(features) if", "return GapHead(-features) if"),
    Mutant(
        "linear",
        "gamma favours the negative",
        'favour = FavourPositive(_not_negative("gamma", gamma))',
        'favour = FavourPositive(-_not_negative("gamma", gamma) / 3)',
    ),
    Mutant(
        "linear",
        "no bias in gamma",
        'Part((Term("input", favour),), favour, stabilizer',
        'Part((Term("input", favour),), nothing, stabilizer',
    ),
    Mutant("linear", "outputs swapped in generalised gamma", 'kept, outputs="positive"', 'kept, outputs="negative"'),
    Mutant(
        "linear", "parts swapped in generalised gamma", 'Term("negative", less)), more', 'Term("negative", more)), more'
    ),
    Mutant(
        "linear", "blank windows not marked", "masked_fill(blank, 0), size.masked", "masked_fill(blank, 1), size.masked"
    ),
    Mutant(
        "gap_head",
        "a factor forgotten",
        "factor if head.factor is None else",
        "head.factor if head.factor is None else",
    ),
    Mutant("linear", "inhibition with the wrong sign", "negative, -beta, kept)", "negative, beta, kept)"),
    Mutant(
        "linear",
        "the parts of excitation swapped",
        'excitation = Part((Term("positive", positive), Term("negative", negative))',
        'excitation = Part((Term("positive", negative), Term("negative", positive))',
    ),
    Mutant(
        "linear",
        "a bias in z+",
        'Term("negative", negative))\n    return LinearRule("z_plus", (Part(terms, nothing,',
        'Term("negative", negative))\n    return LinearRule("z_plus", (Part(terms, whole,',
    ),
    Mutant(
        "linear",
        "the bounds of z-box swapped",
        'Term("low", positive, -1.0), Term("high", negative, -1.0)',
        'Term("high", positive, -1.0), Term("low", negative, -1.0)',
    ),
    Mutant("linear", "a bound of z-box added", 'Term("low", positive, -1.0)', 'Term("low", positive, 1.0)'),
    Mutant("linear", "w instead of w squared", 'Part((Term("one", squared),)', 'Part((Term("one", whole),)'),
    Mutant("linear", "weights in the flat rule", 'Part((Term("one", alike),)', 'Part((Term("one", squared),)'),
    Mutant("linear", "the bias dropped from denominators", "total = total + bias\n", "total = total + 0 * bias\n"),
    Mutant(
        "linear",
        "no stabiliser",
        "denominator = total if addition is None else total + addition",
        "denominator = total",
    ),
    Mutant(
        "linear",
        "stabiliser against the sign",
        "else total + addition\n        dead = denominator.abs() <= rounding",
        "else total - addition\n        dead = denominator.abs() <= rounding",
    ),
    Mutant("linear", "the share of a part ignored", "if part.coefficient != 1:", "if False:"),
    Mutant(
        "linear",
        "stabilised relevance not accounted for",
        "stabilizer=per_unit * fraction.addition.double())",
        "stabilizer=0 * fraction.addition.double())",
    ),
    Mutant(
        "lrp",
        "the input rule everywhere",
        "if place.sees_input and settings.input_rule is not None:",
        "if settings.input_rule is not None:",
    ),
    Mutant("lrp", "layers not counted", "self._count += 1", "self._count += 0"),
    Mutant(
        "lrp",
        "batch norm not folded",
        "            if operation is not None:\n                return Treated(self._folded",
        "            if operation is None:\n                return Treated(self._folded",
    ),
    Mutant("pooling", "the sum instead of the mean of a window", "value / denominator)", "value * 4 / denominator)"),
    Mutant(
        "pooling",
        "winner and average swapped",
        'largest if rule.share == "winner"',
        'largest if rule.share != "winner"',
    ),
    Mutant(
        "pooling",
        "dead windows pass relevance",
        "self._ratio = torch.where(dead, 0.0, value",
        "self._ratio = torch.where(dead, 1.0, value",
    ),
    Mutant("relu", "relevance at negative inputs", "slope = slope * (before > 0)", "slope = slope * (before >= 0)"),
    Mutant("relu", "guided as deconvolution", "return PositiveOnly(slope)", "return PositiveOnly(None)"),
    Mutant("relu", "deconvolution and guided swapped", 'if backward == "guided"', 'if backward != "guided"'),
    Mutant(
        "relu",
        "the filter let through is closed",
        "return (gradient * self._mask,)",
        "return (gradient * (1 - self._mask),)",
    ),
    Mutant(
        "spread",
        "the difference with the wrong sign",
        "pairs.padded(sign * (images - references))",
        "pairs.padded(sign * (references - images))",
    ),
    Mutant("spread", "signed factors", "spread.get() * abs(factor)", "spread.get() * factor"),
    Mutant("spread", "parts subtracted", "terms[0] + terms[1]", "terms[0] - terms[1]"),
    Mutant(
        "winners",
        "the loser of the window",
        "torch.where(after_image >= after_reference,",
        "torch.where(after_image < after_reference,",
    ),
    Mutant(
        "winners",
        "the value of the output for its difference",
        "change = (after_image - after_reference)",
        "change = (after_image + after_reference)",
    ),
    Mutant(
        "winners",
        "each value collects once",
        "scatter_add_(2, self._winner, moved)",
        "scatter_(2, self._winner, moved)",
    ),
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    for part in COPIED:
        if (REPOSITORY / part).is_dir():
            shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "baseline"))
        else:
            shutil.copy(REPOSITORY / part, folder / part)
    return folder


def test_each_file_of_rules_has_mutants_and_each_mutant_its_place() -> None:
    rules = REPOSITORY / "src" / "nn_interpretability" / "rules"
    assert (
        {path.stem for path in rules.glob("*.py")} - {"__init__"} == {mutant.file for mutant in MUTANTS} == set(TESTS)
    )
    for mutant in MUTANTS:
        assert (rules / f"{mutant.file}.py").read_text(encoding="utf-8").count(mutant.right) == 1, str(mutant)
        assert mutant.right != mutant.wrong


def test_without_a_mistake_the_same_tests_pass(checkout: Path) -> None:
    told = run_tests(checkout, *sorted({test for tests in TESTS.values() for test in tests}))
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-2000:]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_the_fast_tests_kill_the_mutant(mutant: Mutant, checkout: Path) -> None:
    file = checkout / "src" / "nn_interpretability" / "rules" / f"{mutant.file}.py"
    whole = file.read_text(encoding="utf-8")
    try:
        file.write_text(whole.replace(mutant.right, mutant.wrong), encoding="utf-8")
        told = run_tests(checkout, *TESTS[mutant.file])
    finally:
        file.write_text(whole, encoding="utf-8")
    assert told.returncode == 1, f"survived: {mutant}\n{told.stdout[-2000:]}{told.stderr[-2000:]}"
    assert " failed" in told.stdout


def run_tests(checkout: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    paths = [str(checkout / "tests" / name) for name in tests]
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTEST_ADDOPTS"}}
    env = {**kept, "PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run([*words, *paths], cwd=checkout, env=env, capture_output=True, text=True, check=False)
