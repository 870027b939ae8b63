"""The variational bound of eps networks on test images, under each choice of the model's variance, and the loss they were trained with."""

from collections.abc import Callable

import torch
from torch import Tensor

from ...denoisers import EpsModel, Preconditioned
from ...elbo import bits_per_dim, posterior_log_variance, prior_kl, transition_term
from ...gaussian import diffuse, posterior_mean_variance, x0_from_eps
from ...losses import learned_log_variance
from ...noise import NoiseSource
from ...schedules import NoiseSchedule
from .study import Row

AT_ONCE = 2000  # images in one batch
FIXED: dict[str, Callable[[NoiseSchedule], Tensor]] = {
    "small": posterior_log_variance,  # beta-tilde_t
    "large": lambda schedule: schedule.betas.log(),
}


def eps_model(network: Preconditioned, labels: Tensor) -> EpsModel:
    """What a network that predicts eps, or eps and v, answers: (x_t, t) -> (B, C or 2C, ...).

    labels: (N,), of images that a batch holds once, or several times one after the other.
    """
    return lambda x_t, t: network.net(x_t, t.to(x_t), labels.repeat(len(x_t) // len(labels)))


@torch.no_grad()
def bounds(model: EpsModel, x0: Tensor, schedule: NoiseSchedule, noise: NoiseSource) -> Row:
    """The loss L_simple, and bits/dim of the whole bound for each variance, with their standard errors over the images.

    model: see `eps_model`; it is asked once for each t = 1..T, several t in a batch, with one draw of noise. x0: (N, *S), 8-bit
    pixels in [-1, 1]. Variances: "small", "large", and "learned" where the model answers v (Ho et al. 2020, section 3.2; Nichol
    & Dhariwal 2021, eq. 15). x_0's estimate is clipped to [-1, 1] in the bound, as it is in sampling, and not in the loss.
    """
    n, tables = len(x0), {name: table(schedule) for name, table in FIXED.items()}
    loss = torch.zeros(n, device=x0.device)
    nats: dict[str, Tensor] = {}
    for times in torch.arange(1, schedule.T + 1).split(max(1, AT_ONCE // n)):
        t, clean = times.repeat_interleave(n), torch.cat([x0] * len(times))
        eps = torch.cat([noise.like(x0) for _ in times])
        x_t = diffuse(clean, t, eps, schedule)
        answer = model(x_t, t.to(x0.device))
        predicted, v = answer[:, : x0.shape[1]], answer[:, x0.shape[1] :]
        loss += (predicted - eps).square().flatten(1).mean(1).view(-1, n).sum(0)
        x0_hat = x0_from_eps(x_t, t, predicted, schedule).clamp(-1, 1)
        mean, _ = posterior_mean_variance(x0_hat, x_t, t, schedule)
        logs = {name: schedule.take(table, t, x0_hat) for name, table in tables.items()}
        if v.shape == clean.shape:
            logs["learned"] = learned_log_variance(v, t, schedule)
        for name, log in logs.items():
            terms = _term(mean, log, clean, x_t, t, schedule).view(-1, n).sum(0)
            nats[name] = nats.get(name, prior_kl(x0, schedule)) + terms
    result = _with_error("loss", loss / schedule.T)
    for name, values in nats.items():
        result |= _with_error(f"bits per dim, {name}", bits_per_dim(values, x0[0].numel()))
    return result


def _term(
    mean: Tensor, log_variance: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, schedule: NoiseSchedule
) -> Tensor:
    return transition_term(lambda x, time: (mean, log_variance), x0, x_t, t, schedule)


def _with_error(name: str, values: Tensor) -> Row:
    values = values.double()
    error = values.std().item() / len(values) ** 0.5
    return {name: float(f"{values.mean().item():.6g}"), f"{name} standard error": float(f"{error:.3g}")}
