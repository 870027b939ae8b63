"""How well does a model of tokens predict? Bits per token on the test set, beside what counting gives, each with its interval."""

import math
import re
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import masked, unmasking
from ..nets.token_transformer import TokenTransformer
from ..noise import Noise
from . import prose, tokens, zoo
from .metrics import count_recognised
from .quality import share

ROWS = 1000  # of the test set, at most
CALLS = 32  # of the network, for the bound of a row
SAMPLES, STEPS = 200, 64


@torch.no_grad()
def token_quality(model: TokenTransformer, name: str, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The bound of masked diffusion in bits per token, and bits per token of letters drawn alone (unigram) or after one another (bigram).

    Intervals are 95 %, over rows of the test set; "bigram - bound" is of the same rows. A network with classes is given the labels. Where
    a judge of the data set ships, it reads samples too, enlarged to 28 x 28 pixels, and as many real digits of as few levels. Of a text it
    counts how many words of samples, of four letters or more, are words of the training text, and how many of the test text are.
    """
    test = tokens.load(name, "test", model.shape, model.states)
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:ROWS]
    rows, labels = test.images[some], test.labels[some]
    noise = Noise(0)
    nats = [
        masked.bound(
            model.given(y.to(device)) if model.num_classes else model,
            x.to(device),
            model.states,
            noise,
            CALLS,
        )
        for x, y in zip(rows.split(100), labels.split(100), strict=True)
    ]
    bound = _bits(torch.cat(nats).cpu(), rows)
    train = tokens.load(name, "train", model.shape, model.states).images
    if len(model.shape) == 1:
        train = train[:: model.shape[0]]  # windows that do not overlap
    counted = {order: _bits(_counted(train, rows, model.states, order), rows) for order in (1, 2)}
    report = {
        "unit": "bits per token",
        "bound": _interval(bound),
        "unigram": _interval(counted[1]),
        "bigram": _interval(counted[2]),
        "bigram - bound": _interval(counted[2] - bound),
        "how": f"{len(rows):,} rows of {rows[0].numel()} tokens of the test set; {CALLS} calls a row",
    }
    if name == tokens.TEXT:
        report |= _words(model, train, rows, device)
    if f"{name}-judge" in zoo.names() and model.num_classes:
        report |= _recognised(model, name, rows, labels, device)
    return report


def _bits(nats: Tensor, rows: Tensor) -> Tensor:
    return nats.double() / (rows[0].numel() * math.log(2))


def _interval(values: Tensor) -> dict[str, float]:
    mean, half = float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def _counted(train: Tensor, rows: Tensor, K: int, order: int) -> Tensor:
    """-log p of rows (N, *S), (N,) in nats, from how often each token comes (order 1), or comes after the one before it (2)."""

    def pairs(x: Tensor) -> tuple[Tensor, Tensor]:
        now = x.flatten(1)
        before = F.pad(now[:, :-1], (1, 0), value=K)  # K begins a row
        return (before if order == 2 else torch.zeros_like(now)), now

    before, now = pairs(train)
    counts = 1 + (before * K + now).flatten().bincount(minlength=(K + 1) * K).reshape(K + 1, K)
    log_p = (counts / counts.sum(1, keepdim=True)).log()
    return -log_p[pairs(rows)].sum(1)


def _words(
    model: TokenTransformer, train: Tensor, rows: Tensor, device: torch.device | str
) -> dict[str, Any]:
    def words(x: Tensor) -> list[str]:
        """Those of four letters or more, which chance seldom makes; the first and last of a row may be cut."""
        rows = [re.findall("[a-z]+", text)[1:-1] for text in prose.decode(x)]
        return [word for row in rows for word in row if len(word) >= 4]

    known = set(words(train))

    def read(x: Tensor) -> dict[str, Any]:
        found = words(x)
        return share(sum(word in known for word in found), len(found)) if found else {}

    drawn = _drawn(model, model, device)
    return {"known words": read(drawn), "known words of the test text": read(rows), "samples": _told()}


def _recognised(
    model: TokenTransformer, name: str, rows: Tensor, labels: Tensor, device: torch.device | str
) -> dict[str, Any]:
    judge = zoo.judge(name, device)
    asked = torch.arange(SAMPLES, device=device) % model.num_classes
    drawn = _drawn(model, model.given(asked), device)

    def read(levels: Tensor, classes: Tensor) -> dict[str, Any]:
        large = F.interpolate(tokens.pictures(levels, model.states), size=28, mode="bicubic")
        return share(count_recognised(judge, large.to(device), classes.to(device)), len(classes))

    return {
        "recognised": read(drawn, asked),
        "real digits recognised": read(rows[:SAMPLES], labels[:SAMPLES]),
        "samples": f"{_told()}, in turn of the classes, enlarged to 28 x 28",
    }


def _drawn(model: TokenTransformer, asked: masked.Model, device: torch.device | str) -> Tensor:
    start = unmasking.hidden(SAMPLES, *model.shape, K=model.states, device=device)
    return unmasking.sample(unmasking.parallel_step(), asked, start, unmasking.even_grid(STEPS), Noise(0))


def _told() -> str:
    return f"{SAMPLES}, {STEPS} parallel steps"
