"""Masked diffusion against a chain of which everything is known, and against D3PM's absorbing chain: identities in float64."""

import itertools
import math

import pytest
import shared
import torch
from shared import F64, random_token_model

from diffusion_course import CourseError, Noise, discrete, masked, sampler_laws, unmasking
from diffusion_course.markov_chain import EXAMPLE as CHAIN
from diffusion_course.markov_chain import MarkovChain, sequences
from diffusion_course.masked import COSINE, LINEAR

SCHEDULES = [LINEAR, COSINE]
K, L = CHAIN.K, CHAIN.length
SHORT = MarkovChain(CHAIN.start, CHAIN.transition, 4)


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


# ---- the coins


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_weight_is_the_rate_of_hiding(schedule):
    t = torch.linspace(0.01, 0.99, 50, dtype=F64, requires_grad=True)
    alpha = schedule.alpha(t)
    (slope,) = torch.autograd.grad(alpha.sum(), t)
    shared.close(schedule.weight(t), -slope / (1 - alpha))
    ends = schedule.alpha(torch.tensor([0.0, 1.0], dtype=F64))
    assert ends.tolist() == [1, 0]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_one_set_of_coins_hides_tokens_one_after_the_other(schedule):
    x0, u = CHAIN.draw(500, Noise(0)), uniform(500, L)
    path = [masked.hide(x0, t, u, K, schedule) for t in (0, 0.2, 0.5, 0.9, 1)]
    assert torch.equal(path[0], x0)
    assert bool((path[-1] == K).all())
    for before, after in itertools.pairwise(path):
        assert bool(((after == before) | (after == K)).all())
    for t, x in zip((0.2, 0.5, 0.9), path[1:], strict=False):
        share = 1 - float(schedule.alpha(torch.tensor(t, dtype=F64)))
        assert abs((x == K).double().mean() - share) < 4 * math.sqrt(share * (1 - share) / x.numel())


def test_each_sample_has_a_time_of_its_own():
    x0, u = CHAIN.draw(3, Noise(0)), uniform(3, L)
    t = torch.tensor([0.1, 0.5, 1.0])
    alone = [masked.hide(x0[i : i + 1], float(t[i]), u[i : i + 1], K) for i in range(3)]
    assert torch.equal(masked.hide(x0, t, u, K), torch.cat(alone))


def test_even_times_have_one_in_each_part():
    t = masked.even_times(5, 0.25)
    assert ((t * 5).ceil() == torch.arange(1, 6)).all()
    assert masked.even_times(4, 0.0).tolist() == [0.25, 0.5, 0.75, 1.0]
    assert masked.even_times(3, 0.999999)[0] > 0


# ---- the bound


def whole_bound(loss):
    """The mean of loss(x0, x_t, times hidden) over x_0, exactly, and over what is hidden at a uniform t: by n hidden tokens.

    n tokens are hidden with probability 1 / (L + 1), any n as likely; the mean of 1/t is then (L + 1) / n.
    """
    x0 = sequences(K, 4)
    total = 0.0
    for pattern in sequences(2, 4).bool():
        n = int(pattern.sum())
        if n:
            each = loss(x0, torch.where(pattern, K, x0), n)
            total += float((SHORT.joint * each).sum()) / math.comb(4, n)
    return total


def exact_ce(x0, x_t):
    return masked.cross_entropy(SHORT.logits, x0, x_t, K)


def test_the_weighted_bound_of_the_exact_model_is_the_entropy():
    assert abs(whole_bound(lambda x0, x_t, n: exact_ce(x0, x_t) / n) - SHORT.entropy) < 1e-12


def test_other_weights_give_no_bound():
    """Neither without the weight nor as a mean over masked tokens is it the entropy; both are below."""
    unweighted = whole_bound(lambda x0, x_t, n: exact_ce(x0, x_t) / 5)
    mean = whole_bound(lambda x0, x_t, n: 4 * exact_ce(x0, x_t) / n / 5)
    assert unweighted < mean < SHORT.entropy - 0.3
    assert abs(mean - 4 / 5 * SHORT.entropy) < 1e-12


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_loss_averages_to_the_bound_whatever_the_schedule(schedule):
    """On a fine grid of times, with every pattern of coins: a number of the model, not of the schedule."""
    model, x0 = random_token_model((4,)), sequences(K, 4)[[5, 40, 77]]
    patterns = sequences(2, 4).bool()
    t = (torch.arange(4000, dtype=F64) + 0.5) / 4000
    alpha, weight = schedule.alpha(t), schedule.weight(t)
    for row in x0:
        every = row.expand(16, 4)
        ce = masked.cross_entropy(model, every, torch.where(patterns, K, every), K)
        n = patterns.sum(1)
        chance = (1 - alpha[:, None]) ** n * alpha[:, None] ** (4 - n)
        integral = (weight[:, None] * chance * ce).sum() / 4000
        exact = sum(float(c) / int(k) / math.comb(4, int(k)) for c, k in zip(ce, n, strict=True) if k)
        assert abs(float(integral) - exact) < 1e-4 * exact


