"""Checks of chapter 08: two scores, the steps and samplers of the way back, the loss and the likelihood of a flow."""

from .ch08_bits import FLOW_BITS
from .ch08_corrector import PREDICTOR_CORRECTOR
from .ch08_denoiser import SCORE_FROM_DENOISER
from .ch08_loss import FLOW_LOSS
from .ch08_step import REVERSE_SDE_STEP
from .ch08_velocity import SCORE_FROM_VELOCITY

CHECKS = [
    SCORE_FROM_DENOISER,
    REVERSE_SDE_STEP,
    PREDICTOR_CORRECTOR,
    SCORE_FROM_VELOCITY,
    FLOW_LOSS,
    FLOW_BITS,
]
