"""D3PM: matrices against the paper's formulas in loops, Bayes and the bound against enumeration of all trajectories."""

import itertools
import math

import numpy as np
import pytest
import shared
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from shared import F64
from torch.utils._python_dispatch import TorchDispatchMode

from diffusion_course import CourseError, Noise, discrete, elbo, schedules

FAMILIES = ["uniform", "absorbing", "gaussian"]


def close(a, b, tolerance=1e-12):
    shared.close(a, b, tolerance)


def make(family, K, betas, mask=None):
    if family == "absorbing":
        return discrete.absorbing(K, betas, K - 1 if mask is None else mask)
    return {"uniform": discrete.uniform, "gaussian": discrete.gaussian}[family](K, betas)


def default(family, K, T):
    """Betas that mix within T steps."""
    if family == "absorbing":
        return make(family, K, discrete.absorbing_betas(T))
    return make(family, K, torch.linspace(0.2, 0.9, T, dtype=F64))


def softmax_table(T, K, seed=0):
    """A model of one pixel that is a table of logits: model(x_t, t) = table[t - 1, x_t]."""
    table = Noise(seed).randn(T, K, K, dtype=F64)

    def model(x_t, t):
        return table.to(x_t.device)[t.reshape(-1, *(1,) * (x_t.ndim - 1)) - 1, x_t]

    return model


# ---- oracles: the paper's formulas, entry by entry


def matrix_by_loops(family, K, beta, mask):
    """Q_t of Austin et al. 2021, appendix A.2."""
    Q = np.zeros((K, K))
    for i, j in itertools.product(range(K), repeat=2):
        if family == "uniform":
            Q[i, j] = 1 - (K - 1) / K * beta if i == j else beta / K
        elif family == "absorbing":
            Q[i, j] = 1 if i == j == mask else 1 - beta if i == j else beta if j == mask else 0
        elif i != j:
            norm = sum(math.exp(-4 * n**2 / ((K - 1) ** 2 * beta)) for n in range(-(K - 1), K))
            Q[i, j] = math.exp(-4 * (i - j) ** 2 / ((K - 1) ** 2 * beta)) / norm
    if family == "gaussian":
        for i in range(K):
            Q[i, i] = 1 - sum(Q[i, j] for j in range(K) if j != i)
    return Q


def forward_paths(process, x0):
    """Every trajectory (x_1, ..., x_T) with its probability given x_0, from the one-step matrices alone."""
    Q = process.Q.numpy()
    for path in itertools.product(range(process.K), repeat=process.T):
        p = 1.0
        for t, (before, after) in enumerate(itertools.pairwise((x0, *path))):
            p *= Q[t, before, after]
        yield path, p


def reverse_tables(process, model):
    """p_theta(x_{t-1} | x_t) as (T, K, K), from eq. 4 in loops: rows x_t, columns x_{t-1}."""
    K, T, Q = process.K, process.T, process.Q.numpy()
    tables = np.zeros((T, K, K))
    before = np.eye(K)  # Q_bar_{t-1}
    for t in range(1, T + 1):
        for x_t in range(K):
            logits = model(torch.tensor([x_t]), torch.tensor([t]))[0].numpy()
            p0 = np.exp(logits - logits.max())
            p0 /= p0.sum()
            for y in range(K):
                tables[t - 1, x_t, y] = (
                    p0[y] if t == 1 else sum(Q[t - 1, y, x_t] * before[k, y] * p0[k] for k in range(K))
                )
            if tables[t - 1, x_t].any():  # else x_t cannot happen: unmasked at the end of an absorbing chain
                tables[t - 1, x_t] /= tables[t - 1, x_t].sum()
        before = before @ Q[t - 1]
    return tables


def bound_by_enumeration(process, model, x0):
    """E_q[log q(x_1..x_T | x_0) - log p(x_0..x_T)] and -log p(x_0), summed over all trajectories."""
    reverse, prior = reverse_tables(process, model), process.stationary.numpy()
    bound, likelihood = 0.0, 0.0
    for path, q in forward_paths(process, x0):
        full = (x0, *path)
        p = prior[full[-1]] * math.prod(reverse[t, full[t + 1], full[t]] for t in range(process.T))
        likelihood += p
        if q > 0:
            bound += q * (math.log(q) - math.log(p))
    return bound, -math.log(likelihood)


