"""The checks of the chapters: right answers pass, each classic mistake gets its own hint, notebooks agree."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from diffusion_course import (
    NoiseSchedule,
    denoisers,
    elbo,
    gaussian,
    guidance,
    losses,
    noise,
    samplers,
    schedules,
)
from diffusion_course.classroom.checks import CHECKS, CheckFailed, check, examine
from diffusion_course.classroom.checks.engine import cases
from diffusion_course.classroom.checks.inputs import PLANS, Draw, column

SEEDS = (0, 1, 2, 3, "another")
SOLUTIONS = Path(__file__).parents[2] / "solutions"


@pytest.mark.parametrize("exercise", CHECKS.values(), ids=list(CHECKS))
def test_the_reference_passes_and_prints_one_line(exercise, capsys):
    for seed in SEEDS:
        check(exercise.id, exercise.reference, seed)
    line = f"{exercise.id}: correct, {exercise.points} points\n"
    assert capsys.readouterr().out == line * len(SEEDS)


MUTANTS = [
    pytest.param(exercise, mutant, id=f"{exercise.id}-{i}")
    for exercise in CHECKS.values()
    for i, mutant in enumerate(exercise.mutants)
]


@pytest.mark.parametrize(("exercise", "mutant"), MUTANTS)
def test_a_mutant_is_rejected_with_the_hint_meant_for_it(exercise, mutant):
    for seed in SEEDS:
        with pytest.raises(CheckFailed) as caught:
            examine(exercise, mutant.function, seed)
        assert str(caught.value).endswith(f"\nThis looks like {mutant.hint}")


@pytest.mark.parametrize("exercise", CHECKS.values(), ids=list(CHECKS))
def test_a_check_is_well_formed(exercise):
    assert exercise.id[2] == "-"
    assert exercise.id[:2].isdigit()
    assert exercise.id[3:] == exercise.reference.__name__
    assert exercise.points >= 1
    assert len(exercise.mutants) >= 3
    assert len({mutant.hint for mutant in exercise.mutants}) == len(exercise.mutants)
    assert set(exercise.grad) <= set(exercise.parameters)
    assert exercise.where.endswith(".")
    assert all(mutant.hint.endswith((".", ".)")) for mutant in exercise.mutants)


# ---- right by another formula


def loop_product(betas):
    kept, product = [], torch.ones_like(betas[0])
    for beta in betas:
        product = product * (1 - beta)
        kept.append(product)
    return torch.stack(kept)


def diffuse_row_by_row(x0, t, eps, alpha_bar):
    return torch.stack(
        [
            alpha_bar[s - 1] ** 0.5 * x + (1 - alpha_bar[s - 1]) ** 0.5 * e
            for s, x, e in zip(t, x0, eps, strict=True)
        ]
    )


def kl_by_distributions(mean1, logvar1, mean2, logvar2):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    return kl(Normal(mean1, (logvar1 / 2).exp()), Normal(mean2, (logvar2 / 2).exp()))


def posterior_by_precisions(x0, x_t, t, betas):
    alpha_bar = torch.cat([betas.new_ones(1), (1 - betas).cumprod(0)])
    beta, a, previous = (column(v, x0) for v in (betas[t - 1], alpha_bar[t], alpha_bar[t - 1]))
    variance = beta * (1 - previous) / (1 - a)
    # Completing the square, multiplied by 1 - alpha_bar_{t-1} so that t = 1 needs no 1/0.
    mean = ((1 - beta).sqrt() * x_t * (1 - previous) + previous.sqrt() * x0 * beta) / (
        1 - previous + beta * previous
    )
    return [mean, variance]


def step_through_x0(eps_model, x_t, t, z, betas):
    x0 = CHECKS["03-x0_from_eps"].reference
    times = torch.full((len(x_t),), t, device=x_t.device)
    guess = x0(x_t, times, eps_model(x_t, times.to(x_t)), (1 - betas).cumprod(0))
    mean, variance = posterior_by_precisions(guess, x_t, times, betas)
    return mean if t == 1 else mean + variance**0.5 * z


def guidance_with_one_graph(D, log_prob, x, sigma, scale):
    # Through eps, with the gradient of each sample's own number.
    x = x.clone().requires_grad_()
    value = log_prob(x, sigma)
    (gradient,) = torch.autograd.grad(value, x, torch.ones_like(value))
    eps = (x - D(x, sigma)) / sigma - scale * sigma * gradient
    return (x - sigma * eps).detach()


def cfg_in_one_batch(model, x, sigma, y, w, no_label):
    both = model(torch.cat([x, x]), sigma, torch.cat([y, torch.full_like(y, no_label)]))
    cond, uncond = both.chunk(2)
    return w * cond - (w - 1) * uncond


def cosine_by_half_angle(u, s):
    def doubled(v):  # 2 cos^2(a) = 1 + cos(2 a)
        return 1 + torch.cos((v + s) / (1 + s) * torch.pi)

    return doubled(u) / doubled(torch.zeros_like(u))


def prior_kl_by_distributions(x0, alpha_bar):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    a = alpha_bar[-1]
    return kl(Normal(a.sqrt() * x0, (1 - a).sqrt()), Normal(0.0, 1.0)).sum(tuple(range(1, x0.ndim)))


def ddim_through_the_posterior(eps_model, x_t, t, t_prev, eta, z, alpha_bar):
    a = torch.cat([alpha_bar.new_ones(1), alpha_bar])
    sigma, sigma_prev = (1 / a[t] - 1).sqrt(), (1 / a[t_prev] - 1).sqrt()
    eps = eps_model(x_t, x_t.new_full((len(x_t),), t))
    fresh = eta * sigma_prev * (1 - (sigma_prev / sigma) ** 2).sqrt()
    x = x_t * (1 + sigma**2).sqrt() + ((sigma_prev**2 - fresh**2).sqrt() - sigma) * eps + fresh * z
    return x / (1 + sigma_prev**2).sqrt()


def times_by_integers(T, n, power):
    """(T - 1) (k / (n - 1))^power, rounded without any fraction."""
    whole = max(n - 1, 1) ** power
    steps = range(n - 1, -1, -1) if n > 1 else [1]
    return torch.tensor([1 + (2 * (T - 1) * k**power + whole) // (2 * whole) for k in steps])


def slerp_by_rotation(a, b, s):
    """Turn a towards b by s theta: cos(s theta) and sin(s theta) along a and across it."""
    flat = [x.flatten(1) for x in (a, b)]
    u, v = (x / x.norm(dim=1, keepdim=True) for x in flat)
    cosine = (u * v).sum(1, keepdim=True)
    sine = (v - cosine * u).norm(dim=1, keepdim=True)
    turn = s * torch.atan2(sine, cosine)
    across = turn.sin() / sine
    return ((turn.cos() - across * cosine) * flat[0] + across * flat[1]).reshape(a.shape)


def karras_by_weights(n, sigma_min, sigma_max, rho):
    i = torch.arange(n, dtype=torch.float64)
    root = ((n - 1 - i) * sigma_max ** (1 / rho) + i * sigma_min ** (1 / rho)) / (n - 1)
    return F.pad(root**rho, (0, 1))


def heun_through_x0(D, x, sigma, sigma_next, noise=None):
    x0 = D(x, sigma)
    x_next = x0 + sigma_next / sigma * (x - x0)
    if sigma_next == 0:
        return x_next
    return x_next + (sigma_next - sigma) / 2 * (
        (x_next - D(x_next, sigma_next)) / sigma_next - (x - x0) / sigma
    )


def churn_by_gamma(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    if sigma < s_min or sigma > s_max:
        return x.clone(), sigma.clone()
    gamma = min(s_churn / num_steps, 2**0.5 - 1)
    return x + sigma * (gamma * (gamma + 2)) ** 0.5 * s_noise * eps, sigma + gamma * sigma


def churned_by_the_library(x, sigma, eps, num_steps, s_churn, s_min, s_max, s_noise):
    """What the library's sampler shows its denoiser first."""
    seen = []

    def D(x_hat, sigma_hat):
        seen.append((x_hat, sigma_hat))
        return x_hat

    step = samplers.edm(s_churn, s_min, s_max, s_noise, num_steps=num_steps)
    step(D, x, sigma, torch.zeros_like(sigma), SimpleNamespace(like=lambda _: eps))
    return seen[0]


