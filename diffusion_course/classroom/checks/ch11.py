"""Checks of chapter 11: the loss of masked diffusion, its step and its sampler, an order to design, the posterior of D3PM."""

from .ch11_loss import MASKED_LOSS
from .ch11_plan import DECODING_PLAN
from .ch11_posterior import D3PM_POSTERIOR
from .ch11_sample import UNMASK_SAMPLE
from .ch11_step import UNMASK_STEP

CHECKS = [MASKED_LOSS, UNMASK_STEP, UNMASK_SAMPLE, DECODING_PLAN, D3PM_POSTERIOR]