# ---- matrices


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FAMILIES),
    st.integers(2, 9),
    st.lists(st.floats(1e-4, 1), min_size=1, max_size=5),
    st.data(),
)
def test_the_matrices_are_the_papers(family, K, betas, data):
    mask = data.draw(st.integers(0, K - 1))
    process = make(family, K, torch.tensor(betas, dtype=F64), mask)
    loops = np.stack([matrix_by_loops(family, K, beta, mask) for beta in betas])
    assert process.Q.shape == process.Q_bar.shape == (len(betas), K, K)
    assert process.Q.dtype == process.Q_bar.dtype == F64
    close(process.Q, loops, 1e-14)
    product = np.eye(K)
    for t, Q in enumerate(loops):
        product = product @ Q
        close(process.Q_bar[t], product, 1e-13)
    for table in (process.Q, process.Q_bar):
        assert (table >= 0).all()
        close(table.sum(2), 1, 1e-13)


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_steps_are_matrix_powers(family):
    process = make(family, 6, torch.full((20,), 0.3, dtype=F64))
    for t in (1, 2, 7, 20):
        close(process.Q_bar[t - 1], np.linalg.matrix_power(process.Q[0].numpy(), t))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stationary_distribution_stays_and_is_reached(family):
    process = make(family, 7, torch.full((400,), 0.2, dtype=F64))
    pi = process.stationary
    close(pi.sum(), 1)
    close((pi @ process.Q), pi.expand(400, 7))
    close(process.Q_bar[-1], pi.expand(7, 7), 1e-8)


def test_large_tables_at_full_size():
    """K = 256 and T = 1000, the paper's uniform chain; every row still sums to one."""
    process = discrete.uniform(256, discrete.cosine_betas(1000))
    x0 = torch.arange(256)
    for t in (1, 500, 1000):
        q, kept = process.marginal(x0, t), (1 - process.betas[:t]).prod().item()
        close(q.sum(1), 1)
        close(q, kept * np.eye(256) + (1 - kept) / 256)


def authors_gaussian(K, beta):
    """The rule of the authors' code: levels 0..255 whatever K is, rescaled by 2 / (K - 1), a two-sided softmax."""
    value = -((np.linspace(0, 255, K) * 2 / (K - 1)) ** 2) / beta
    weight = np.exp(value) / (1 + 2 * np.exp(value[1:]).sum())
    Q = weight[np.abs(np.arange(K)[:, None] - np.arange(K))]
    np.fill_diagonal(Q, 0)
    return Q + np.diag(1 - Q.sum(1))


def test_the_gaussian_is_the_authors_at_256_states_and_by_its_width_elsewhere():
    betas = torch.tensor([1e-4, 0.02, 1.0], dtype=F64)
    for t, beta in enumerate(betas.tolist()):
        close(discrete.gaussian(256, betas).Q[t], authors_gaussian(256, beta), 1e-14)
        close(discrete.gaussian(32, betas, width=510 / 31).Q[t], authors_gaussian(32, beta), 1e-14)
    assert np.abs(authors_gaussian(8, 1.0) - np.eye(8)).max() < 1e-12  # why theirs is not the default


# ---- schedules


@pytest.mark.parametrize("T", [1, 2, 10, 1000])
def test_absorbing_betas_absorb_a_share_of_t_over_T(T):
    process = discrete.absorbing(3, discrete.absorbing_betas(T), mask=2)
    for t in range(1, T + 1):
        close(process.marginal(torch.tensor([0]), t)[0], [1 - t / T, 0, t / T])
    assert process.marginal(torch.tensor([0, 1, 2]), T).tolist() == [[0, 0, 1]] * 3  # exactly


