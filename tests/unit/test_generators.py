"""Generators turn codes into images of the right shape and range, and one image does not depend on the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from nn_interpretability.errors import ConfigError, DataError
from nn_interpretability.models.build import architectures
from nn_interpretability.models.discriminators import GANDiscriminator, build_discriminator
from nn_interpretability.models.generators import DCGANGenerator, GANGenerator, build_generator
from nn_interpretability.models.weights import load_weights, save_weights

NAMES = ("gan", "dcgan")


def codes(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 100, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_images_are_digits_in_shape_and_range(name: str):
    generator = build_generator(name)
    assert generator.latent_size == 100
    images = generator(10 * codes(7))
    assert images.shape == (7, 1, 28, 28)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.max() > 0.5 > images.min()


@pytest.mark.parametrize("name", NAMES)
def test_in_evaluation_mode_an_image_does_not_depend_on_the_others(name: str):
    generator = build_generator(name).double()
    z = codes(6).double()
    generator(3 * z + 1)  # in training mode: the statistics of batch norm are no longer the first ones
    generator.eval()
    with torch.no_grad():
        together, alone = generator(z), torch.cat([generator(code[None]) for code in z])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


def test_in_training_mode_batch_norm_mixes_a_batch():
    generator = DCGANGenerator()
    assert (generator(codes(6))[:3] - generator(codes(6)[:3])).abs().max() > 0.01


def test_dcgan_is_laid_out_as_the_study_says():
    generator = DCGANGenerator(width=64)
    layers = [module for module in generator.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0]) for m in layers] == [
        (100, 512, 4, 1, 0),
        (512, 256, 4, 2, 1),
        (256, 128, 4, 2, 1),
        (128, 64, 4, 2, 1),
        (64, 1, 1, 1, 2),
    ]
    assert all(layer.bias is None for layer in layers)
    norms = [module.num_features for module in generator.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms == [512, 256, 128, 64]


def test_dcgan_scales_the_hyperbolic_tangent():
    generator = DCGANGenerator().eval()
    blocks = generator.blocks(codes(2)[:, :, None, None])
    torch.testing.assert_close(2 * generator(codes(2)) - 1, torch.tanh(blocks), rtol=0, atol=1e-6)


def test_the_gan_of_the_study(study_data: Path):
    """The published weights fit; the images are those of the formula, and the discriminator tells them apart."""
    generator = load_weights(GANGenerator(), study_data / "study2020" / "mnist_generator.pt").eval()
    discriminator = load_weights(GANDiscriminator(), study_data / "study2020" / "mnist_discriminator.pt").eval()
    assert sum(p.numel() for p in generator.parameters()) == 114_064
    assert sum(p.numel() for p in discriminator.parameters()) == 100_609
    state = torch.load(study_data / "study2020" / "mnist_generator.pt", map_location="cpu", weights_only=True)
    z = codes(500)
    hidden = (z @ state["dense1.weight"].T + state["dense1.bias"]).clamp(min=0)
    images = 1 / (1 + torch.exp(-(hidden @ state["dense2.weight"].T + state["dense2.bias"])))
    with torch.no_grad():
        torch.testing.assert_close(generator(z), images.view(-1, 1, 28, 28), rtol=1e-5, atol=1e-6)
        generated, noise = discriminator(generator(z)), discriminator(torch.rand(500, 1, 28, 28))
    assert generated.shape == (500, 1)
    assert generated.mean() > noise.mean()


@pytest.mark.parametrize("name", NAMES)
def test_discriminators_have_a_logit_for_each_output(name: str):
    discriminator = build_discriminator(name, outputs=10)
    images = torch.rand(4, 1, 28, 28)
    logits = discriminator(images)
    assert logits.shape == (4, 10)
    torch.testing.assert_close(logits[:2], discriminator(images[:2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 99), (100,), (2, 100, 1, 1)])
@pytest.mark.parametrize("name", NAMES)
def test_wrong_codes_are_named(name: str, shape: tuple[int, ...]):
    with pytest.raises(ConfigError, match=r"takes \(n, 100\)") as caught:
        build_generator(name)(torch.zeros(shape))
    assert str(shape) in str(caught.value)


def test_unknown_names():
    with pytest.raises(ConfigError, match=r"'vae'. The generators are: gan, dcgan"):
        build_generator("vae")
    with pytest.raises(ConfigError, match="no discriminator for 'vae'"):
        build_discriminator("vae", outputs=1)


def test_weights_of_another_generator_are_refused(tmp_path: Path):
    save_weights(build_generator("gan"), tmp_path / "gan.safetensors")
    with pytest.raises(DataError, match=r"does not fit DCGANGenerator: .*is missing.*dense1\.bias is not part"):
        load_weights(build_generator("dcgan"), tmp_path / "gan.safetensors")
    with pytest.raises(DataError, match=r"dense1\.weight has the shape \(128, 100\), expected \(128, 64\)"):
        load_weights(GANGenerator(latent_size=64), tmp_path / "gan.safetensors")


def test_damaged_weights_are_refused(tmp_path: Path):
    save_weights(build_generator("gan"), tmp_path / "gan.safetensors")
    content = bytearray((tmp_path / "gan.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "gan.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="is damaged or was changed"):
        load_weights(build_generator("gan"), tmp_path / "gan.safetensors")


def test_generators_are_no_classifiers():
    assert not {"generators", "discriminators", "rbm"} & set(architectures())
