"""Unmasking samplers: on a chain whose laws can be enumerated, what each makes is known exactly."""

import itertools
import math

import pytest
import torch
from shared import close, random_token_model

from diffusion_course import CourseError, Noise, sampler_laws
from diffusion_course import unmasking as U
from diffusion_course.markov_chain import EXAMPLE as CHAIN
from diffusion_course.markov_chain import MarkovChain, sequences
from diffusion_course.masked import COSINE, LINEAR

K = CHAIN.K
SHORT = MarkovChain(CHAIN.start, CHAIN.transition, 4)
STEPS = {
    "parallel": U.parallel_step(),
    "cosine": U.parallel_step(COSINE),
    "random": U.ordered_step(U.random_order),
    "left to right": U.ordered_step(U.left_to_right),
    "certain": U.ordered_step(U.most_certain),
    "confident": U.ordered_step(U.most_confident),
}
each_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@each_step
@pytest.mark.parametrize("num_steps", [1, 3, 8, 20])
def test_given_tokens_stay_and_none_is_left_hidden(step, num_steps):
    x = torch.where(
        torch.rand(40, 8, generator=torch.Generator().manual_seed(1)) < 0.5, K, CHAIN.draw(40, Noise(0))
    )
    path = list(U.states(step, CHAIN.logits, x, U.even_grid(num_steps), Noise(2)))
    assert len(path) == num_steps + 1
    for before, after in itertools.pairwise(path):
        assert torch.equal(after[before != K], before[before != K])
    assert bool((path[-1] < K).all())


@each_step
def test_a_sample_is_the_same_whatever_its_batch_and_pictures_pass(step):
    model, start = random_token_model((2, 3)), U.hidden(5, 2, 3, K=K)
    five = U.sample(step, model, start, U.even_grid(4), Noise(7))
    two = U.sample(step, model, start[:2], U.even_grid(4), Noise(7))
    assert five.shape == (5, 2, 3)
    assert torch.equal(five[:2], two)
    assert not torch.equal(five, U.sample(step, model, start, U.even_grid(4), Noise(8)))


@pytest.mark.parametrize("order", [U.random_order, U.left_to_right, U.most_certain, U.most_confident])
def test_ordered_steps_show_one_token_at_a_time(order):
    x = U.hidden(9, 8, K=K)
    x[:4, 3] = 1  # with a token given, seven are left for eight steps
    counts = [
        (s == K).sum(1) for s in U.states(U.ordered_step(order), CHAIN.logits, x, U.even_grid(8), Noise(0))
    ]
    assert [int(c[-1]) for c in counts] == list(range(8, -1, -1))
    x[:, 3] = 1
    counts = [
        (s == K).sum(1) for s in U.states(U.ordered_step(order), CHAIN.logits, x, U.even_grid(7), Noise(0))
    ]
    assert [c.unique().tolist() for c in counts] == [[n] for n in range(7, -1, -1)]


def test_left_to_right_goes_from_left_to_right():
    for state in U.states(
        U.ordered_step(U.left_to_right), CHAIN.logits, U.hidden(3, 8, K=K), U.even_grid(8), Noise(0)
    ):
        shown = (state < K).long()
        assert torch.equal(shown, shown.sort(1, descending=True).values)


def test_one_token_at_a_time_draws_from_the_model_in_any_order_that_does_not_look_at_the_draw():
    for order in (U.left_to_right, U.most_certain):
        law = sampler_laws.ordered_law(SHORT.logits, K, 4, order, U.even_grid(4))
        close(law, SHORT.joint)


