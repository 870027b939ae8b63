"""Samples of a network in training, from the same noise at every step: how they change is then the training's doing."""

from torch import nn

from ...denoisers import Preconditioned
from ...figures.grids import images
from ...figures.pictures import to_png
from ..config import Config
from ..drawing import draw_pictures, has_classes
from ..zoo import ready

COUNT = 40


def png(config: Config, net: nn.Module, step: int) -> bytes:
    """40 samples at guidance scale 1, of the classes in turn where there are any, as a picture. net: the config's, of a denoiser."""
    device = next(net.parameters()).device
    model = ready(net, config, device)
    assert isinstance(model, Preconditioned)
    told = ", the classes in turn" if has_classes(model) else ""
    return to_png(images(draw_pictures(model, COUNT, device=device), title=f"step {step:,}{told}"))
