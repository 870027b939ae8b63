"""Diffusion over K discrete states: D3PM (Austin et al. 2021), with integer pixels or tokens x in 0..K-1.

Everywhere x is an integer tensor (B, *S), t is an integer or (B,) in 1..T, rows of a transition matrix sum to one,
Q[t-1][i, j] = q(x_t = j | x_{t-1} = i) and Q_bar[t-1] = Q_1 Q_2 ... Q_t. Each pixel is corrupted on its own.
Probabilities are float64 of shape (B, *S, K); nothing is ever (B, *S, K, K). Bad input raises CourseError.

The authors' code for images (google-research/d3pm) has the same matrices, posterior, p_theta and loss terms, with
these differences. It counts t from 0. It adds 1e-6 inside its logarithms (for random logits at K = 256 that moves
p_theta of a pixel by up to 0.2) and we do not: our probabilities of impossible states are 0, and the prior term of
a chain that is not fully absorbed is infinite. Its last step takes the argmax and ours draws. Its terms are bits
per dimension, ours nats per sample. Its mask is state K // 2. Its Gaussian matrix follows the paper at K = 256 only
(see `gaussian`). It can cut a matrix to a band; we cannot.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .elbo import VLBTerms
from .errors import CourseError, check_integer
from .noise import NoiseSource
from .shapes import append_dims, per_sample
from .transitions import Process, absorbing, draw, gaussian, uniform

__all__ = [
    "Model",
    "Process",
    "absorbing",
    "absorbing_betas",
    "as_mixture",
    "categorical_kl",
    "cosine_betas",
    "dataset_model",
    "draw",
    "gaussian",
    "hybrid_loss",
    "prior_kl",
    "sample",
    "states",
    "uniform",
    "vlb_term",
    "vlb_terms",
]

TINY = torch.finfo(torch.float64).tiny

Model = Callable[[Tensor, Tensor], Tensor]
"""logits(x_t, t) of x_0: x_t (B, *S) int64, t (B,) int64 in 1..T -> (B, *S, K), normalised by softmax."""


def cosine_betas(T: int, s: float = 0.008, max_beta: float = 0.999) -> Tensor:
    """Betas for `uniform`, (T,), float64: alpha_bar_t = cos((t/T + s) / (1 + s) * pi / 2) up to a factor (Hoogeboom et al. 2021).

    The cosine is not squared, unlike in `schedules.cosine`: here alpha_bar is a probability, there a variance.
    """
    check_integer("T", T, 1)
    steps = torch.arange(T + 1, dtype=torch.float64) / T
    alpha_bar = torch.cos((steps + s) / (1 + s) * math.pi / 2)
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=max_beta)


def absorbing_betas(T: int) -> Tensor:
    """beta_t = 1 / (T - t + 1), (T,), float64: a share t / T is absorbed at t, all at T (Sohl-Dickstein et al. 2015)."""
    check_integer("T", T, 1)
    return 1 / torch.arange(T, 0, -1, dtype=torch.float64)


def categorical_kl(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) over the last axis, in nats; infinite where q has no mass and p has. p must not need a gradient."""
    q = torch.where(p > 0, q, 1.0)  # else the gradient of 0 log 0 is NaN
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def prior_kl(x0: Tensor, process: Process) -> Tensor:
    """L_T = KL(q(x_T | x_0) || stationary) of each sample, (B,), in nats. Infinite if an absorbing chain is not done at T."""
    q = process.marginal(x0, process.T)
    return per_sample(categorical_kl(q, process.stationary.to(q)))


def vlb_term(x0: Tensor, x_t: Tensor, logits: Tensor, t: int | Tensor, process: Process) -> Tensor:
    """L_{t-1} = KL(q(x_{t-1} | x_t, x_0) || p_theta(x_{t-1} | x_t)) of each sample, (B,), in nats.

    At t = 1 the posterior is certain of x_0, so that the same KL is the decoder's term -log p(x_0 | x_1).
    """
    return per_sample(categorical_kl(process.posterior(x_t, x0, t), process.reverse(x_t, logits, t)))


