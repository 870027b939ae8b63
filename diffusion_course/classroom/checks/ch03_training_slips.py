"""What goes wrong in a training step until its loss is there: in its draws, its labels, and its loss."""

import torch

from .ch01_slips import MIXES, REVERSED, SHIFTED, mix
from .ch03_step import dropped, slip, squared
from .inputs import column

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
    slip(
        "times drawn from 1..1000, whatever the table's length is: T is len(alpha_bar).",
        times=lambda d, T, B: d.randint(1, 1001, (B,)),
    ),
    slip(
        "draws.randint asked twice, the first answer thrown away: each call draws anew, so ask once a step.",
        times=lambda d, T, B: (d.randint(1, T + 1, (B,)), d.randint(1, T + 1, (B,)))[1],
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
    slip(
        "draws.randn asked twice, the first answer thrown away: each call draws anew, so ask once a step.",
        noise=lambda d, x0: (d.randn(x0.shape), d.randn(x0.shape))[1],
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
        "labels that are never dropped, or net gets the old ones: make new ones, net.no_label where draws.rand((B,)) < drop, and give net these.",
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
        "the first drop * B labels dropped, always as many: each is dropped by a draw of its own, draws.rand((B,)) < drop.",
        labels=lambda d, y, p, none: torch.where(
            torch.arange(len(y), device=y.device) < int(p * len(y)), none, y
        ),
    ),
    slip(
        "draws.rand asked twice, the first answer thrown away: each call draws anew, so ask once a step.",
        labels=lambda d, y, p, none: (d.rand(len(y)), dropped(d, y, p, none))[1],
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
        "a target that gets x_t where x0 belongs: it is target(x0, eps, a), with the clean x0.",
        want=lambda target, x0, eps, a, d: target(mix(x0, eps, a), eps, a),
    ),
    slip(
        "a target made with 1 - alpha_bar_t: target takes alpha_bar_t itself.",
        want=lambda target, x0, eps, a, d: target(x0, eps, 1 - a),
    ),
    slip(
        "alpha_bar_t in the shape (B, 1), whatever x0 has: it takes a 1 for each axis after the first, reshape(-1, *[1] * (x0.ndim - 1)).",
        shape=lambda a, x0: a[:, None],
    ),
    slip(
        "alpha_bar_t of shape (B,) handed to target: give it the ones that multiply x0, (B, 1, ..., 1).",
        want=lambda target, x0, eps, a, d: target(x0, eps, a.flatten()),
    ),
    slip(
        "alpha_bar_t in the shape (B, 1, 1, 1), whatever x0 has: it takes a 1 for each axis after the first, reshape(-1, *[1] * (x0.ndim - 1)).",
        shape=lambda a, x0: a.reshape(-1, 1, 1, 1),
    ),
    slip(
        "alpha_bar of t - 1, with a 1 in front of the table: x_t takes that of t, alpha_bar[t - 1].",
        read=lambda ab, t: torch.cat([torch.ones_like(ab[:1]), ab])[t - 1],
    ),
    slip("net told t / T: it takes t in 1..T as it is.", told=lambda t, T: t / T),
    slip(
        "a loss without a graph that leads to net: ask net, not ema, and neither under no_grad nor with detach() or item().",
        asked=lambda net, ema: ema,
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
        "the root of a sum, as .norm() gives it: take the mean of the squares.",
        loss=lambda net, x, t, y, want: (want - net(x, t, y)).square().sum().sqrt(),
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
    slip(
        "an x_t cut to [-1, 1]: noise goes beyond, leave it as it is.",
        mixing=lambda x0, eps, a: mix(x0, eps, a).clamp(-1, 1),
    ),
    slip(
        "a loss that keeps its graph, and with it the memory of the step: return loss.item().",
        result=lambda loss: loss,
    ),
    slip("a step without its return: return loss.item().", result=lambda loss: None),
]  # fmt: skip