ALTERNATIVES = {
    "01-alpha_bar_from_betas": [loop_product, lambda b: torch.log1p(-b).cumsum(0).exp()],
    "01-diffuse": [diffuse_row_by_row],
    "01-snr": [lambda a: 1 / (1 / a - 1), lambda a: a.logit().exp()],
    "02-normal_kl": [kl_by_distributions],
    "02-posterior_mean_variance": [posterior_by_precisions],
    "02-vlb_terms": [
        lambda mse, a: 0.5 * (a / (1 - a)).diff().neg() * mse[1:],
        lambda mse, a: torch.stack(
            [
                0.5 * (a[t - 2] / (1 - a[t - 2]) - a[t - 1] / (1 - a[t - 1])) * mse[t - 1]
                for t in range(2, len(a) + 1)
            ]
        ),
    ],
    "03-eps_loss": [lambda m, x, t, e, a: F.mse_loss(m(diffuse_row_by_row(x, t, e, a), t), e)],
    "03-x0_from_eps": [
        lambda x, t, e, a: column((1 / a).sqrt()[t - 1], x) * x - column((1 / a - 1).sqrt()[t - 1], x) * e
    ],
    "03-ddpm_step": [step_through_x0],
    "07-ddim_step": [ddim_through_the_posterior],
    "07-timestep_subsequence": [times_by_integers],
    "07-slerp": [slerp_by_rotation],
    "04-cosine_alpha_bar": [cosine_by_half_angle],
    "04-sigmoid_betas": [
        lambda u, low, high, k: low + (high - low) / (1 + (k * (1 - 2 * u)).exp()),
        lambda u, low, high, k: low + (high - low) * torch.linspace(-k, k, len(u)).to(u).sigmoid(),
    ],
    "04-prior_kl": [prior_kl_by_distributions],
    "06-classifier_guidance": [guidance_with_one_graph],
    "06-drop_labels": [lambda y, u, p, none: y.masked_fill(u < p, none)],
    "06-cfg": [cfg_in_one_batch],
    "09-karras_sigmas": [karras_by_weights],
    "09-heun_step": [heun_through_x0],
    "09-churn": [churn_by_gamma],
}


