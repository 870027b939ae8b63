"""Chapter 06: other right answers, and the same quantities from the library."""

import pytest
import torch

from diffusion_course import guidance, losses
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch06_scales import guidance_scales
from diffusion_course.classroom.checks.engine import score
from diffusion_course.classroom.terms import reached


@torch.enable_grad()
def guidance_with_one_graph(D, log_prob, x, sigma, scale):
    # Through eps, with the gradient of each sample's own number.
    x = x.clone().requires_grad_()
    value = log_prob(x, sigma)
    (gradient,) = torch.autograd.grad(value, x, torch.ones_like(value))
    eps = (x - D(x, sigma)) / sigma - scale * sigma * gradient
    return (x - sigma * eps).detach()


def guidance_by_backward(D, log_prob, x, sigma, scale):
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        log_prob(leaf, sigma).sum().backward(inputs=[leaf])
    return D(x, sigma) + leaf.grad * scale * sigma.square()


def guidance_by_func(D, log_prob, x, sigma, scale):
    gradient = torch.func.grad(lambda v: log_prob(v, sigma).sum())(x)
    return torch.addcmul(D(x, sigma), gradient, sigma * sigma, value=scale)


def guidance_by_the_mean(D, log_prob, x, sigma, scale):
    """The mean of log p, and B times its gradient."""
    leaf = x.detach()
    leaf.requires_grad = True
    with torch.set_grad_enabled(True):
        value = len(x) * log_prob(leaf, sigma).mean()
    return D(x, sigma) + sigma**2 * scale * torch.autograd.grad(value, leaf)[0]


def labels_by_assignment(labels, u, p, no_label):
    kept = labels.clone()
    kept[u < p] = no_label
    return kept


def labels_by_arithmetic(labels, u, p, no_label):
    drop = (p > u).to(labels.dtype)
    return labels + drop * (no_label - labels)


def cfg_through_eps(model, x, sigma, y, w, no_label):
    empty = torch.zeros_like(y) + no_label
    eps_c, eps_u = ((x - model(x, sigma, labels)) / sigma for labels in (y, empty))
    return x - sigma * torch.lerp(eps_u, eps_c, w)


def cfg_by_names(model, x, sigma, y, w, no_label):
    empty = torch.tensor([no_label] * len(y), device=y.device)
    return (1 - w) * model(x=x, sigma=sigma, y=empty) + w * model(x, sigma, labels=y)


def cfg_in_one_batch(model, x, sigma, y, w, no_label):
    both = model(torch.cat([x, x]), sigma, torch.cat([y, torch.full_like(y, no_label)]))
    cond, uncond = both.chunk(2)
    return w * cond - (w - 1) * uncond


def labels_one_by_one(labels, u, p, no_label):
    return torch.tensor([no_label if v < p else y for y, v in zip(labels, u, strict=True)])


def cfg_by_the_library(model, x, sigma, y, w, no_label):
    cond, uncond = (lambda x, s, k=k: model(x, s, k) for k in (y, torch.full_like(y, no_label)))
    return guidance.cfg(cond, uncond, w)(x, sigma)


def loss_by_weight(model, x0, labels, sigma, eps, u, p, no_label):
    """The error of x_0, with the weight 1 / sigma^2."""
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    left = labels.clone()
    left[u < p] = no_label
    return ((model(x0 + s * eps, sigma, left) - x0) ** 2 / s**2).mean()


def loss_by_function(model, x0, labels, sigma, eps, u, p, no_label):
    s = sigma[(..., *[None] * (x0.ndim - 1))]
    x = torch.addcmul(x0, s, eps)
    implied = (x - model(x, sigma, labels=labels.masked_fill(u < p, no_label))) / s
    return torch.nn.functional.mse_loss(implied, eps)


def loss_by_the_library(model, x0, labels, sigma, eps, u, p, no_label):
    kept = labels_one_by_one(labels, u, p, no_label)
    return losses.denoising_loss(lambda x, s: model(x, s, kept), x0, sigma, eps, lambda s: s**-2)


def cfg_of_the_paper(model, x, sigma, y, w, no_label):
    return (1 + w) * model(x, sigma, y) - w * model(x, sigma, torch.full_like(y, no_label))


def test_in_the_other_convention_the_public_answer_is_told_so_and_each_mutant_its_hint():
    check = CHECKS["06-cfg"].under(variant=1)
    for seed in (0, 1, "another"):
        examine(check, cfg_of_the_paper, seed)
        for mutant in check.mutants:
            with pytest.raises(CheckFailed) as caught:
                examine(check, mutant.function, seed)
            assert caught.value.diagnosis == mutant.hint
    with pytest.raises(CheckFailed, match="the course's convention"):
        examine(check, CHECKS["06-cfg"].reference)


