"""Chapter 02: other right answers, and the same quantities from the library."""

import itertools
import re
from itertools import pairwise

import pytest
import torch
from formulas import posterior_by_precisions, schedule_of, schedule_of_alpha_bar

from diffusion_course import discrete, elbo, gaussian, samplers
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.classroom.checks.call import other_data
from diffusion_course.classroom.checks.compare import state_fault
from diffusion_course.classroom.checks.inputs import Draw


def kl_by_distributions(mean1, logvar1, mean2, logvar2):
    Normal, kl = torch.distributions.Normal, torch.distributions.kl_divergence
    return kl(Normal(mean1, (logvar1 / 2).exp()), Normal(mean2, (logvar2 / 2).exp()))


def terms_one_by_one(mse, a):
    terms = [
        0.5 * (a[t - 2] / (1 - a[t - 2]) - a[t - 1] / (1 - a[t - 1])) * mse[t - 1]
        for t in range(2, len(a) + 1)
    ]
    return torch.stack(terms)


def terms_by_the_library(mse, a):
    # kl_term wants x0 - x0_hat: take differences with the right square.
    schedule = schedule_of_alpha_bar(a)
    pairs = [(torch.zeros(1, 1, dtype=a.dtype), m.sqrt().reshape(1, 1)) for m in mse]
    return torch.cat([elbo.kl_term(*pairs[t - 1], t, schedule) for t in range(2, len(a) + 1)])


def posterior_by_the_library(x0, x_t, t, betas):
    return gaussian.posterior_mean_variance(x0, x_t, t, schedule_of(betas))


def kl_by_cross_entropy(mean1, logvar1, mean2, logvar2):
    """The cross-entropy less the entropy; both without their log(2 pi)."""
    cross = logvar2 + (logvar1.exp() + (mean1 - mean2).square()) / logvar2.exp()
    return (cross - (logvar1 + 1)) / 2


def kl_by_standard_deviations(mean1, logvar1, mean2, logvar2):
    s1, s2 = (0.5 * logvar1).exp(), (0.5 * logvar2).exp()
    return 0.5 * (logvar2 - logvar1) + 0.5 * (s1 / s2) ** 2 + 0.5 * ((mean1 - mean2) / s2) ** 2 - 0.5


def posterior_sample_by_sample(x0, x_t, t, betas):
    alphas = 1 - betas
    means, variances = [], []
    for x, y, s in zip(x0, x_t, t.tolist(), strict=True):
        a, before = alphas[:s].prod(), alphas[: s - 1].prod()  # an empty product is 1
        means.append((before.sqrt() * betas[s - 1] * x + alphas[s - 1].sqrt() * (1 - before) * y) / (1 - a))
        variances.append((betas[s - 1] * (1 - before) / (1 - a)).reshape([1] * x.ndim))
    return torch.stack(means), torch.stack(variances)


def posterior_around_x_t(x0, x_t, t, betas):
    """With alpha_bar_{t-1} as alpha_bar_t / alpha_t where t > 1."""
    shape = [-1] + [1] * (x0.ndim - 1)
    beta, a = (v[t - 1].reshape(shape) for v in (betas, (1 - betas).cumprod(0)))
    before = torch.where((t == 1).reshape(shape), torch.ones_like(a), a / (1 - beta))
    gain = (1 - before) / (1 - a)
    return before.sqrt() * x0 + gain * (1 - beta).sqrt() * (x_t - a.sqrt() * x0), gain * beta


def terms_by_a_common_denominator(mse, a):
    now, before = a[1:], a[:-1]
    return mse[1:] * (before - now) / (2 * (1 - before) * (1 - now))


def terms_by_noise_levels(mse, a):
    precision = 1 / ((1 - a) / a)
    return torch.stack([before - now for before, now in pairwise(precision)]) * mse[1:] / 2


def bound_path_by_path(q, p, prior, x0):
    """Three loops for the expectation; the terms as means over the same paths."""
    laws = [q[0][x0], q[0][x0] @ q[1], q[0][x0] @ q[1] @ q[2]]
    whole, terms = 0, [0, 0, 0]
    for a, b, c in itertools.product(range(3), repeat=3):
        path = q[0][x0, a] * q[1][a, b] * q[2][b, c]
        back = (laws[0][a] * q[1][a, b] / laws[1][b]) * (laws[1][b] * q[2][b, c] / laws[2][c])
        whole += path * (path.log() - (prior[c] * p[2][c, b] * p[1][b, a] * p[0][a, x0]).log())
        terms[0] += path * (laws[2][c] / prior[c]).log()
        terms[1] += path * (back / (p[2][c, b] * p[1][b, a])).log()
        terms[2] -= path * p[0][a, x0].log()
    return whole, torch.stack(terms)


