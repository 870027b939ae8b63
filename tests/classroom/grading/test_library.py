"""`Check.library`: each name is a function, to call it is to do the exercise, and who answers by a formula calls none of them."""

import ast
import math
import operator
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import nbformat
import pytest
import torch

import diffusion_course as dc
from diffusion_course.classroom import handout
from diffusion_course.classroom.checks import CHECKS, examine
from diffusion_course.classroom.checks.call import fresh
from diffusion_course.classroom.checks.engine import cases, result_fault
from diffusion_course.classroom.grading import without
from diffusion_course.experiments import intervals, latents, metrics
from diffusion_course.nets import dit

WITH_LIBRARY = [check for check in CHECKS.values() if check.library]


def code_of(name):
    module, inside = without.parted(name)
    inside += ".func" * name.endswith(".func")
    return operator.attrgetter(inside)(import_module(f"diffusion_course.{module}")).__code__


@contextmanager
def watched(names):
    """Which of some functions are called meanwhile."""
    wanted, seen = {code_of(name): name for name in names}, set()
    sys.setprofile(
        lambda frame, event, arg: seen.add(wanted[frame.f_code]) if frame.f_code in wanted else None
    )
    try:
        yield seen
    finally:
        sys.setprofile(None)


def right_by(shortcut, check, name):
    """Is there a case on which a function of the library does the work, and does it right?"""
    counted_elsewhere = replace(check, evaluations={}, calls={})
    for args in cases(check, "s"):
        with watched([name]) as seen, suppress(Exception):  # the library cannot take every case
            value = check.driven(shortcut)(*fresh(args))
            if seen and not result_fault(counted_elsewhere, args, value, {}):
                return True
    return False


def of_betas(betas):
    return dc.NoiseSchedule.from_betas(betas.double())


def of_alpha_bar(alpha_bar):
    kept = alpha_bar.double()
    return of_betas(1 - kept / torch.cat([torch.ones_like(kept[:1]), kept[:-1]]))


def kid_besides_its_error(a, b):
    return a.new_tensor(metrics.kid_with_error(a, b, groups=2)[0])


def table_of_pairs(marks, base):
    text = ["".join("01"[int(mark)] for mark in row) for row in marks]
    rest = [k for k in range(len(marks)) if k != base]
    p = {k: intervals.mcnemar(text[k], text[base]) for k in rest}
    corrected = intervals.holm(p)
    columns = [
        [marks[k].mean() - marks[base].mean() for k in rest],
        *([v[k] for k in rest] for v in (p, corrected)),
    ]
    return tuple(torch.tensor(column, dtype=torch.float64) for column in columns)


def variance_by_rows(v, t, betas):
    """Each sample's variance, by the library's for a step in VE coordinates, which are 1 / sqrt(alpha_bar) as large."""
    s = of_betas(betas)

    def of_step(fraction, step):
        variance = dc.samplers.learned_variance(lambda x, sigma: fraction)
        return s.alpha_bar[step - 2] * variance(fraction, s.sigma(step), s.sigma(step - 1))

    def row(fraction, step):
        if step > 1:
            return of_step(fraction, step)
        share = (fraction + 1) / 2
        return betas[0] ** share * of_step(-torch.ones_like(fraction), 2) ** (1 - share)

    return torch.stack([row(*each) for each in zip(v, t.tolist(), strict=True)]).to(v)


def hybrid(model, x0, t, eps, betas, weight):
    return dc.losses.hybrid_loss(model, x0, t, eps, of_betas(betas), weight)


def min_snr(snr, gamma):
    weight = dc.losses.min_snr_weight(gamma)(snr.rsqrt())
    return weight, weight / snr, weight / (snr + 1)


def step_by(make):
    """A DDPM step by a step of the library."""

    def ddpm_step(eps_model, x_t, t, z, betas):
        s = of_betas(betas)
        sigma, after = s.sigma(t), s.sigma(t - 1) if t > 1 else torch.zeros((), dtype=torch.float64)
        D, x, noise = (
            dc.denoisers.from_eps(eps_model, s),
            dc.gaussian.to_ve(x_t, sigma),
            SimpleNamespace(like=lambda _: z),
        )
        return dc.gaussian.to_vp(make()(D, x, sigma, after, noise), after)

    return ddpm_step


