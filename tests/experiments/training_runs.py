"""A training run in miniature, with everything that could spoil an exact resume: dropout, batch norm, momentum."""

import torch
from torch import nn
from torch.nn import functional as F

from diffusion_course.experiments.precision import Precision, usual
from diffusion_course.experiments.training import Recipe, Trainer

STEPS = 120
IMAGES = torch.randn(40, 2, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 3


def network(seed=0, width=4):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.SiLU(),
            nn.Dropout(0.3),
            nn.Flatten(),
            nn.Linear(16 * width, 3),
        )


def loss(net, images, labels, generator):
    noise = torch.randn(images.shape, generator=generator)
    return F.cross_entropy(net(images + 0.1 * noise), labels)


def trainer(
    checkpoint=None,
    *,
    net=None,
    loss=loss,
    images=IMAGES,
    labels=LABELS,
    every=1e9,
    amp=None,
    about=None,
    update=None,
    accumulate=1,
    say=None,
    **recipe,
):
    """about: what else makes the run. every: seconds between checkpoints. amp: mixed precision, off here whatever the machine would choose."""
    recipe = {
        "steps": STEPS,
        "batch_size": 8,
        "lr": 0.01,
        "warmup": 5,
        "weight_decay": 0.01,
        "ema": 0.9,
    } | recipe
    net = network() if net is None else net
    options = {
        "accumulate": accumulate,
        "precision": Precision(amp, usual(torch.device("cpu"), images.ndim).layout),
    } | ({} if say is None else {"say": say})
    return Trainer(
        net, loss, images, labels, Recipe(**recipe), "cpu", checkpoint, every, about, update, **options
    )


def run(trainer):
    """Train to the end; the trainer."""
    for _ in trainer.run():
        pass
    return trainer


def state_of(path):
    return torch.load(path, weights_only=True)


def tensors(trainer):
    """Everything that a resumed run must have in common with an uninterrupted one, by name."""
    state = {f"net.{k}": v for k, v in trainer.net.state_dict().items()}
    state |= {f"ema.{k}": v for k, v in trainer.ema.state_dict().items()}
    for i, slots in trainer.optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{i}.{k}": v for k, v in slots.items()}
    return state


def assert_same(a, b):
    """Bitwise equality of two finished runs."""
    a, b = tensors(a), tensors(b)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name
