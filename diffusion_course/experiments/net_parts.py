"""The networks of a config: the keys are arguments of the network's class, and have its defaults.

net: {kind: unet, widths: [32, 64]}     # in a YAML file
UNetShape(widths=(32, 64))              # in Python
"""

import inspect
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from ..nets.autoencoder import Autoencoder
from ..nets.classifier import Classifier, NoisyClassifier
from ..nets.clip import ImageTextModel
from ..nets.dit import DiT
from ..nets.text_unet import TextUNet
from ..nets.token_transformer import TokenTransformer
from ..nets.unet import UNet
from .parts import Check, Part, below_one, integer, integers, key, positive, switch, text


def _of(network: type[nn.Module], name: str, check: Check) -> Any:
    return key(check, inspect.signature(network).parameters[name].default)


@dataclass(frozen=True)
class UNetShape(Part):
    """`nets.unet.UNet`, which most denoisers are made of."""

    kind = "unet"
    network: ClassVar[type[nn.Module]] = UNet
    image_size: int = _of(UNet, "image_size", integer(1))
    channels: int = _of(UNet, "channels", integer(1))
    widths: tuple[int, ...] = _of(UNet, "widths", integers)
    blocks: int = _of(UNet, "blocks", integer(1, 64))
    attention: tuple[int, ...] = _of(UNet, "attention", integers)
    patch_size: int = _of(UNet, "patch_size", integer(1))
    num_classes: int = _of(UNet, "num_classes", integer(0))
    learned_variance: bool = _of(UNet, "learned_variance", switch)
    noise_scale: float = _of(UNet, "noise_scale", positive)
    dropout: float = _of(UNet, "dropout", below_one)


@dataclass(frozen=True)
class ClassifierShape(Part):
    """`nets.classifier.Classifier`: clean images to logits."""

    kind = "classifier"
    network: ClassVar[type[nn.Module]] = Classifier
    image_size: int = _of(Classifier, "image_size", integer(4))
    channels: int = _of(Classifier, "channels", integer(1))
    num_classes: int = _of(Classifier, "num_classes", integer(1))
    width: int = _of(Classifier, "width", integer(2))
    dropout: float = _of(Classifier, "dropout", below_one)


@dataclass(frozen=True)
class NoisyClassifierShape(Part):
    """`nets.classifier.NoisyClassifier`: noisy images and their noise level to logits."""

    kind = "noisy-classifier"
    network: ClassVar[type[nn.Module]] = NoisyClassifier
    image_size: int = _of(NoisyClassifier, "image_size", integer(1))
    channels: int = _of(NoisyClassifier, "channels", integer(1))
    num_classes: int = _of(NoisyClassifier, "num_classes", integer(1))
    width: int = _of(NoisyClassifier, "width", integer(2))


@dataclass(frozen=True)
class TokenTransformerShape(Part):
    """`nets.token_transformer.TokenTransformer`: tokens, some of them hidden, to logits."""

    kind = "token-transformer"
    network: ClassVar[type[nn.Module]] = TokenTransformer
    states: int = _of(TokenTransformer, "states", integer(1))
    shape: tuple[int, ...] = _of(TokenTransformer, "shape", integers)
    width: int = _of(TokenTransformer, "width", integer(2))
    depth: int = _of(TokenTransformer, "depth", integer(1, 64))
    heads: int = _of(TokenTransformer, "heads", integer(1))
    num_classes: int = _of(TokenTransformer, "num_classes", integer(0))
    dropout: float = _of(TokenTransformer, "dropout", below_one)


@dataclass(frozen=True)
class TextUNetShape(Part):
    """`nets.text_unet.TextUNet`: a U-Net that is told in words."""

    kind = "text-unet"
    network: ClassVar[type[nn.Module]] = TextUNet
    image_size: int = _of(TextUNet, "image_size", integer(1))
    channels: int = _of(TextUNet, "channels", integer(1))
    widths: tuple[int, ...] = _of(TextUNet, "widths", integers)
    blocks: int = _of(TextUNet, "blocks", integer(1, 64))
    attention: tuple[int, ...] = _of(TextUNet, "attention", integers)
    patch_size: int = _of(TextUNet, "patch_size", integer(1))
    noise_scale: float = _of(TextUNet, "noise_scale", positive)
    dropout: float = _of(TextUNet, "dropout", below_one)
    words: str = _of(TextUNet, "words", text)
    length: int = _of(TextUNet, "length", integer(1))
    text_width: int = _of(TextUNet, "text_width", integer(1))
    text_layers: int = _of(TextUNet, "text_layers", integer(0, 64))


@dataclass(frozen=True)
class ImageTextShape(Part):
    """`nets.clip.ImageTextModel`: noisy images and texts into one space."""

    kind = "clip"
    network: ClassVar[type[nn.Module]] = ImageTextModel
    image_size: int = _of(ImageTextModel, "image_size", integer(1))
    channels: int = _of(ImageTextModel, "channels", integer(1))
    width: int = _of(ImageTextModel, "width", integer(2))
    words: str = _of(ImageTextModel, "words", text)
    length: int = _of(ImageTextModel, "length", integer(1))
    text_width: int = _of(ImageTextModel, "text_width", integer(1))
    text_layers: int = _of(ImageTextModel, "text_layers", integer(0, 64))
    embedding: int = _of(ImageTextModel, "embedding", integer(1))


@dataclass(frozen=True)
class DiTShape(Part):
    """`nets.dit.DiT`, the other network that denoisers are made of."""

    kind = "dit"
    network: ClassVar[type[nn.Module]] = DiT
    image_size: int = _of(DiT, "image_size", integer(1))
    channels: int = _of(DiT, "channels", integer(1))
    patch_size: int = _of(DiT, "patch_size", integer(1))
    width: int = _of(DiT, "width", integer(4))
    depth: int = _of(DiT, "depth", integer(1, 64))
    heads: int = _of(DiT, "heads", integer(1))
    num_classes: int = _of(DiT, "num_classes", integer(0))
    noise_scale: float = _of(DiT, "noise_scale", positive)


@dataclass(frozen=True)
class AutoencoderShape(Part):
    """`nets.autoencoder.Autoencoder`: images to latents, and back."""

    kind = "autoencoder"
    network: ClassVar[type[nn.Module]] = Autoencoder
    image_size: int = _of(Autoencoder, "image_size", integer(1))
    channels: int = _of(Autoencoder, "channels", integer(1))
    latent_channels: int = _of(Autoencoder, "latent_channels", integer(1))
    widths: tuple[int, ...] = _of(Autoencoder, "widths", integers)
    blocks: int = _of(Autoencoder, "blocks", integer(1, 64))


Denoising = UNetShape | TextUNetShape | DiTShape  # called as net(x, c_noise, labels)
Reading = TextUNetShape | ImageTextShape  # trained on data sets with captions
Net = (
    UNetShape
    | ClassifierShape
    | NoisyClassifierShape
    | TextUNetShape
    | ImageTextShape
    | DiTShape
    | AutoencoderShape
    | TokenTransformerShape
)


def told(net: Part | type[Part]) -> str:
    """The network for a message: "a unet", "an autoencoder"."""
    return f"{'an' if net.kind.startswith('a') else 'a'} {net.kind}"
