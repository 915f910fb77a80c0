"""A GPU gives the maps of the CPU to rounding, the same masks, and so the same predicted classes up to ties."""

from __future__ import annotations

from collections.abc import Iterator

import method_cases
import nets
import pytest
import torch
from devices import settings_kept
from method_cases import CASES, explained
from torch import Tensor

from nn_interpretability import LRP, DeepLIFT, InputNoise, MCDropout
from nn_interpretability.models import build_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Deep Taylor decomposition starts", "ignore:The line along the gradient"),
]
IMAGES = method_cases.images(5)
CLOSE = 1e-4


@pytest.fixture(autouse=True)
def _tf32_allowed() -> Iterator[None]:
    """Shorter formats are allowed, as a user may have it: explaining must see to its precision itself."""
    with settings_kept():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        yield


def assert_alike(found: Tensor, expected: Tensor) -> None:
    """Up to rounding on the scale of each map."""
    scale = expected.abs().flatten(1).amax(1).clamp_min(1e-12)
    error = (found.cpu() - expected).abs().flatten(1).amax(1) / scale
    assert float(error.max()) <= CLOSE


@pytest.mark.parametrize("name", CASES)
def test_maps_agree(name: str) -> None:
    images, there = IMAGES.float(), IMAGES.float().cuda()
    expected = explained(name, method_cases.model().float(), images).interpret(images)
    found = explained(name, method_cases.model().float().cuda(), there).interpret(there)
    assert found.values.device.type == "cuda"
    assert_alike(found.values, expected.values)


@pytest.mark.parametrize("kind", ["dropout", "noise"])
def test_passes_agree_and_predict_the_same_classes_up_to_ties(kind: str) -> None:
    torch.manual_seed(0)
    model = build_model("dropout_cnn" if kind == "dropout" else "small_cnn").eval()
    found = {}
    for device in ("cpu", "cuda"):
        images, on = nets.uniform(3, 1, 28, 28).float().to(device), model.to(device)
        passes = (
            MCDropout(LRP(on), passes=200, products=("mean",))
            if kind == "dropout"
            else InputNoise(DeepLIFT(on), sigma=0.5, passes=200, products=("mean",))
        )
        found[device] = passes.interpret(images, 1)
    one, other = found["cpu"], found["cuda"]
    torch.testing.assert_close(other.logits.cpu(), one.logits, rtol=CLOSE, atol=CLOSE)
    first, second = one.logits.topk(2, dim=-1).values.unbind(-1)
    clear = first - second > 10 * CLOSE * one.logits.abs().amax(-1)
    assert torch.equal(other.logits.cpu().argmax(-1)[clear], one.logits.argmax(-1)[clear])
    assert int((other.counts.cpu() - one.counts).abs().sum()) <= 2 * int((~clear).sum())
    assert_alike(other.mean, one.mean)