def bound_term_by_term(q, p, prior, x0):
    """KLs by torch's distributions; and line 3 for the expectation."""
    kl, law = torch.distributions.kl_divergence, lambda probs: torch.distributions.Categorical(probs=probs)
    now = torch.nn.functional.one_hot(torch.tensor(x0, device=q.device), 3).to(q)
    middle, steps = 0, 0
    for t in (1, 2, 3):
        after = now @ q[t - 1]
        steps = steps + (now[:, None] * q[t - 1] * (q[t - 1].log() - p[t - 1].T.log()))[now > 0].sum()
        if t > 1:
            back = now * q[t - 1].T / after[:, None]
            middle = middle + after @ kl(law(back), law(p[t - 1]))
        now = after
    ends = kl(law(now), law(prior)), -(q[0, x0] * p[0, :, x0].log()).sum()
    return [steps - now @ prior.log(), torch.stack([ends[0], middle, ends[1]])]


def bound_by_the_library(q, p, prior, x0):
    kl = discrete.categorical_kl
    paths = torch.einsum("a,ab,bc->abc", q[0, x0], q[1], q[2])
    joint = torch.einsum("a,ba,cb,c->abc", p[0, :, x0], p[1], p[2], prior)
    first, second, third = paths.sum((1, 2)), paths.sum((0, 2)), paths.sum((0, 1))
    back = [paths.sum(2).T / second[:, None], paths.sum(0).T / third[:, None]]
    middle = second @ kl(back[0], p[1]) + third @ kl(back[1], p[2])
    decoder = first @ kl(
        torch.eye(3, dtype=q.dtype)[x0].expand(3, 3), p[0]
    )  # the posterior is certain of x_0
    return kl(paths.flatten(), joint.flatten()), torch.stack([kl(third, prior), middle, decoder])


def closing_by_the_joint(p, prior):
    """From the table of all 81 paths."""
    joint = torch.einsum("ax,ba,cb,c->xabc", *p, prior)
    pairs = [joint.sum((2, 3)), joint.sum((0, 3)), joint.sum((0, 1))]
    return torch.stack([pair / pair.sum(1, keepdim=True) for pair in pairs])


def closing_downwards(p, prior):
    found, law = [], prior
    for step in reversed(p):
        pair = step.transpose(0, 1) * law  # [x_{t-1}, x_t]
        law = pair.sum(1)
        found.insert(0, pair / law.unsqueeze(1))
    return torch.stack(found)


def closing_entry_by_entry(p, prior):
    laws = [prior @ p[2] @ p[1] @ p[0], prior @ p[2] @ p[1], prior @ p[2], prior]
    q = torch.empty_like(p)
    for t, i, j in itertools.product(range(3), repeat=3):
        q[t, i, j] = p[t, j, i] * laws[t + 1][j] / laws[t][i]
    return q


def reverse_into_a_table(guess, x_T, betas, noise):
    states = x_T.new_empty(len(betas) + 1, *x_T.shape)
    states[0] = x_T
    kept = torch.cumprod(1 - betas, 0)
    for k, t in enumerate(range(len(betas), 0, -1)):
        beta, a = betas[t - 1], kept[t - 1]
        before = kept[t - 2] if t > 1 else torch.ones_like(a)
        x0 = guess(states[k].clone(), torch.tensor([t] * len(x_T), device=x_T.device))
        mean = before.sqrt() * beta / (1 - a) * x0 + (1 - beta).sqrt() * (1 - before) / (1 - a) * states[k]
        states[k + 1] = mean + (beta * (1 - before) / (1 - a)).sqrt() * noise[t - 1]
    return states


def reverse_by_the_posterior(guess, x_T, betas, noise):
    states = [x_T]
    for t in reversed(range(1, len(betas) + 1)):
        times = x_T.new_full((len(x_T),), t, dtype=torch.long)
        mean, variance = posterior_by_precisions(guess(states[-1], times), states[-1], times, betas)
        states.append(mean if t == 1 else mean + variance.sqrt() * noise[t - 1])
    return torch.stack(states)


def reverse_by_the_library(guess, x_T, betas, noise):
    """The library's ancestral step, in its own coordinates."""
    schedule, states = schedule_of(betas), [x_T]
    sigmas = [torch.zeros(()), *schedule.sigmas]
    for t in range(schedule.T, 0, -1):
        now, then = sigmas[t], sigmas[t - 1]
        drawn = type("Drawn", (), {"like": lambda self, x, t=t: noise[t - 1]})()

        def D(x, sigma, t=t):
            return guess(gaussian.to_vp(x, sigma), torch.full((len(x),), t))

        states.append(
            gaussian.to_vp(samplers.ddpm(D, gaussian.to_ve(states[-1], now), now, then, drawn), then)
        )
    return torch.stack(states)


ALTERNATIVES = {
    "02-bound": [bound_path_by_path, bound_term_by_term],
    "02-closing_q": [closing_downwards, closing_entry_by_entry],
    "02-reverse_chain": [reverse_into_a_table, reverse_by_the_posterior],
    "02-normal_kl": [kl_by_distributions, kl_by_cross_entropy, kl_by_standard_deviations],
    "02-posterior_mean_variance": [posterior_by_precisions, posterior_sample_by_sample, posterior_around_x_t],
    "02-vlb_terms": [
        lambda mse, a: 0.5 * (a / (1 - a)).diff().neg() * mse[1:],
        terms_one_by_one,
        terms_by_a_common_denominator,
        terms_by_noise_levels,
    ],
}

