"""How much noise, and when: discrete schedules beta_1..beta_T, and grids of sigma for the samplers.

Throughout the course t runs from 1 to T, `betas[0]` is beta_1, and t = 0 means clean data.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .errors import CourseError, check_integer, check_number, shown, unknown
from .shapes import append_dims, check_float, check_rows, positive


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """The tables of one discrete diffusion, all float64 of shape (T,), and the map t <-> sigma.

    Notation of Ho et al. 2020: alpha_t = 1 - beta_t, alpha_bar_t = prod_{s<=t} alpha_s.
    Bridge to Karras et al. 2022: sigma_t^2 = (1 - alpha_bar_t) / alpha_bar_t = 1 / SNR(t).
    """

    betas: Tensor

    @classmethod
    def from_betas(cls, betas: Tensor) -> "NoiseSchedule":
        """Make a schedule from beta_1..beta_T, shape (T,), each in (0, 1).

        Raises CourseError for another shape, NaN, or a value outside (0, 1).
        """
        return cls(betas)

    def __post_init__(self) -> None:
        """The checks of `from_betas`, for whoever calls the class itself."""
        try:
            betas = torch.as_tensor(self.betas, dtype=torch.float64).detach().cpu()
        except (TypeError, ValueError, RuntimeError):
            raise CourseError(f"betas: got {shown(self.betas)}, want numbers in (0, 1), shape (T,)") from None
        if betas.ndim != 1 or len(betas) == 0:
            raise CourseError(f"betas: got shape {tuple(betas.shape)}, want (T,) with T >= 1")
        bad = ~((betas > 0) & (betas < 1))
        if bad.any():
            t = int(bad.nonzero()[0]) + 1
            raise CourseError(f"betas: beta_{t} = {betas[t - 1].item():g} is not inside (0, 1)")
        object.__setattr__(self, "betas", betas)  # frozen

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.betas)

    @cached_property
    def alphas(self) -> Tensor:
        """alpha_t = 1 - beta_t."""
        return 1 - self.betas

    @cached_property
    def alpha_bar(self) -> Tensor:
        """alpha_bar_t = prod_{s<=t} alpha_s (Ho et al. 2020, below eq. 3)."""
        # A sum of logarithms, so that the three tables agree; the clamp keeps 1 / alpha_bar finite at huge noise.
        return torch.log1p(-self.betas).cumsum(0).exp().clamp(min=torch.finfo(torch.float64).tiny)

    @cached_property
    def one_minus_alpha_bar(self) -> Tensor:
        """1 - alpha_bar_t, without the cancellation that the plain difference suffers at small beta."""
        return -torch.expm1(torch.log1p(-self.betas).cumsum(0))

    @cached_property
    def alpha_bar_prev(self) -> Tensor:
        """alpha_bar_{t-1}, with alpha_bar_0 = 1."""
        return torch.cat([torch.ones(1, dtype=torch.float64), self.alpha_bar[:-1]])

    @cached_property
    def one_minus_alpha_bar_prev(self) -> Tensor:
        """1 - alpha_bar_{t-1}; 0 at t = 1."""
        return torch.cat([torch.zeros(1, dtype=torch.float64), self.one_minus_alpha_bar[:-1]])

    @cached_property
    def sigmas(self) -> Tensor:
        """sigma_t = sqrt((1 - alpha_bar_t) / alpha_bar_t), increasing in t."""
        return (self.one_minus_alpha_bar / self.alpha_bar).sqrt()

    @cached_property
    def snr(self) -> Tensor:
        """SNR(t) = alpha_bar_t / (1 - alpha_bar_t), decreasing in t (Kingma et al. 2021, eq. 2)."""
        return self.alpha_bar / self.one_minus_alpha_bar

    @cached_property
    def posterior_variance(self) -> Tensor:
        """beta-tilde_t = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) (Ho et al. 2020, eq. 7); 0 at t = 1."""
        return self.betas * self.one_minus_alpha_bar_prev / self.one_minus_alpha_bar

    def check(self, t: int | Tensor) -> Tensor:
        """`checked_times` of this schedule."""
        return checked_times(t, self.T)

    def take(self, table: Tensor, t: int | Tensor, x: Tensor) -> Tensor:
        """table[t - 1], shaped (B, 1, ..., 1) to multiply x of shape (B, *S), in x's dtype and on its device.

        t: integer, or tensor of shape () or (B,), in 1..T. Raises CourseError for another t or table.
        """
        t = self.check(t)
        check_float("table", table)
        if table.shape != (self.T,):
            raise CourseError(f"table: got shape {tuple(table.shape)}, want ({self.T},)")
        check_float("x", x)
        check_rows("t", t, x, one=True)
        return append_dims(table[t - 1], x).to(x)

    def sigma(self, t: int | Tensor) -> Tensor:
        """sigma_t for integer t in 1..T, float64, of t's shape. Raises CourseError for another t."""
        return self.sigmas[self.check(t) - 1]

    def t(self, sigma: float | Tensor) -> Tensor:
        """The (real) time with noise level sigma: log-linear between the table's nodes, clamped to [1, T].

        sigma: > 0, any shape. Returns float64 of that shape; t(sigma(t)) == t exactly for integer t.
        Raises CourseError when a sigma is not a positive number.
        """
        sigma = positive("sigma", torch.as_tensor(sigma, dtype=torch.float64).cpu())
        x, nodes = sigma.log(), self.sigmas.log()
        right = torch.searchsorted(nodes, x.contiguous()).clamp(1, max(self.T - 1, 1))
        if self.T == 1:
            return torch.ones_like(sigma)
        left = right - 1
        fraction = (x - nodes[left]) / (nodes[right] - nodes[left])
        return left + 1 + fraction.clamp(0, 1)

    def grid(self, timesteps: Tensor | None = None) -> Tensor:
        """The sampling grid sigma_{t_1} > ... > sigma_{t_n} > 0 of decreasing timesteps (default T, ..., 1).

        Returns float64 of shape (n + 1,), ending in 0. Raises CourseError unless timesteps decrease within 1..T.
        """
        if timesteps is None:
            timesteps = torch.arange(self.T, 0, -1)
        return _end_in_zero(self.sigmas[self._falling(timesteps) - 1])

    def strided(self, timesteps: Tensor) -> "NoiseSchedule":
        """The schedule that visits only the given steps, with betas re-derived (Nichol & Dhariwal 2021, eq. 19).

        timesteps: n integers, strictly decreasing within 1..T, as for `grid`. The result has T = n, and its step i has the
        noise level of the i-th smallest timestep: beta'_i = 1 - alpha_bar_{tau_i} / alpha_bar_{tau_{i-1}}. Both fixed
        variances, the posterior and the bound of the shorter chain follow from it; sigma is unchanged, so
        a denoiser made with this schedule stays valid. An eps model must still be shown tau_i, not i.
        """
        rising = self._falling(timesteps).flip(0)
        log_alpha_bar = torch.log1p(-self.betas).cumsum(0)[rising - 1]
        betas = -torch.expm1(torch.diff(log_alpha_bar, prepend=torch.zeros(1, dtype=torch.float64)))
        # Many large betas in one step multiply to a beta that rounds to 1.
        return NoiseSchedule.from_betas(betas.clamp(max=1 - 2**-53))

    def _falling(self, timesteps: Tensor) -> Tensor:
        timesteps = self.check(timesteps)
        if timesteps.ndim != 1 or len(timesteps) == 0:
            raise CourseError(f"timesteps: got shape {tuple(timesteps.shape)}, want (n,) with n >= 1")
        rises = (timesteps.diff() >= 0).nonzero()
        if len(rises):
            before, after = timesteps[rises[0, 0] :][:2].tolist()
            raise CourseError(f"timesteps: want strictly decreasing integers, got {after} after {before}")
        return timesteps


