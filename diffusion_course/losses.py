"""What a network is trained on. Every loss is a mean over batch and dimensions, so its scale does not depend on them."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .denoisers import Denoiser, EpsModel, Param, edm_param, halves
from .elbo import Transition, bits_per_dim, kl_term, normal_kl, posterior_log_variance, transition_term
from .errors import CourseError, shown
from .gaussian import diffuse, posterior_mean_variance, to_ve, x0_from_eps
from .parametrisations import P_MEAN, P_STD, SIGMA_DATA
from .schedules import NoiseSchedule
from .shapes import at_least_single, expand, number, same, squared_error


def eps_loss(
    eps_model: EpsModel,
    x0: Tensor,
    t: Tensor,
    eps: Tensor,
    schedule: NoiseSchedule,
    weight: Tensor | None = None,
) -> Tensor:
    """L_simple = mean ||eps - eps_theta(x_t, t)||^2 (Ho et al. 2020, eq. 14), a scalar.

    x0, eps: (B, *S); t: (B,) in 1..T. weight: a number for each t, shape (T,), e.g. `bound_weights`; None is 1.
    Raises CourseError when the model's answer, or weight, has another shape.
    """
    if weight is not None and (not isinstance(weight, Tensor) or weight.shape != (schedule.T,)):
        got = tuple(weight.shape) if isinstance(weight, Tensor) else shown(weight)
        raise CourseError(f"weight: got {got}, want a tensor with a number for each t, shape ({schedule.T},)")
    predicted = eps_model(diffuse(x0, t, eps, schedule), t)
    same("eps", eps, "eps_model(x_t, t)", predicted)
    error = squared_error(eps, predicted)
    return error.mean() if weight is None else (schedule.take(weight, t, error) * error).mean()


def bound_weights(schedule: NoiseSchedule, variance: Tensor) -> Tensor:
    """beta_t^2 / (2 variance_t alpha_t (1 - alpha_bar_t)): what L_simple leaves out (Ho et al. 2020, eq. 12), shape (T,).

    With it `eps_loss` is L_{t-1} in nats per dimension, up to a constant, for a model whose variances are fixed: variance is
    (T,), `schedule.betas` or `elbo.posterior_log_variance(schedule).exp()`. The weight is large at small t.
    """
    s = schedule
    return s.betas**2 / (2 * variance * s.alphas * s.one_minus_alpha_bar)


def denoising_loss(
    D: Denoiser,
    x0: Tensor,
    sigma: Tensor | float,
    eps: Tensor,
    weight: Callable[[Tensor], Tensor] = torch.ones_like,
) -> Tensor:
    """mean weight(sigma) ||D(x_0 + sigma eps, sigma) - x_0||^2 (Karras et al. 2022, eq. 2), a scalar.

    x0, eps: (B, *S); sigma: () or (B,). Common weights stand below: `eps_weight` is L_simple; `unit_weight(param)` is the
    plain squared error of the network's own output. Raises CourseError when D's answer has another shape, and for a weight
    that is no function of sigma.
    """
    same("x0", x0, "eps", eps)
    if not callable(weight):
        raise CourseError(f"weight: got {shown(weight)}, want a function of sigma, such as eps_weight")
    sigma = number(sigma)
    x0_hat = D(x0 + expand(sigma, x0) * eps, sigma)
    same("x0", x0, "D(x, sigma)", x0_hat)
    error = squared_error(x0_hat, x0)
    return (expand(weight(at_least_single(sigma)), error, "weight(sigma)") * error).mean()


def unit_weight(param: Param) -> Callable[[Tensor], Tensor]:
    """1 / c_out(sigma)^2: with it, `denoising_loss` is the squared error of F in D = c_skip x + c_out F."""
    return lambda sigma: 1 / param.c_out(sigma) ** 2


def eps_weight(sigma: Tensor) -> Tensor:
    """SNR = 1 / sigma^2: with it, `denoising_loss` is the squared error of the implied eps."""
    return 1 / sigma**2


def v_weight(sigma: Tensor) -> Tensor:
    """SNR + 1: with it, `denoising_loss` is the squared error of the implied v (Salimans & Ho 2022, section 4)."""
    return 1 + 1 / sigma**2


def truncated_snr_weight(sigma: Tensor) -> Tensor:
    """max(SNR, 1): the squared error of x_0 or of eps, whichever is larger (Salimans & Ho 2022, section 4)."""
    return (1 / sigma**2).clamp(min=1)


def min_snr_weight(gamma: float = 5.0) -> Callable[[Tensor], Tensor]:
    """min(SNR, gamma): keeps easy, almost clean images from ruling the training (Hang et al. 2023, section 3.4)."""
    return lambda sigma: (1 / sigma**2).clamp(max=gamma)


def p2_weight(k: float = 1.0, gamma: float = 1.0) -> Callable[[Tensor], Tensor]:
    """SNR / (k + SNR)^gamma: L_simple with less of its weight on almost clean images (Choi et al. 2022, eq. 8)."""
    return lambda sigma: 1 / sigma**2 / (k + 1 / sigma**2) ** gamma


def edm_loss(
    D: Denoiser,
    x0: Tensor,
    z: Tensor,
    eps: Tensor,
    p_mean: float = P_MEAN,
    p_std: float = P_STD,
    sigma_data: float = SIGMA_DATA,
) -> Tensor:
    """The training loss of Karras et al. 2022 (table 1, section 5), a scalar: `denoising_loss` at log-normal sigma.

    x0, eps: (B, *S); z: (B,) standard normal, sigma = `log_normal(z, p_mean, p_std)`. The weight
    (sigma^2 + sigma_data^2) / (sigma sigma_data)^2 is the `unit_weight` of `edm_param(sigma_data)`.
    """
    return denoising_loss(D, x0, log_normal(z, p_mean, p_std), eps, unit_weight(edm_param(sigma_data)))


def log_normal(z: Tensor, mean: float, std: float) -> Tensor:
    """exp(mean + std z), noise levels sigma (B,) from standard normal z (B,) (Karras et al. 2022, table 1).

    On the straight path sigma = t / (1 - t), so that this is a logit-normal t (Esser et al. 2024).
    """
    return (mean + std * z).exp()


def vlb_loss(D: Denoiser, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """(T - 1) L_{t-1} in nats per sample, a scalar: for t uniform in 2..T an unbiased estimate of sum_t L_{t-1}.

    x0, eps: (B, *S); t: (B,) in 2..T.
    """
    sigma = schedule.sigma(t)
    x0_hat = D(x0 + expand(sigma, x0) * eps, sigma)
    return (schedule.T - 1) * kl_term(x0, x0_hat, t, schedule).mean()


def bound_loss(transition: Transition, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule) -> Tensor:
    """T L_{t-1} in bits per dimension, a scalar: for t uniform in 1..T an unbiased estimate of L_VLB without its constant L_T.

    transition: p(x_{t-1} | x_t), of `learned_transition` or `fixed_transition`. x0, eps: (B, *S), x0 8-bit pixels in [-1, 1];
    t: (B,) in 1..T. At t = 1 the term is the decoder's (Nichol & Dhariwal 2021, eqs. 4-7).
    """
    nats = transition_term(transition, x0, diffuse(x0, t, eps, schedule), t, schedule)
    return schedule.T * bits_per_dim(nats, x0[0].numel()).mean()


def fixed_transition(D: Denoiser, schedule: NoiseSchedule) -> Transition:
    """p(x_{t-1} | x_t) of a denoiser: the posterior at its x_0, with the posterior's variance (Ho et al. 2020, eqs. 6-7)."""

    def transition(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        sigma = schedule.sigma(t)
        mean, _ = posterior_mean_variance(D(to_ve(x_t, sigma), sigma), x_t, t, schedule)
        return mean, schedule.take(posterior_log_variance(schedule), t, x_t)

    return transition


def learned_log_variance(v: Tensor, t: int | Tensor, schedule: NoiseSchedule) -> Tensor:
    """log Sigma(x_t, t) = f log beta_t + (1 - f) log beta-tilde_t with f = (v + 1) / 2 (Nichol & Dhariwal 2021, eq. 15).

    v: (B, *S), the network's answer, -1 for beta-tilde and 1 for beta; the range is not enforced. t: () or (B,).
    beta-tilde_1 = 0 has no logarithm: t = 1 takes the value of t = 2, as in the authors' code. Returns v's shape.
    """
    share = (v + 1) / 2
    large = schedule.take(schedule.betas.log(), t, v)
    small = schedule.take(posterior_log_variance(schedule), t, v)
    return share * large + (1 - share) * small


def learned_transition(model: EpsModel, schedule: NoiseSchedule, clip: bool = False) -> Transition:
    """p(x_{t-1} | x_t) of a model that answers eps and v, (B, 2C, ...): for `elbo.transition_terms`.

    clip: clip the implied x_0 to [-1, 1] before the mean is made of it, as one does when sampling and evaluating, not when training.
    """

    def transition(x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        eps, v = halves(model(x_t, t), x_t)
        x0_hat = x0_from_eps(x_t, t, eps, schedule)
        mean, _ = posterior_mean_variance(x0_hat.clamp(-1, 1) if clip else x0_hat, x_t, t, schedule)
        return mean, learned_log_variance(v, t, schedule)

    return transition


def hybrid_loss(
    model: EpsModel, x0: Tensor, t: Tensor, eps: Tensor, schedule: NoiseSchedule, weight: float = 0.001
) -> Tensor:
    """L_hybrid = L_simple + weight L_vlb for a model that answers eps and v (Nichol & Dhariwal 2021, eq. 16), a scalar.

    model: (x_t, t) -> (B, 2C, ...), eps in the first half of axis 1 and v in the second. x0, eps: (B, *S), x0 8-bit pixels in
    [-1, 1]; t: (B,), uniform in 1..T.

    The bound, `bound_loss`, sees eps with its gradient stopped: it trains v alone, and eps learns from L_simple alone. Its
    factor T times weight = 0.001 makes the T / 1000 of the authors' code. As there, the bound is in bits per dimension and
    L_simple a mean over dimensions.
    Raises CourseError when the model's answer has another shape.
    """
    predicted, v = halves(model(diffuse(x0, t, eps, schedule), t), x0)
    stopped = torch.cat([predicted.detach(), v], dim=1)
    bound = bound_loss(learned_transition(lambda x_t, t: stopped, schedule), x0, t, eps, schedule)
    return eps_loss(lambda x_t, t: predicted, x0, t, eps, schedule) + weight * bound


def contrastive_loss(images: Tensor, texts: Tensor, scale: float | Tensor) -> Tensor:
    """The mean of two cross-entropies: which text of the batch belongs to an image, and which image to a text (Radford et al. 2021, fig. 3).

    images, texts: (B, E), row i of one belonging to row i of the other; compared by the cosine of their angle times scale, ().
    Two images that share a caption are each other's negatives too: the best answer is the same,
    log p(image, text) / (p(image) p(text)) up to a constant. Raises CourseError for shapes that differ.
    """
    same("images", images, "texts", texts)
    if images.ndim != 2:
        raise CourseError(f"images: got shape {tuple(images.shape)}, want (B, E)")
    logits = scale * F.normalize(images, dim=1) @ F.normalize(texts, dim=1).T  # (B, B)
    own = torch.arange(len(images), device=images.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def autoencoder_loss(
    x: Tensor, decoded: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 0.01
) -> Tensor:
    """(||x - decoded||^2 + beta KL(q(z | x) || N(0, I))) / D, the mean over the batch, a scalar; D values make an image.

    x, decoded: (B, *S), decoded from z ~ q(z | x) = N(mean, exp(log_variance)); mean, log_variance: (B, *Z). Times D / beta it is
    the negative bound on log p(x), up to a constant, of the likelihood p(x | z) = N(decoded, beta/2 I): beta is twice the variance
    that a pixel has around the decoded image (Kingma & Welling 2014, eq. 10). beta = 0 leaves the squared error alone.
    """
    same("x", x, "decoded", decoded)
    error = squared_error(x, decoded).mean()
    if beta == 0:
        return error
    kl = normal_kl(at_least_single(mean), at_least_single(log_variance), 0.0, 0.0)
    return error + beta * kl.sum() / x.numel()
