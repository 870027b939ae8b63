"""Checks of chapter 05: learned variances, the hybrid loss, weights and densities of t."""

from .ch05_bits import BITS_PER_DIM
from .ch05_density import TIMES_TO_DRAW
from .ch05_hybrid import HYBRID_LOSS
from .ch05_min_snr import MIN_SNR_WEIGHT
from .ch05_variance import LEARNED_VARIANCE

CHECKS = [LEARNED_VARIANCE, HYBRID_LOSS, BITS_PER_DIM, MIN_SNR_WEIGHT, TIMES_TO_DRAW]
