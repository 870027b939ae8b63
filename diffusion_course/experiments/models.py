"""From a config to its network, and from a trained network to what users call. No loss is built here: a checkpoint needs none."""

from dataclasses import fields

from torch import nn

from ..denoisers import Preconditioned
from ..errors import CourseError
from ..texted import Texted
from . import net_parts
from .config import Config


def network(config: Config) -> nn.Module:
    """A fresh network. Raises CourseError for sizes that do not divide, and for one that cannot be made."""
    shape = config.net
    try:
        return shape.network(**{one.name: getattr(shape, one.name) for one in fields(shape)})
    except CourseError as error:
        raise CourseError(f"net: {error}") from None
    except (MemoryError, RuntimeError) as error:
        raise CourseError(f"net: cannot be made ({str(error).splitlines()[0][:120]})") from None


def finished(net: nn.Module, config: Config) -> nn.Module:
    """A denoiser, of a network with a parametrisation; any other is what it is."""
    if isinstance(config.net, net_parts.TextUNetShape):
        return Texted(net, config.param)
    return Preconditioned(net, config.param) if isinstance(config.net, net_parts.Denoising) else net