@pytest.mark.parametrize(
    ("id", "answer"), [(id, answer) for id, answers in ALTERNATIVES.items() for answer in answers]
)
def test_another_right_formula_passes(id, answer):
    for seed in SEEDS:
        examine(CHECKS[id], answer, seed)


def test_every_check_has_another_right_formula():
    assert set(ALTERNATIVES) == set(CHECKS)


# ---- the references agree with the library


def schedule_of(betas):
    return NoiseSchedule.from_betas(betas.double())


def library_answer(id, args):
    """The same quantity from the core library, which takes a NoiseSchedule."""
    if id == "01-alpha_bar_from_betas":
        return schedule_of(*args).alpha_bar
    if id == "09-karras_sigmas":
        return schedules.karras(*args)
    if id == "09-heun_step":
        return samplers.heun(*args)
    if id == "09-churn":
        return churned_by_the_library(*args)
    if id == "01-snr":
        betas = 1 - args[0] / torch.cat([torch.ones(1), args[0][:-1]])
        return schedule_of(betas).snr
    if id == "02-normal_kl":
        return elbo.normal_kl(*args)
    if id == "02-posterior_mean_variance":
        return gaussian.posterior_mean_variance(*args[:3], schedule_of(args[3]))
    if id == "04-cosine_alpha_bar":
        u, s = args
        # Any T whose steps t / T hold every u gives the same answer.
        T = next(T for T in range(1, 15) if torch.allclose(u * T, (u * T).round(), atol=1e-9))
        return (1 - schedules.cosine(T, s, max_beta=1.0)).cumprod(0)[(u * T).round().long() - 1]
    if id == "04-sigmoid_betas":
        return schedules.sigmoid(len(args[0]), *args[1:])
    if id == "06-classifier_guidance":
        D, log_prob, x, sigma, scale = args
        return guidance.classifier(D, log_prob, scale)(x, sigma)
    if id == "06-drop_labels":
        labels, u, p, no_label = args
        return torch.tensor([no_label if v < p else y for y, v in zip(labels, u, strict=True)])
    if id == "06-cfg":
        model, x, sigma, y, w, no_label = args
        cond, uncond = (lambda x, s, k=k: model(x, s, k) for k in (y, torch.full_like(y, no_label)))
        return guidance.cfg(cond, uncond, w)(x, sigma)
    if id == "07-ddim_step":
        eps_model, x_t, t, t_prev, eta, z, alpha_bar = args
        s = schedule_of(1 - alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]]))
        sigma, sigma_prev = (s.sigma(u) if u else torch.zeros((), dtype=torch.float64) for u in (t, t_prev))
        step = samplers.ddim(eta)
        D, x = denoisers.from_eps(eps_model, s), gaussian.to_ve(x_t, sigma)
        return gaussian.to_vp(step(D, x, sigma, sigma_prev, SimpleNamespace(like=lambda _: z)), sigma_prev)
    if id == "07-timestep_subsequence":
        T, n, power = args
        return {1: schedules.uniform_timesteps, 2: schedules.quadratic_timesteps}[power](T, n)
    if id == "07-slerp":
        return noise.slerp(*args)
    *rest, table = args
    if id == "03-ddpm_step":
        eps_model, x_t, t, z = rest
        s = schedule_of(table)
        mean = gaussian.mean_from_eps(x_t, t, eps_model(x_t, torch.full((len(x_t),), t)), s)
        return mean + s.posterior_variance[t - 1].sqrt() * z
    s = schedule_of(1 - table / torch.cat([torch.ones(1), table[:-1]]))
    if id == "02-vlb_terms":
        # kl_term wants x0 - x0_hat; take differences with the right square.
        pairs = [(torch.zeros(1, 1, dtype=table.dtype), m.sqrt().reshape(1, 1)) for m in rest[0]]
        return torch.cat([elbo.kl_term(*pairs[t - 1], t, s) for t in range(2, len(table) + 1)])
    function = {
        "01-diffuse": gaussian.diffuse,
        "03-eps_loss": losses.eps_loss,
        "03-x0_from_eps": gaussian.x0_from_eps,
        "04-prior_kl": elbo.prior_kl,
    }[id]
    return function(*rest, s)


