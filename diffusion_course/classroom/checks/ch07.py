"""Checks of chapter 07: the DDIM step and its loop, sub-sequences of times, and interpolation on the sphere."""

from .ch07_ddim import DDIM_STEP
from .ch07_faults import NAME_FAULTS
from .ch07_is_right import IS_RIGHT
from .ch07_sample import DDIM_SAMPLE
from .ch07_slerp import SLERP
from .ch07_times import SUBSEQUENCE

CHECKS = [DDIM_STEP, DDIM_SAMPLE, IS_RIGHT, SUBSEQUENCE, NAME_FAULTS, SLERP]