@torch.no_grad()
def vlb_terms(model: Model, x0: Tensor, process: Process, noise: NoiseSource) -> VLBTerms:
    """Every term of the bound (Austin et al. 2021, eq. 1), with one draw of x_t for each t and sample: unbiased."""
    terms = []
    for t in range(1, process.T + 1):
        x_t = process.diffuse(x0, t, noise)
        terms.append(vlb_term(x0, x_t, _logits(model, x_t, t, process), t, process))
    decoder, *kl = terms
    return VLBTerms(
        prior_kl(x0, process), torch.stack(kl, 1) if kl else decoder.new_zeros(len(x0), 0), decoder
    )


def hybrid_loss(
    model: Model, x0: Tensor, t: Tensor, noise: NoiseSource, process: Process, weight: float = 0.001
) -> Tensor:
    """L_{t-1} + weight * (-log p(x_0 | x_t)), a scalar: mean over batch and pixels, in nats (Austin et al. 2021, eq. 5).

    x0: (B, *S) states; t: (B,) in 1..T. weight: the paper's lambda, 0.001 for images and 0.01 for masked text; 0 trains on the
    bound alone. For t uniform in 1..T, T times the first term is an unbiased estimate of the bound less its prior.
    """
    x_t = process.diffuse(x0, t, noise)
    logits = _logits(model, x_t, t, process)
    cross_entropy = -logits.double().log_softmax(-1).gather(-1, x0.long().unsqueeze(-1))
    return vlb_term(x0, x_t, logits, t, process).sum() / x0.numel() + weight * cross_entropy.mean()


@torch.no_grad()
def states(
    model: Model,
    x: Tensor,
    process: Process,
    noise: NoiseSource,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Iterator[Tensor]:
    """Ancestral sampling: yield x_T = x, then x_{T-1}, ..., x_0, each (B, *S). Draws from the noise once a step.

    x: (B, *S), from `process.prior`. progress: wraps the iterable of t = T..1, e.g. tqdm.
    """
    yield x
    for t in progress(range(process.T, 0, -1)):
        logits = _logits(model, x, t, process)
        if bool(logits.isnan().any()):
            raise CourseError(f"sampling: NaN in the model's logits at t = {t}")
        x = draw(process.reverse(x, logits, t), noise)
        yield x


def sample(
    model: Model,
    x: Tensor,
    process: Process,
    noise: NoiseSource,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Tensor:
    """Samples (B, *S): the last of `states`, which see for the arguments."""
    for state in states(model, x, process, noise, progress):
        last = state
    return last


def as_mixture(model: Model, process: Process) -> Model:
    """A model whose reverse step is the mixture sum_k q(x_{t-1} | x_t, x_0 = k) p(x_0 = k | x_t) of the given model's p.

    It subtracts log q(x_t | x_0), since q(x_{t-1} | x_t, x_0) = q(x_{t-1}, x_t | x_0) / q(x_t | x_0). For a model of
    the true p(x_0 | x_t), such as `dataset_model` or one trained by cross-entropy; not for one trained on the bound.
    """

    def mixed(x_t: Tensor, t: Tensor) -> Tensor:
        log_p = model(x_t, t).double().log_softmax(-1)
        q = process.likelihood(x_t, t)
        # The floor leaves x_0 = x_t possible when the model rules out every x_0 that x_t can come from.
        tilted = torch.where(q > 0, log_p.clamp(min=-690) - q.clamp(min=TINY).log(), -math.inf)
        return torch.where(append_dims(torch.as_tensor(t) == 1, log_p), log_p, tilted)

    return mixed


def dataset_model(data: Tensor, process: Process) -> Model:
    """The exact p(x_0 | x_t), pixel by pixel, when x_0 is one of N equally likely points: data (N, *S) states."""
    points = one_hot(process.check("data", data), process.K).flatten(1).double()  # (N, pixels K)

    def model(x_t: Tensor, t: Tensor) -> Tensor:
        q = process.likelihood(x_t, t)
        log_q = q.clamp(min=TINY).log().flatten(1)
        weights = (log_q @ points.T.to(log_q)).softmax(1)  # (B, N)
        return (weights @ points.to(log_q)).reshape(q.shape).log()

    return model


def _logits(model: Model, x_t: Tensor, t: int | Tensor, process: Process) -> Tensor:
    times = torch.as_tensor(t, device=x_t.device).expand(len(x_t))
    logits = model(x_t, times)
    if tuple(logits.shape) != (*x_t.shape, process.K):
        raise CourseError(
            f"model: returned shape {tuple(logits.shape)}, want (B, *S, K) = {(*x_t.shape, process.K)}"
        )
    return logits
