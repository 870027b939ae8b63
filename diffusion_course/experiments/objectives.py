"""From a config to the objective that the training loop calls: (network, images, labels, generator) -> scalar.

Here stands what is drawn, and in which order: noise levels, noise, dropped labels. What is computed stands in `losses`.
Both stand apart: what is drawn for a whole batch, on the CPU, can be computed in pieces, and the pieces in several processes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from .. import losses, masked
from ..denoisers import Denoiser, EpsModel, Param, Preconditioned
from ..errors import CourseError, check_number
from ..nets.autoencoder import Autoencoder
from ..nets.text_encoder import NOTHING
from ..parametrisations import edm_param, flow_param
from ..schedules import NoiseSchedule
from ..shapes import expand, moved
from . import net_parts, parts
from .config import Config

DrawSigma = Callable[[int, Generator], Tensor]
"""(batch size, generator) -> sigma (B,): the noise levels a network is trained on."""

Drawn = tuple[Tensor | None, ...]
"""What an objective draws for a batch: each (B, ...), on the CPU, or None."""
Draw = Callable[[nn.Module, torch.Size, Tensor, Generator], Drawn]
"""(network, shape of the images (B, *S), labels (B,), generator) -> what is drawn."""

EpsLoss = Callable[[EpsModel, Tensor, Tensor, Tensor, NoiseSchedule], Tensor]
"""(eps model, x0, t, eps, schedule) -> scalar, e.g. `losses.eps_loss`."""


@dataclass(frozen=True)
class Objective:
    """A loss whose random part stands apart: `value(net, images, labels, *draw(net, images.shape, labels, generator))`.

    splits: the value is a mean over rows, so that of a batch is the mean of its pieces', weighted by their lengths. Where rows are
    compared with each other it is not.
    """

    draw: Draw
    value: Callable[..., Tensor]
    splits: bool = True

    def __call__(self, net: nn.Module, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        """The loss of a whole batch, images (B, *S) and labels (B,): a scalar."""
        return self.value(net, images, labels, *self.draw(net, images.shape, labels, generator))


def objective(config: Config) -> Objective:
    """The loss that a config describes: its loss, noise, parametrisation and label dropout."""
    if isinstance(config.net, net_parts.Reading):
        from . import text_objectives  # they are made of those of this module

        return text_objectives.objective(config)
    return labelled_objective(config)


def labelled_objective(config: Config) -> Objective:
    """The same, of a network that is told labels."""
    share = config.label_dropout
    eps = isinstance(config.parametrisation, parts.EpsParam) and isinstance(config.noise, parts.ScheduleTimes)
    match config.loss:
        case parts.CrossEntropyLoss(shift=shift):
            return classifier_objective(shift, draw_sigma(config) if config.noise else None)
        case parts.ReconstructionLoss(beta=beta):
            return autoencoder_objective(beta)
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
) -> Objective:
    """The loss of a network that sees (x_t, t) and predicts eps, at a uniform t."""

    def value(net: nn.Module, x0: Tensor, labels: Tensor, t: Tensor, eps: Tensor, y: Tensor | None) -> Tensor:
        eps, classes = beside(x0, eps), _classes(y, x0)
        return loss_of(lambda x_t, t: net(x_t, beside(x0, t), classes), x0, t, eps, schedule)

    return Objective(_drawn(partial(draw_t, schedule), label_dropout), value)


def bound_objective(param: Param, schedule: NoiseSchedule, label_dropout: float = 0.0) -> Objective:
    """The bound of a network of any parametrisation, with the posterior's variances."""

    def value(net: nn.Module, x0: Tensor, labels: Tensor, t: Tensor, eps: Tensor, y: Tensor | None) -> Tensor:
        transition = losses.fixed_transition(_denoiser(net, param, _classes(y, x0)), schedule)
        return losses.bound_loss(transition, x0, t, beside(x0, eps), schedule)

    return Objective(_drawn(partial(draw_t, schedule), label_dropout), value)


def denoiser_objective(
    param: Param, draw: DrawSigma, weight: Callable[[Tensor], Tensor], label_dropout: float = 0.0
) -> Objective:
    """The weighted squared error of x_0 at noise levels from `draw`, see `losses.denoising_loss`."""

    def value(
        net: nn.Module, x0: Tensor, labels: Tensor, sigma: Tensor, eps: Tensor, y: Tensor | None
    ) -> Tensor:
        D = _denoiser(net, param, _classes(y, x0))
        # Noise levels stay on the CPU, where a look at them waits for nothing; what is made of them is sent.
        return losses.denoising_loss(D, x0, sigma.to(x0.dtype), beside(x0, eps), weight)

    return Objective(_drawn(draw, label_dropout), value)


