"""Checks of chapter 09: the Karras grid, the Heun step, and churn."""

from .ch09_churn import CHURN
from .ch09_heun import HEUN_STEP
from .ch09_karras import KARRAS_SIGMAS

CHECKS = [KARRAS_SIGMAS, HEUN_STEP, CHURN]
