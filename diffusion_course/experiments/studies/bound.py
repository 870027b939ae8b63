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

FIXED: dict[str, Callable[[NoiseSchedule], Tensor]] = {
    "small": posterior_log_variance,  # beta-tilde_t
    "large": lambda schedule: schedule.betas.log(),
}


def eps_model(network: Preconditioned, labels: Tensor) -> EpsModel:
    """What a network that predicts eps, or eps and v, answers: (x_t, t) -> (B, C or 2C, ...). labels: (B,)."""
    return lambda x_t, t: network.net(x_t, t.to(x_t), labels)


@torch.no_grad()
def bounds(model: EpsModel, x0: Tensor, schedule: NoiseSchedule, noise: NoiseSource) -> Row:
    """The loss L_simple, and bits/dim of the whole bound for each variance, with their standard errors over the images.

    model: see `eps_model`; it is asked once for each t = 1..T, with one draw of noise. x0: (B, *S), 8-bit pixels in [-1, 1].
    Variances: "small", "large", and "learned" where the model answers v (Ho et al. 2020, section 3.2; Nichol & Dhariwal
    2021, eq. 15). x_0's estimate is clipped to [-1, 1] in the bound, as it is in sampling, and not in the loss.
    """
    nats = {name: prior_kl(x0, schedule) for name in (*FIXED, "learned")}
    loss = torch.zeros(len(x0), device=x0.device)
    learned = False
    for step in range(1, schedule.T + 1):
        t, eps = torch.full((len(x0),), step), noise.like(x0)
        x_t = diffuse(x0, step, eps, schedule)
        answer = model(x_t, t.to(x0.device))
        predicted, v = answer[:, : x0.shape[1]], answer[:, x0.shape[1] :]
        loss += (predicted - eps).square().flatten(1).mean(1)
        x0_hat = x0_from_eps(x_t, step, predicted, schedule).clamp(-1, 1)
        mean, _ = posterior_mean_variance(x0_hat, x_t, step, schedule)
        logs = {name: schedule.take(table(schedule), step, x0) for name, table in FIXED.items()}
        learned = v.shape == x0.shape
        if learned:
            logs["learned"] = learned_log_variance(v, step, schedule)
        for name, log in logs.items():
            nats[name] = nats[name] + _term(mean, log, x0, x_t, t, schedule)
    result = _with_error("loss", loss / schedule.T)
    for name in (*FIXED, *(["learned"] if learned else [])):
        result |= _with_error(f"bits per dim, {name}", bits_per_dim(nats[name], x0[0].numel()))
    return result


def _term(
    mean: Tensor, log_variance: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, schedule: NoiseSchedule
) -> Tensor:
    return transition_term(lambda x, time: (mean, log_variance), x0, x_t, t, schedule)


def _with_error(name: str, values: Tensor) -> Row:
    values = values.double()
    error = values.std().item() / len(values) ** 0.5
    return {name: float(f"{values.mean().item():.6g}"), f"{name} standard error": float(f"{error:.3g}")}
