"""The sampler, and what goes wrong in its times: those of the steps, those that the model is told, those at which alpha_bar is read."""

from collections.abc import Callable

from torch import Tensor

from ...denoisers import EpsModel
from .ch03 import predict
from .ch07_ddim import clean, kept, right_step
from .ch07_walks import Part, first_time, swap, walk, walked
from .data import Mutant
from .slips import argument_slip


def ddim_sample(
    eps_model: EpsModel, x_T: Tensor, times: Tensor, eta: float, noise: Tensor, alpha_bar: Tensor
) -> Tensor:
    return walk(eps_model, x_T, times, eta, noise, alpha_bar)


def read(hint: str, at: Callable[[int, int, Tensor], tuple[Tensor, Tensor]]) -> Mutant:
    """A mutant that reads (alpha_bar of t, of t_prev) = at(t, t_prev, alpha_bar)."""

    def step(part: Part) -> Tensor:
        eps = predict(part.model, part.x, part.t)
        a, b = at(part.t, part.p, part.ab)
        return right_step(part.x, eps, a, b, part.eta, part.z)

    return walked(hint, step)


def late(q: Part) -> list[int]:
    """T in front of the times, where it is not among them."""
    return [*[len(q.ab)] * (q.times[0] < len(q.ab)), *q.times, 0]


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
    walked(
        "a model that is told the number of steps left: it is told the time t, times[k - 1].",
        swap(asked=lambda q: q.n - q.k + 1),
    ),
    walked(
        "a last step to times[-1] - 1: whatever the last of the times is, the last step goes to 0.",
        swap(p=lambda q: q.p or q.t - 1),
    ),
    walked(
        "steps of one length, T // n: t_prev is the next of the chosen times, which need not lie evenly.",
        swap(p=lambda q: max(q.t - len(q.ab) // q.n, 0)),
    ),
    walked(
        "a first step from T: it begins at times[0], which need not be T.",
        swap(asked=lambda q: q.t if q.k > 1 else len(q.ab), t=lambda q: q.t if q.k > 1 else len(q.ab)),
    ),
    walked(
        "a step from T to times[0] before the others: x_T is the state at times[0].",
        swap(asked=lambda q: late(q)[q.k - 1], t=lambda q: late(q)[q.k - 1], p=lambda q: late(q)[q.k]),
    ),
    walked(
        "the steps in the reverse order, that to time 0 first: they begin at times[0], the largest.",
        swap(asked=lambda q: q.times[-q.k], t=lambda q: q.times[-q.k], p=lambda q: [*q.times, 0][q.n - q.k + 1]),
    ),
    walked(
        "a step to 0 from the last time but one, and the last state twice: n times are n steps, the last of them from times[-1] to 0.",
        lambda q: q.x if q.k == q.n > 1 else swap(p=lambda q: q.p if q.k < q.n - 1 else 0)(q),
    ),
    walked("t and t_prev exchanged: the step goes down, from t = times[k - 1] to t_prev = times[k].", swap(asked=lambda q: q.p, t=lambda q: q.p, p=lambda q: q.t)),
    walked(
        "t and t_prev exchanged, with 1 for the time 0: the step goes down, from t = times[k - 1] to t_prev = times[k].",
        swap(asked=lambda q: max(q.p, 1), t=lambda q: max(q.p, 1), p=lambda q: q.t),
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
