"""Batches are the rows asked for, scaled, where the network is; and the loop computes what it did when it took them one by one."""

import copy
import math
import warnings

import pytest
import torch
from experiments.training_runs import IMAGES, LABELS, STEPS, loss, network, run, tensors, trainer
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from diffusion_course.experiments import batches
from diffusion_course.experiments.batches import Batches
from diffusion_course.experiments.config import Config
from diffusion_course.experiments.models import network as network_of
from diffusion_course.experiments.objectives import objective
from diffusion_course.experiments.pixels import scaled
from diffusion_course.experiments.training import Recipe, Trainer
from diffusion_course.noise import mix

PIXELS = torch.randint(0, 256, (40, 2, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("images", [IMAGES, PIXELS])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_batch_is_the_rows_asked_for(images, layout):
    rows = torch.tensor([3, 3, 39, 0])
    x, y = Batches(images, LABELS, torch.device("cpu"), layout)(rows)
    assert torch.equal(x, scaled(images)[rows])
    assert torch.equal(y, LABELS[rows])
    assert x.is_contiguous(memory_format=layout)


def test_a_set_on_the_cpu_is_not_copied():
    held = Batches(PIXELS, LABELS, torch.device("cpu"), torch.contiguous_format)
    assert held.images.data_ptr() == PIXELS.data_ptr()


def test_the_loop_is_the_textbooks():
    """Bit for bit: rows by index, one look at the loss and one at the gradient, AdamW, and the average weight by weight."""
    t = trainer(images=PIXELS, steps=20)
    net, r = copy.deepcopy(t.net), t.recipe
    ema = copy.deepcopy(net).eval()
    optimizer = torch.optim.AdamW(
        net.parameters(), betas=(0.9, 0.99), weight_decay=r.weight_decay, fused=True
    )
    seen = []
    for step in range(20):
        generator = torch.Generator().manual_seed(mix(mix(r.seed) + step))
        rows = torch.randint(len(PIXELS), (r.batch_size,), generator=generator)
        images = PIXELS[rows].to(memory_format=t.precision.layout).float() / 127.5 - 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(mix(r.seed) + step))
            value = loss(net, images, LABELS[rows], generator)
        optimizer.zero_grad()
        value.backward()
        assert math.isfinite(nn.utils.clip_grad_norm_(net.parameters(), r.clip).item())
        optimizer.param_groups[0]["lr"] = r.lr_at(step)
        optimizer.step()
        seen.append(value.item())
        with torch.no_grad():
            for average, weight in zip(ema.parameters(), net.parameters(), strict=True):
                average.lerp_(weight, 1 - min(r.ema, (2 + step) / (11 + step)))
            for average, buffer in zip(ema.buffers(), net.buffers(), strict=True):
                average.copy_(buffer)
    assert [progress.loss for progress in t.run()] == seen
    for a, b in ((t.net, net), (t.ema, ema)):
        for name, value in b.state_dict().items():
            assert torch.equal(a.state_dict()[name], value), name


def test_what_is_drawn_ahead_belongs_to_its_step():
    seen = []

    def watch(net, images, labels, generator):
        seen.append(images)
        return loss(net, images, labels, generator)

    t = trainer(loss=watch, steps=6)
    loop = t.run()
    for _ in range(3):
        next(loop)
    t.step = 1
    next(loop)
    assert torch.equal(seen[3], seen[1])
    assert not torch.equal(seen[2], seen[1])


UNET = {"image_size": 8, "widths": [8, 8], "attention": [4], "num_classes": 10}
VARIANCES = {"net": UNET | {"learned_variance": True}, "schedule": {"kind": "cosine", "T": 20}}
OBJECTIVES = {
    "flow": {"model": "flow"},
    "edm": {"model": "edm"},
    "eps": {"model": "eps-cosine"},
    "v": {"model": "eps-cosine", "parametrisation": "v"},
    "bound": {"model": "eps-cosine", "loss": "vlb"},
    "hybrid": {"model": "eps-cosine", "loss": "hybrid", **VARIANCES},
    "transformer": {
        "model": "flow",
        "net": {"kind": "dit", "image_size": 8, "patch_size": 2, "width": 12, "depth": 1},
    },
    "autoencoder": {"model": "autoencoder", "net": {"image_size": 8, "latent_channels": 2, "widths": [8, 8]}},
    "classifier": {"model": "classifier", "net": {"num_classes": 10}},
    "noisy classifier": {"model": "noisy-classifier", "net": {"image_size": 8, "num_classes": 10}},
}


class Waits(TorchDispatchMode):
    """Notes where Python waits for the GPU: it looks at a number there, or copies to it from memory that is not pinned."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        options = options or {}
        x = arguments[0] if arguments else None
        if operation is torch.ops.aten._local_scalar_dense.default:
            if x.device.type == "cuda":
                self.seen.append("a look")
            return False if x.dtype == torch.bool else 0  # what no tensor holds here
        sent = operation is torch.ops.aten._to_copy.default and "cuda" in str(options.get("device"))
        if sent and x.device.type == "cpu" and not options.get("non_blocking"):
            self.seen.append(f"a copy of {tuple(x.shape)}")
        return operation(*arguments, **options)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_objective_waits_for_a_gpu(monkeypatch, name):
    """On a GPU that is none: tensors without numbers, which know their device."""
    config = Config.of({"data": "digits", "net": UNET, "recipe": {"steps": 1}} | OBJECTIVES[name])
    objective_of = objective(config)
    drawn = objective_of.draw(
        network_of(config), torch.Size([4, 1, 8, 8]), torch.arange(4), torch.Generator()
    )
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda x: x)
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as waits:
        with torch.device("cuda"):
            net, x, y = network_of(config).train(), torch.empty(4, 1, 8, 8), torch.arange(4)
        waits.seen.clear()
        assert objective_of.value(net, x, y, *drawn).device.type == "cuda"
    assert waits.seen == []


def gpu(loss, **recipe):
    recipe = {"steps": STEPS, "batch_size": 8, "lr": 0.01, "warmup": 5} | recipe
    return Trainer(network(), loss, PIXELS, LABELS, Recipe(**recipe), "cuda")


@pytest.mark.cuda
@CUDA
@pytest.mark.parametrize("resident", [0, 2**30])
def test_a_gpu_sees_the_same_batches_wherever_the_set_lies(monkeypatch, resident):
    monkeypatch.setattr(batches, "RESIDENT", resident)
    seen = []

    def watch(net, images, labels, generator):
        seen.append((images.cpu(), labels.cpu()))
        return net(images).square().mean()

    t = gpu(watch, steps=4)
    assert t.batches.images.is_cuda == bool(resident)
    run(t)
    for step, (images, labels) in enumerate(seen):
        generator = torch.Generator().manual_seed(mix(mix(0) + step))
        rows = torch.randint(len(PIXELS), (8,), generator=generator)
        torch.testing.assert_close(images, scaled(PIXELS[rows]))  # scaled there: the last bit may differ
        assert torch.equal(labels, LABELS[rows])


@pytest.mark.cuda
@CUDA
def test_a_step_waits_once_for_the_gpu():
    t = gpu(lambda net, images, labels, generator: nn.functional.cross_entropy(net(images), labels), steps=7)
    loop = t.run()
    for _ in range(2):
        next(loop)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            for _ in range(4):
                next(loop)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [one for one in told if str(one.message).startswith("called a synchronizing")]
    assert len(waits) == 4, [str(w.message) for w in waits]
    assert all(torch.isfinite(value).all() for value in tensors(t).values())