def test_the_cosine_is_not_squared():
    betas = discrete.cosine_betas(1000)
    t = np.arange(1001) / 1000
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2)
    close((1 - betas).cumprod(0)[:-1], (f / f[0])[1:-1], 1e-10)
    assert betas[-1] == 0.999
    close((1 - betas[:-1]) ** 2, 1 - schedules.cosine(1000)[:-1])


@pytest.mark.parametrize("T", [0, -1, 2.5, True])
def test_schedules_refuse_a_bad_T(T):
    for schedule in (discrete.cosine_betas, discrete.absorbing_betas):
        with pytest.raises(CourseError, match=r"^T: got"):
            schedule(T)


# ---- Bayes


def test_the_posterior_is_bayes_over_all_trajectories():
    betas = torch.tensor([0.3, 0.5, 0.2, 0.7], dtype=F64)
    for family, x0 in itertools.product(FAMILIES, range(3)):
        process = make(family, 3, betas)
        for t in range(2, 5):
            joint = np.zeros((3, 3))  # x_t, x_{t-1}
            for path, p in forward_paths(process, x0):
                joint[path[t - 1], path[t - 2]] += p
            for x_t in range(3):
                if joint[x_t].sum() > 0:
                    got = process.posterior(torch.tensor([x_t]), torch.tensor([x0]), t)
                    close(got[0], joint[x_t] / joint[x_t].sum())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FAMILIES), st.integers(2, 8), st.integers(1, 6), st.integers(0, 2**20))
def test_closed_forms_equal_the_dense_tables(family, K, T, seed):
    """Marginal, likelihood and posterior, one t for each sample, against plain indexing of Q and Q_bar."""
    rng = np.random.default_rng(seed)
    process = make(family, K, torch.tensor(rng.uniform(0.05, 0.95, T)))
    Q, bars = process.Q.numpy(), np.concatenate([np.eye(K)[None], process.Q_bar.numpy()])
    x0, t = torch.tensor(rng.integers(0, K, (4, 2, 3))), torch.tensor(rng.integers(1, T + 1, 4))
    p0 = torch.tensor(rng.dirichlet(np.ones(K), (4, 2, 3)))
    x_t = process.diffuse(x0, t, Noise(seed))
    assert x_t.shape == x0.shape
    got = {
        "marginal": process.marginal(x0, t),
        "mixed": process.marginal(p0, t),
        "likelihood": process.likelihood(x_t, t),
        "posterior": process.posterior(x_t, x0, t),
        "reverse": process.reverse(x_t, p0.log(), t),
    }
    for b, i, j in itertools.product(range(4), range(2), range(3)):
        n, start, now, mix = int(t[b]), int(x0[b, i, j]), int(x_t[b, i, j]), p0[b, i, j].numpy()
        exact = Q[n - 1][:, now] * bars[n - 1][start]
        model = mix if n == 1 else Q[n - 1][:, now] * (mix @ bars[n - 1])
        close(got["marginal"][b, i, j], bars[n][start])
        close(got["mixed"][b, i, j], mix @ bars[n])
        close(got["likelihood"][b, i, j], bars[n][:, now])
        close(got["posterior"][b, i, j], exact / exact.sum())
        close(got["reverse"][b, i, j], model / model.sum())
    for name in ("marginal", "mixed", "posterior", "reverse"):
        close(got[name].sum(-1), 1)
    one_by_one = [process.posterior(x_t[b : b + 1], x0[b : b + 1], int(t[b])) for b in range(4)]
    close(got["posterior"], torch.cat(one_by_one), 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_states_and_their_one_hot_rows_mean_the_same(family):
    process, x0 = default(family, 5, 4), torch.arange(4).repeat(3)
    rows = torch.nn.functional.one_hot(x0, 5).float()
    for t in (1, 2, 4):
        x_t = process.diffuse(x0, t, Noise(t))
        close(process.posterior(x_t, rows, t), process.posterior(x_t, x0, t))
        assert torch.equal(process.posterior(x_t.int(), x0.to(torch.uint8), t), process.posterior(x_t, x0, t))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_step_back_is_x0_itself(family):
    process, p0 = default(family, 4, 5), torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=F64)
    close(process.reverse(torch.tensor([1]), p0.log(), 1), p0)
    close(process.posterior(torch.tensor([1]), torch.tensor([1]), 1), [[0, 1, 0, 0]])


