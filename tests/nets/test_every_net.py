"""What all networks have in common: a batch of none has an answer of none, and labels that are none are told in one line."""

import pytest
import torch
from torch import Tensor

from diffusion_course import CourseError, Noise, schedules
from diffusion_course.denoisers import Preconditioned, eps_param, flow_param
from diffusion_course.experiments import config_text, zoo
from diffusion_course.experiments.latents import LatentDenoiser
from diffusion_course.nets.autoencoder import Autoencoder
from diffusion_course.nets.classifier import Classifier, NoisyClassifier
from diffusion_course.nets.clip import ImageTextModel
from diffusion_course.nets.control import Controlled, Hinted
from diffusion_course.nets.dit import DiT
from diffusion_course.nets.lora import adapt
from diffusion_course.nets.mlp import MLP
from diffusion_course.nets.songunet import SongUNet
from diffusion_course.nets.text_encoder import TextEncoder
from diffusion_course.nets.text_unet import TextUNet
from diffusion_course.nets.token_transformer import TokenTransformer
from diffusion_course.nets.unet import UNet
from diffusion_course.texted import Texted

SMALL = {"image_size": 8, "widths": (8, 16), "attention": (4,), "patch_size": 2}
SONG = {"image_size": 16, "model_channels": 32, "channel_mult": (1, 2), "num_blocks": 1, "attention": (8,)}


def batch(B, C=1, side=8):
    return Noise(0).randn(3, C, side, side)[:B]


def levels(B):
    return torch.full((B,), 0.5)


def classes(B):
    return torch.arange(3)[:B] % 2


def words(B):
    return torch.arange(24).reshape(3, 8)[:B]


# A network and, for a batch of B, what it is called with.
NETS = {
    "unet": (lambda: UNet(**SMALL), lambda B: (batch(B), levels(B))),
    "unet without patches": (lambda: UNet(**SMALL | {"patch_size": 1}), lambda B: (batch(B), levels(B))),
    "unet, one level for all": (lambda: UNet(**SMALL), lambda B: (batch(B), torch.tensor(0.5))),
    "unet with classes and variances": (
        lambda: UNet(**SMALL, num_classes=2, learned_variance=True),
        lambda B: (batch(B), levels(B), classes(B)),
    ),
    "adapted": (lambda: adapt(UNet(**SMALL), 2), lambda B: (batch(B), levels(B))),
    "dit": (lambda: DiT(8, width=12, num_classes=2), lambda B: (batch(B), levels(B), classes(B))),
    "mlp": (lambda: MLP(8, 16, num_classes=2), lambda B: (batch(B)[:, 0, 0], levels(B), classes(B))),
    "autoencoder": (lambda: Autoencoder(8, widths=(8, 16)), lambda B: (batch(B),)),
    "classifier": (lambda: Classifier(8, width=4), lambda B: (batch(B),)),
    "noisy classifier": (lambda: NoisyClassifier(8, width=8), lambda B: (batch(B), levels(B))),
    "image-text model": (lambda: ImageTextModel(8, width=8), lambda B: (batch(B), levels(B), words(B))),
    "controlled": (lambda: Controlled(UNet(**SMALL)), lambda B: (batch(B), levels(B), None, batch(B))),
    "hinted": (lambda: Hinted(Controlled(UNet(**SMALL)), batch(1)), lambda B: (batch(B), levels(B))),
    "text encoder": (TextEncoder, lambda B: (words(B),)),
    "text unet": (lambda: TextUNet(**SMALL), lambda B: (batch(B), levels(B), words(B))),
    "text unet without a text": (lambda: TextUNet(**SMALL), lambda B: (batch(B), levels(B))),
    "tokens": (lambda: TokenTransformer(9, (8,), 16), lambda B: (words(B) % 9,)),
    "tokens with classes": (
        lambda: TokenTransformer(9, (8,), 16, num_classes=2),
        lambda B: (words(B) % 9, classes(B)),
    ),
    "DDPM++": (
        lambda: SongUNet(**SONG, label_dim=2),
        lambda B: (batch(B, 3, 16), levels(B), classes(B)),
    ),
    "NCSN++": (lambda: SongUNet(**SONG, ncsnpp=True), lambda B: (batch(B, 3, 16), levels(B))),
}


def answers(net, arguments):
    """All that a network answers that has a row for each sample."""
    made = net(*arguments)
    return [one for one in (made if isinstance(made, tuple) else (made,)) if one.ndim]


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", NETS)
def test_a_batch_of_none_has_an_answer_of_none(name, mode):
    make, arguments = NETS[name]
    net = getattr(make(), mode)()
    some, none = (answers(net, arguments(B)) for B in (3, 0))
    assert [one.shape for one in none] == [(0, *one.shape[1:]) for one in some]
    assert [one.dtype for one in none] == [one.dtype for one in some]


def test_every_network_is_here():
    found = {type(make()) for make, _ in NETS.values()}
    assert found >= {shape.network for shape in config_text.KINDS["net"].values()} | {MLP, SongUNet}


@pytest.mark.parametrize("name", zoo.names())
def test_shipped_denoisers_of_none(name):
    model = zoo.read(zoo.FOLDER / f"{name}.safetensors")
    if isinstance(model, Preconditioned):
        x = torch.zeros(0, model.net.channels, model.net.image_size, model.net.image_size)
        D = model.given("a seven") if isinstance(model, Texted) else model.given(3)
        for denoiser in (model, D):
            assert denoiser(x, 1.0).shape == denoiser(x, torch.ones(0)).shape == x.shape
        if isinstance(model, LatentDenoiser):
            assert model.space.decode(x).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("labels", [3, [0, 1, 0], "seven", classes(3) > 0, classes(3) * 1j, classes(2)])
@pytest.mark.parametrize("name", ["unet with classes and variances", "dit", "mlp", "DDPM++"])
def test_labels_that_are_none(name, labels):
    make, arguments = NETS[name]
    x, c_noise, _ = arguments(3)
    with pytest.raises(CourseError, match=r"^labels: got ") as caught:
        make()(x, c_noise, labels)
    assert str(caught.value).endswith(" of shape (3,)")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [True, classes(3) > 0, 0.5])
def test_a_truth_value_is_no_class(labels):
    schedule = schedules.NoiseSchedule.from_betas(schedules.linear(10))
    x = batch(3)
    for D in (
        lambda: Preconditioned(UNet(**SMALL, num_classes=2), flow_param()).given(labels)(x, 1.0),
        lambda: Preconditioned(DiT(8, width=12, num_classes=2), eps_param(schedule)).given(labels)(x, 1.0),
        lambda: NoisyClassifier(8, width=8).given(labels)(x, torch.ones(())),
        lambda: TokenTransformer(9, (8,), 16, num_classes=2).given(labels)(words(3) % 9),
    ):
        with pytest.raises(CourseError, match=r"^labels: got "):
            D()


def test_labels_of_any_integers_are_taken():
    net = UNet(**SMALL, num_classes=2)
    x, c_noise, labels = batch(3), levels(3), classes(3)
    assert torch.equal(net(x, c_noise, labels.int()), net(x, c_noise, labels))
    assert isinstance(net(x, c_noise, None), Tensor)


@pytest.mark.parametrize("labels", [3, "a seven", ["a seven"]])
def test_a_network_that_reads_takes_tensors(labels):
    with pytest.raises(CourseError, match=r"^labels: got .*, want a tensor: tokens, or what `embed` makes"):
        TextUNet(**SMALL)(batch(3), levels(3), labels)
