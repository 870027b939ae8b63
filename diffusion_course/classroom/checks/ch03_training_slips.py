"""What goes wrong in a training step: in its draws, its labels, its loss, the order of its operations, and its average."""

from dataclasses import replace

import torch
from torch import nn

from .ch01_slips import MIXES, REVERSED, SHIFTED
from .ch03_step import (
    Given,
    average,
    backward,
    clip,
    dropped,
    instead,
    set_lr,
    slip,
    squared,
    update,
    zero,
)
from .inputs import column


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