def test_a_small_epsilon_in_the_authors_code_is_all_that_differs():
    """Their posterior, with 1e-6 inside both logarithms, tends to ours as that number does to 0."""
    process, x0 = default("gaussian", 8, 6), torch.arange(8).repeat_interleave(8)
    x_t, t = torch.arange(8).repeat(8), 4
    Q, before = process.Q[t - 1].numpy(), process.Q_bar[t - 2].numpy()
    for eps, tolerance in ((1e-6, 1e-4), (1e-10, 1e-8), (1e-14, 1e-12)):
        theirs = (Q[:, x_t.numpy()].T + eps) * (before[x0.numpy()] + eps)
        theirs /= theirs.sum(1, keepdims=True)
        assert np.abs(theirs - process.posterior(x_t, x0, t).numpy()).max() < tolerance


# ---- the bound


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("x0", [0, 1])
def test_the_terms_sum_to_the_exact_bound(family, x0):
    process, model = default(family, 3, 3), softmax_table(3, 3, seed=x0)
    start = torch.tensor([x0])
    total = discrete.prior_kl(start, process).item()
    for t in range(1, 4):
        for x_t, q in enumerate(process.marginal(start, t)[0].tolist()):
            if q > 0:
                now = torch.tensor([x_t])
                term = discrete.vlb_term(start, now, model(now, torch.tensor([t])), t, process)
                assert term >= 0
                total += q * term.item()
    bound, nll = bound_by_enumeration(process, model, x0)
    close(total, bound)
    assert nll < bound


@pytest.mark.parametrize("family", FAMILIES)
def test_the_estimated_terms_have_the_exact_bound_as_mean(family):
    process, model, n = default(family, 3, 3), softmax_table(3, 3), 20_000
    terms = discrete.vlb_terms(
        model, torch.zeros(n, 2, dtype=torch.long), process, Noise(0, per_sample=False)
    )
    assert isinstance(terms, elbo.VLBTerms)
    assert (terms.prior.shape, terms.kl.shape, terms.decoder.shape) == ((n,), (n, 2), (n,))
    exact = 2 * bound_by_enumeration(process, model, 0)[0]  # two pixels
    assert abs(terms.total.mean() - exact) < 4 * terms.total.std() / n**0.5


def test_a_chain_of_one_step_has_no_kl_terms():
    process = discrete.uniform(3, [0.5])
    terms = discrete.vlb_terms(softmax_table(1, 3), torch.tensor([[0, 1], [2, 2]]), process, Noise(0))
    assert terms.kl.shape == (2, 0)
    close(terms.total, terms.prior + terms.decoder, 0)


def test_the_kl_at_t_1_is_the_decoder():
    process, logits = default("gaussian", 4, 3), Noise(0).randn(5, 2, 4, dtype=F64)
    x0 = torch.randint(0, 4, (5, 2), generator=torch.Generator().manual_seed(0))
    got = discrete.vlb_term(x0, process.diffuse(x0, 1, Noise(1)), logits, 1, process)
    nll = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x0.flatten(), reduction="none")
    close(got, nll.reshape(5, 2).sum(1))


