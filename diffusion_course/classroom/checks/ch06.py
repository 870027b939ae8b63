"""Checks of chapter 06: guidance by a classifier, label dropout, guidance without a classifier."""

from .ch06_cfg import CFG
from .ch06_classifier import CLASSIFIER_GUIDANCE
from .ch06_labels import DROP_LABELS

CHECKS = [CLASSIFIER_GUIDANCE, DROP_LABELS, CFG]
