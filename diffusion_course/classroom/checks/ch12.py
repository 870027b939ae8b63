"""Checks of chapter 12: the scale of latents, sampling in them, patches, adaLN-Zero, a transformer's block, and scales to design."""

from dataclasses import replace

from . import ch12_probes as probes
from .ch12_adaln import ADALN_ZERO
from .ch12_dit import DIT_BLOCK
from .ch12_patchify import PATCHIFY
from .ch12_sampler import LATENT_SAMPLE
from .ch12_scale import LATENT_SCALE
from .ch12_stds import BEST_STDS

CHECKS = [
    replace(LATENT_SCALE, measured=probes.of_scale),
    BEST_STDS,
    LATENT_SAMPLE,
    replace(PATCHIFY, measured=probes.of_patches),
    replace(ADALN_ZERO, measured=probes.of_adaln),
    replace(DIT_BLOCK, measured=probes.of_block),
]
