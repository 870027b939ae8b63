"""Chapter 11: other right answers, and the same quantities from the library."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from diffusion_course import masked, transitions, unmasking
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.ch11_plan import decoding_plan
from diffusion_course.classroom.checks.engine import score


def loss_by_cross_entropy(model, x0, t, u, K):
    hidden = u >= 1 - t.view(-1, *[1] * (x0.ndim - 1))
    logits = model(x0.masked_fill(hidden, K))
    each = F.cross_entropy(logits.flatten(0, -2), x0.flatten(), reduction="none").reshape(x0.shape)
    return (each * hidden).reshape(len(x0), -1).sum(1) / t


def loss_row_by_row(model, x0, t, u, K):
    x_t = torch.stack([torch.where(c < 1 - s, x, K) for x, s, c in zip(x0, t, u, strict=True)])
    log_p = model(x_t).log_softmax(-1)
    losses = []
    for row, x, at, s in zip(log_p, x0, x_t, t, strict=True):
        picked = row.reshape(-1, K)[torch.arange(x.numel()), x.flatten()]
        losses.append(-picked[at.flatten() == K].sum() / s)
    return torch.stack(losses)


def loss_by_one_hot(model, x0, t, u, K):
    alpha = (1 - t)[(..., *[None] * (x0.ndim - 1))]
    x_t = x0.clone()
    x_t[u >= alpha] = K
    nats = -(F.one_hot(x0, K) * torch.log_softmax(model(x=x_t), dim=-1)).sum(-1)
    return (1 / t) * (nats * (x_t == K)).flatten(1).sum(dim=1)


def loss_by_the_library(model, x0, t, u, K):
    return masked.loss(model, x0, t, u, K)


def step_by_logarithms(model, x_t, t, s, g, K):
    shown = torch.tensor((t - s) / t, dtype=g.dtype).log() + model(x_t).log_softmax(-1)
    stay = torch.full_like(shown[..., :1], s / t).log()
    new = torch.argmax(torch.cat((shown, stay), dim=-1) + g, dim=-1)
    hidden = x_t == K
    return x_t * ~hidden + new * hidden


def step_by_race(model, x_t, t, s, g, K):
    """The smallest of e^-g / p wins."""
    p = F.pad((1 - s / t) * F.softmax(model(x_t), -1), (0, 1), value=s / t)
    out = x_t.clone()
    first = (torch.exp(-g.double()) / p.double()).argmin(-1)
    out[x_t == K] = first[x_t == K]
    return out


def step_where_hidden(model, x_t, t, s, g, K):
    """Only the hidden tokens are drawn."""
    at = x_t == K
    log_p = model(x_t)[at].log_softmax(-1)
    both = torch.cat(
        [log_p + torch.tensor((t - s) / t).log(), torch.tensor(s / t).log().expand(len(log_p), 1)], 1
    )
    x_s = x_t.clone()
    x_s[at] = (both + g[at]).max(1).indices
    return x_s


def law_by_the_library(model, x_t, t, s, g, K):
    return (masked.reverse(x_t, model(x_t), t, s).log() + g).argmax(-1)


def sample_by_append(model, x, times, g, K):
    path = x[None]
    for t, s, z in zip(times[:-1], times[1:], g, strict=True):
        path = torch.cat([path, step_by_logarithms(model, path[-1], float(t), float(s), z, K)[None]])
    return path


def sample_in_place(model, x, times, g, K):
    out = x.new_empty(len(times), *x.shape)
    out[0] = x
    for k in range(len(times) - 1):
        out[k + 1] = step_by_race(model, out[k], times[k].item(), times[k + 1].item(), g[k], K)
    return out


def sample_by_the_library(model, x, times, g, K):
    draws = iter(g)

    def step(model, x, t, s, noise):
        return law_by_the_library(model, x, t, s, next(draws), K)

    return torch.stack(
        list(unmasking.states(step, model, x, times.tolist(), SimpleNamespace(like=torch.zeros_like)))
    )


def posterior_by_marginal(x_t, x0, t, Q):
    """Over q(x_t | x_0), with one-hot rows, as the equation stands."""
    K = Q.shape[-1]
    a, b = F.one_hot(x_t, K).to(Q), F.one_hot(x0, K).to(Q)
    before = torch.linalg.multi_dot([torch.eye(K).to(Q), torch.eye(K).to(Q), *Q[: t - 1]])
    top = (a @ Q[t - 1].mT) * (b @ before)
    return top / ((b @ before @ Q[t - 1]) * a).sum(-1, keepdim=True)


def posterior_by_steps(x_t, x0, t, Q):
    """A row vector that is moved step by step."""
    row = F.one_hot(x0, Q.shape[-1]).to(Q)
    for s in range(t - 1):
        row = row @ Q[s]
    joint = row * Q[t - 1][:, x_t].movedim(0, -1)
    return joint / joint.sum(dim=-1)[..., None]


def posterior_by_the_library(x_t, x0, t, Q):
    if not torch.allclose(Q.sum(-1), torch.ones(1, dtype=Q.dtype)):
        return None
    chain = transitions._Dense(torch.full((len(Q),), 0.5, dtype=torch.float64), Q.double())
    return chain.posterior(x_t, x0, t)


ALTERNATIVES = {
    "11-masked_loss": [loss_by_cross_entropy, loss_row_by_row, loss_by_one_hot],
    "11-unmask_step": [step_by_logarithms, step_by_race, step_where_hidden],
    "11-unmask_sample": [sample_by_append, sample_in_place],
    "11-decoding_plan": [
        lambda places: torch.tensor([3, 2, 1, 3, 2, 3, 1, 2]),
        lambda places: (3, 2, 1, 3, 2, 3, 1, 2),
    ],
    "11-d3pm_posterior": [posterior_by_marginal, posterior_by_steps],
}

LIBRARY = {
    "11-masked_loss": loss_by_the_library,
    "11-unmask_step": law_by_the_library,
    "11-unmask_sample": sample_by_the_library,
    "11-decoding_plan": decoding_plan,  # no function of the library designs one
    "11-d3pm_posterior": posterior_by_the_library,
}


def test_what_a_training_step_would_suffer_from_is_told():
    def spoiled(model, x0, t, u, K):
        x0[u >= (1 - t).reshape(-1, *[1] * (x0.ndim - 1))] = K
        return model(x0).log_softmax(-1).amax(-1).flatten(1).sum(1) / t

    for answer, words in (
        (spoiled, "changed its argument x0 in place"),
        (lambda *args: loss_by_one_hot(*args).detach(), "no gradient flows back"),
    ):
        with pytest.raises(CheckFailed, match=words):
            examine(CHECKS["11-masked_loss"], answer)


def test_a_plan_below_the_last_mark_is_told_what_it_draws_together():
    check = CHECKS["11-decoding_plan"]
    for plan, words in (
        ([1, 1, 2, 2, 3, 3, 3, 3], "at the places 1 and 2, 3 and 4, 5 and 6, and 2 pairs more"),
        ([1, 2, 1, 2, 1, 2, 1, 4], "got a step 4, want whole numbers from 1 to 3"),
        ([1, 2, 1.5, 2, 1, 2, 1, 3], "got a step 1.5"),
        ([1, 2, 3, 1, 2, 3, 1], "shape.*\n.*Each number is the step"),
        ([1, 1, 2, 2, 3, 3, 1, 1], "5 and 6, and 1 pair more"),
        ([8, 7, 6, 5, 4, 3, 2, 1], "is that the order in which they are drawn"),
        ([2, 1, 3, 1, 2, 1, 3, 1], "in the reverse order it would cost less than half"),
        ([2] * 8, "no plan costs more"),
        (
            [[3, 7], [1, 5], [2, 4, 6, 8]],
            "entry 1 of plan is a list of 2, want a list of 8 numbers, the step",
        ),
    ):
        with pytest.raises(CheckFailed, match=words):
            examine(check, lambda places, plan=plan: plan)


def test_a_sum_over_one_axis_is_named_and_not_taken_for_a_time_in_the_wrong_form():
    def by_last_axis(model, x0, t, u, K):
        x_t = torch.where(u < 1 - t.reshape(-1, *[1] * (x0.ndim - 1)), x0, K)
        nats = -model(x_t).log_softmax(-1).gather(-1, x0.unsqueeze(-1)).squeeze(-1)
        return torch.where(x_t == K, nats, 0).sum(-1) / t

    with pytest.raises(CheckFailed, match="sum over the last axis") as caught:
        examine(CHECKS["11-masked_loss"], by_last_axis)
    assert "A number for each sample" not in str(caught.value)


def test_a_shape_that_is_taken_apart_is_told_of_other_shapes():
    def letters_alone(model, x_t, t, s, g, K):
        B, L = x_t.shape
        return step_by_logarithms(model, x_t, t, s, g, K).reshape(B, L)

    with pytest.raises(CheckFailed, match="any number of axes"):
        examine(CHECKS["11-unmask_step"], letters_alone)


def test_in_two_steps_the_best_plan_has_full_marks_and_the_public_one_breaks_the_bound():
    check = CHECKS["11-decoding_plan"].under(variant=1)
    assert score(check, check.reference) <= check.marks[-1][1]
    with pytest.raises(CheckFailed, match="from 1 to 2"):
        examine(check, decoding_plan)
