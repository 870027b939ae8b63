"""The losses that the training loop calls: (network, images, labels, generator) -> scalar."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ..denoisers import Param, Preconditioned
from ..errors import CourseError, check_number
from ..gaussian import diffuse
from ..losses import denoising_loss, unit_weight
from ..schedules import NoiseSchedule
from ..shapes import expand
from .training import Loss

DrawSigma = Callable[[int, Generator], Tensor]
"""(batch size, generator) -> sigma (B,): the noise levels a network is trained on."""


def simple_objective(schedule: NoiseSchedule, label_dropout: float = 0.0) -> Loss:
    """L_simple: predict eps at a uniform t in 1..T (Ho et al. 2020, algorithm 1). The network sees (x_t, t)."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        t = torch.randint(1, schedule.T + 1, (len(x0),), generator=generator)
        eps = torch.randn(x0.shape, generator=generator).to(x0)
        classes = drop_labels(labels, label_dropout, net, generator)
        x_t = diffuse(x0, t, eps, schedule)
        return F.mse_loss(net(x_t, t.to(x0), classes), eps)

    return loss


def denoiser_objective(param: Param, draw_sigma: DrawSigma, label_dropout: float = 0.0) -> Loss:
    """Squared error of the network's output under `param`, at noise levels from `draw_sigma`."""
    weight = unit_weight(param)

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        sigma = draw_sigma(len(x0), generator).to(x0)
        eps = torch.randn(x0.shape, generator=generator).to(x0)
        classes = drop_labels(labels, label_dropout, net, generator)
        D = Preconditioned(net, param)
        return denoising_loss(lambda x, s: D(x, s, classes), x0, sigma, eps, weight)

    return loss


def classifier_objective(shift: int = 2) -> Loss:
    """Cross-entropy on images moved by up to `shift` pixels each way."""

    def loss(net: nn.Module, x: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        dy, dx = torch.randint(0, 2 * shift + 1, (2,), generator=generator).tolist()
        H, W = x.shape[-2:]
        padded = F.pad(x, (shift,) * 4, value=-1.0)
        return F.cross_entropy(net(padded[..., dy : dy + H, dx : dx + W]), labels)

    return loss


def noisy_classifier_objective(draw_sigma: DrawSigma) -> Loss:
    """Cross-entropy of a classifier that sees x_0 + sigma eps and sigma (Dhariwal & Nichol 2021, section 4.1)."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        sigma = draw_sigma(len(x0), generator).to(x0)
        eps = torch.randn(x0.shape, generator=generator).to(x0)
        return F.cross_entropy(net(x0 + expand(sigma, x0) * eps, sigma), labels)

    return loss


def log_normal(mean: float, std: float) -> DrawSigma:
    """log sigma ~ N(mean, std^2) (Karras et al. 2022, table 1).

    On the straight path sigma = t / (1 - t), so that this is a logit-normal t (Esser et al. 2024).
    """

    def draw(n: int, generator: Generator) -> Tensor:
        return (mean + std * torch.randn(n, generator=generator)).exp()

    return draw


def drop_labels(labels: Tensor, share: float, net: nn.Module, generator: Generator) -> Tensor | None:
    """Replace a share of the labels by the network's "no label", so that one network learns p(x) and p(x | y).

    Returns None for a network without classes (Ho & Salimans 2021, algorithm 1). Raises CourseError for a share outside
    0..1, and for labels that the network has no class for: the one after the last would mean "no label".
    """
    check_number("label_dropout", share, lambda v: 0 <= v <= 1, "in 0..1")
    num_classes = getattr(net, "num_classes", 0)
    if num_classes == 0:
        return None
    low, high = (int(v) for v in labels.aminmax())
    if low < 0 or high >= num_classes:
        raise CourseError(
            f"labels: got {low}..{high}, want 0..{num_classes - 1}: the network has num_classes={num_classes}"
        )
    dropped = torch.rand(len(labels), generator=generator).to(labels.device) < share
    return torch.where(dropped, num_classes, labels)
