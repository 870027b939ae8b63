"""Checks of chapter 04: noise schedules and what remains of the image at T."""

from .ch04_cosine import COSINE_ALPHA_BAR
from .ch04_even import EVEN_BETAS
from .ch04_prior_kl import PRIOR_KL
from .ch04_rescale import RESCALE
from .ch04_sigmoid import SIGMOID_BETAS

CHECKS = [COSINE_ALPHA_BAR, SIGMOID_BETAS, PRIOR_KL, RESCALE, EVEN_BETAS]
