"""The notation of the whole course: one table. Chapter 00 shows all of it, and each chapter its part (`{{notation KEY ...}}` in the source).

One symbol means one thing. An index is part of a symbol: t counts the steps of the forward process upwards from clean data, i the levels
of a sampler's grid downwards from noise. Letters that are not here (s, a, m, u, ...) are local: a chapter says what they are where it uses them.
Needs nothing but the standard library.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import unknown


@dataclass(frozen=True)
class Symbol:
    """A row. math: LaTeX, several symbols parted by " & ". meaning, code: Markdown; code may be empty."""

    math: str
    meaning: str
    code: str = ""


NOTATION: dict[str, Symbol] = {
    "x0": Symbol("x_0", "clean data; images have pixels in $[-1, 1]$, tokens are whole numbers", "`x0`"),
    "d": Symbol(
        "d", "number of coordinates of $x_0$: 784 for a digit of 28 × 28; also of a vector of features"
    ),
    "t": Symbol(r"t = 1, \dots, T", "step of the forward process; clean data have $t = 0$", "`t`, `T`"),
    "u": Symbol("u = t/T", "share of the chain that has passed", "`u`"),
    "beta": Symbol(
        r"\beta_t",
        "variance of the noise that step $t$ adds, between 0 and 1; of a token, how much step $t$ forgets",
        "`betas[t - 1]`",
    ),
    "alpha": Symbol(
        r"\alpha_t = 1 - \beta_t", "share of the variance that step $t$ keeps", "`alphas[t - 1]`"
    ),
    "alpha_bar": Symbol(
        r"\bar\alpha_t = \alpha_1 \cdots \alpha_t",
        r"share that the steps up to $t$ keep; $\bar\alpha_0 = 1$",
        "`alpha_bar[t - 1]`",
    ),
    "x_t": Symbol(
        r"x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon",
        "the data after $t$ steps of noise, in VP coordinates (variance-preserving)",
        "`x_t`, `dc.gaussian.diffuse`",
    ),
    "eps": Symbol(r"\varepsilon", r"the noise in $x_t$ or in $x$, $\mathcal N(0, I)$", "`eps`"),
    "z": Symbol("z & z_t", r"fresh noise of a single step, $\mathcal N(0, I)$", "`z`"),
    "snr": Symbol(
        r"\mathrm{SNR}(t) = \bar\alpha_t/(1-\bar\alpha_t)", "signal-to-noise ratio", "`snr[t - 1]`"
    ),
    "lambda": Symbol(r"\lambda_t = \ln \mathrm{SNR}(t)", "its logarithm, the log-SNR", "`snr.log()`"),
    "sigma_t": Symbol(
        r"\sigma_t = \sqrt{(1-\bar\alpha_t)/\bar\alpha_t}",
        r"noise relative to the signal at step $t$; rises from $\sigma_1$ to $\sigma_T$; $\mathrm{SNR}(t) = 1/\sigma_t^2$",
        "`sigmas[t - 1]`, `schedule.sigma(t)`",
    ),
    "x": Symbol(
        r"x = x_0 + \sigma\varepsilon",
        r"noisy data in VE coordinates (variance-exploding): $x_t/\sqrt{\bar\alpha_t}$",
        "`x`, `dc.gaussian.to_ve`",
    ),
    "sigma": Symbol(r"\sigma", "standard deviation of the noise in $x$", "`sigma`"),
    "q": Symbol(r"q(\cdot)", "densities of the forward process; it has no parameters"),
    "p_theta": Symbol(
        r"p_\theta(\cdot)", r"densities of the model, the reverse process, with parameters $\theta$"
    ),
    "posterior": Symbol(
        r"\tilde\mu_t & \tilde\beta_t",
        r"mean and variance of $q(x_{t-1} \mid x_t, x_0)$",
        "`dc.gaussian.posterior_mean_variance`",
    ),
    "model_step": Symbol(
        r"\mu_\theta & s_t",
        r"mean and standard deviation of the model's step $p_\theta(x_{t-1} \mid x_t)$: it adds the fresh noise $s_t z$"
        r" (Ho et al. 2020 and Song et al. 2021 write $\sigma_t$ for $s_t$)",
        "`dc.gaussian.mean_from_eps`",
    ),
    "D": Symbol(
        r"D(x, \sigma)", r"denoiser: the guess $\mathbb E[x_0 \mid x]$ of the clean data", "`D(x, sigma)`"
    ),
    "x0_hat": Symbol(
        r"\hat x_0", "a model's guess of $x_0$: what $D$ answers, or what its prediction implies", "`x0_hat`"
    ),
    "eps_theta": Symbol(
        r"\varepsilon_\theta(x_t, t)", "the noise that a network predicts", "`eps_model(x_t, t)`"
    ),
    "v": Symbol(
        r"v = \sqrt{\bar\alpha_t}\,\varepsilon - \sqrt{1-\bar\alpha_t}\,x_0",
        "a third thing that a network may predict",
        "`v`",
    ),
    "bound": Symbol(
        "L_T & L_{t-1} & L_0", "the terms of the variational bound, in nats", "`.prior`, `.kl`, `.decoder`"
    ),
    "omega": Symbol(
        r"\omega_t & \omega(\sigma)", "weight of the squared error in a loss, at a step or at a noise level"
    ),
    "p_sigma": Symbol(
        r"p(x; \sigma)",
        "density of the noisy data; with a class, $p(x \\mid y; \\sigma)$",
        "`.log_density(x, sigma)`",
    ),
    "score": Symbol(r"\nabla_x \log p(x; \sigma)", "the score", "`.score(x, sigma)`"),
    "sde": Symbol(
        "f(t) & g(t)",
        r"drift and diffusion of the SDE $\mathrm{d}x = f x\,\mathrm{d}t + g\,\mathrm{d}w$",
        "`sde.f(t)`, `sde.g(t)`",
    ),
    "kernel": Symbol(
        "a(t) & b(t)",
        r"its kernel: $x_t = a\,x_0 + b\,\varepsilon$, and $\sigma(t) = b/a$",
        "`sde.scale(t)`, `sde.std(t)`",
    ),
    "p_t": Symbol("p_t(x)", r"density of $x_t$; its score is $\nabla_x \log p_t$", "`score(x, t)`"),
    "lambda_churn": Symbol(
        r"\lambda", "noise on the way back: 0 for the ODE, 1 for the reverse SDE", "`lam`"
    ),
    "velocity": Symbol(
        r"u(z, t) = \mathbb E[\varepsilon - x_0 \mid z_t = z]",
        r"velocity of flow matching, at the state $z_t = (1 - t)\,x_0 + t\,\varepsilon$ of a straight path",
        "`u`, `model(z, t)`",
    ),
    "y": Symbol("y", "the class", "`y`, `labels`"),
    "classifier": Symbol(
        r"p(y \mid x; \sigma)",
        "the noisy classifier: probability of class $y$, given the noisy image",
        "`log_prob(x, sigma)`",
    ),
    "D_uc": Symbol(
        r"D_u(x; \sigma) & D_c(x; \sigma)",
        r"the denoiser without and with the class, $\mathbb E[x_0 \mid x]$ and $\mathbb E[x_0 \mid x, y]$",
        "`model(x, sigma, labels)`",
    ),
    "eps_uc": Symbol(
        r"\varepsilon_u & \varepsilon_c",
        r"the same as predicted noise, $\varepsilon = (x - D)/\sigma$",
        "`dc.denoisers.as_eps`",
    ),
    "w": Symbol("w", "guidance scale; $w = 1$ means no guidance", "`w`, `scale`"),
    "eta": Symbol(r"\eta", "$s_t$ as a share of the one of DDPM, $0 \\dots 1$", "`eta`"),
    "tau": Symbol(r"\tau_n > \dots > \tau_1", "the times that a short sampler visits", "`times`"),
    "grid": Symbol(
        r"\sigma_i,\; i = 0, \dots, N",
        r"the grid of a sampler with $N$ steps: falls from $\sigma_\text{max}$ at $i = 0$ to 0 at $i = N$",
        "`sigmas[i]`",
    ),
    "slope": Symbol(
        r"\dot x = (x - D(x, \sigma))/\sigma",
        r"slope $\mathrm{d}x/\mathrm{d}\sigma$ of a sampler's path",
        "`slope`",
    ),
    "nfe": Symbol(r"\text{NFE}", "number of evaluations of $D$: what a sample costs", "`nfe`"),
    "param": Symbol(
        r"c_\text{skip} & c_\text{out} & c_\text{in} & c_\text{noise}",
        "the four coefficients around a network $F$",
        "`dc.denoisers.Param`",
    ),
    "sigma_data": Symbol(
        r"\sigma_\text{data}", "standard deviation of the pixels of the data", "`sigma_data`"
    ),
    "rho": Symbol(r"\rho", "exponent of the Karras grid", "`rho`"),
    "t_real": Symbol(
        r"t \in [0, 1]", "time of masked diffusion: clean at 0, all hidden at 1; $t/T$ of a chain", "`t`"
    ),
    "K": Symbol("K", "number of values that a token can take, $0, \\dots, K - 1$", "`K`"),
    "L": Symbol("L", "number of tokens of a sample", "`L`"),
    "mask_state": Symbol(r"\mathsf m", "the mask: a token is hidden", "`K`, the number after the values"),
    "alpha_real": Symbol(
        r"\alpha(t)", "chance that a token is still visible at $t$; here $1 - t$", "`alpha`, `masked.LINEAR`"
    ),
    "Q_t": Symbol(
        r"Q_t & \bar Q_t = Q_1 \cdots Q_t",
        "transition matrices of step $t$ and of the first $t$ steps; rows add up to 1",
        "`Q[t - 1]`, `Q_bar[t - 1]`",
    ),
    "image": Symbol(r"\mathcal I", "an image, where diffusion happens in latents", "`images`"),
    "latent": Symbol(
        r"\zeta",
        r"its latent: a sample of the encoder's $q(\zeta \mid \mathcal I)$, and the mean of it once the encoder is trained",
        "`z`",
    ),
    "coder": Symbol(
        r"\mathcal E & \mathcal G",
        "encoder and decoder of an autoencoder",
        "`space.encode`, `space.decode`",
    ),
    "latent_scale": Symbol(
        r"s_\zeta",
        r"scale of the latents, one over their standard deviation: diffusion's clean data are $x_0 = s_\zeta\,\zeta$",
        "`scale`",
    ),
    "churn": Symbol(
        r"\gamma & \hat\sigma = (1 + \gamma)\,\sigma",
        "churn: relative rise of the noise, and the raised noise level",
        "`gamma`, `sigma_hat`",
    ),
    "moments": Symbol(
        r"\mu_a,\, S_a & \mu_b,\, S_b",
        "mean and covariance of two sets of feature vectors",
        "`mean_a`, `cov_a`",
    ),
    "frechet": Symbol(
        "F", "squared Fréchet distance of two Gaussians; with Inception's features, FID", "`frechet_distance`"
    ),
    "kid_kernel": Symbol("k(a_i, b_j)", r"kernel of two feature vectors, $(a_i \cdot b_j/d + 1)^3$", "`kid`"),
    "jackknife": Symbol(
        r"\theta_g,\; g = 0, \dots, G - 1 & e",
        "a statistic without the samples of group $g$, and the standard error that these tell",
        "`metrics.leave_out`, `metrics.scatter`",
    ),
}


def table(keys: Iterable[str] = ()) -> str:
    """The rows of these keys, in this order, as a Markdown table; all of them without keys. Raises CourseError for an unknown key."""
    rows = ["| symbol | meaning | in code |", "|---|---|---|"]
    for key in list(keys) or NOTATION:
        if key not in NOTATION:
            raise unknown("symbol", key, NOTATION)
        symbol = NOTATION[key]
        math = ", ".join(f"${part}$" for part in symbol.math.split(" & "))
        rows.append(f"| {math} | {symbol.meaning} | {symbol.code} |")
    return "\n".join(rows)