def test_loss_is_the_weight_times_the_cross_entropy_of_hidden_tokens():
    model, x0, u = random_token_model(), CHAIN.draw(6, Noise(1)), uniform(6, L, seed=2)
    t = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9, 1.0], dtype=F64)
    for schedule in SCHEDULES:
        x_t = masked.hide(x0, t, u, K, schedule)
        log_p = model(x_t).log_softmax(-1)
        by_hand = [
            schedule.weight(t[i]) * sum(-log_p[i, j, x0[i, j]] for j in range(L) if x_t[i, j] == K)
            for i in range(6)
        ]
        shared.close(
            masked.loss(model, x0, t, u, K, schedule), torch.stack(list(map(torch.as_tensor, by_hand)))
        )


def test_any_order_loss_is_the_same_bound():
    """Exactly, on all subsets: the number hidden is uniform, and so is which."""
    model, x0 = random_token_model((4,)), sequences(K, 4)[[5, 40, 77]]
    orders = torch.stack([torch.tensor(p) for p in itertools.permutations(range(4))]).double()
    for row in x0:
        every, total, exact = row.expand(24, 4), 0.0, 0.0
        for n in range(1, 5):
            total += masked.any_order_loss(model, every, torch.full((24,), n), orders / 4, K).mean() / 4
        for pattern in sequences(2, 4).bool():
            n = int(pattern.sum())
            if n:
                x_t = torch.where(pattern, K, row)[None]
                exact += masked.cross_entropy(model, row[None], x_t, K) / n / math.comb(4, n)
        shared.close(total, exact[0])


def test_the_estimated_bound_is_the_entropy_within_its_error():
    x0 = CHAIN.draw(4000, Noise(5))
    estimate = masked.bound(CHAIN.logits, x0, K, Noise(6), calls=8) + CHAIN.log_prob(x0)
    assert abs(estimate.mean()) < 4 * estimate.std() / 4000**0.5
    assert estimate.std() / 4000**0.5 < 0.03


# ---- D3PM


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_it_is_d3pm_with_an_absorbing_state(schedule):
    """The reverse step, a term of the bound, and a whole sample from the same noise, at the times i/T."""
    model, T = random_token_model(), 6
    process, wrapped = masked.d3pm(K, T, schedule), masked.d3pm_model(model)
    x0, u = CHAIN.draw(50, Noise(1)), uniform(50, L, seed=4)
    for i in range(1, T + 1):
        x_t = masked.hide(x0, i / T, u, K, schedule)
        chance = process.marginal(x0, i)[..., K]
        shared.close(chance, 1 - schedule.alpha(torch.tensor(i / T, dtype=F64)).expand(50, L))
        ours = masked.reverse(x_t, model(x_t), i / T, (i - 1) / T, schedule)
        logits = wrapped(x_t, torch.tensor(i))
        shared.close(ours, process.reverse(x_t, logits, i), 1e-12)
        t, s = (schedule.alpha(torch.tensor(j / T, dtype=F64)) for j in (i, i - 1))
        term = (s - t) / (1 - t) * masked.cross_entropy(model, x0, x_t, K)
        shared.close(term, discrete.vlb_term(x0, x_t, logits, i, process), 1e-9)
    start = unmasking.hidden(50, L, K=K)
    ours = unmasking.sample(unmasking.parallel_step(schedule), model, start, unmasking.even_grid(T), Noise(8))
    assert torch.equal(ours, discrete.sample(wrapped, start, process, Noise(8)))


def test_linear_times_are_the_papers_betas():
    shared.close(masked.d3pm(K, 10).betas, discrete.absorbing_betas(10), 1e-12)