LIBRARY = {
    "02-bound": bound_by_the_library,
    "02-closing_q": closing_by_the_joint,  # the library has no such function: all paths are counted
    "02-reverse_chain": reverse_by_the_library,
    "02-normal_kl": elbo.normal_kl,
    "02-posterior_mean_variance": posterior_by_the_library,
    "02-vlb_terms": terms_by_the_library,
}


def test_a_chain_that_ends_at_x_0_is_told_at_its_first_wrong_state():
    right = torch.zeros(4, 2)
    states = CHECKS["02-reverse_chain"].states((), 4)
    late, early = right.clone(), right + 1
    late[-2:] = 1
    assert state_fault(states, late, right).text.startswith("right up to x_2; then x_1[0] is 1, want 0")
    assert state_fault(states, early, right).text.startswith("x_3[0] is 1, want 0")


def test_a_guess_that_is_asked_twice_for_one_state_is_told():
    check = CHECKS["02-reverse_chain"]

    def twice(guess, x_T, betas, noise):
        return check.reference(lambda x, t: (guess(x, t) + guess(x, t)) / 2, x_T, betas, noise)

    with pytest.raises(CheckFailed, match="the numbers are right, but guess was shown"):
        examine(check, twice)


def test_a_guess_that_is_asked_with_one_number_is_told_what_it_takes():
    def asked(guess, x_T, betas, noise):
        return guess(x_T, len(betas))

    with pytest.raises(CheckFailed, match=r"guess got t = \d+; it takes a tensor of shape"):
        examine(CHECKS["02-reverse_chain"], asked)


@pytest.mark.parametrize("name", ["02-bound", "02-closing_q"])
def test_every_chain_that_is_asked_is_one_of_probabilities(name):
    for index in range(6):
        args = CHECKS[name].inputs(Draw(name, 1, index))
        for tables in (args, other_data(args)):
            for table in tables:
                if isinstance(table, torch.Tensor):
                    assert (table > 0).all()
                    torch.testing.assert_close(table.sum(-1), torch.ones_like(table.sum(-1)))


def test_the_answer_to_closing_q_closes_the_gap():
    _, p, prior, _ = CHECKS["02-bound"].inputs(Draw("02-bound", 2, 0))
    q = CHECKS["02-closing_q"].reference(p, prior)
    for x0, exact in enumerate(-(prior @ p[2] @ p[1] @ p[0]).log()):
        whole, terms = CHECKS["02-bound"].reference(q, p, prior, x0)
        torch.testing.assert_close(whole, exact)
        torch.testing.assert_close(terms.sum(), exact)


def told(name, answer, seed=0):
    with pytest.raises(CheckFailed) as caught:
        examine(CHECKS[name], answer, seed)
    return str(caught.value)


def test_tables_whose_rows_are_no_laws_are_told_by_a_row():
    def undivided(p, prior):
        laws = [prior @ p[2] @ p[1], prior @ p[2], prior]
        return torch.stack([step.T * law.sqrt() for step, law in zip(p, laws, strict=True)])

    assert re.search(
        r"Row \[0, 0\] of the result adds up to [\d.]+, where every row must add up to 1\.",
        told("02-closing_q", undivided),
    )


def test_the_tables_that_are_right_are_named():
    def one_wrong(p, prior):
        q = CHECKS["02-closing_q"].reference(p, prior)
        q[1] = (q[1] ** 1.5) / (q[1] ** 1.5).sum(-1, keepdim=True)
        return q

    assert "In every case q[0] and q[2] are right, and q[1] is not." in told("02-closing_q", one_wrong)


@pytest.mark.parametrize("seed", range(4))
def test_results_that_are_kept_between_calls_are_told_as_such(seed):
    kept = {}

    def by_x0(q, p, prior, x0):
        return kept.setdefault(x0, CHECKS["02-bound"].reference(q, p, prior, x0))

    assert "is something kept between calls?" in told("02-bound", by_x0, seed)


def test_a_part_that_is_kept_from_the_first_call_is_told():
    kept = []

    def first_laws(p, prior):
        kept.extend([] if kept else [prior @ p[2] @ p[1], prior @ p[2], prior])
        pairs = torch.stack([step.T * law.to(p) for step, law in zip(p, kept, strict=True)])
        return pairs / pairs.sum(-1, keepdim=True)

    assert "is something kept from it?" in told("02-closing_q", first_laws)


def test_of_two_wrong_results_the_mistake_in_the_first_is_named():
    def both_wrong(q, p, prior, x0):
        whole, terms = CHECKS["02-bound"].reference(q, p, prior, x0)
        return -whole, terms * torch.tensor([1, 1, 0.7]).to(terms)

    assert told("02-bound", both_wrong).endswith(
        "At the first wrong result this looks like the wrong sign: the logarithm is that of q / p."
    )
