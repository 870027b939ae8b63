"""Checks of chapter 13: caption dropout, what the text helps, CLIP's gradient, LoRA from its first step on, a control block."""

from .ch13_clip import CLIP_GUIDANCE_GRADIENT
from .ch13_control import CONTROL_BLOCK
from .ch13_dropout import CAPTION_DROPOUT
from .ch13_help import TEXT_HELP
from .ch13_lora import LORA

CHECKS = [CAPTION_DROPOUT, TEXT_HELP, CLIP_GUIDANCE_GRADIENT, LORA, CONTROL_BLOCK]
