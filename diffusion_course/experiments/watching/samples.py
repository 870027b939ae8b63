"""Samples of a network in training, from the same noise at every step: how they change is then the training's doing."""

from torch import nn

from ...denoisers import Preconditioned
from ...figures.grids import images
from ...figures.pictures import to_png
from ...guidance import clip
from ...noise import Noise
from ...samplers import euler, sample
from ...schedules import karras
from ..config import Config
from ..drawing import draw
from ..models import finished

COUNT = 40


def png(config: Config, net: nn.Module) -> bytes:
    """40 samples at guidance scale 1, of the classes in turn where there are any, as a picture. net: the config's, of a denoiser."""
    model = finished(net, config)
    assert isinstance(model, Preconditioned)
    device = next(net.parameters()).device
    if getattr(net, "num_classes", 0):
        return to_png(images(draw(model, COUNT, device=device).images, title=""))
    grid = karras(30)
    start = Noise(0).randn(COUNT, config.net.channels, config.net.image_size, config.net.image_size)
    return to_png(images(sample(clip(model), grid[0] * start.to(device), grid, euler).clamp(-1, 1), title=""))
