"""A text-to-image pipeline of diffusers' own parts, made from configs with random weights: small enough for a laptop, and without a meaning.

It shows what a pipeline is made of, and that the code around it runs, where no weights can be had (see `text`).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...denoisers import eps_param
from ...schedules import NoiseSchedule
from .hub import DiffusersNet, diffusers_package
from .text import TextToImage

LENGTH, WIDTH = 16, 16  # tokens of a text, and of each the numbers of its hidden state
UNET: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,
}
VAE: dict[str, Any] = {
    "latent_channels": 4,
    "block_out_channels": (8, 8, 8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 4,
    "sample_size": 64,
    "scaling_factor": 0.18215,
}


class Bytes(nn.Module):
    """A text encoder: each byte of the text has a vector, and so has its place. The real one is CLIP's transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(256, WIDTH), nn.Parameter(torch.randn(LENGTH, WIDTH))

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """tokens: (B, LENGTH). Returns the hidden states (B, LENGTH, WIDTH), first of all, as transformers' encoders do."""
        return (self.letter(tokens) + self.place,)


def tokens(texts: Sequence[str]) -> Tensor:
    """The first bytes of each text, filled up with zeros: (B, LENGTH)."""
    rows = [list(text.encode())[:LENGTH] for text in texts]
    return torch.tensor([row + [0] * (LENGTH - len(row)) for row in rows])


def pipeline(seed: int = 0) -> TextToImage:
    """A denoiser of latents (B, 4, 8, 8), given texts, with a decoder to images (B, 3, 64, 64). All its weights are random.

    Schedule and prediction are Stable Diffusion 1's: 1000 steps, sqrt(beta) even from sqrt(0.00085) to sqrt(0.012), eps. Raises
    CourseError where diffusers is not installed.
    """
    diffusers = diffusers_package()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net, vae = diffusers.UNet2DConditionModel(**UNET), diffusers.AutoencoderKL(**VAE)
        encoder = Bytes()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    param = eps_param(NoiseSchedule.from_betas(betas))
    return TextToImage(DiffusersNet(net), param, tokens, encoder, vae).eval().requires_grad_(False)