def test_the_prior_term():
    x0 = torch.tensor([[0, 2], [1, 1]])
    for family in ("uniform", "gaussian"):
        process = default(family, 3, 4)
        q = process.Q_bar[-1][x0].numpy()
        close(discrete.prior_kl(x0, process), (q * np.log(q * 3)).sum((1, 2)))
    done = discrete.absorbing(3, discrete.absorbing_betas(4), mask=1)
    half = discrete.absorbing(3, torch.full((4,), 0.5), mask=1)
    assert discrete.prior_kl(x0, done).tolist() == [0, 0]
    assert discrete.prior_kl(x0, half).tolist() == [math.inf, 0]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_hybrid_loss_is_the_term_plus_cross_entropy(family):
    process, model = default(family, 4, 5), softmax_table(5, 4)
    x0 = torch.tensor([[0, 1, 2], [2, 1, 0], [0, 0, 1], [1, 2, 2]])
    t = torch.tensor([1, 2, 4, 5])
    x_t = process.diffuse(x0, t, Noise(3))
    logits = model(x_t, t)
    term = discrete.vlb_term(x0, x_t, logits, t, process).mean() / 3
    ce = torch.nn.functional.cross_entropy(logits.flatten(0, 1), x0.flatten())
    close(discrete.hybrid_loss(model, x0, t, Noise(3), process), term + 0.001 * ce)
    close(discrete.hybrid_loss(model, x0, t, Noise(3), process, weight=0.01), term + 0.01 * ce)
    close(discrete.hybrid_loss(model, x0, t, Noise(3), process, weight=0), term)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_gradients_reach_float32_logits_and_are_finite(family, scale):
    process, t = default(family, 5, 4), torch.tensor([1, 2, 3, 4])
    table = (scale * Noise(0).randn(5, 5)).requires_grad_()
    x0 = torch.tensor([[0, 1, 2], [3, 3, 3], [1, 0, 2], [2, 2, 2]])
    loss = discrete.hybrid_loss(lambda x, t: table[x], x0, t, Noise(1), process)
    loss.backward()
    assert loss.isfinite()
    assert table.grad.isfinite().all()
    assert table.grad.abs().sum() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_those_of_finite_differences(family):
    process, x0, t = default(family, 4, 4), torch.tensor([[0, 1], [2, 2], [1, 0]]), torch.tensor([1, 3, 4])
    x_t = process.diffuse(x0, t, Noise(0))
    logits = Noise(1).randn(3, 2, 4, dtype=F64).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: discrete.vlb_term(x0, x_t, z, t, process), (logits,))


def test_the_kl_of_categoricals():
    p = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=F64)
    q = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]], dtype=F64)
    close(discrete.categorical_kl(p, q)[0], stats.entropy(p[0], q[0]))
    assert discrete.categorical_kl(p, q)[1] == math.inf
    assert discrete.categorical_kl(p, p).tolist() == [0, 0]


# ---- the exact model, and sampling


WEIGHTED = torch.tensor([0, 0, 0, 1, 1, 2])[:, None]  # p(0), p(1), p(2) = 1/2, 1/3, 1/6


@pytest.mark.parametrize("family", FAMILIES)
def test_the_dataset_model_and_its_mixture_are_exact(family):
    """p(x_0 | x_t) and q(x_{t-1} | x_t) by Bayes; then the mean bound is the entropy plus KL(q(x_T) || stationary)."""
    process = default(family, 4, 5)
    model = discrete.dataset_model(WEIGHTED, process)
    mixture = discrete.as_mixture(model, process)
    q0 = np.array([3, 2, 1, 0]) / 6
    bars = np.concatenate([np.eye(4)[None], process.Q_bar.numpy()])
    x0, gap = torch.arange(3)[:, None], 0.0
    bound = (torch.tensor(q0[:3]) * discrete.prior_kl(x0, process)).sum().item()
    for t in range(1, 6):
        for x_t in range(4):
            now, row = torch.tensor([[x_t]]), q0 * bars[t][:, x_t]
            if row.sum() == 0:
                continue
            close(model(now, torch.tensor([t])).softmax(-1)[0, 0], row / row.sum())
            back = (q0 @ bars[t - 1]) * process.Q[t - 1].numpy()[:, x_t]
            close(process.reverse(now, mixture(now, torch.tensor([t])), t)[0, 0], back / back.sum())
            plain = process.reverse(now, model(now, torch.tensor([t])), t)[0, 0].numpy()
            if family == "absorbing" or t == 1:
                close(plain, back / back.sum())
            gap = max(gap, np.abs(plain - back / back.sum()).max())
            logits = mixture(now, torch.tensor([t])).expand(3, 1, 4)
            for k in range(3):
                if bars[t][k, x_t] > 0:
                    term = discrete.vlb_term(x0[k : k + 1], now, logits[k : k + 1], t, process)
                    bound += q0[k] * bars[t][k, x_t] * term.item()
    assert family == "absorbing" or gap > 0.01  # eq. 4 weighs otherwise than the mixture
    close(bound, stats.entropy(q0) + stats.entropy(q0 @ bars[-1], process.stationary))