def checked_times(t: int | Tensor, T: int) -> Tensor:
    """t as an int64 CPU tensor of shape () or (B,). Raises CourseError unless every t is an integer in 1..T."""
    t = torch.as_tensor(t).detach().cpu()
    if t.is_floating_point() or t.is_complex() or t.dtype == torch.bool:
        raise CourseError(f"t: got dtype {t.dtype}, want integers in 1..{T}")
    outside = (t < 1) | (t > T)
    if outside.any():
        got = int(t[outside].flatten()[0]) if t.ndim else int(t)
        hint = " (t = 0 is clean data)" if got == 0 else ""
        raise CourseError(f"t: got {got}, want integers in 1..{T}{hint}")
    return t.long()


def linear(T: int, beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """Linear betas, shape (T,), float64 (Ho et al. 2020, section 4). The default ends suit T = 1000.

    For another T keep the same total noise with beta_min and beta_max multiplied by 1000 / T.
    Raises CourseError for a T that is no integer >= 1 or an end outside (0, 1), like the two schedules below.
    """
    _check_betas(T, beta_min, beta_max)
    return torch.linspace(beta_min, beta_max, T, dtype=torch.float64)


def quadratic(T: int, beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """Betas whose square roots are linear, shape (T,), float64 (used by Ho et al. 2020's code and latent diffusion)."""
    _check_betas(T, beta_min, beta_max)
    return torch.linspace(beta_min**0.5, beta_max**0.5, T, dtype=torch.float64) ** 2


def sigmoid(T: int, beta_min: float = 1e-4, beta_max: float = 0.02, steepness: float = 6.0) -> Tensor:
    """Betas that climb along a logistic curve sampled on [-steepness, steepness], shape (T,), float64. steepness: > 0."""
    _check_betas(T, beta_min, beta_max)
    check_number("steepness", steepness, lambda s: 0 < s < math.inf, "> 0")
    ramp = torch.linspace(-steepness, steepness, T, dtype=torch.float64).sigmoid()
    return beta_min + (beta_max - beta_min) * ramp


def cosine(T: int, s: float = 0.008, max_beta: float = 0.999) -> Tensor:
    """Betas of the cosine schedule, shape (T,), float64 (Nichol & Dhariwal 2021, eq. 17).

    alpha_bar_t = f(t) / f(0) with f(t) = cos^2((t/T + s) / (1 + s) * pi / 2); beta_t is clipped at max_beta.
    s: >= 0. max_beta: in (0, 1]. Raises CourseError for others.
    """
    check_integer("T", T, 1)
    check_number("s", s, lambda s: 0 <= s < math.inf, ">= 0")
    check_number("max_beta", max_beta, lambda beta: 0 < beta <= 1, "in (0, 1]")
    steps = torch.arange(T + 1, dtype=torch.float64) / T
    f = torch.cos((steps + s) / (1 + s) * math.pi / 2) ** 2
    return (1 - f[1:] / f[:-1]).clamp(max=max_beta)


BETAS = {"linear": linear, "quadratic": quadratic, "sigmoid": sigmoid, "cosine": cosine}


def by_name(name: str, T: int) -> Tensor:
    """The betas of the schedule called `name`, with its default knobs. Raises CourseError for an unknown name."""
    if name not in BETAS:
        raise unknown("schedule", name, BETAS)
    return BETAS[name](T)


def karras(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0, rho: float = 7.0) -> Tensor:
    """Grid of n + 1 sigmas from sigma_max to sigma_min, then 0 (Karras et al. 2022, eq. 5). float64."""
    _check_grid(n, sigma_min, sigma_max)
    if not 0 < rho < math.inf:
        raise CourseError(f"rho: got {rho}, want a number > 0")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    # Written as a weighted mean, not a + ramp (b - a), which at rho < 1 rounds the last sigma away.
    root = (1 - ramp) * sigma_max ** (1 / rho) + ramp * sigma_min ** (1 / rho)
    return _end_in_zero(root**rho)


def loglinear(n: int, sigma_min: float = 0.002, sigma_max: float = 80.0) -> Tensor:
    """Grid of n + 1 sigmas, evenly spaced in log(sigma) from sigma_max to sigma_min, then 0. float64."""
    _check_grid(n, sigma_min, sigma_max)
    return _end_in_zero(
        torch.linspace(math.log(sigma_max), math.log(sigma_min), n, dtype=torch.float64).exp()
    )


def uniform_timesteps(T: int, n: int) -> Tensor:
    """n integers evenly spaced from T down to 1, both ends included (n = 1 gives T), shape (n,).

    The sub-sequence of Nichol & Dhariwal 2021, section 4: it starts where training ended, at T, and its last step,
    1 -> 0, is a short one. Raises CourseError unless 1 <= n <= T.
    """
    _check_count(T, n)
    if n == 1:
        return torch.tensor([T])
    # Halves round as in the authors' code, which counts from 0 and from below.
    return 1 + torch.linspace(0, T - 1, n, dtype=torch.float64).round().long().flip(0)


def trailing_timesteps(T: int, n: int) -> Tensor:
    """n integers from T down in steps of T / n, rounded, shape (n,): begins at T, ends near T / n (Lin et al. 2024).

    Every step has the same length, the last one (to clean data) included. Raises CourseError unless 1 <= n <= T,
    like the two below.
    """
    _check_count(T, n)
    return (torch.arange(n, 0, -1, dtype=torch.float64) * T / n).round().long()


def leading_timesteps(T: int, n: int) -> Tensor:
    """n integers from 1 up in steps of T // n, in falling order, shape (n,): ends at 1, begins below T.

    The choice of DDIM's and improved-diffusion's "ddim" mode, and of many pipelines. Sampling starts from pure noise, but at a
    step where data still show: T = 1000 and n = 10 begin at t = 901. With few steps the samples lose contrast and
    cannot become very dark or bright (Lin et al. 2024). Scale the start by the grid's own sigmas[0].
    """
    _check_count(T, n)
    return 1 + (T // n) * torch.arange(n - 1, -1, -1)


def quadratic_timesteps(T: int, n: int) -> Tensor:
    """n integers whose square roots of t - 1 are evenly spaced, from T down to 1, shape (n,) (Song et al. 2021, appendix D.2).

    Most steps go to small t, where detail is made; the steps at large t are long. DDIM used it for CIFAR-10 and
    `uniform_timesteps` elsewhere, and its code stops at 0.8 T; here T itself is the first. Neighbours that round to
    one integer are moved apart, so that the n steps differ.
    """
    _check_count(T, n)
    rank = torch.arange(n)
    t = 1 + ((rank.double() / max(n - 1, 1)) ** 2 * (T - 1)).round().long()
    t = (t - rank).cummax(0).values + rank  # t_i >= t_{i-1} + 1
    return t.flip(0) if n > 1 else torch.tensor([T])


def _check_count(T: int, n: int) -> None:
    check_integer("T", T, 1)
    check_integer("n", n, 1, T)


def _check_betas(T: int, beta_min: float, beta_max: float) -> None:
    check_integer("T", T, 1)
    for name, beta in (("beta_min", beta_min), ("beta_max", beta_max)):
        if not 0 < beta < 1:
            raise CourseError(f"{name}: got {beta}, want a number inside (0, 1)")


def _check_grid(n: int, sigma_min: float, sigma_max: float) -> None:
    check_integer("n", n, 1)
    if not 0 < sigma_min < sigma_max < math.inf:
        raise CourseError(
            f"sigma_min, sigma_max: got {sigma_min}, {sigma_max}, want 0 < sigma_min < sigma_max"
        )


def _end_in_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])