def test_the_bound_of_t_steps_is_d3pms():
    """`parallel_bound` against the terms of `discrete`, averaged over the chain by many draws."""
    T, x0 = 3, CHAIN.draw(20_000, Noise(0, per_sample=False))
    terms = discrete.vlb_terms(
        masked.d3pm_model(CHAIN.logits), x0, masked.d3pm(K, T), Noise(1, per_sample=False)
    )
    error = terms.total.std() / len(x0) ** 0.5
    assert abs(terms.total.mean() - CHAIN.parallel_bound(T)) < 4 * error


# ---- errors


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda x, u: masked.hide(x.float(), 0.5, u, K), "x0: got dtype torch.float32"),
        (lambda x, u: masked.hide(x + 1, 0.5, u, K), "x0: got token 3"),
        (lambda x, u: masked.hide(x, 1.5, u, K), "t: got 1.5"),
        (lambda x, u: masked.hide(x, torch.rand(2), u, K), "t: got shape"),
        (lambda x, u: masked.hide(x, 0.5, u[:1], K), "u: got shape"),
        (lambda x, u: masked.loss(CHAIN.logits, x, 0.0, u, K), "t: got 0"),
        (
            lambda x, u: masked.cross_entropy(lambda x: torch.zeros(3), x, x, K),
            r"model: returned shape \(3,\)",
        ),
        (
            lambda x, u: masked.loss(lambda x: torch.zeros(3, 8, 3), x, 0.5, u, 4),
            r"model: returned shape .*, want \(3, 8, 4\)",
        ),
        (lambda x, u: masked.reverse(x, CHAIN.logits(x), 0.5, 0.5), "s: got 0.5, want times before t = 0.5"),
        (lambda x, u: masked.any_order_loss(CHAIN.logits, x, torch.ones(2), u, K), "count: got shape"),
        (lambda x, u: masked.even_times(0, 0.5), "n: got 0"),
        (lambda x, u: masked.bound(CHAIN.logits, x, K, Noise(), calls=0), "calls: got 0"),
    ],
)
def test_bad_input_is_told_in_a_line(call, told):
    x = sequences(K, L)[[6560, 0, 1]]
    with pytest.raises(CourseError, match=told):
        call(x, uniform(3, L))


# ---- the chain of chapter 11


def test_the_example_chain_has_the_numbers_the_chapter_tells():
    g, n = CHAIN.hidden_entropy, torch.arange(1, L + 1)
    shared.close(CHAIN.start @ CHAIN.transition, CHAIN.start, 1e-15)
    assert f"{CHAIN.entropy:.4f}" == "5.6828"
    assert abs(sampler_laws.entropy(CHAIN.joint) - CHAIN.entropy) < 1e-12
    assert abs(float((g[1:] / n).sum()) - CHAIN.entropy) < 1e-12
    assert f"{float(g.sum()) / (L + 1):.2f}" == "3.20"
    assert f"{L / (L + 1) * CHAIN.entropy:.2f}" == "5.05"
    costs = [CHAIN.parallel_bound(T) - CHAIN.entropy for T in (1, 2, 4, 8, 16, 64, 256)]
    assert [f"{cost:.3f}" for cost in costs] == [
        "2.757",
        "1.256",
        "0.595",
        "0.289",
        "0.142",
        "0.035",
        "0.009",
    ]


def test_the_exact_model_is_bayes_by_enumeration():
    every, x = sequences(K, 4), sequences(K + 1, 4)
    logits = SHORT.logits(x)
    for row, found in zip(x, logits, strict=True):
        fits = ((every == row) | (row == K)).all(1)
        p = SHORT.joint * fits
        by_hand = torch.stack([torch.stack([p[every[:, i] == k].sum() for k in range(K)]) for i in range(4)])
        shared.close(found.exp(), by_hand / p.sum(), 1e-12)


def test_the_chain_draws_from_its_law():
    x = CHAIN.draw(20_000, Noise(3, per_sample=False))
    mean = CHAIN.log_prob(x)
    assert abs(mean.mean() + CHAIN.entropy) < 4 * mean.std() / 20_000**0.5


def test_what_cannot_be_seen_is_told():
    never = MarkovChain(CHAIN.start, torch.eye(3, dtype=F64), 3)
    with pytest.raises(CourseError, match="probability 0"):
        never.logits(torch.tensor([[0, K, 1]]))
