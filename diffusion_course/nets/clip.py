"""A small model that compares noisy images with texts, trained by contrast: what CLIP is to photographs (Radford et al. 2021)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..captions import WORDS
from .classifier import NoisyClassifier
from .text_encoder import TextEncoder


class ImageTextModel(nn.Module):
    """Two encoders into one space, where an image lies near its caption. Images are told with their noise level, as GLIDE's are.

    image_size, channels, width: of the image encoder, a `NoisyClassifier`. words, length, text_width, text_layers: of the text
    encoder, see `TextEncoder`; its mean over the places counts. embedding: the space's dimension, E.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        width: int = 32,
        words: str = WORDS,
        length: int = 8,
        text_width: int = 64,
        text_layers: int = 2,
        embedding: int = 64,
    ):
        super().__init__()
        self.image_size, self.channels = image_size, channels
        self.image_encoder = NoisyClassifier(image_size, channels, embedding, width)
        self.text_encoder = TextEncoder(words, length, text_width, text_layers)
        self.project = nn.Linear(text_width, embedding)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))  # Radford et al. 2021, section 2.5

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied by before the softmax, 1 / temperature: learned, at most 100."""
        return self.log_scale.exp().clamp(max=100)

    def forward(self, x: Tensor, sigma: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, E), texts (B, E), and the scale of their cosines, (): what training compares."""
        return self.image(x, sigma), self.text(tokens), self.scale

    def image(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x: (B, C, H, W) in VE coordinates; sigma: () or (B,). Returns (B, E), of any length."""
        return self.image_encoder(x, sigma)

    def text(self, tokens: Tensor) -> Tensor:
        """tokens: (B, L). Returns (B, E), of any length."""
        return self.project(self.text_encoder(tokens).mean(1))

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Texts in the space: (len(texts), E). Raises CourseError as `Vocabulary.tokens` does."""
        return self.text(self.text_encoder.vocabulary.tokens(texts).to(self.log_scale.device))
