"""Checks of chapter 06: guidance by a classifier, label dropout and the loss with it, guidance without a classifier, a scale to design."""

from .ch06_cfg import CFG
from .ch06_classifier import CLASSIFIER_GUIDANCE
from .ch06_labels import DROP_LABELS
from .ch06_loss import CONDITIONAL_LOSS
from .ch06_scales import GUIDANCE_SCALES

CHECKS = [CLASSIFIER_GUIDANCE, DROP_LABELS, CONDITIONAL_LOSS, CFG, GUIDANCE_SCALES]
