"""A whole training run from a config: data in, a folder out with checkpoint, weights and a measured card.

`diffusion-course train mnist-flow --out runs/mnist-flow` is this module. Run it again to resume.
"""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from ..denoisers import Preconditioned
from ..errors import CourseError, unknown
from ..files import write_atomically
from ..nets.classifier import NoisyClassifier
from ..samplers import edm
from ..schedules import karras
from . import data, zoo
from .drawing import draw
from .metrics import count_recognised
from .models import build
from .quality import noisy_accuracy, quality, share
from .training import Recipe, Trainer, device_name

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
    known = {"model", "data", "label_dropout", "net", "edm", "recipe"}
    if not isinstance(config, dict) or not {"model", "data", "recipe"} <= config.keys() <= known:
        raise CourseError(
            f"config {path}: want the keys model, data, recipe, and optionally net, label_dropout, edm"
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
    """What goes on a card: a classifier's test accuracy, or what the judge says of a denoiser's samples, if there is one."""
    if isinstance(model, NoisyClassifier):
        test = data.load(data_name, "test")
        return {
            f"test accuracy at sigma {s:g}": noisy_accuracy(model, test, s) for s in (0.1, 0.5, 1.0, 2.0, 5.0)
        }
    if not isinstance(model, Preconditioned):
        test = data.load(data_name, "test")
        right = count_recognised(model, test.images.to(device), test.labels.to(device))
        return {"test accuracy": share(right, len(test))}
    if f"{data_name}-judge" not in zoo.names():
        return {}  # no judge ships for this data set
    report: dict[str, Any] = {}
    for w in (1.0, 2.0):
        drawn = draw(model, 1000, w, karras(20), edm(num_steps=20), device=device)
        report[f"guidance {w:g}"] = quality(drawn.images, drawn.labels, data_name, device)
    report["how"] = (
        "1,000 samples, 100 a class, EDM (Heun) sampler, 20 steps = 39 evaluations, judged by the shipped judge; "
        "Frechet distance in its features against the test set"
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
