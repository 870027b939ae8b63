"""Checks of chapter 10: the Fréchet distance, KID, a paired comparison, and how many samples one needs."""

from .ch10_frechet import FRECHET_DISTANCE
from .ch10_kid import KID
from .ch10_needed import NEEDED_SAMPLES
from .ch10_paired import PAIRED_DIFFERENCE

CHECKS = [FRECHET_DISTANCE, KID, PAIRED_DIFFERENCE, NEEDED_SAMPLES]
