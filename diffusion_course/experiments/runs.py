"""A whole training run from a config: data in, a folder out with checkpoint, weights and a measured card.

`diffusion-course train mnist-flow --out runs/mnist-flow` is this module. Run it again to resume.
"""

import datetime
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from ..denoisers import Preconditioned
from ..errors import CourseError, unknown
from ..gaussian import to_vp
from ..guidance import cfg
from ..nets.unet import UNet
from ..noise import Noise
from ..samplers import euler, trajectory
from ..schedules import karras
from . import data, zoo
from .metrics import count_recognised, wilson
from .models import build
from .training import Recipe, Trainer, write_atomically

CONFIGS = Path(__file__).parent.parent / "configs"


def read_config(source: str) -> dict[str, Any]:
    """A config by name (one of those that ship) or by path of a YAML file. Raises CourseError if it cannot be used."""
    path = CONFIGS / f"{source}.yaml"
    if not path.exists():
        path = Path(source)
        if path.suffix not in (".yaml", ".yml"):
            raise unknown("config", source, [p.stem for p in CONFIGS.glob("*.yaml")])
    try:
        config = yaml.safe_load(path.read_text())
    except OSError as error:
        raise CourseError(f"config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CourseError(f"config {path}: not YAML ({str(error).splitlines()[0]})") from None
    known = {"model", "data", "label_dropout", "net", "recipe"}
    if not isinstance(config, dict) or not {"model", "data", "recipe"} <= config.keys() <= known:
        raise CourseError(
            f"config {path}: want the keys model, data, recipe, and optionally net, label_dropout"
        )
    return config


def train(
    source: str,
    out: Path,
    steps: int | None = None,
    device: str | None = None,
    progress: Callable | None = None,
) -> dict[str, Any]:
    """Train as the config `source` says, into the folder `out`; resumes what it finds there. Returns the card.

    steps: instead of the config's, e.g. for a trial. device: default CUDA if present, else CPU.
    progress: wraps the range of steps, e.g. tqdm. Raises CourseError for a bad config, data or checkpoint.
    """
    config = read_config(source)
    if steps is not None:
        config["recipe"]["steps"] = steps
    try:
        recipe = Recipe(**config["recipe"])
    except TypeError as error:
        raise CourseError(f"recipe: {error}") from None
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    training_set = data.load(config["data"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = build(config)
    trainer = Trainer(
        model.net, model.loss, training_set.images, training_set.labels, recipe, where, out / "checkpoint.pt"
    )
    for _ in trainer.run(progress):
        pass
    weights = out / f"{Path(source).stem}.safetensors"
    zoo.write(weights, trainer.ema, config)
    shipped = zoo.read(weights, where)  # what is measured is what was written, in half precision
    card = {
        "name": Path(source).stem,
        "command": f"diffusion-course train {source}" + (f" --steps {steps}" if steps else ""),
        "config": config,
        "data": f"{training_set.name}, {len(training_set):,} images",
        "parameters": sum(w.numel() for w in trainer.ema.parameters()),
        "seed": recipe.seed,
        "steps": recipe.steps,
        "seconds": round(trainer.seconds, 1),
        "device": device_name(where),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
        "metrics": measure(shipped, config["data"], where),
    }
    write_atomically(
        weights.with_suffix(".json"), lambda file: file.write(json.dumps(card, indent=2).encode() + b"\n")
    )
    return card


def measure(model: nn.Module, data_name: str, device: torch.device) -> dict[str, Any]:
    """A classifier's test accuracy, or the share of a denoiser's samples that the judge recognises, if there is one."""
    if not isinstance(model, Preconditioned):
        test = data.load(data_name, "test")
        right = count_recognised(model, test.images.to(device), test.labels.to(device))
        return {"test accuracy": share(right, len(test))}
    if f"{data_name}-judge" not in zoo.names():
        return {}  # no judge ships for this data set
    judge = zoo.judge(data_name, device)
    report: dict[str, Any] = {}
    for w in (1.0, 2.0):
        drawn = draw(model, 1000, w, device)
        right = count_recognised(judge, drawn.grey[-1].clamp(-1, 1), drawn.labels)
        report[f"recognised at guidance {w:g}"] = share(right, 1000)
    report["how"] = (
        "1,000 samples, 100 a class, Euler, 30 steps of the Karras grid, judged by the shipped judge"
    )
    return report


def read_weights(source: str) -> Preconditioned:
    """A denoiser by name (one that ships) or by path of a .safetensors file that `train` wrote."""
    if not source.endswith(".safetensors"):
        return zoo.load(source)
    model = zoo.read(Path(source))
    if not isinstance(model, Preconditioned):
        raise CourseError(f"weights {source}: holds a classifier, want a denoiser")
    return model


@dataclass(frozen=True)
class Drawn:
    """Samples on their way: grey (N+1, B, C, H, W) in VP coordinates, so that every state fits [-1, 1] about; sigma; labels."""

    grey: Tensor
    sigma: Tensor
    labels: Tensor


def draw(model: Preconditioned, n: int, w: float, device: torch.device | str = "cpu", seed: int = 0) -> Drawn:
    """n class-conditional samples at guidance scale w, in turn of the classes: Euler, 30 steps of the Karras grid."""
    net = model.net
    if not isinstance(net, UNet) or net.num_classes == 0:
        raise CourseError("model: want a class-conditional U-Net")
    labels = torch.arange(n, device=device) % net.num_classes
    sigmas = karras(30)
    start = sigmas[0] * Noise(seed).randn(n, net.channels, net.image_size, net.image_size, device=device)
    paths = []
    for x, y in zip(start.split(250), labels.split(250), strict=True):
        paths.append(trajectory(cfg(model.given(y), model, w), x, sigmas, euler).x)
    states = torch.cat(paths, dim=1)
    grey = torch.stack([to_vp(x, sigma) for x, sigma in zip(states, sigmas, strict=True)])
    return Drawn(grey.clamp(-3, 3), sigmas, labels)


def share(successes: int, n: int) -> dict[str, Any]:
    """A share with its 95 % Wilson interval."""
    low, high = wilson(successes, n)
    return {"share": successes / n, "n": n, "wilson 95 %": [round(low, 4), round(high, 4)]}


def device_name(device: torch.device) -> str:
    """The GPU's name, or the number of CPU threads and the machine's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