@pytest.mark.parametrize("family", FAMILIES)
def test_ancestral_samples_have_the_data_s_distribution(family):
    """One pixel: exact at any T once the chain forgets. 20,000 samples, chi-square at the level 1e-3."""
    betas = discrete.absorbing_betas(6) if family == "absorbing" else torch.full((30,), 0.5, dtype=F64)
    process, noise, n = make(family, 4, betas), Noise(11, per_sample=False), 20_000
    model = discrete.as_mixture(discrete.dataset_model(WEIGHTED, process), process)
    x = discrete.sample(model, process.prior(noise, n, 1), process, noise)
    counts = torch.bincount(x.flatten(), minlength=4)
    assert counts[3] == 0
    assert stats.chisquare(counts[:3], n * np.array([3, 2, 1]) / 6).pvalue > 1e-3


PAIRS = torch.tensor([[0, 0], [0, 0], [1, 1], [2, 0]])  # two pixels that depend on each other


def law_of_samples(process, model):
    """The exact distribution of the two-pixel sampler: its chain over all K^2 states, no randomness."""
    K = process.K
    everything = torch.cartesian_prod(torch.arange(K), torch.arange(K))
    law = process.stationary[everything].prod(1)
    for t in range(process.T, 0, -1):
        now = everything[law > 0]
        back = process.reverse(now, model(now, torch.full((len(now),), t)), t)
        law = (law[law > 0][:, None, None] * back[:, 0, :, None] * back[:, 1, None, :]).sum(0).flatten()
    return law


def pair_process(family, T):
    if family == "absorbing":
        return make(family, 4, discrete.absorbing_betas(T))
    return make(family, 4, 1 - torch.exp(torch.full((T,), -12.0 / T, dtype=F64)))


@pytest.mark.parametrize("family", ["uniform", "absorbing"])
def test_dependent_pixels_come_right_in_the_limit_of_many_steps(family):
    """p_theta factorises over pixels, so a joint law is exact only as T grows: the error falls as 1 / T."""
    truth = torch.zeros(4, 4, dtype=F64)
    for pair in PAIRS.tolist():
        truth[pair[0], pair[1]] += 1 / 4
    errors = []
    for T in (50, 100, 200):
        process = pair_process(family, T)
        model = discrete.as_mixture(discrete.dataset_model(PAIRS, process), process)
        law = law_of_samples(process, model)
        close(law.sum(), 1)
        errors.append(0.5 * (law - truth.flatten()).abs().sum().item())
    assert errors[-1] < 0.03
    assert 1.6 < errors[0] / errors[1] < 2.4
    assert 1.6 < errors[1] / errors[2] < 2.4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_sampling_loop_has_the_law_of_its_chain(family):
    process, noise, n = pair_process(family, 5), Noise(5, per_sample=False), 20_000
    model = discrete.as_mixture(discrete.dataset_model(PAIRS, process), process)
    x = discrete.sample(model, process.prior(noise, n, 2), process, noise)
    counts = torch.bincount(x[:, 0] * 4 + x[:, 1], minlength=16).numpy()
    law = law_of_samples(process, model).numpy()
    reachable = law > 1e-9
    assert counts[~reachable].sum() == 0
    expected = law[reachable] / law[reachable].sum() * n
    assert stats.chisquare(counts[reachable], expected).pvalue > 1e-3


