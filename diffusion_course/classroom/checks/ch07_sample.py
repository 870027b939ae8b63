"""The sampler: all its states, from x_T over the chosen times to x_0."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .ch07_ddim import clean, fresh_std, kept, neighbours, neighbours_beta, right_step
from .ch07_walks import Part, cut, first_prediction, first_time, last_noise, of_clipped, swap, walk, walked
from .data import Check, Mutant
from .inputs import Draw
from .slips import argument_slip, result_slip


def ddim_sample(
    eps_model: EpsModel, x_T: Tensor, times: Tensor, eta: float, noise: Tensor, alpha_bar: Tensor
) -> Tensor:
    return walk(eps_model, x_T, times, eta, noise, alpha_bar)


def chosen(d: Draw) -> Tensor:
    """Falling times, no two of them neighbours: with 1 or T where the case wants them, else with neither."""
    odd = {"": d.integer(0, 1), "first": 1, "last": d.T % 2}[d.edge]
    pairs = torch.arange(1, (d.T + odd) // 2 + 1)
    if not d.edge:
        pairs = pairs[1:-1]  # neither 1 nor T
    inner = d.shuffled(pairs[1:-1])[: d.integer(1, 3)]
    ends = pairs[[0, -1]]
    return (2 * torch.cat([inner, ends]) - odd).sort(descending=True).values.to(d.device)


def case(d: Draw) -> tuple:
    times, x = chosen(d), d.x()
    eta = round(float(d.uniform(0.3, 0.9)), 2)
    return d.eps_model(), x, times, eta, d.normal(len(times), *x.shape), d.alpha_bar()


def runs(d: Draw) -> Iterator[tuple[str, tuple]]:
    """Runs as the chapter makes them, every eta, the whole of a short chain, and a single step."""
    tables = {name: torch.cumprod(1 - betas, 0) for name, betas in d.schedules().items()}
    few = {
        "uniform times": [1000, 889, 778, 667, 556, 445, 334, 223, 112, 1],
        "trailing times": [1000, 800, 600, 400, 200],
        "leading times": [801, 601, 401, 201, 1],
        "one step": [1000],
    }
    for number, (name, times) in enumerate(few.items()):
        for table, alpha_bar in tables.items():
            for eta in ((0, 1), (0.5, 1.0), (0.0, 0.3), (1,))[number]:
                noise = d.normal(len(times), 2, 3)
                at = torch.tensor(times, device=d.device)
                yield f"{name}, {table}", (d.eps_model(), d.normal(2, 3), at, eta, noise, alpha_bar)
    every = torch.arange(20, 0, -1, device=d.device)
    short = torch.cumprod(1 - d.linear(20), 0)
    yield "all 20 of 20 times", (d.eps_model(), d.wide(2, 1, 3, 3), every, 1.0, d.wide(20, 2, 1, 3, 3), short)


def read(hint: str, at: Callable[[int, int, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
    """A mutant that reads (alpha_bar of t, of t_prev) = at(t, t_prev, alpha_bar)."""

    def step(part: Part) -> Tensor:
        eps = predict(part.model, part.x, part.t)
        a, b = at(part.t, part.p, part.ab)
        return right_step(part.x, eps, a, b, part.eta, part.z)

    return walked(hint, step)


def draw(hint: str, z: Callable[[Part], Tensor]) -> Mutant:
    """A mutant with another noise z(part) in its steps."""
    return walked(hint, swap(z=z))


def of_eq_12(hint: str, ending: Callable[[Part, Any, Any, Any], Tensor], most: float = 0) -> Mutant:
    """A mutant with its own ending(part, eps, ab_prev, s) in the place of direction and noise. most: clips x0."""
    return walked(hint, cut(ending, most))


TIMES = [
    walked(
        "a last step to alpha_bar[0], which is alpha_bar_1: the last step ends at time 0, where alpha_bar_0 is 1.",
        lambda q: right_step(
            q.x, predict(q.model, q.x, q.t), *kept(q.t, max(q.p, 1), q.ab), q.eta, q.z
        ),
    ),
    read(
        "alpha_bar[t_prev - 1] in the last step too: that is alpha_bar[-1], the last entry; alpha_bar_0 is 1.",
        lambda t, p, ab: (ab[t - 1], ab[p - 1]),
    ),
    read("alpha_bar read at t and t_prev: alpha_bar_t is alpha_bar[t - 1].", lambda t, p, ab: (ab[min(t, len(ab) - 1)], clean(p, ab, p))),
    read("alpha_bar[t_prev] for that of t_prev: it is alpha_bar[t_prev - 1], and 1 at time 0.", lambda t, p, ab: (ab[t - 1], clean(p, ab, p))),
    walked(
        "no step from the time 1: the image is at time 0, so one more step leads there.",
        lambda q: q.x if q.t == 1 else swap()(q),
    ),
    walked(
        "no step where there is one time alone: n times are n steps, so n = 1 makes one, to 0.",
        lambda q: q.x if q.n == 1 else swap()(q),
    ),
    walked(
        "every step from times[0]: step k goes from times[k - 1].",
        swap(asked=first_time, t=first_time),
    ),
    walked(
        "steps from times[0], with a model that is told the right time: step k goes from times[k - 1].",
        swap(t=first_time),
    ),
    walked(
        "steps to t - 1: each step goes to the next of the chosen times, which may be many steps away.",
        swap(p=lambda q: q.t - 1),
    ),
    walked(
        "a sampler that stands still in its last step: from the last of the times a step leads to time 0.",
        lambda q: swap()(q) if q.p else q.x,
    ),
    walked(
        "a model that is told t_prev: it is shown x_t, so it is told t.",
        swap(asked=lambda q: q.p),
    ),
    walked(
        "a model that is told t - 1: the shift by one is for reading tables, the model takes t itself.",
        swap(asked=lambda q: q.t - 1),
    ),
    walked(
        "a model that is told the number of the step: it is told the time t.",
        swap(asked=lambda q: q.k),
    ),
    walked(
        "the numbers n, ..., 1 in the place of the times: step k goes from times[k - 1] to times[k].",
        swap(asked=lambda q: q.n - q.k + 1, t=lambda q: q.n - q.k + 1, p=lambda q: q.n - q.k),
    ),
    argument_slip(
        "times from the last to the first: they fall, and the walk begins at times[0].", ddim_sample, "times",
        lambda times: times.flip(0),
    ),
    argument_slip(
        "one step too few: the first of the times is left out; x_T is the state at times[0].", ddim_sample, "times",
        lambda times: times[1:],
    ),
    Mutant(
        "times + [0], as of a list: times is a tensor, and times.tolist() makes a list of it.",
        lambda m, x, times, eta, noise, ab: times + [0],  # noqa: RUF005  # the mistake itself
    ),
    Mutant(
        "one step too few, from the last of the times to 0: n times are n steps.",
        lambda m, x, times, eta, noise, ab: ddim_sample(m, x, times, eta, noise, ab)[:-1],
    ),
]  # fmt: skip
NOISE = [
    draw("noise[:, k - 1], an entry of the batch: its first axis counts the steps, so step k takes noise[k - 1].", lambda q: q.noise[:, q.k - 1]),
    walked("the state and the draw exchanged: the draw is the z of the step.", swap(x=lambda q: q.z, z=lambda q: q.x, eps=lambda q: predict(q.model, q.z, q.t))),
    walked(
        "no fresh noise in the last step but one: s is 0 in the very last step alone.",
        swap(z=lambda q: q.z * (q.k != q.n - 1)),
    ),
    walked(
        "a smaller eta in the last step but one: s is 0 in the very last step alone.",
        swap(eta=lambda q: q.eta * (q.k < q.n - 1)),
    ),
    draw("noise[k] in step k: step k takes noise[k - 1].", lambda q: q.noise[q.k % q.n]),
    draw("noise[k] in step k, beyond the last entry: step k takes noise[k - 1].", lambda q: q.noise[q.k]),
    draw("every draw one step late, and the last draw in step 1: step k takes noise[k - 1], where k begins at 1.", lambda q: q.noise[q.k - 2]),
    draw("noise read backwards: step k takes noise[k - 1].", lambda q: q.noise[q.n - q.k]),
    draw("one noise for all steps: step k takes noise[k - 1].", lambda q: q.noise[0]),
    draw("the last noise in all steps: step k takes noise[k - 1].", lambda q: q.noise[-1]),
    draw("noise read at the time t - 1: it has one entry a step, and step k takes noise[k - 1].", lambda q: q.noise[q.t - 1]),
    draw("noise read at the time t: it has one entry a step, and step k takes noise[k - 1].", lambda q: q.noise[q.t]),
    draw("a minus before s z: z is added. (In law it is the same, but this check gives you z.)", lambda q: -q.z),
    draw("the whole of noise in every step: step k takes noise[k - 1].", lambda q: q.noise),
    walked("fresh noise in the last step, eta sqrt(1 - ab_t) z: there s is 0, since nothing is left at time 0.", last_noise),
    walked(
        "fresh noise in the last step, with the s of t -> t - 1: there s is 0, since nothing is left at time 0.",
        lambda q: swap()(q) if q.p else swap()(q) + fresh_std(q.ab[q.t - 1], kept(q.t, q.t - 1, q.ab)[1], q.eta) * q.z,
    ),
    walked(
        "no noise in the first step: every step but the last has s > 0.",
        lambda q: swap(z=lambda q: q.z * (q.k > 1))(q),
    ),
    walked("eta = 0 whatever eta is: no fresh noise enters.", swap(eta=lambda q: 0.0)),
    walked("eta = 1 for every eta, or for every eta above 0: s is eta times the root.", swap(eta=lambda q: 1.0)),
    walked("eta squared: s is eta times the root.", swap(eta=lambda q: q.eta**2)),
    walked(
        "s of the step t -> t - 1, that of the full chain: the step goes to the next of the chosen times, so s has its ab_prev in it.",
        lambda q: neighbours(q.model, q.x, q.t, q.p, q.eta, q.z, q.ab),
    ),
    walked(
        "beta_t in s, that of the full chain: over a longer step it is 1 - ab / ab_prev.",
        lambda q: neighbours_beta(q.model, q.x, q.t, q.p, q.eta, q.z, q.ab),
    ),
]  # fmt: skip
STEPS = [
    of_eq_12(
        "the full direction sqrt(1 - ab_prev) eps beside fresh noise: it is sqrt(1 - ab_prev - s^2) eps.",
        lambda q, eps, b, s: (1 - b).sqrt() * eps + s * q.z,
    ),
    of_eq_12("a step without s z: the direction is shortened by s, and nothing takes its place.", lambda q, eps, b, s: (1 - b - s**2).sqrt() * eps),
    of_eq_12("s^2 z, a variance used as a standard deviation: the fresh noise is s z.", lambda q, eps, b, s: (1 - b - s**2).sqrt() * eps + s**2 * q.z),
    of_eq_12("eta z: the fresh noise is s z.", lambda q, eps, b, s: (1 - b - s**2).sqrt() * eps + q.eta * q.z),
    of_eq_12("a minus before the direction: it is added.", lambda q, eps, b, s: s * q.z - (1 - b - s**2).sqrt() * eps),
    of_eq_12("no direction: sqrt(1 - ab_prev - s^2) eps keeps the old noise.", lambda q, eps, b, s: s * q.z),
    of_eq_12(
        "an x0 clipped to [-1, 1]: the step takes the guess as it is; what should be clipped, the model clips.",
        lambda q, eps, b, s: (1 - b - s**2).sqrt() * eps + s * q.z,
        most=1,
    ),
    walked(
        "an x0 clipped to [-1, 1], and an eps computed from it: the step takes both as the model gives them.",
        swap(eps=of_clipped),
    ),
    walked(
        "a prediction that is made once, in the first step, and used in all: every step shows the model its own state.",
        swap(eps=first_prediction),
    ),
    walked("a model that is shown x_T in every step: it is shown the state.", swap(eps=lambda q: predict(q.model, q.x_T, q.t))),
    walked("every step taken from x_T: step k begins at the state of step k - 1.", lambda q: swap()(q.begin())),
    walked(
        "the guess x0 as the state: the direction and the fresh noise are to be added.",
        cut(lambda q, eps, b, s: 0 * eps, scaled=False),
    ),
]  # fmt: skip
STATES = [
    result_slip("states without x_T: return n + 1 of them, the first is x_T.", ddim_sample, lambda v: v[1:]),
    result_slip("the last state alone: return all n + 1, x_T first.", ddim_sample, lambda v: v[-1]),
    result_slip("the states from x_0 to x_T: the first is x_T.", ddim_sample, lambda v: v.flip(0)),
    result_slip(
        "states that are stacked behind the batch: the first axis counts them, as torch.stack makes it with dim=0.",
        ddim_sample,
        lambda v: v.movedim(0, 1),
    ),
    result_slip(
        "the states one behind the other in one axis, as torch.cat does it: torch.stack gives them an axis of their own.",
        ddim_sample,
        lambda v: v.flatten(0, 1),
    ),
    result_slip(
        "one tensor that is stored n + 1 times and changed in place: make a new tensor in every step.",
        ddim_sample,
        lambda v: v[-1:].expand_as(v),
    ),
]

DDIM_SAMPLE = Check(
    id="07-ddim_sample",
    points=5,
    minutes=20,
    level=2,
    reference=ddim_sample,
    inputs=case,
    fixed=runs,
    evaluations={"eps_model": lambda m, x, times, *rest: len(x) * len(times)},
    where='section 4 of this notebook ("The step"): state k is made from state k - 1 by the step '
    "t = times[k - 1] -> t_prev = times[k], and the last goes to 0 (Song et al. 2021, eq. 12).",
    outputs=("states",),
    path="states[{}]",
    library=("samplers.ddim",),
    mutants=[*TIMES, *NOISE, *STEPS, *STATES],
)