def test_what_parallel_steps_cost():
    """The law of T steps: of T = 1 independent places, nearer to the chain with each doubling, and no further than its bound."""
    gaps = {}
    for T in (1, 2, 4):
        law = sampler_laws.parallel_law(SHORT.logits, K, 4, U.even_grid(T))
        close(law.sum(), 1)
        gaps[T] = sampler_laws.kl(SHORT.joint, law)
        assert gaps[T] <= SHORT.parallel_bound(T) - SHORT.entropy + 1e-12
    assert gaps[1] > 3 * gaps[2] > 9 * gaps[4]
    places = CHAIN.places.log()[torch.arange(8), sequences(K, 8)].sum(1).exp()
    law = sampler_laws.parallel_law(CHAIN.logits, K, 8, [1, 0])
    close(law, places)
    assert f"{sampler_laws.kl(CHAIN.joint, law):.3f}" == "2.757"


def test_what_the_order_of_confidence_costs():
    """It keeps likely draws: one token at a time loses 4.03 of 5.68 nats, and two samples in five are one sequence."""
    law = sampler_laws.ordered_law(CHAIN.logits, K, 8, U.most_confident, U.even_grid(8))
    assert f"{CHAIN.entropy - sampler_laws.entropy(law):.2f}" == "4.03"
    assert f"{float(law.max()):.2f}" == "0.41"
    assert float(CHAIN.joint.max()) < 0.09


@pytest.mark.parametrize("name", ["parallel", "cosine", "left to right", "confident"])
def test_the_laws_are_those_of_what_the_samplers_draw(name):
    n, times = 4000, U.even_grid(3)
    x = U.sample(STEPS[name], SHORT.logits, U.hidden(n, 4, K=K), times, Noise(1, per_sample=False))
    if name in ("parallel", "cosine"):
        law = sampler_laws.parallel_law(SHORT.logits, K, 4, times, COSINE if name == "cosine" else LINEAR)
    else:
        order = U.left_to_right if name == "left to right" else U.most_confident
        law = sampler_laws.ordered_law(SHORT.logits, K, 4, order, times)
    counts = (x @ K ** torch.arange(3, -1, -1)).bincount(minlength=81)
    chi2 = float(((counts - n * law) ** 2 / (n * law)).sum())
    assert abs(chi2 - 80) < 5 * math.sqrt(160)


def test_infilling_draws_from_the_conditional():
    """Left to right, given the last token: the right law, though the model is asked in that order alone."""
    x = U.hidden(4000, 4, K=K)
    x[:, 3] = 2
    drawn = U.sample(
        U.ordered_step(U.left_to_right), SHORT.logits, x, U.even_grid(3), Noise(3, per_sample=False)
    )
    every = sequences(K, 4)
    p = SHORT.joint * (every[:, 3] == 2)
    for i in range(3):
        for k in range(K):
            exact = float(p[every[:, i] == k].sum() / p.sum())
            assert abs((drawn[:, i] == k).double().mean() - exact) < 4 * math.sqrt(exact * (1 - exact) / 4000)


@pytest.mark.parametrize("times", [[1], [], [0.5, 1, 0], [1, 0.5], [1, 1, 0], [2, 0], [math.nan, 0], [0]])
def test_times_that_do_not_fall_to_zero_are_told(times):
    with pytest.raises(CourseError, match="times: got"):
        next(U.states(U.parallel_step(), CHAIN.logits, U.hidden(1, 8, K=K), times, Noise()))


def test_tokens_are_integers():
    with pytest.raises(CourseError, match="x: got dtype"):
        next(U.states(U.parallel_step(), CHAIN.logits, torch.zeros(1, 8), [1, 0], Noise()))


@each_step
def test_samples_of_one_token_and_empty_batches_pass(step):
    def model(x):
        return torch.zeros(*x.shape, K)

    for shape in ((5,), (0, 4)):
        assert U.sample(step, model, U.hidden(*shape, K=K), [1, 0.5, 0], Noise(0)).shape == shape


def test_nan_is_told_at_once():
    def broken(x):
        return torch.full((*x.shape, K), torch.nan)

    with pytest.raises(CourseError, match="NaN"):
        U.sample(U.parallel_step(), broken, U.hidden(1, 8, K=K), [1, 0], Noise())