def test_the_loop_yields_every_state_draws_once_a_step_and_ignores_the_batch():
    process, model = default("uniform", 4, 5), softmax_table(5, 4)

    class Counted:
        def __init__(self):
            self.noise, self.calls = Noise(2), 0

        def like(self, x):
            self.calls += 1
            return self.noise.like(x)

    x, seen = process.prior(Noise(1), 6, 2, 3), []
    counted = Counted()
    film = list(discrete.states(model, x, process, counted, progress=lambda ts: seen.extend(ts) or ts))
    assert seen == [5, 4, 3, 2, 1]
    assert len(film) == 6
    assert counted.calls == 5
    assert film[0] is x
    assert all(f.shape == x.shape and f.dtype == torch.int64 for f in film)
    assert torch.equal(discrete.sample(model, x, process, Noise(2)), film[-1])
    assert torch.equal(discrete.sample(model, x[:2], process, Noise(2)), film[-1][:2])


def test_an_absorbing_chain_unmasks_and_never_changes_its_mind():
    process = discrete.absorbing(5, discrete.absorbing_betas(8), mask=2)
    data = torch.tensor([[0, 1, 3, 4], [4, 3, 1, 0]])
    film = torch.stack(
        list(
            discrete.states(
                discrete.dataset_model(data, process), process.prior(Noise(0), 50, 4), process, Noise(1)
            )
        )
    )
    assert (film[0] == 2).all()
    assert (film[-1] != 2).all()
    for before, after in itertools.pairwise(film[:-1]):
        assert ((before == 2) | (before == after)).all()


def test_a_model_that_rules_out_the_present_state_does_not_stop_the_chain():
    process, logits = (
        discrete.absorbing(3, discrete.absorbing_betas(4), 2),
        torch.tensor([[0, -math.inf, -math.inf]]),
    )
    mixture, x_t = discrete.as_mixture(lambda x, t: logits, process), torch.tensor([1])
    for z in (logits, mixture(x_t, torch.tensor([3]))):
        close(process.reverse(x_t, z, 3), [[0, 1, 0]])  # an unmasked state stays


def test_diffuse_has_the_law_of_the_marginal():
    n = 40_000
    for family in FAMILIES:
        process = default(family, 4, 5)
        x_t = process.diffuse(torch.ones(n, dtype=torch.long), 3, Noise(0, per_sample=False))
        expected = n * process.Q_bar[2][1].numpy()
        counts = torch.bincount(x_t, minlength=4).numpy()
        assert (counts[expected == 0] == 0).all()
        assert stats.chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.floats(-38, 38), st.integers(0, 2**20))
def test_draw_inverts_the_cumulative_sum_and_skips_the_impossible(K, z, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(K)) * (rng.random(K) < 0.5)
    p[rng.integers(K)] += 0.1
    p /= p.sum()

    class Fixed:
        def like(self, x):
            return torch.full_like(x, z)

    got = discrete.draw(torch.tensor(p)[None], Fixed()).item()
    assert p[got] > 0
    u = stats.norm.cdf(z)
    assert p[:got].sum() - 1e-9 <= u <= p[: got + 1].sum() + 1e-9


# ---- memory


class LargestTensor(TorchDispatchMode):
    """Remembers the element count of the largest tensor that any operation returns."""

    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else [out]:
            # A view into a table, such as Q_bar[t], makes no new numbers.
            if isinstance(x, torch.Tensor) and not x._is_view():
                self.largest = max(self.largest, x.numel())
        return out


@pytest.mark.parametrize("family", FAMILIES)
def test_no_tensor_is_larger_than_K_numbers_a_pixel(family):
    B, P, K = 6, 50, 64
    process = make(family, K, torch.linspace(0.01, 0.5, 8, dtype=F64))
    _ = process.Q_bar if family == "gaussian" else None  # the tables: T K^2, made once
    x0, t = torch.arange(B * P).reshape(B, P) % (K - 1), torch.tensor([1, 2, 3, 8, 8, 1])
    logits = Noise(0).randn(B, P, K).requires_grad_()
    with LargestTensor() as seen:
        discrete.hybrid_loss(lambda x, t: logits, x0, t, Noise(1), process).backward()
        x_t = process.diffuse(x0, t, Noise(2))
        process.posterior(x_t, x0, t)
        process.reverse(x_t, logits.detach(), 5)
        discrete.prior_kl(x0, process)
    assert B * P * K <= seen.largest < 2 * B * P * K