def classifier_objective(shift: int = 2, draw: DrawSigma | None = None) -> Objective:
    """Cross-entropy on images moved by up to `shift` pixels each way, all of a batch by the same.

    draw: for a classifier that sees x_0 + sigma eps and sigma (Dhariwal & Nichol 2021, section 4.1).
    """

    def drawn(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        place = None
        if shift:
            place = torch.randint(0, 2 * shift + 1, (2,), generator=generator).expand(shape[0], 2)
        if draw is None:
            return place, None, None
        return place, draw(shape[0], generator), torch.randn(shape, generator=generator)

    def value(
        net: nn.Module,
        x0: Tensor,
        labels: Tensor,
        place: Tensor | None,
        sigma: Tensor | None,
        eps: Tensor | None,
    ) -> Tensor:
        x0 = x0 if place is None else _moved(x0, shift, place)
        if sigma is None or eps is None:
            return F.cross_entropy(net(x0), labels)
        sigma = beside(x0, sigma)
        return F.cross_entropy(net(x0 + expand(sigma, x0) * beside(x0, eps), sigma), labels)

    return Objective(drawn, value)


def autoencoder_objective(beta: float) -> Objective:
    """The loss of an autoencoder, see `losses.autoencoder_loss`. beta = 0: a plain one, whose latent is the mean alone."""

    def drawn(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        if beta == 0:
            return (None,)
        coder = cast(Autoencoder, net)
        side = coder.latent_size
        return (torch.randn(shape[0], coder.latent_channels, side, side, generator=generator),)

    def value(net: nn.Module, x0: Tensor, labels: Tensor, eps: Tensor | None) -> Tensor:
        decoded, mean, log_variance = net(x0) if eps is None else net(x0, beside(x0, eps))
        return losses.autoencoder_loss(x0, decoded, mean, log_variance, beta)

    return Objective(drawn, value)


def masked_objective(K: int, label_dropout: float = 0.0) -> Objective:
    """The bound of masked diffusion, in nats per token, of a network of tokens with K states: even times, and a coin for each token."""

    def drawn(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        t = masked.even_times(shape[0], float(torch.rand((), generator=generator)))
        u = torch.rand(shape, generator=generator)
        return t, u, drop_labels(labels, label_dropout, net, generator)

    def value(net: nn.Module, x0: Tensor, labels: Tensor, t: Tensor, u: Tensor, y: Tensor | None) -> Tensor:
        classes = _classes(y, x0)
        model = net if classes is None else lambda x: net(x, classes)
        return masked.loss(model, x0, t, moved(u, x0.device), K).mean() / x0[0].numel()

    return Objective(drawn, value)


def drop_labels(labels: Tensor, share: float, net: nn.Module, generator: Generator) -> Tensor | None:
    """Replace a share of the labels by the network's "no label", so that one network learns p(x) and p(x | y).

    Returns None for a network without classes (Ho & Salimans 2021, algorithm 1). Raises CourseError for a share outside
    0..1, and for labels that the network has no class for: the one after the last would mean "no label".
    Labels (B, L) are tokens of captions, and "no label" is the empty one.
    """
    check_number("label_dropout", share, lambda v: 0 <= v <= 1, "in 0..1")
    if labels.ndim == 2:
        kept = torch.rand(len(labels), generator=generator) >= share
        return labels.where(kept[:, None], NOTHING)
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


def _drawn(levels: Callable[[int, Generator], Tensor], label_dropout: float) -> Draw:
    """What a denoiser's loss draws: noise levels (B,), noise (B, *S), and the labels (B,) that are left, None without classes."""

    def draw(net: nn.Module, shape: torch.Size, labels: Tensor, generator: Generator) -> Drawn:
        level = levels(shape[0], generator)
        eps = torch.randn(shape, generator=generator)
        return level, eps, drop_labels(labels, label_dropout, net, generator)

    return draw


def beside(x: Tensor, drawn: Tensor) -> Tensor:
    """What was drawn on the CPU, in x's dtype on its device."""
    return moved(drawn, x.device).to(x)


def _classes(labels: Tensor | None, x: Tensor) -> Tensor | None:
    return labels if labels is None else moved(labels, x.device)


def _denoiser(net: nn.Module, param: Param, classes: Tensor | None) -> Denoiser:
    D = Preconditioned(net, param)
    return lambda x, sigma: D(x, sigma, classes)


def _learned_bound(model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    return losses.bound_loss(losses.learned_transition(model, schedule), x0, t, eps, schedule)


def _moved(x: Tensor, shift: int, place: Tensor) -> Tensor:
    """place: (B, 2), the same for all, each in 0..2 shift."""
    dy, dx = place[0].tolist()
    H, W = x.shape[-2:]
    padded = F.pad(x, (shift,) * 4, value=-1.0)
    return padded[..., dy : dy + H, dx : dx + W]
