"""The sampler: all its states, from x_T over the chosen times to x_0."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .ch03 import predict
from .ch07_ddim import fresh_std, kept, neighbours, neighbours_beta
from .ch07_sample_times import TIMES, ddim_sample
from .ch07_walks import Part, cut, first_prediction, last_noise, of_clipped, swap, walked
from .data import Check, Mutant
from .inputs import Draw
from .slips import result_slip
from .weights import Named, Run, Scripted, first_wrong


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


def draw(hint: str, z: Callable[[Part], Tensor]) -> Mutant:
    """A mutant with another noise z(part) in its steps."""
    return walked(hint, swap(z=z))


def of_eq_12(hint: str, ending: Callable[[Part, Any, Any, Any], Tensor], most: float = 0) -> Mutant:
    """A mutant with its own ending(part, eps, ab_prev, s) in the place of direction and noise. most: clips x0."""
    return walked(hint, cut(ending, most))


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
        "fresh noise in the last step, eta sqrt(beta_1) z: there s is 0, since nothing is left at time 0.",
        lambda q: swap()(q) if q.p else swap()(q) + q.eta * (1 - q.ab[0]).sqrt() * q.z,
    ),
    walked(
        "no noise in the first step: every step but the last has s > 0.",
        lambda q: swap(z=lambda q: q.z * (q.k > 1))(q),
    ),
    walked("eta = 0 whatever eta is: no fresh noise enters.", swap(eta=lambda q: 0.0)),
    walked("eta = 1 for every eta, or for every eta above 0: s is eta times the root.", swap(eta=lambda q: 1.0)),
    draw("draws multiplied by eta before the step, which multiplies them itself: hand noise[k - 1] on as it is.", lambda q: q.eta * q.z),
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

RUN = (
    torch.tensor([9, 6, 2]),
    torch.linspace(0.9, 0.05, 10, dtype=torch.float64),
)  # times and alpha_bar for measured weights
NAMED = Named(
    state=lambda k: f"states[{k - 1}]",
    answers=lambda k: {k - 1: "the prediction"},
    draw=lambda k: f"noise[{k - 1}]",
    step=lambda k: f"step {k}",
)


def measured(answer: Callable) -> str:
    times, alpha_bar = RUN

    def run(sampler: Callable) -> Run:
        def states(start: float, predictions: Sequence[float], draws: Sequence[float]) -> Tensor:
            noise = torch.tensor(draws, dtype=torch.float64).reshape(-1, 1, 1)
            x_T = torch.full((1, 1), start, dtype=torch.float64)
            return sampler(Scripted(predictions), x_T, times, 0.5, noise, alpha_bar).flatten()

        return states

    return first_wrong(run(answer), run(ddim_sample), NAMED, len(times), len(times))


DDIM_SAMPLE = Check(
    id="07-ddim_sample",
    points=5,
    minutes=20,
    level=2,
    reference=ddim_sample,
    inputs=case,
    fixed=runs,
    evaluations={"eps_model": lambda m, x, times, *rest: len(x) * len(times)},
    calls={"eps_model": lambda m, x, times, *rest: len(times)},
    where='section 4 of this notebook ("The step"): state k is made from state k - 1 by the step '
    "t = times[k - 1] -> t_prev = times[k], and the last goes to 0 (Song et al. 2021, eq. 12).",
    outputs=("states",),
    path="states[{}]",
    measured=measured,
    library=("samplers.ddim",),
    mutants=[*TIMES, *NOISE, *STEPS, *STATES],
)
