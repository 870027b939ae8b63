"""Checks of chapter 09: the Karras grid, the Heun step, the best grid, churn, and the sampler made of them."""

from .ch09_churn import CHURN
from .ch09_grid import BEST_GRID
from .ch09_heun import HEUN_STEP
from .ch09_karras import KARRAS_SIGMAS
from .ch09_sampler import EDM_SAMPLER

CHECKS = [KARRAS_SIGMAS, HEUN_STEP, BEST_GRID, CHURN, EDM_SAMPLER]
