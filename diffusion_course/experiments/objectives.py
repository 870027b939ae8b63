"""From a config to the loss that the training loop calls: (network, images, labels, generator) -> scalar.

Here stands what is drawn, and in which order: noise levels, noise, dropped labels. What is computed stands in `losses`.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from .. import losses, masked
from ..denoisers import Denoiser, EpsModel, Param, Preconditioned
from ..errors import check_number
from ..parametrisations import edm_param, flow_param
from ..schedules import NoiseSchedule
from ..shapes import check_labels, expand, moved
from . import net_parts, parts
from .config import Config
from .training import Loss

DrawSigma = Callable[[int, Generator], Tensor]
"""(batch size, generator) -> sigma (B,): the noise levels a network is trained on."""

EpsLoss = Callable[[EpsModel, Tensor, Tensor, Tensor, NoiseSchedule], Tensor]
"""(eps model, x0, t, eps, schedule) -> scalar, e.g. `losses.eps_loss`."""


def objective(config: Config) -> Loss:
    """The loss that a config describes: its loss, noise, parametrisation and label dropout."""
    share = config.label_dropout
    eps = isinstance(config.parametrisation, parts.EpsParam) and isinstance(config.noise, parts.ScheduleTimes)
    match config.loss:
        case parts.CrossEntropyLoss(shift=shift):
            return classifier_objective(shift, draw_sigma(config) if config.noise else None)
        case parts.MaskedLoss() if isinstance(config.net, net_parts.TokenTransformerShape):
            return masked_objective(config.net.states, share)
        case parts.HybridLoss(weight=weight):
            return eps_objective(config.noise_schedule, partial(losses.hybrid_loss, weight=weight), share)
        case parts.VlbLoss():
            if isinstance(config.net, net_parts.UNetShape) and config.net.learned_variance:
                return eps_objective(config.noise_schedule, _learned_bound, share)
            return bound_objective(config.param, config.noise_schedule, share)
        case parts.SimpleLoss() if eps:
            return eps_objective(config.noise_schedule, losses.eps_loss, share)
    return denoiser_objective(config.param, draw_sigma(config), weight_of(config), share)


def weight_of(config: Config) -> Callable[[Tensor], Tensor]:
    """The weight of the squared error of x_0 at sigma (B,), of a loss that is such an error."""
    match config.loss, config.parametrisation:
        case parts.EdmLoss(), parts.EdmParam(sigma_data=sigma_data):
            return losses.unit_weight(edm_param(sigma_data))
        case parts.FlowLoss(), _:
            return losses.unit_weight(flow_param())
        case parts.VLoss(), _:
            return losses.v_weight
        case parts.X0Loss(), _:
            return torch.ones_like
        case parts.MinSnrLoss(gamma=gamma), _:
            return losses.min_snr_weight(gamma)
        case parts.TruncatedSnrLoss(), _:
            return losses.truncated_snr_weight
        case parts.P2Loss(k=k, gamma=gamma), _:
            return losses.p2_weight(k, gamma)
    return losses.eps_weight


def draw_sigma(config: Config) -> DrawSigma:
    """The noise levels that a config trains on."""
    match config.noise:
        case parts.LogNormal(mean=mean, std=std) | parts.LogitNormal(mean=mean, std=std):
            return log_normal(mean, std)
        case parts.UniformTime(t_min=t_min, t_max=t_max):
            return uniform_time(t_min, t_max)
    schedule = config.noise_schedule
    return lambda n, generator: schedule.sigma(draw_t(schedule, n, generator))


def log_normal(mean: float, std: float) -> DrawSigma:
    """log sigma ~ N(mean, std^2), see `losses.log_normal`."""
    return lambda n, generator: losses.log_normal(torch.randn(n, generator=generator), mean, std)


def uniform_time(t_min: float, t_max: float) -> DrawSigma:
    """sigma = t / (1 - t) with t uniform in t_min..t_max, inside (0, 1) (Lipman et al. 2023)."""

    def draw(n: int, generator: Generator) -> Tensor:
        t = t_min + (t_max - t_min) * torch.rand(n, generator=generator, dtype=torch.float64)
        return t / (1 - t)

    return draw


def draw_t(schedule: NoiseSchedule, n: int, generator: Generator) -> Tensor:
    """t uniform in 1..T, (n,) (Ho et al. 2020, algorithm 1)."""
    return torch.randint(1, schedule.T + 1, (n,), generator=generator)


def eps_objective(
    schedule: NoiseSchedule, loss_of: EpsLoss = losses.eps_loss, label_dropout: float = 0.0
) -> Loss:
    """A loss of a network that sees (x_t, t) and predicts eps, at a uniform t."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        t = draw_t(schedule, len(x0), generator)
        eps, classes = _noise_and_classes(net, x0, labels, label_dropout, generator)
        return loss_of(lambda x_t, t: net(x_t, t.to(x0), classes), x0, t, eps, schedule)

    return loss


