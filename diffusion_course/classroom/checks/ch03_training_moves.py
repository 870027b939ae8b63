"""What goes wrong in a training step once its loss is there: the order of its operations, the learning rate, and the average."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from .ch03_step import RIGHT, Given, average, backward, clip, instead, set_lr, slip, update, zero


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
    for group in g.optimizer.param_groups:
        group["lr"] *= g.lr


def first_lr(g: Given) -> None:
    g.optimizer.param_groups[0]["lr"] = g.lr


def clip_weights(g: Given) -> None:
    with torch.no_grad():
        norm = torch.stack([w.square().sum() for w in g.weights]).sum().sqrt()
        for weight in g.weights:
            weight.mul_((g.max_norm / norm).clamp(max=1))


def times_decay(g: Given) -> None:
    with torch.no_grad():
        for weight in g.weights:
            weight.mul_(g.decay)


def shares(kept: Callable, taken: Callable) -> Callable:
    """An average in which ema keeps kept(decay) of itself and takes taken(decay) of net."""

    def mixed(g: Given) -> None:
        with torch.no_grad():
            for mean, weight in zip(g.ema.parameters(), g.weights, strict=True):
                mean.mul_(kept(g.decay)).add_(taken(g.decay) * weight)

    return mixed


def average_gradients(g: Given) -> None:
    with torch.no_grad():
        for mean, weight in zip(g.ema.parameters(), g.weights, strict=True):
            if weight.grad is not None:
                mean.lerp_(weight.grad, 1 - g.decay)


OTHERS = "only the optimizer that is passed in moves net: it remembers what it did before (momentum)"
OPERATIONS = [
    instead(
        "gradients that add up from step to step, though step 1 is right: optimizer.zero_grad() stands before backward().",
        zero,
    ),
    slip(
        "a step that no gradient reaches: they are set to zero after backward(), or the loss was cut off from net by detach() or item().",
        operations=(set_lr, backward, zero, clip, update, average),
    ),
    slip(
        "no clipping before the step: clip_grad_norm_ of net.parameters(), not of ema's, stands between backward() and optimizer.step(); before the one or after the other it does nothing.",
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
    instead(
        "a learning rate written into the first group only: every group of optimizer.param_groups gets lr.",
        set_lr,
        first_lr,
    ),
    slip(
        "lr and decay swapped: lr goes into the optimiser, and decay is what ema keeps of itself.",
        operations=(
            lambda g: set_lr(replace(g, lr=g.decay)),
            *RIGHT[1:-1],
            lambda g: average(g, g.lr),
        ),
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
    instead(f"net is also changed outside optimizer.step(): {OTHERS}.", update, update, times_decay),
    instead(
        "the weights themselves cut to the length max_norm: clip_grad_norm_ shortens their gradient, in .grad.",
        clip,
        clip_weights,
    ),
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
    instead(
        "an ema that does not move: change its weights in place, by lerp_ or copy_; lerp and `average = ...` make new tensors, which ema never sees.",
        average,
    ),
    instead(
        "an ema that is a copy of net: it keeps the share decay of itself.",
        average,
        lambda g: average(g, 0.0),
    ),
    instead(
        "an ema that is not multiplied by decay: each weight becomes decay times itself plus 1 - decay times the weight of net.",
        average,
        shares(lambda decay: 1, lambda decay: 1 - decay),
    ),
    instead(
        "shares that do not add up to 1: ema keeps decay of itself, not 1 - decay, and takes 1 - decay of net, not all.",
        average,
        shares(lambda decay: 1 - decay, lambda decay: 1),
    ),
    instead(
        "all of net's weight added to ema: it takes 1 - decay of it.",
        average,
        shares(lambda decay: decay, lambda decay: 1),
    ),
    instead(
        "gradients averaged into ema: it takes the weights of net.",
        average,
        average_gradients,
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
