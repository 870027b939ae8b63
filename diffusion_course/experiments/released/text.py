"""Text to image: Stable Diffusion 1 and 2 of a local folder, as a denoiser of latents that is given a text.

D = zoo.load("path/to/stable-diffusion")
guided = guidance.cfg(D.given("кошка в шляпе"), D.given(""), 7.5)
images = D.decode(sample(guided, sigmas[0] * Noise(0).randn(*D.shape(1)), sigmas, step))
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...denoisers import Param
from ...errors import CourseError
from ...texted import Texted
from .hub import DiffusersNet, part

Tokens = Callable[[list[str]], Tensor]
"""Texts -> (B, L) integers."""


class TextToImage(Texted):
    """The denoiser of latents (B, C, H, W). `given` takes a text, or one for each sample; D(x, sigma) alone is that of "".

    tokens: see `Tokens`. encoder: (B, L) -> a tuple, the hidden states (B, L, E) first. vae: diffusers' AutoencoderKL.
    """

    def __init__(self, net: DiffusersNet, param: Param, tokens: Tokens, encoder: nn.Module, vae: nn.Module):
        super().__init__(net, param)
        self.tokens, self.encoder, self.vae = tokens, encoder, vae
        self.latent = (net.channels, net.image_size, net.image_size)

    @classmethod
    def read(cls, folder: Path, net: DiffusersNet, param: Param) -> "TextToImage":
        """The text encoder and the autoencoder of a pipeline's folder. Raises CourseError for what cannot be read."""
        try:
            from diffusers import AutoencoderKL
            from transformers import CLIPTextModel, CLIPTokenizer
        except ImportError:
            raise CourseError(
                'weights: a text-to-image pipeline needs transformers: pip install "diffusion-course[hub]"'
            ) from None
        try:
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        except Exception:  # for missing and for damaged files they raise many kinds
            raise CourseError(f"weights {folder / 'tokenizer'}: no tokenizer of CLIP") from None

        def tokens(texts: list[str]) -> Tensor:
            long = tokenizer.model_max_length
            return tokenizer(
                texts, padding="max_length", max_length=long, truncation=True, return_tensors="pt"
            ).input_ids

        encoder, vae = part(folder / "text_encoder", CLIPTextModel), part(folder / "vae", AutoencoderKL)
        return cls(net, param, tokens, encoder, vae)

    def _embed(self, texts: Sequence[str]) -> Tensor:
        device = next(self.encoder.parameters()).device
        return self.encoder(self.tokens(list(texts)).to(device))[0]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images (B, 3, 8H, 8W), about in [-1, 1], of latents (B, C, H, W)."""
        vae: Any = self.vae
        return vae.decode(latents.float() / vae.config.scaling_factor).sample

    def shape(self, n: int) -> tuple[int, ...]:
        """The shape of n latents of the size that the network was trained on."""
        return n, *self.latent