def bound_objective(param: Param, schedule: NoiseSchedule, label_dropout: float = 0.0) -> Loss:
    """The bound of a network of any parametrisation, with the posterior's variances."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        t = draw_t(schedule, len(x0), generator)
        eps, classes = _noise_and_classes(net, x0, labels, label_dropout, generator)
        transition = losses.fixed_transition(_denoiser(net, param, classes), schedule)
        return losses.bound_loss(transition, x0, t, eps, schedule)

    return loss


def denoiser_objective(
    param: Param, draw: DrawSigma, weight: Callable[[Tensor], Tensor], label_dropout: float = 0.0
) -> Loss:
    """The weighted squared error of x_0 at noise levels from `draw`, see `losses.denoising_loss`."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        sigma = moved(draw(len(x0), generator), x0.device).to(x0)
        eps, classes = _noise_and_classes(net, x0, labels, label_dropout, generator)
        return losses.denoising_loss(_denoiser(net, param, classes), x0, sigma, eps, weight)

    return loss


def classifier_objective(shift: int = 2, draw: DrawSigma | None = None) -> Loss:
    """Cross-entropy on images moved by up to `shift` pixels each way.

    draw: for a classifier that sees x_0 + sigma eps and sigma (Dhariwal & Nichol 2021, section 4.1).
    """

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        x0 = _moved(x0, shift, generator) if shift else x0
        if draw is None:
            return F.cross_entropy(net(x0), labels)
        sigma = moved(draw(len(x0), generator), x0.device).to(x0)
        eps = moved(torch.randn(x0.shape, generator=generator), x0.device).to(x0)
        return F.cross_entropy(net(x0 + expand(sigma, x0) * eps, sigma), labels)

    return loss


def masked_objective(K: int, label_dropout: float = 0.0) -> Loss:
    """The bound of masked diffusion, in nats per token, of a network of tokens with K states: even times, and a coin for each token."""

    def loss(net: nn.Module, x0: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        t = masked.even_times(len(x0), float(torch.rand((), generator=generator)))
        u = moved(torch.rand(x0.shape, generator=generator), x0.device)
        classes = drop_labels(labels, label_dropout, net, generator)
        model = net if classes is None else lambda x: net(x, classes)
        each = masked.loss(model, x0, t, u, K)
        return each.mean() / x0[0].numel()

    return loss


def drop_labels(labels: Tensor, share: float, net: nn.Module, generator: Generator) -> Tensor | None:
    """Replace a share of the labels by the network's "no label", so that one network learns p(x) and p(x | y).

    Returns None for a network without classes (Ho & Salimans 2021, algorithm 1). Raises CourseError for a share outside
    0..1, and for labels that the network has no class for: the one after the last would mean "no label".
    """
    check_number("label_dropout", share, lambda v: 0 <= v <= 1, "in 0..1")
    num_classes = getattr(net, "num_classes", 0)
    if num_classes == 0:
        return None
    if (
        labels.device.type == "cpu"
    ):  # elsewhere a look would wait for the device: `Trainer` has looked before the first step
        check_labels(labels, num_classes)
    dropped = torch.rand(len(labels), generator=generator) < share
    return torch.where(moved(dropped, labels.device), num_classes, labels)


def _noise_and_classes(
    net: nn.Module, x0: Tensor, labels: Tensor, label_dropout: float, generator: Generator
) -> tuple[Tensor, Tensor | None]:
    eps = moved(torch.randn(x0.shape, generator=generator), x0.device).to(x0)
    return eps, drop_labels(labels, label_dropout, net, generator)


def _denoiser(net: nn.Module, param: Param, classes: Tensor | None) -> Denoiser:
    D = Preconditioned(net, param)
    return lambda x, sigma: D(x, sigma, classes)


def _learned_bound(model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    return losses.bound_loss(losses.learned_transition(model, schedule), x0, t, eps, schedule)


def _moved(x: Tensor, shift: int, generator: Generator) -> Tensor:
    dy, dx = torch.randint(0, 2 * shift + 1, (2,), generator=generator).tolist()
    H, W = x.shape[-2:]
    padded = F.pad(x, (shift,) * 4, value=-1.0)
    return padded[..., dy : dy + H, dx : dx + W]
