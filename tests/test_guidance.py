"""Guidance on a mixture whose conditional and marginal scores are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import guided_ancestral_sampling
from shared import F64, close
from torch import nn

from diffusion_course import CourseError, Noise, NoiseSchedule, gaussian, samplers, schedules
from diffusion_course.denoisers import (
    DatasetDenoiser,
    GaussianMixture,
    Preconditioned,
    as_eps,
    edm_param,
    split_variance,
)
from diffusion_course.guidance import (
    autoguidance,
    cfg,
    classifier,
    clip,
    clip_guidance,
    dynamic_threshold,
    from_paper_scale,
    interval,
    mean_shift,
    similarity,
)
from diffusion_course.nets.mlp import MLP

M = GaussianMixture(torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=F64), 0.4, torch.tensor([1.0, 2.0]))
X = Noise(0).randn(6, 2, dtype=F64)


def counted(D):
    def call(x, sigma):
        call.n += 1
        return D(x, sigma)

    call.n = 0
    return call


@pytest.mark.parametrize(("w", "calls"), [(1.0, (1, 0)), (0.0, (0, 1)), (2.0, (1, 1)), (-1.0, (1, 1))])
def test_no_guidance_costs_one_evaluation(w, calls):
    cond, uncond = counted(M.given(0)), counted(M)
    out = cfg(cond, uncond, w)(X, 0.7)
    assert (cond.n, uncond.n) == calls
    close(out, (1 - w) * M(X, 0.7) + w * M.given(0)(X, 0.7))


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 2.0, 7.5])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0])
def test_both_scale_conventions_in_eps(w, sigma):
    """eps_u + w (eps_c - eps_u), and the paper's (1 + w') eps_c - w' eps_u with w' = w - 1."""
    eps, eps_c, eps_u = ((X - D(X, sigma)) / sigma for D in (cfg(M.given(1), M, w), M.given(1), M))
    close(eps, eps_u + w * (eps_c - eps_u))
    close(eps, w * eps_c - (w - 1) * eps_u)
    assert from_paper_scale(w - 1) == w


@pytest.mark.parametrize("w", [0.5, 2.0, 5.0])
def test_it_follows_the_gradient_of_p_times_the_classifier_to_the_w(w):
    """(D - x) / sigma^2 is the gradient of log p(x) + w log p(y | x), by autograd."""
    sigma, x = 0.8, X.clone().requires_grad_()
    log_classifier = M.given(1).log_density(x, sigma) + M.weights[1].log() - M.log_density(x, sigma)
    (gradient,) = torch.autograd.grad((M.log_density(x, sigma) + w * log_classifier).sum(), x)
    close((cfg(M.given(1), M, w)(X, sigma) - X) / sigma**2, gradient)


def test_guided_samples_move_away_from_the_other_class():
    """Class 1 lies to the right of class 0; guidance 3 pushes its samples further to the right, and closer together."""
    start = 20.0 * Noise(1).randn(500, 2, dtype=F64)
    plain, pushed = (
        samplers.sample(cfg(M.given(1), M, w), start, schedules.karras(40, 0.01, 20.0))[:, 0]
        for w in (1.0, 3.0)
    )
    assert plain.mean() + 0.1 < pushed.mean()
    assert pushed.std() < plain.std()
    assert abs(plain.mean() - 1) < 5 * 0.4 / 500**0.5


def test_clip_bounds_the_answer_and_nothing_else():
    D = clip(M, -0.5, 0.6)
    close(D(X, 0.3), M(X, 0.3).clamp(-0.5, 0.6))
    assert (M(X, 0.3).abs() > 0.6).any()
    wide = clip(lambda x, sigma: 3 * x)(X, 0.3)
    assert wide.min() == -1
    assert wide.max() == 1


# ---- scales


SIGMAS = torch.tensor([0.1, 0.5, 1.0, 2.0, 2.1, 30.0], dtype=F64)


def test_the_scale_may_be_a_function_of_sigma_or_one_number_a_row():
    for sigma in (0.7, torch.tensor(0.7), SIGMAS):
        w = (1 + 2 * torch.as_tensor(sigma, dtype=F64)).expand(6)
        expected = M(X, sigma) + w[:, None] * (M.given(1)(X, sigma) - M(X, sigma))
        close(cfg(M.given(1), M, lambda s: 1 + 2 * s)(X, sigma), expected, 1e-6)
        close(cfg(M.given(1), M, w)(X, sigma), expected, 1e-6)


def test_guidance_in_an_interval():
    """Low is outside and high inside; outside it costs one evaluation."""
    D = cfg(M.given(1), M, interval(3.1, 0.5, 2.0))
    w = torch.tensor([1, 1, 3.1, 3.1, 1, 1], dtype=F64)
    close(D(X, SIGMAS), M(X, SIGMAS) + w[:, None] * (M.given(1)(X, SIGMAS) - M(X, SIGMAS)), 1e-12)
    for sigma, calls in ((0.5, (1, 0)), (0.51, (1, 1)), (2.0, (1, 1)), (2.01, (1, 0))):
        cond, uncond = counted(M.given(1)), counted(M)
        cfg(cond, uncond, interval(3.1, 0.5, 2.0))(X, sigma)
        assert (cond.n, uncond.n) == calls


def test_autoguidance_extrapolates_from_the_worse_model():
    worse = clip(M, -0.5, 0.5)
    close(autoguidance(M, worse, 2.5)(X, 0.7), worse(X, 0.7) + 2.5 * (M(X, 0.7) - worse(X, 0.7)))


@settings(max_examples=50, deadline=None)
@given(st.floats(-5, 10), st.floats(-3, 3), st.floats(0.05, 50))
def test_guidance_is_linear_in_its_two_denoisers(w, c, sigma):
    """cfg of a sum is the sum of the cfgs; two equal denoisers are left as they are; scales compose."""
    A, B = M.given(0), M.given(1)
    mixed = cfg(lambda x, s: A(x, s) + c * B(x, s), lambda x, s: M(x, s) + c * A(x, s), w)(X, sigma)
    close(mixed, cfg(A, M, w)(X, sigma) + c * cfg(B, A, w)(X, sigma), 1e-9)
    close(cfg(A, A, w)(X, sigma), A(X, sigma))
    close(cfg(cfg(A, M, c), M, w)(X, sigma), cfg(A, M, w * c)(X, sigma), 1e-9)


# ---- one batch


@pytest.mark.parametrize("sigma", [torch.tensor(0.7), torch.linspace(0.1, 5, 6)])
def test_two_conditions_of_one_network_run_in_one_batch(sigma):
    torch.manual_seed(0)
    net, x, y = MLP(2, width=16, num_classes=3), X.float(), torch.tensor([0, 1, 2, 2, 1, 0])
    D, other, calls = Preconditioned(net, edm_param()), Preconditioned(net, edm_param()), []
    net.register_forward_hook(lambda net, inputs, output: calls.append(len(inputs[0])))
    none = D.given(3)
    apart = none(x, sigma) + 4.0 * (D.given(y)(x, sigma) - none(x, sigma))
    net.num_classes = 3  # what a U-Net says of itself
    for uncond, sizes in ((none, [12]), (D, [12]), (other, [6, 6]), (clip(D, -99, 99), [6, 6])):
        calls.clear()
        close(cfg(D.given(y), uncond, 4.0)(x, sigma).detach(), apart.detach(), 2e-6)
        assert calls == sizes


def test_a_network_without_a_label_for_none_is_not_asked_for_it():
    class Net(nn.Module):
        def forward(self, x, c_noise, labels=None):
            return x if labels is None else x * labels[:, None]

    D = Preconditioned(Net(), edm_param())
    close(cfg(D.given(3), D, 2.0)(X, 0.7), D(X, 0.7) + 2 * (D.given(3)(X, 0.7) - D(X, 0.7)))


# ---- classifiers


DATA = DatasetDenoiser(Noise(5).randn(40, 2, dtype=F64), torch.arange(40) % 2)
EXACT = pytest.mark.parametrize("D", [M, DATA], ids=["mixture", "dataset"])


def log_prob_of(D, y):
    return lambda x, sigma: D.classify(x, sigma)[:, y]


@EXACT
@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 3.0, -2.0])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 30.0, SIGMAS.clamp(min=0.2)])
def test_with_exact_models_cfg_is_classifier_guidance(D, w, sigma):
    close(cfg(D.given(1), D, w)(X, sigma), classifier(D, log_prob_of(D, 1), w)(X, sigma))


def test_classes_may_differ_by_row():
    y = torch.tensor([0, 1, 1, 0, 0, 1])
    log_prob = lambda x, sigma: M.classify(x, sigma)[torch.arange(6), y]  # noqa: E731
    close(cfg(M.given(y), M, 2.5)(X, 0.7), classifier(M, log_prob, 2.5)(X, 0.7))


def test_classifier_guidance_samples_inside_no_grad_and_scales_with_sigma():
    grid, start = schedules.karras(12, 0.05, 20.0), 20 * X
    scale = interval(2.0, 0.3, 5.0)
    guided = classifier(M, log_prob_of(M, 1), lambda s: 2 * (scale(s) - 1))  # 2 inside, 0 outside
    plain = cfg(M.given(1), M, lambda s: 2 * (scale(s) - 1))
    out = samplers.sample(guided, start, grid)
    assert not out.requires_grad
    close(out, samplers.sample(plain, start, grid), 1e-9)


@pytest.mark.parametrize("stride", [1, 7])
def test_mean_shift_and_learned_variance_are_the_textbook_loop(stride):
    """In x_t coordinates, with a model that answers (eps, v), recorded noises and a strided sequence."""
    schedule = NoiseSchedule.from_betas(schedules.cosine(40))
    timesteps = list(range(40, 0, -stride))
    noises = [Noise(i).randn(6, 2, dtype=F64) for i in range(40)]
    eps = as_eps(M, schedule)

    def model(x_t, t):
        return torch.cat([eps(x_t, t), (3 * x_t).sin()], 1)

    def textbook_model(x, t):
        answer = model(torch.as_tensor(x), torch.full((6,), t)).numpy()
        return answer[:, :2], answer[:, 2:]

    def gradient(x, t):
        x_t = torch.as_tensor(x).requires_grad_()
        (g,) = torch.autograd.grad(
            M.classify(gaussian.to_ve(x_t, schedule.sigma(t)), schedule.sigma(t))[:, 1].sum(), x_t
        )
        return g.numpy()

    class Recorded:
        def __init__(self):
            self.next = iter(noises)

        def like(self, x):
            return next(self.next)

    grid = schedule.grid(torch.tensor(timesteps))
    start = gaussian.to_ve(X, grid[0])
    for scale in (0.0, 1.7):
        D, v = split_variance(model, schedule)
        step = mean_shift(log_prob_of(M, 1), scale, samplers.learned_variance(v))
        found = samplers.sample(D, start, grid, step, Recorded())
        expected = guided_ancestral_sampling(
            X.numpy(),
            timesteps,
            schedule.betas.tolist(),
            textbook_model,
            [z.numpy() for z in noises],
            gradient,
            scale,
        )
        close(found, expected, 1e-8)
        if scale == 0:
            close(samplers.sample(D, start, grid, samplers.ddpm_learned(v), Recorded()), found, 1e-12)


def test_the_shift_of_the_mean_is_the_score_form_to_first_order():
    sigma, log_prob = torch.tensor(1.0, dtype=F64), log_prob_of(M, 1)

    class Zero:
        def like(self, x):
            return torch.zeros_like(x)

    gaps = []
    for h in (0.02, 0.01):
        plain = samplers.ddpm(M, X, sigma, sigma - h, Zero())
        by_score = samplers.ddpm(classifier(M, log_prob, 2.0), X, sigma, sigma - h, Zero()) - plain
        by_mean = mean_shift(log_prob, 2.0)(M, X, sigma, sigma - h, Zero()) - plain
        assert by_mean.abs().max() > 0.5 * h * 0.1
        gaps.append((by_score - by_mean).abs().max())
    assert 3.8 < gaps[0] / gaps[1] < 4.2


# ---- ranges


def test_dynamic_threshold_works_on_each_sample_alone():
    x0 = torch.stack([torch.linspace(-0.9, 0.9, 101), torch.linspace(-4, 4, 101), torch.zeros(101)]).double()
    x0[2, 0] = 50.0
    out = dynamic_threshold(lambda x, sigma: x, 0.9)(x0.reshape(3, 1, 101), 1.0).reshape(3, 101)
    close(out[0], x0[0])
    s = np.quantile(x0[1].abs().numpy(), 0.9)
    close(out[1], x0[1].clamp(-s, s) / s)
    close(out[2], x0[2].clamp(-1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval(2.0, 3.0, 3.0), r"^low, high: got 3\.0, 3\.0, want 0 <= low < high"),
        (lambda: dynamic_threshold(M, 0.0), r"^percentile: got 0\.0, want a number in \(0, 1\]"),
        (
            lambda: classifier(M, M.classify, 1.0)(X, 0.7),
            r"^log_prob\(x, sigma\): got shape \(6, 2\), want \(6,\)",
        ),
        (lambda: classifier(M, lambda x, s: torch.zeros(6), 1.0)(X, 0.7), r"^log_prob: .* not depend on x"),
        (lambda: cfg(M.given(1), M, torch.ones(3))(X, 0.7), r"got shape \(3,\), want \(\) or \(6,\)"),
        (
            lambda: split_variance(lambda x, t: x, NoiseSchedule.from_betas([0.1]))[0](X, 0.7),
            r"^model\(x_t, t\): got shape \(6, 2\), want \(6, 4\): eps and v",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(CourseError, match=message):
        call()


def seen(x, sigma):
    """An image encoder: smooth, and it knows the noise level."""
    return torch.stack([x[:, 0].sin() + sigma, x[:, 1] ** 2 - x[:, 0], 1.5 + x.prod(1)], dim=1)


def test_clip_guidance_follows_the_gradient_of_the_cosine():
    text, sigma, scale = torch.tensor([[0.3, -2.0, 1.0]], dtype=F64), torch.tensor(0.7, dtype=F64), 5.0
    h = 1e-5

    def cosine(x):
        return nn.functional.cosine_similarity(seen(x, sigma), text)

    differences = [(cosine(X + h * e) - cosine(X - h * e)) / (2 * h) for e in torch.eye(2, dtype=F64)]
    with torch.no_grad():
        shift = clip_guidance(M, seen, text, scale)(X, sigma) - M(X, sigma)
    close(shift, scale * sigma**2 * torch.stack(differences, dim=1), 1e-8)


def test_only_directions_count_for_a_similarity():
    text, sigma = Noise(5).randn(6, 3, dtype=F64), torch.tensor(0.7, dtype=F64)
    one = similarity(seen, text)(X, sigma)
    close(one, similarity(lambda x, s: 9 * seen(x, s), text / 4)(X, sigma))
    assert one.shape == (6,)
    assert (one.abs() <= 1).all()
    close(one[:1], similarity(seen, text[:1])(X, sigma)[:1])  # one text for all


@pytest.mark.parametrize("text", [torch.ones(2, 3), torch.ones(1, 4), torch.ones(1, 3, 1), torch.ones(3)])
def test_a_text_of_another_shape_is_told(text):
    with pytest.raises(CourseError, match=r"text: got shape .* want \(1 or B, E\)"):
        clip_guidance(M, seen, text.double(), 1.0)(X, torch.tensor(0.7))
