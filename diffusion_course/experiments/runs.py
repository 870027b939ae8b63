"""A whole training run from a config: data in, a folder out with checkpoint, weights and a measured card.

`diffusion-course train mnist-flow --out runs/mnist-flow` is this module. Run it again to resume.
"""

import datetime
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from ..denoisers import Preconditioned
from ..errors import CourseError, unknown
from ..guidance import cfg
from ..noise import Noise
from ..samplers import euler, sample
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
        raise CourseError(f"config {path}: want the keys model, data, recipe, and optionally net, label_dropout")
    return config


def train(
    source: str, out: Path, steps: int | None = None, device: str | None = None, progress: Callable | None = None
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
    write_atomically(weights.with_suffix(".json"), lambda file: file.write(json.dumps(card, indent=2).encode() + b"\n"))
    return card


def measure(model: nn.Module, data_name: str, device: torch.device) -> dict[str, Any]:
    """A classifier's test accuracy, or the share of a denoiser's samples that the judge recognises."""
    if not isinstance(model, Preconditioned):
        test = data.load(data_name, "test")
        right = count_recognised(model, test.images.to(device), test.labels.to(device))
        return {"test accuracy": share(right, len(test))}
    judge = zoo.judge(data_name, device)
    report = {}
    for w in (1.0, 2.0):
        images, labels = draw(model, 1000, w, device)
        report[f"recognised at guidance {w:g}"] = share(count_recognised(judge, images, labels), 1000)
    report["how"] = "1,000 samples, 100 a class, Euler, 30 steps of the Karras grid, judged by the shipped judge"
    return report


def draw(model: Preconditioned, n: int, w: float, device: torch.device, seed: int = 0) -> tuple[Tensor, Tensor]:
    """n class-conditional samples at guidance scale w, in turn of the classes 0..9; images in [-1, 1], and labels."""
    labels = torch.arange(n, device=device) % 10
    noise = Noise(seed)
    size, channels = model.net.image_size, model.net.channels
    sigmas = karras(30)
    images = []
    start = sigmas[0] * noise.randn(n, channels, size, size, device=device)
    for x, y in zip(start.split(250), labels.split(250), strict=True):
        images.append(sample(cfg(model.given(y), model, w), x, sigmas, euler).clamp(-1, 1))
    return torch.cat(images), labels


def share(successes: int, n: int) -> dict[str, Any]:
    """A share with its 95 % Wilson interval."""
    low, high = wilson(successes, n)
    return {"share": successes / n, "n": n, "wilson 95 %": [round(low, 4), round(high, 4)]}


def device_name(device: torch.device) -> str:
    """The GPU's name, or the number of CPU threads and the machine's kind."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
