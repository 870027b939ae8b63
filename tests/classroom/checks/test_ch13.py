"""Chapter 13: other right answers, and the same quantities from the library."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from diffusion_course import guidance
from diffusion_course.classroom.checks import CHECKS, CheckFailed, examine
from diffusion_course.nets.lora import LoRA

# ---- caption dropout


def dropout_by_assignment(tokens, u, p, empty):
    left = tokens.clone()
    left[u < p] = empty
    return left


def dropout_by_arithmetic(tokens, u, p, empty):
    drop = (p > u).to(tokens.dtype).unsqueeze(1)
    return (1 - drop) * tokens + drop * empty


def dropout_row_by_row(tokens, u, p, empty):
    return torch.stack([empty if v < p else row for row, v in zip(tokens, u, strict=True)])


# ---- what the text helps


def help_in_one_call(draw, met, labels, noise, no_text):
    none = torch.full_like(labels, no_text)
    images = draw(torch.cat([labels, none]), torch.cat([noise, noise]))
    told, untold = met(images, torch.cat([labels, labels])).chunk(2)
    change = told - untold
    half = 1.96 * (change.var() / len(change)).sqrt()
    return [change.mean(), change.mean() - half, change.mean() + half]


def help_by_covariance(draw, met, labels, noise, no_text):
    """The variance of a difference: both variances, less twice the covariance."""
    a = met(draw(labels, noise), labels)
    b = met(draw(0 * labels + no_text, noise), labels)
    variance = torch.cov(torch.stack([a, b]))
    error = ((variance[0, 0] + variance[1, 1] - 2 * variance[0, 1]).clamp(min=0) / len(a)).sqrt()
    return a.mean() - b.mean(), a.mean() - b.mean() - 1.96 * error, a.mean() - b.mean() + 1.96 * error


def help_in_python(draw, met, labels, noise, no_text):
    """Sums of squares, in float64."""
    told = met(draw(labels, noise), labels).double()
    untold = met(draw(torch.tensor([no_text] * len(labels)), noise), labels).double()
    d = told - untold
    n, mean = len(d), d.sum() / len(d)
    s = ((d - mean) ** 2).sum().div(n - 1).sqrt()
    return mean, mean - 1.96 * s / math.sqrt(n), mean + 1.96 * s / math.sqrt(n)


# ---- CLIP's gradient


@torch.enable_grad()
def gradient_by_normalize(D, image, text, x, sigma):
    x = x.clone().requires_grad_()
    f, g = F.normalize(image(D(x, sigma)), dim=-1), text / text.norm(dim=-1, keepdim=True)
    return torch.autograd.grad((f * g).sum(), x)[0]


def gradient_by_backward(D, image, text, x, sigma):
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        F.cosine_similarity(image(D(leaf, sigma)), text).sum().backward(inputs=[leaf])
    return leaf.grad


@torch.enable_grad()
def gradient_in_two_parts(D, image, text, x, sigma):
    """The gradient at the guess, then the product with the Jacobian of D."""
    leaf = x.detach().requires_grad_()
    guess = D(leaf, sigma)
    shown = guess.detach().requires_grad_()
    value = F.cosine_similarity(image(shown), text, dim=1)
    at_guess = torch.autograd.grad(value, shown, torch.ones_like(value))[0]
    return torch.autograd.grad(guess, leaf, at_guess)[0]


@torch.enable_grad()
def gradient_by_the_mean(D, image, text, x, sigma):
    leaf = x.detach().requires_grad_()
    f = image(D(leaf, sigma))
    similarity = torch.einsum("be,be->b", f, text) / (f.norm(dim=1) * text.norm(dim=1))
    return len(x) * torch.autograd.grad(similarity.mean(), leaf)[0]


def gradient_by_the_library(D, image, text, x, sigma):
    guided = guidance.clip_guidance(lambda x, s: 0 * x, lambda x, s: image(D(x, s)), text, 1.0)
    return guided(x, sigma) / sigma**2


# ---- LoRA


def lora_by_autograd(x, y, weight, z, alpha, lr, num_steps):
    A, B = z.clone(), weight.new_zeros(weight.shape[0], z.shape[0])
    states = [weight + alpha / len(z) * B @ A]
    for _ in range(num_steps):
        with torch.enable_grad():
            A, B = A.detach().requires_grad_(), B.detach().requires_grad_()
            loss = F.mse_loss(x @ (weight + alpha / len(z) * B @ A).mT, y)
            slopes = torch.autograd.grad(loss, (A, B))
        A, B = (w.detach() - lr * g for w, g in zip((A, B), slopes, strict=True))
        states.append(weight + (alpha / len(z)) * (B @ A))
    return torch.stack(states)


@torch.enable_grad()
def lora_by_an_optimizer(x, y, weight, z, alpha, lr, num_steps):
    A, B = nn.Parameter(z.clone()), nn.Parameter(torch.zeros(len(weight), len(z)).to(z))
    optimizer, states = torch.optim.SGD([A, B], lr=lr), [weight]
    for _ in range(num_steps):
        optimizer.zero_grad()
        answer = x @ weight.T + alpha / len(z) * (x @ A.T) @ B.T
        ((answer - y) ** 2).mean().backward()
        optimizer.step()
        states.append((weight + alpha / len(z) * B @ A).detach())
    return torch.stack(states)


def lora_by_the_library(x, y, weight, z, alpha, lr, num_steps):
    with torch.random.fork_rng(devices=[]):  # layers are made of random numbers
        base = nn.Linear(*weight.T.shape, bias=False, dtype=weight.dtype).requires_grad_(False)
        layer = LoRA(base, len(z), alpha)
    base.weight.copy_(weight)
    layer.A.weight.data.copy_(z)
    optimizer, states = torch.optim.SGD([layer.A.weight, layer.B.weight], lr=lr), [weight]
    for _ in range(num_steps):
        optimizer.zero_grad()
        F.mse_loss(layer(x), y).backward()
        optimizer.step()
        states.append((weight + layer.scale * layer.B.weight @ layer.A.weight).detach())
    return torch.stack(states)


# ---- a control block


@torch.enable_grad()
def block_by_layers(x, hint, y, theta, lr, num_steps):
    """Linear layers without biases, and an optimizer."""
    d, h = len(theta), hint.shape[1]
    with torch.random.fork_rng(devices=[]):  # layers are made of random numbers
        first, copied, last = (nn.Linear(n, d, bias=False).to(theta) for n in (h, d, d))
    for weights, value in (
        (first.weight, 0 * first.weight),
        (copied.weight, theta),
        (last.weight, 0 * theta),
    ):
        weights.data.copy_(value)
    optimizer = torch.optim.SGD([*first.parameters(), *copied.parameters(), *last.parameters()], lr=lr)
    answers = []
    for step in range(num_steps + 1):
        out = F.linear(x, theta).tanh() + last(copied(x + first(hint)).tanh())
        answers.append(out.detach())
        if step < num_steps:
            optimizer.zero_grad()
            F.mse_loss(out, y).backward()
            optimizer.step()
    return torch.stack(answers)


def block_by_hand(x, hint, y, theta, lr, num_steps):
    """The chain rule, without autograd."""
    Z1, copied, Z2 = theta.new_zeros(len(theta), hint.shape[1]), theta, torch.zeros_like(theta)
    answers = []
    for _ in range(num_steps + 1):
        seen = x + hint @ Z1.T
        h = torch.tanh(seen @ copied.T)
        answers.append(torch.tanh(x @ theta.T) + h @ Z2.T)
        out = 2 / y.numel() * (answers[-1] - y)
        back = (out @ Z2) * (1 - h * h)
        Z1, copied, Z2 = Z1 - lr * (back @ copied).T @ hint, copied - lr * back.T @ seen, Z2 - lr * out.T @ h
    return torch.stack(answers)


def block_with_the_last_layer_transposed(x, hint, y, theta, lr, num_steps):
    """A weight of zeros that multiplies from the other side learns the same."""
    weights, answers = (torch.zeros(hint.shape[1], len(theta)).to(theta), theta.clone(), 0 * theta), []
    for _ in range(num_steps + 1):
        with torch.enable_grad():
            a, b, c = leaves = [w.detach().requires_grad_() for w in weights]
            out = torch.tanh(x @ theta.T) + torch.tanh((x + hint @ a) @ b.T) @ c
            slopes = torch.autograd.grad((out - y).pow(2).sum() / y.numel(), leaves)
        answers.append(out.detach())
        weights = [w.detach() - lr * g for w, g in zip(leaves, slopes, strict=True)]
    return torch.stack(answers)


ALTERNATIVES = {
    "13-caption_dropout": [dropout_by_assignment, dropout_by_arithmetic, dropout_row_by_row],
    "13-text_help": [help_in_one_call, help_by_covariance, help_in_python],
    "13-clip_guidance_gradient": [
        gradient_by_normalize,
        gradient_by_backward,
        gradient_in_two_parts,
        gradient_by_the_mean,
    ],
    "13-lora": [lora_by_autograd, lora_by_an_optimizer],
    "13-control_block": [block_by_layers, block_by_hand, block_with_the_last_layer_transposed],
}

LIBRARY = {
    "13-caption_dropout": dropout_row_by_row,  # the library drops with draws of its own
    "13-text_help": help_in_python,  # no function of the library plans an experiment
    "13-clip_guidance_gradient": gradient_by_the_library,
    "13-lora": lora_by_the_library,
    "13-control_block": block_by_hand,  # the library's is made of convolutions
}


def dropped_in_place(tokens, u, p, empty):
    tokens[u < p] = empty
    return tokens


def dropped_by_chance(tokens, u, p, empty):
    return torch.where((torch.rand(len(u)) < p)[:, None], empty, tokens)


def help_of_numbers(*args):
    return tuple(v.item() for v in help_in_python(*args))


def block_that_trains_its_argument(x, hint, y, theta, lr, num_steps):
    answers = block_by_hand(x, hint, y, theta, lr, num_steps)
    theta -= lr
    return answers


@torch.enable_grad()
def gradient_that_fills_the_texts_grad(D, image, text, x, sigma):
    leaf = x.detach().requires_grad_()
    F.cosine_similarity(image(D(leaf, sigma)), text).sum().backward()
    return leaf.grad


def gradient_by_differences(D, image, text, x, sigma):
    flat, found = x.flatten(1), torch.zeros_like(x).flatten(1)
    for j in range(flat.shape[1]):
        step = torch.zeros_like(flat)
        step[:, j] = 1e-4
        up, down = (F.cosine_similarity(image(D((flat + s * step).view_as(x), sigma)), text) for s in (1, -1))
        found[:, j] = (up - down) / 2e-4
    return found.view_as(x)


def lora_in_single_precision(x, y, weight, z, *rest):
    data = (a.float() for a in (x, y, weight, z))
    return lora_by_autograd(*data, *rest).to(x)


def help_by_students_quantile(*args):
    help, low, high = help_in_python(*args)
    return help, help - 2.26 / 1.96 * (help - low), help + 2.26 / 1.96 * (high - help)


def block_of_new_layers(x, hint, y, theta, lr, num_steps):
    nn.Linear(2, 2)
    return block_by_hand(x, hint, y, theta, lr, num_steps)


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        ("13-caption_dropout", dropped_in_place, "changed its argument tokens in place"),
        ("13-caption_dropout", dropped_by_chance, "torch's global random state"),
        ("13-text_help", help_of_numbers, "a Python number"),
        ("13-control_block", block_that_trains_its_argument, "changed its argument theta in place"),
        ("13-clip_guidance_gradient", lambda *args: None, "is the `return` missing"),
        (
            "13-clip_guidance_gradient",
            gradient_that_fills_the_texts_grad,
            "fills the .grad of its argument text",
        ),
        ("13-clip_guidance_gradient", gradient_by_differences, "a gradient by differences"),
        ("13-lora", lora_in_single_precision, "agrees to about 7 digits"),
        ("13-text_help", help_by_students_quantile, "has 2.26 standard errors to each side, want 1.96"),
        ("13-control_block", block_of_new_layers, "as making an nn.Linear does"),
    ],
)
def test_what_is_no_number_is_told_as_well(exercise, answer, words):
    with pytest.raises(CheckFailed, match=words):
        examine(CHECKS[exercise], answer)