@pytest.mark.parametrize("exercise", CHECKS.values(), ids=list(CHECKS))
def test_the_reference_agrees_with_the_library(exercise):
    for args, plan in zip(cases(exercise, 0), PLANS, strict=True):
        if plan.dtype == torch.float64:
            torch.testing.assert_close(
                exercise.reference(*args), library_answer(exercise.id, args), rtol=1e-10, atol=1e-10
            )


# ---- mistakes that only a model can notice


def test_the_model_must_see_a_time_for_each_sample():
    def plain_time(eps_model, x_t, t, z, betas):
        return eps_model(x_t, t)

    with pytest.raises(CheckFailed, match=r"(?s)eps_model got t = .*in line .*return eps_model"):
        examine(CHECKS["03-ddpm_step"], plain_time)


def test_a_loss_that_cannot_train_is_refused():
    with pytest.raises(CheckFailed, match="no gradient flows back to eps_model"):
        examine(CHECKS["03-eps_loss"], torch.no_grad()(CHECKS["03-eps_loss"].reference))


def test_fresh_noise_inside_the_loss_is_refused():
    def own_noise(eps_model, x0, t, eps, alpha_bar):
        return CHECKS["03-eps_loss"].reference(eps_model, x0, t, torch.randn_like(x0), alpha_bar)

    with pytest.raises(CheckFailed, match="changed torch's global random state"):
        examine(CHECKS["03-eps_loss"], own_noise)


def test_the_toy_model_tells_neighbouring_times_apart():
    d = Draw("00-any", 0, 0)
    model, x, t = d.eps_model(), d.x(), d.t()
    assert (model(x, t) - model(x, t + 1)).abs().mean() > 0.1


# ---- the notebooks use the checks


def exercise_cells(path):
    """(metadata, source) of each exercise cell, and the source of all code cells."""
    jupytext = pytest.importorskip("jupytext")
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    tagged = [cell for cell in code if "exercise" in cell.metadata.get("tags", [])]
    return [(cell.metadata["course"], cell.source) for cell in tagged], "\n".join(c.source for c in code)


def chapters_written():
    return sorted(
        path for path in SOLUTIONS.glob("[0-9][0-9]_*.py") if any(id[:2] == path.name[:2] for id in CHECKS)
    )


@pytest.mark.parametrize("path", chapters_written(), ids=lambda path: path.stem)
def test_a_chapter_and_its_checks_agree(path):
    exercises, code = exercise_cells(path)
    ids = [course["id"] for course, _ in exercises]
    assert ids == [id for id in CHECKS if id[:2] == path.name[:2]]
    for course, source in exercises:
        exercise = CHECKS[course["id"]]
        assert course["points"] == exercise.points
        functions = {
            node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
        }
        student = functions[exercise.id[3:]]
        assert [argument.arg for argument in student.args.args] == exercise.parameters
        assert code.count(f'check("{exercise.id}", {exercise.id[3:]})') == 1