# ---- bad input


def processes():
    return [default(family, 4, 5) for family in FAMILIES]


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: discrete.uniform(1, [0.1]), r"^K: got 1, want an integer >= 2"),
        (lambda: discrete.gaussian(2.5, [0.1]), r"^K: got 2.5"),
        (lambda: discrete.uniform(4, [0.1, 0.0]), r"^betas: beta_2 = 0 is not in \(0, 1\]"),
        (lambda: discrete.gaussian(4, [1.5]), r"^betas: beta_1 = 1.5 is not in"),
        (lambda: discrete.absorbing(4, [math.nan], 0), r"^betas: beta_1 = nan"),
        (lambda: discrete.uniform(4, []), r"^betas: got shape \(0,\)"),
        (lambda: discrete.uniform(4, [[0.1]]), r"^betas: got shape \(1, 1\), want \(T,\)"),
        (lambda: discrete.absorbing(4, [0.1], 4), r"^mask: got 4, want an integer in 0\.\.3"),
        (lambda: discrete.absorbing(4, [0.1], -1), r"^mask: got -1"),
        (lambda: discrete.gaussian(4, [0.1], width=0), r"^width: got 0, want a number > 0"),
    ],
)
def test_bad_chains_are_refused(make_it, message):
    with pytest.raises(CourseError, match=message):
        make_it()


X = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.marginal(X + 4, 1), r"^x0: got state 4, want integers in 0\.\.3"),
        (lambda p: p.marginal(X - 1, 1), r"^x0: got state -1"),
        (
            lambda p: p.posterior(X.float(), X, 2),
            r"^x_t: got dtype torch.float32, want integer states 0\.\.3",
        ),
        (lambda p: p.posterior(X.bool(), X, 2), r"^x_t: got dtype torch.bool"),
        (lambda p: p.posterior(X, X.float(), 2), r"^x0: got a float \(2, 3\), want integers or prob"),
        (lambda p: p.posterior(X, X[:, :2], 2), r"^x0: got shape \(2, 2\), want \(2, 3\) to match x_t"),
        (lambda p: p.posterior(X, torch.full((2, 4), 0.25), 2), r"^x0: got shape \(2, 4\), want \(2, 3, 4\)"),
        (lambda p: p.posterior(X, torch.randn(2, 3, 4), 2), r"^x0: rows are not probabilities.*softmax"),
        (lambda p: p.posterior(X, X, 0), r"^t: got 0, want integers in 1\.\.5 \(t = 0 is clean data\)"),
        (lambda p: p.diffuse(X, 6, Noise(0)), r"^t: got 6, want integers in 1\.\.5"),
        (lambda p: p.likelihood(X, 1.5), r"^t: got dtype"),
        (lambda p: p.marginal(X, torch.tensor([1, 2, 3])), r"^t: got shape \(3,\), want \(\) or \(2,\)"),
        (lambda p: discrete.dataset_model(X + 9, p), r"^data: got state 9"),
        (
            lambda p: discrete.vlb_terms(lambda x, t: x, X, p, Noise(0)),
            r"^model: returned shape \(2, 3\), want \(B, \*S, K\) = \(2, 3, 4\)",
        ),
        (
            lambda p: discrete.sample(lambda x, t: torch.full((*x.shape, 4), math.nan), X, p, Noise(0)),
            r"^sampling: NaN in the model's logits at t = 5",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    for process in processes():
        with pytest.raises(CourseError, match=message) as caught:
            call(process)
        assert "\n" not in str(caught.value)


def test_a_state_that_x0_cannot_become_is_refused():
    process = discrete.absorbing(4, [0.1, 0.2, 0.3], mask=3)
    with pytest.raises(CourseError, match=r"^x_t: state 2 has probability 0 given its x0"):
        process.posterior(torch.tensor([0, 2]), torch.tensor([0, 1]), 2)


def test_the_package_names_it():
    import diffusion_course as dc

    assert dc.discrete is discrete
    for name in discrete.__all__:
        assert getattr(discrete, name)
