"""The training step: draws, loss, optimiser and average, compared step by step on toys."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .ch01_slips import MIXES, REVERSED, SHIFTED, mix, right_read
from .data import Check, Mutant
from .inputs import Draw, column
from .machines import SEEN

STEPS = 3


@dataclass(frozen=True)
class Given:
    """What a step is given, and on its way the loss."""

    net: Any
    ema: Any
    optimizer: Any
    lr: float
    decay: float
    max_norm: float
    loss: Tensor | None = None

    @property
    def weights(self) -> list[Tensor]:
        return list(self.net.parameters())


# ---- what a step does to the networks and the optimiser: name -> what it does


def set_lr(g: Given) -> None:
    g.optimizer.param_groups[0]["lr"] = g.lr


def zero(g: Given) -> None:
    g.optimizer.zero_grad()


def backward(g: Given) -> None:
    assert g.loss is not None
    g.loss.backward()


def clip(g: Given) -> None:
    nn.utils.clip_grad_norm_(g.weights, g.max_norm)


def update(g: Given) -> None:
    g.optimizer.step()


def average(g: Given, decay: float | None = None) -> None:
    with torch.no_grad():
        for mean, weight in zip(g.ema.parameters(), g.weights, strict=True):
            mean.lerp_(weight, 1 - (g.decay if decay is None else decay))


RIGHT = (set_lr, zero, backward, clip, update, average)


# ---- the step, in parts that a mutant has another of


def times(draws: Any, T: int, B: int) -> Tensor:
    return draws.randint(1, T + 1, (B,))


def dropped(draws: Any, labels: Tensor, drop: float, no_label: int) -> Tensor | None:
    return torch.where(draws.rand(len(labels)) < drop, no_label, labels)


def squared(net: Callable, x_t: Tensor, t: Tensor, labels: Tensor | None, want: Tensor) -> Tensor:
    return (want - net(x_t, t, labels)).square().mean()


@dataclass(frozen=True)
class Parts:
    """times(draws, T, B), noise(draws, x0), read(alpha_bar, t), mixing(x0, eps, a), labels(draws, labels, drop, no_label),
    want(target, x0, eps, a, draws) and loss(net, x_t, t, labels, want), then the operations."""

    times: Callable = times
    noise: Callable = lambda draws, x0: draws.randn(x0.shape)
    read: Callable = right_read
    mixing: Callable = mix
    labels: Callable = dropped
    want: Callable = lambda target, x0, eps, a, draws: target(x0, eps, a)
    loss: Callable = squared
    operations: Sequence[Callable] = RIGHT
    result: Callable = lambda loss: loss.item()

    def step(
        self, net: Any, ema: Any, optimizer: Any, x0: Tensor, labels: Tensor, draws: Any, alpha_bar: Tensor,
        target: Callable, lr: float, decay: float, drop: float = 0.1, max_norm: float = 1.0,
    ) -> Any:  # fmt: skip
        t, eps = self.times(draws, len(alpha_bar), len(x0)), self.noise(draws, x0)
        a = column(self.read(alpha_bar, t), x0)
        seen = self.labels(draws, labels, drop, net.no_label)
        want = self.want(target, x0, eps, a, draws)
        loss = self.loss(net, self.mixing(x0, eps, a), t, seen, want)
        for operation in self.operations:
            operation(Given(net, ema, optimizer, lr, decay, max_norm, loss))
        return self.result(loss)


def training_step(
    net: Any, ema: Any, optimizer: Any, x0: Tensor, labels: Tensor, draws: Any, alpha_bar: Tensor,
    target: Callable, lr: float, decay: float, drop: float = 0.1, max_norm: float = 1.0,
) -> Any:  # fmt: skip
    return Parts().step(net, ema, optimizer, x0, labels, draws, alpha_bar, target, lr, decay, drop, max_norm)


def slip(hint: str, **parts: Any) -> Mutant:
    return Mutant(hint, Parts(**parts).step)


def instead(hint: str, right: Callable, *others: Callable) -> Mutant:
    """A mutant that does something else in the place of one operation, or nothing."""
    where = RIGHT.index(right)
    return slip(hint, operations=[*RIGHT[:where], *others, *RIGHT[where + 1 :]])


# ---- the mistakes


def by_value(g: Given) -> None:
    nn.utils.clip_grad_value_(g.weights, g.max_norm)


def one_by_one(g: Given) -> None:
    for weight in g.weights:
        nn.utils.clip_grad_norm_([weight], g.max_norm)


def to_the_norm(g: Given) -> None:
    norm = torch.stack([w.grad.square().sum() for w in g.weights if w.grad is not None]).sum().sqrt()
    for weight in g.weights:
        if weight.grad is not None:
            weight.grad.mul_(g.max_norm / norm)


def another_optimizer(g: Given) -> None:
    torch.optim.SGD(g.weights, lr=g.lr, momentum=0.9).step()


def another_adam(g: Given) -> None:
    torch.optim.AdamW(g.weights, lr=g.lr).step()


def recorded(g: Given) -> None:
    for mean, weight in zip(g.ema.parameters(), g.weights, strict=True):
        mean.mul_(g.decay).add_((1 - g.decay) * weight)


def into_net(g: Given) -> None:
    g.net.load_state_dict(g.ema.state_dict())


def factor_lr(g: Given) -> None:
    g.optimizer.param_groups[0]["lr"] *= g.lr


OTHERS = "net is moved by something else than the optimizer that is passed in, which remembers what it did before (momentum)"
TIMES = [
    slip(
        "one t for the whole batch: every sample draws its own, draws.randint(1, T + 1, (B,)).",
        times=lambda d, T, B: d.randint(1, T + 1, (1,)).expand(B),
    ),
    slip(
        "times in 0..T - 1, as range(T) has them: randint(0, T) never draws T, and t = 0 reads alpha_bar[-1]; t is in 1..T.",
        times=lambda d, T, B: d.randint(0, T, (B,)),
    ),
    slip(
        "times that never are T: randint leaves its upper end out, so it is randint(1, T + 1, (B,)).",
        times=lambda d, T, B: d.randint(1, T, (B,)),
    ),
    slip(
        "times in 0..T: randint leaves out its upper end only, so it is randint(1, T + 1, (B,)).",
        times=lambda d, T, B: d.randint(0, T + 1, (B,)),
    ),
    slip(
        "times made of draws.rand: they have the right law, but here the draws are compared; take draws.randint.",
        times=lambda d, T, B: 1 + (d.rand(B) * T).long(),
    ),
    slip("t = T for all: every sample draws its own t.", times=lambda d, T, B: torch.full((B,), T)),
]
NOISE = [
    slip(
        "one noise for all samples: every sample has its own, draws.randn(x0.shape).",
        noise=lambda d, x0: d.randn(x0[:1].shape).expand_as(x0),
    ),
    slip(
        "one number of noise for each sample: every entry has its own, draws.randn(x0.shape).",
        noise=lambda d, x0: column(d.randn(len(x0)), x0).expand_as(x0),
    ),
    slip(
        "noise from draws.rand, which is uniform in [0, 1): eps is normal, draws.randn(x0.shape).",
        noise=lambda d, x0: d.rand(x0.shape),
    ),
    slip(
        "two noises, one in x_t and another in the target: eps is drawn once, and is both.",
        want=lambda target, x0, eps, a, d: target(x0, d.randn(x0.shape), a),
    ),
    slip("no noise: eps = draws.randn(x0.shape).", noise=lambda d, x0: torch.zeros_like(x0)),
]
LABELS = [
    slip(
        "labels dropped for the whole batch at once: every sample loses its own label, with a chance of its own, draws.rand((B,)) < drop.",
        labels=lambda d, y, p, none: torch.where(d.rand(1) < p, none, y),
    ),
    slip(
        "labels kept with probability drop: they are dropped where draws.rand((B,)) is below drop.",
        labels=lambda d, y, p, none: torch.where(d.rand(len(y)) < p, y, none),
    ),
    slip(
        "labels dropped at the other end, where draws.rand((B,)) is above 1 - drop: the law is right, but here the draws are compared; drop where it is below drop.",
        labels=lambda d, y, p, none: torch.where(d.rand(len(y)) > 1 - p, none, y),
    ),
    slip(
        "labels that are never dropped: replace them by net.no_label where draws.rand((B,)) < drop.",
        labels=lambda d, y, p, none: y,
    ),
    slip(
        "labels that are all dropped, or not shown to net: keep those where draws.rand((B,)) is not below drop.",
        labels=lambda d, y, p, none: torch.full_like(y, none),
    ),
    slip(
        "label 0 for a dropped label: that is a class, and net.no_label says that there is none.",
        labels=lambda d, y, p, none: torch.where(d.rand(len(y)) < p, 0, y),
    ),
    slip(
        "the last class for a dropped label: net.no_label is one more.",
        labels=lambda d, y, p, none: torch.where(d.rand(len(y)) < p, none - 1, y),
    ),
    slip(
        "-1 for a dropped label: this network's word for it is net.no_label.",
        labels=lambda d, y, p, none: torch.where(d.rand(len(y)) < p, -1, y),
    ),
    slip(
        "labels dropped where draws.randn is below drop: a chance is uniform, draws.rand((B,)) < drop.",
        labels=lambda d, y, p, none: torch.where(d.randn(len(y)) < p, none, y),
    ),
    slip(
        "a label dropout of 0.1, whatever drop is: use the argument.",
        labels=lambda d, y, p, none: dropped(d, y, 0.1, none),
    ),
]  # fmt: skip
LOSSES = [
    slip(
        "the noise as the target, whatever target says: compare with target(x0, eps, a).",
        want=lambda target, x0, eps, a, d: eps,
    ),
    slip(
        "a target made with sqrt(alpha_bar_t): target takes alpha_bar_t itself.",
        want=lambda target, x0, eps, a, d: target(x0, eps, a.sqrt()),
    ),
    slip(
        "a target made of x0 and eps in the wrong order: it is target(x0, eps, a).",
        want=lambda target, x0, eps, a, d: target(eps, x0, a),
    ),
    slip(
        "net told t - 1, as where times are counted from 0: the shift by one is for reading the table, net takes t in 1..T.",
        loss=lambda net, x, t, y, want: squared(net, x, t - 1, y, want),
    ),
    slip(
        "a sum over all entries: take the mean, so that the loss does not grow with the batch.",
        loss=lambda net, x, t, y, want: (want - net(x, t, y)).square().sum(),
    ),
    slip(
        "sums over each sample, averaged over the batch: take the mean over the entries too.",
        loss=lambda net, x, t, y, want: (want - net(x, t, y)).square().flatten(1).sum(1).mean(),
    ),
    slip(
        "absolute values: square the error.",
        loss=lambda net, x, t, y, want: (want - net(x, t, y)).abs().mean(),
    ),
    slip(
        "a root of the mean: leave the mean square.",
        loss=lambda net, x, t, y, want: squared(net, x, t, y, want).sqrt(),
    ),
    slip(
        "half the mean square: leave the 1/2 out.",
        loss=lambda net, x, t, y, want: squared(net, x, t, y, want) / 2,
    ),
    slip(
        "the clean x0 shown to net: it must see the noisy x_t.",
        mixing=lambda x0, eps, a: x0,
    ),
    *(slip(f"x_t made with {hint}", read=read) for hint, read in (*SHIFTED, (REVERSED, lambda ab, t: ab[len(ab) - t]))),
    *(slip(f"x_t made with {hint}", mixing=mixing) for hint, mixing in MIXES[:8]),
    slip("a step without its return: return loss.item().", result=lambda loss: None),
]  # fmt: skip
OPERATIONS = [
    instead(
        "gradients that add up from step to step, though step 1 is right: optimizer.zero_grad() stands before backward().",
        zero,
    ),
    slip(
        "gradients set to zero between backward() and optimizer.step(), so that nothing is left to step with: zero them before backward().",
        operations=(set_lr, backward, zero, clip, update, average),
    ),
    slip(
        "no clipping before the step: clip_grad_norm_ stands between backward() and optimizer.step(); before the one or after the other it does nothing.",
        operations=(set_lr, zero, backward, update, clip, average),
    ),
    instead(
        "clip_grad_value_, which cuts every entry by itself and turns the gradient: clip_grad_norm_ shortens it.",
        clip,
        by_value,
    ),
    instead(
        "every weight's gradient clipped by itself: one norm is taken over all of net.parameters().",
        clip,
        one_by_one,
    ),
    instead(
        "a gradient that is always made as long as max_norm: only a longer one is shortened.",
        clip,
        to_the_norm,
    ),
    instead(
        "a gradient clipped to norm 1, whatever max_norm is: use the argument.",
        clip,
        lambda g: clip(replace(g, max_norm=1.0)),
    ),
    instead(
        "the learning rate that was there before: write lr into optimizer.param_groups before the step.",
        set_lr,
    ),
    slip(
        "a learning rate that comes one step late: write lr into optimizer.param_groups before optimizer.step().",
        operations=(zero, backward, clip, update, set_lr, average),
    ),
    instead(
        "a learning rate multiplied to the one before: it is the learning rate of this step, set it.",
        set_lr,
        factor_lr,
    ),
    instead("a step that is not taken: call optimizer.step().", update),
    slip(
        "optimizer.step() before backward(): it takes the gradient of the step before, and there is none in step 1.",
        operations=(set_lr, update, zero, backward, clip, average),
    ),
    instead("two steps with one gradient: call optimizer.step() once.", update, update, update),
    instead(f"an AdamW that is made anew in every step: {OTHERS}.", update, another_adam),
    instead(
        f"weights moved by hand, as `p -= lr * p.grad` does, or by an SGD that is made anew in every step: {OTHERS}.",
        update,
        another_optimizer,
    ),
]  # fmt: skip
AVERAGES = [
    instead(
        "an average that goes the wrong way: ema keeps the share decay of itself and takes 1 - decay of net.",
        average,
        lambda g: average(g, 1 - g.decay),
    ),
    slip(
        "an average taken before the step: first optimizer.step(), then ema takes its share of the new weights.",
        operations=(set_lr, zero, backward, clip, average, update),
    ),
    instead("an ema that does not move: it takes 1 - decay of net after every step.", average),
    instead(
        "an ema that is a copy of net: it keeps the share decay of itself.",
        average,
        lambda g: average(g, 0.0),
    ),
    instead("an average taken twice: once for every step.", average, average, average),
    instead(
        "an average that records gradients, a memory that grows with every step: it belongs under torch.no_grad().",
        average,
        recorded,
    ),
    instead(
        "an average copied back into net: net is trained, and ema follows it.", average, average, into_net
    ),
    instead(
        "an average with the decay 0.99, whatever decay is: use the argument.",
        average,
        lambda g: average(g, 0.99),
    ),
    instead(
        "net and ema swapped in the average: ema moves towards net, and net stays.",
        average,
        lambda g: average(replace(g, net=g.ema, ema=g.net)),
    ),
]


def case(
    d: Draw, alpha_bar: Tensor, shape: tuple[int, ...], target: str, classes: int = 10, drop: float = 0.5,
    max_norm: float = 0.7, decay: float = 0.8, lr: tuple[float, ...] = (0.05, 0.1, 0.07), scale: float = 1.0,
) -> tuple:  # fmt: skip
    labels = (d.uniform(0, classes, STEPS, shape[0])).long()
    return (
        d.uniform(0.5, 1.5, 3), d.uniform(-1, 1, classes + 1), scale * d.normal(STEPS, *shape), labels,
        alpha_bar, target, list(lr), decay, drop, max_norm, d.integer(0, 10**6),
    )  # fmt: skip


def random_case(d: Draw) -> tuple:
    lr = tuple(0.01 * d.integer(2, 9) for _ in range(STEPS))
    target = ("eps", "x0", "v")[d.integer(0, 2)]
    return case(
        d, d.alpha_bar(), (d.B, *d.event), target, d.integer(3, 8), 0.1 * d.integer(4, 6),
        0.1 * d.integer(3, 9), 0.05 * d.integer(10, 19), lr,
    )  # fmt: skip


def tables(d: Draw) -> Iterator[tuple[str, tuple]]:
    """The chapters' tables, and the ends of the knobs."""
    for target, (name, betas) in zip(("eps", "v"), d.schedules().items(), strict=True):
        yield f"{name}, target {target}", case(d, torch.cumprod(1 - betas, 0), (6, 3), target, scale=10.0)
    short = torch.cumprod(1 - d.cosine(10), 0)
    yield (
        "short gradients, which are not clipped",
        case(d, short, (5, 1, 4, 4), "x0", max_norm=1e9, lr=(2e-8, 1e-8, 3e-8)),
    )
    yield "no label is dropped, ema keeps all", case(d, short, (5, 3), "eps", drop=0.0, decay=1.0)
    yield "all labels are dropped, ema keeps nothing", case(d, short, (5, 3), "v", drop=1.0, decay=0.0, max_norm=2.0)  # fmt: skip
    yield (
        "the first steps of the linear schedule",
        case(d, torch.cumprod(1 - d.linear(), 0)[:9], (6, 2), "x0", max_norm=0.5, decay=0.5),
    )
    yield "few labels are dropped", case(d, short, (7, 2), "eps", drop=0.1, decay=0.99, max_norm=1.0)


TRAINING_STEP = Check(
    id="03-training_step",
    points=6,
    minutes=30,
    level=3,
    reference=training_step,
    inputs=random_case,
    fixed=tables,
    where="Algorithm 1 in section 8 of this notebook: draw, make x_t, drop labels, loss; then zero_grad, backward, clip, step, average.",
    outputs=[name.format(step) for step in range(1, STEPS + 1) for name in SEEN],
    machine="training",
    path="in order",
    mutants=[*TIMES, *NOISE, *LABELS, *LOSSES, *OPERATIONS, *AVERAGES],
)