def ddim_step(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    s = of_alpha_bar(alpha_bar)
    sigma, after = s.sigma(t), s.sigma(t_prev) if t_prev else torch.zeros((), dtype=torch.float64)
    D, x, noise = (
        dc.denoisers.from_eps(eps_model, s),
        dc.gaussian.to_ve(x_t, sigma),
        SimpleNamespace(like=lambda _: z),
    )
    return dc.gaussian.to_vp(dc.samplers.ddim(eta)(D, x, sigma, after, noise), after)


def ddim_sample(eps_model, x_T, times, eta, noise, alpha_bar):
    s, draws = of_alpha_bar(alpha_bar), iter(noise)
    grid, D, like = s.grid(times), dc.denoisers.from_eps(eps_model, s), lambda _: next(draws)
    states = [dc.gaussian.to_ve(x_T, grid[0])]
    for sigma, after in pairwise(grid):
        states.append(dc.samplers.ddim(eta)(D, states[-1], sigma, after, SimpleNamespace(like=like)))
    return torch.stack([dc.gaussian.to_vp(x, sigma) for x, sigma in zip(states, grid, strict=True)])


def edm_sampler(D, x, sigmas, noise, s_churn, s_min, s_max, s_noise):
    draws = iter(noise)
    step = dc.samplers.edm(s_churn, s_min, s_max, s_noise, num_steps=len(sigmas) - 1)
    start, recorded = sigmas[0] * x, SimpleNamespace(like=lambda _: next(draws))
    return dc.samplers.trajectory(D, start, sigmas, step, recorded).x


def x0_by_denoiser(x_t, t, eps, alpha_bar):
    s = of_alpha_bar(alpha_bar)
    sigma = s.sigma(t)
    return dc.denoisers.from_eps(lambda x, t: eps, s)(dc.gaussian.to_ve(x_t, sigma), sigma)


def cosine(u, s):
    T = next(T for T in range(9, 15) if torch.allclose(u * T, (u * T).round(), atol=1e-4))
    kept = (1 - dc.schedules.cosine(T, s, max_beta=1.0)).cumprod(0)
    return kept[(u * T).round().long() - 1].to(u)


def kl_terms(mse, alpha_bar):
    error = mse[1:, None].sqrt()
    return dc.elbo.kl_term(
        error, torch.zeros_like(error), torch.arange(2, len(mse) + 1), of_alpha_bar(alpha_bar)
    )


def cfg(model, x, sigma, y, w, no_label):
    cond, uncond = (lambda x, s, k=k: model(x, s, k) for k in (y, torch.full_like(y, no_label)))
    return dc.guidance.cfg(cond, uncond, w)(x, sigma)


def churn(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    seen = []
    step = dc.samplers.edm(s_churn, s_min, s_max, s_noise, num_steps=num_steps)
    step(
        lambda *seen_by_D: seen.append(seen_by_D) or x,
        x,
        sigma,
        torch.zeros(()),
        SimpleNamespace(like=lambda _: eps),
    )
    return seen[0]


def unmask_step(model, x_t, t, s, g, K):
    return (dc.masked.reverse(x_t, model(x_t), t, s).log() + g).argmax(-1)


def unmask_sample(model, x, times, g, K):
    draws = iter(g)

    def step(model, x, t, s, noise):
        return unmask_step(model, x, t, s, next(draws), K)

    return torch.stack(list(dc.unmasking.states(step, model, x, times.tolist(), dc.Noise())))


def d3pm_posterior(x_t, x0, t, Q):
    chain = dc.transitions._Dense(torch.full((len(Q),), 0.5), Q.double())
    return chain.posterior(x_t, x0, t).to(Q)


def coefficients(f, g, scale=1.0, std=1.0):
    """An SDE of these numbers at every time."""
    parts = [lambda t, v=v: torch.as_tensor(v, dtype=torch.float64) + 0 * t for v in (f, g, scale, std)]
    return dc.sde.SDE(*parts, prior_std=1.0)


def score_of_rows(D, x, scale, std):
    half, rows = torch.tensor(0.5, dtype=torch.float64), zip(x, scale, std, strict=True)
    return torch.cat([dc.sde.as_score(D, coefficients(0, 0, a, b))(row[None], half) for row, a, b in rows])


def backwards_by(step):
    """The course's step, given the noise that is to be added."""
    return lambda score, x, t, r, f, g, lam, z: step()(
        score, coefficients(f, g), x, t, r, SimpleNamespace(like=lambda _: z)
    )


def corrected(score, x, times, f, g, r, noise):
    draws, states, step = iter(noise.flatten(0, 1)), [x], dc.sde.predictor_corrector(r)
    source = SimpleNamespace(like=lambda _: next(draws))
    for i, (t, t_next) in enumerate(pairwise(times)):
        states.append(step(score, coefficients(f[i], g[i]), states[-1], t, t_next, source))
    return torch.stack(states)


def clip_gradient(D, image, text, x, sigma):
    """Of the guided denoiser, what is not the denoiser."""
    guided = dc.guidance.clip_guidance(lambda x, s: 0 * x, lambda x, s: image(D(x, s)), text, 1.0)
    return guided(x, sigma) / sigma**2


# Answers that leave the work to the library, and the function that does it.
SHORTCUTS = {
    "01-alpha_bar_from_betas": [
        (lambda b: of_betas(b).alpha_bar.to(b), "schedules.NoiseSchedule.alpha_bar.func"),
        (
            lambda b: (1 - of_betas(b).one_minus_alpha_bar).to(b),
            "schedules.NoiseSchedule.one_minus_alpha_bar.func",
        ),
    ],
    "01-diffuse": [(lambda x, t, e, a: dc.gaussian.diffuse(x, t, e, of_alpha_bar(a)), "gaussian.diffuse")],
    "01-snr": [(lambda a: of_alpha_bar(a).snr.to(a), "schedules.NoiseSchedule.snr.func")],
    "02-normal_kl": [(lambda m, v, n, w: dc.elbo.normal_kl(m, v, n, w), "elbo.normal_kl")],
    "02-posterior_mean_variance": [
        (
            lambda x0, x, t, b: dc.gaussian.posterior_mean_variance(x0, x, t, of_betas(b)),
            "gaussian.posterior_mean_variance",
        )
    ],
    "02-vlb_terms": [(kl_terms, "elbo.kl_term")],
    "03-eps_loss": [
        (lambda m, x, t, e, a: dc.losses.eps_loss(m, x, t, e, of_alpha_bar(a)), "losses.eps_loss")
    ],
    "03-x0_from_eps": [
        (lambda x, t, e, a: dc.gaussian.x0_from_eps(x, t, e, of_alpha_bar(a)), "gaussian.x0_from_eps"),
        (x0_by_denoiser, "denoisers.from_eps"),
    ],
    "03-ddpm_step": [
        (step_by(lambda: dc.samplers.ddpm), "samplers.ddpm"),
        (step_by(lambda: dc.samplers.ancestral(dc.samplers.posterior_variance)), "samplers.ancestral"),
        (step_by(lambda: dc.samplers.ddim(1.0)), "samplers.ddim"),
    ],
    "04-cosine_alpha_bar": [(cosine, "schedules.cosine")],
    "04-sigmoid_betas": [
        (lambda u, a, b, k: dc.schedules.sigmoid(len(u), a, b, k).to(u), "schedules.sigmoid")
    ],
    "04-prior_kl": [(lambda x, a: dc.elbo.prior_kl(x, of_alpha_bar(a)), "elbo.prior_kl")],
    "05-learned_variance": [
        (
            lambda v, t, betas: dc.losses.learned_log_variance(v, t, of_betas(betas)).exp(),
            "losses.learned_log_variance",
        ),
        (variance_by_rows, "samplers.learned_variance"),
    ],
    "05-hybrid_loss": [
        (hybrid, "losses.hybrid_loss"),
        (hybrid, "losses.bound_loss"),
        (hybrid, "losses.learned_transition"),
    ],
    "05-min_snr_weight": [(min_snr, "losses.min_snr_weight")],
    "06-classifier_guidance": [
        (lambda D, p, x, s, scale: dc.guidance.classifier(D, p, scale)(x, s), "guidance.classifier")
    ],
    "06-cfg": [(cfg, "guidance.cfg")],
    "07-ddim_step": [(ddim_step, "samplers.ddim")],
    "07-ddim_sample": [(ddim_sample, "samplers.ddim")],
    "07-timestep_subsequence": [
        (lambda T, n, p: TIMES[p](T, n), "schedules.uniform_timesteps"),
        (lambda T, n, p: TIMES[p](T, n), "schedules.quadratic_timesteps"),
    ],
    "07-slerp": [(lambda a, b, s: dc.noise.slerp(a, b, s), "noise.slerp")],
    "08-score_from_denoiser": [(score_of_rows, "sde.as_score")],
    "08-reverse_sde_step": [
        (backwards_by(lambda: dc.sde.euler_maruyama), "sde.euler_maruyama"),
        (backwards_by(lambda: dc.sde.ode_euler), "sde.ode_euler"),
    ],
    "08-predictor_corrector": [(corrected, "sde.predictor_corrector")],
    "09-karras_sigmas": [
        (lambda n, low, high, rho: dc.schedules.karras(n, low, high, rho), "schedules.karras")
    ],
    "09-heun_step": [(lambda D, x, s, r, noise: dc.samplers.heun(D, x, s, r), "samplers.heun")],
    "09-churn": [(churn, "samplers.edm")],
    "09-edm_sampler": [(edm_sampler, "samplers.edm")],
    "11-masked_loss": [(lambda m, x, t, u, K: dc.masked.loss(m, x, t, u, K).to(t), "masked.loss")],
    "11-unmask_step": [(unmask_step, "masked.reverse")],
    "11-unmask_sample": [(unmask_sample, "unmasking.states")],
    "11-d3pm_posterior": [(d3pm_posterior, "transitions.Process.posterior")],
    "10-frechet_distance": [
        (
            lambda m, a, n, b: a.new_tensor(
                metrics.frechet_distance(metrics.Gaussian(m, a), metrics.Gaussian(n, b))
            ),
            "experiments.metrics.gaussians.frechet_distance",
        )
    ],
    "10-kid": [
        (lambda a, b: a.new_tensor(metrics.kid(a, b)), "experiments.metrics.kernel.kid"),
        (kid_besides_its_error, "experiments.metrics.kernel.kid_with_error"),
    ],
    "12-latent_scale": [
        (
            lambda z: torch.tensor(latents.latent_scale(z), dtype=z.dtype),
            "experiments.latents.latent_scale",
        )
    ],
    "12-patchify": [(lambda x, p: dit.patchify(x, p), "nets.dit.patchify")],
    "13-clip_guidance_gradient": [(clip_gradient, "guidance.similarity")],
    "14-paired_table": [
        (table_of_pairs, "experiments.intervals.mcnemar"),
        (table_of_pairs, "experiments.intervals.holm"),
    ],
}
TIMES = {1: dc.schedules.uniform_timesteps, 2: dc.schedules.quadratic_timesteps}


def test_every_name_is_a_function_and_every_name_has_its_shortcut():
    for check in CHECKS.values():
        assert all(code_of(name) for name in check.library)
        shortcuts = [name for _, name in SHORTCUTS.get(check.id, [])]
        assert shortcuts == list(check.library), (
            f"SHORTCUTS of this file want an answer to {check.id} for each"
        )


@pytest.mark.parametrize(
    ("exercise", "shortcut", "name"),
    [
        pytest.param(exercise, shortcut, name, id=f"{exercise}-{name}")
        for exercise, shortcuts in SHORTCUTS.items()
        for shortcut, name in shortcuts
    ],
)
def test_a_function_of_the_library_does_the_work(exercise, shortcut, name):
    assert right_by(shortcut, CHECKS[exercise], name)


@pytest.mark.parametrize("check", WITH_LIBRARY, ids=lambda check: check.id)
def test_the_chapters_own_solution_calls_none_of_it(check):
    name = next(name for name in handout.names() if name.startswith(check.id[:2]))
    solved = nbformat.read(handout.PACKAGE.parent / "solutions" / f"{name}.ipynb", 4)
    names = {"torch": torch, "math": math, "dc": dc, "F": torch.nn.functional}
    for (
        cell
    ) in solved.cells:  # an exercise may call the one before, and a function that its chapter has written out
        if cell.id in CHECKS:
            exec(cell.source, names)
        elif "def bound_term(" in cell.source:
            (function,) = (f for f in ast.parse(cell.source).body if getattr(f, "name", "") == "bound_term")
            exec(ast.unparse(function), names)
    with watched(without.library([check.id])) as seen:
        examine(check, names[check.function])
    assert seen == set()