ALTERNATIVES = {
    "06-guidance_scales": [
        lambda sigmas: torch.where(sigmas < 0.1, 7.5, 1.0),
        lambda sigmas: torch.tensor([1.0] * 17 + [4.3] * 3),
        lambda sigmas: torch.full_like(sigmas, 2.3),
    ],
    "06-conditional_loss": [loss_by_weight, loss_by_function],
    "06-classifier_guidance": [
        guidance_with_one_graph,
        guidance_by_backward,
        guidance_by_func,
        guidance_by_the_mean,
    ],
    "06-drop_labels": [
        lambda y, u, p, none: y.masked_fill(u < p, none),
        labels_by_assignment,
        labels_by_arithmetic,
        lambda y, u, p, none: torch.where(p <= u, y, torch.full_like(y, none)),
    ],
    "06-cfg": [cfg_in_one_batch, cfg_through_eps, cfg_by_names],
}

LIBRARY = {
    "06-guidance_scales": guidance_scales,  # no function of the library designs one
    "06-conditional_loss": loss_by_the_library,
    "06-classifier_guidance": lambda D, log_prob, x, sigma, s: guidance.classifier(D, log_prob, s)(x, sigma),
    "06-drop_labels": labels_one_by_one,  # the library has no function for it
    "06-cfg": cfg_by_the_library,
}


def spoiled(model, x0, labels, sigma, eps, u, p, no_label):
    labels[u < p] = no_label
    return loss_by_weight(model, x0, labels, sigma, eps, u, 0.0, no_label)


def detached(*args):
    return loss_by_weight(*args).detach()


@pytest.mark.parametrize(
    ("answer", "words"),
    [(spoiled, "changed its argument labels in place"), (detached, "no gradient flows back")],
)
def test_what_a_training_step_would_suffer_from_is_told(answer, words):
    with pytest.raises(CheckFailed, match=words):
        examine(CHECKS["06-conditional_loss"], answer)


@pytest.mark.parametrize("variant", [0, 1, 2])
def test_in_every_version_the_last_mark_is_reached_by_an_even_pull_and_the_first_by_a_constant(variant):
    check = CHECKS["06-guidance_scales"].under(variant=variant)
    assert score(check, check.reference) >= check.marks[-1][1]
    assert check.marks[-1][0] == check.points
    w = {0: 2.3, 1: 2.5, 2: 2.4}[variant]
    found = score(check, lambda sigmas: torch.full_like(sigmas, w))
    assert reached(check.marks, found, lower=False) == check.marks[0][0]
    if variant:  # the public design is below the bar
        with pytest.raises(CheckFailed, match="are recognised, want at least"):
            examine(check, guidance_scales)


def test_a_sigma_that_meets_images_without_axes_is_the_one_named():
    def flat(model, x0, labels, sigma, eps, u, p, no_label):
        return model(x0 + sigma * eps, sigma, labels).mean()

    with pytest.raises(
        CheckFailed, match=r"such as sigma, .B,., needs the shape .B, 1, ..., 1., as many axes as x0"
    ):
        examine(CHECKS["06-conditional_loss"], flat)


def test_scales_may_be_whole_numbers():
    examine(CHECKS["06-guidance_scales"], lambda sigmas: torch.where(sigmas < 0.1, 8, 1))


def test_a_design_below_the_bar_is_told_where_it_guides():
    check = CHECKS["06-guidance_scales"]
    for answer, words in (
        (torch.ones_like, "no scale is above 1"),
        (lambda s: torch.where(s > 2, 3.0, 0.5), "above 1 from sigma = 40 to .*; 9 scales are below 1"),
        (
            lambda s: torch.where(s > 2, 4.0, 1.0),
            "open; those that end between the classes are told apart below",
        ),
        (lambda s: torch.where(s < 0.1, 2.0, 1.0), "Recall is high .*: guide more strongly there"),
        (lambda s: torch.linspace(4, 1, len(s)), "at the larger of these levels guidance moves the points"),
        (lambda s: torch.where(s < 0.5, 4.0, 1.0), "At the larger of these levels guidance moves the points"),
        (lambda s: torch.where(s < 0.1, 40.0, 1.0), "at most 40. Stronger than the bar needs"),
    ):
        with pytest.raises(CheckFailed, match=words):
            examine(check, lambda sigmas, answer=answer: answer(sigmas))
