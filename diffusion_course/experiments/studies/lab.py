"""Where a study is measured, and with which networks: those that ship, and those of further training seeds in a folder of runs.

What is not there is told with the command that makes it, and the rows that need it are left for the next time.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ...denoisers import Preconditioned
from ...errors import CourseError
from ...nets.classifier import Classifier
from .. import data, resume, zoo
from ..config import Config
from ..recorded import record
from ..runs import run_name

RUNS = Path("runs")
SEEDS = (0, 1, 2)  # of training; only networks of the first ship


class Missing(CourseError):
    """Something that a row needs is not there: one line on what, and how it is made."""


@dataclass(frozen=True)
class Lab:
    """device: where rows are measured. runs: a folder with a run for each network that does not ship.

    cifar10: the path of CIFAR-10's pictures, a folder or zip; or "cifar10", the data set that is downloaded.
    used: digests of the files of weights that were loaded since it was last emptied, by name.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    runs: Path = RUNS
    cifar10: str | None = None
    used: dict[str, str] = field(default_factory=dict)
    _held: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    def network(self, model: str, seed: int = 0, twin: str | None = None) -> Preconditioned:
        """The network `model` of a training seed: what ships, or what `train --seed` wrote to a folder of runs.

        twin: the network that ships whose recipe it must share but for the seed, default `model` itself.
        Raises Missing, with the command that makes it, where it is not there, or of another seed or recipe.
        """
        if seed == 0 and model in zoo.names():
            return self._read(zoo.FOLDER / f"{model}.safetensors", model, f"weights/{model}")
        name = run_name(model, seed)
        places = [(name, name), (f"{model}-seed{seed}", name), (f"{model}-seed{seed}", model)]
        places += [(model, model)] if seed == 0 else []  # trained with the config's own seed
        paths = [self.runs / folder / f"{file}.safetensors" for folder, file in places]
        path = next((path for path in paths if path.is_file()), paths[0])
        command = f"diffusion-course train {model} --seed {seed} --out {self.runs / name}"
        return self._of_run(path, command, twin or model, seed)

    def snapshot(self, model: str, epochs: int, seed: int = 0) -> Preconditioned:
        """The network `model` as it was after some epochs of one run, see `experiments.snapshots`. Raises as `network` does."""
        folder = self.runs / f"{model}-epochs-seed-{seed}"
        command = f"python -m diffusion_course.experiments.snapshots {model} --seed {seed} --out {folder}"
        path = folder / f"{model}-{epochs:02d}-epochs.safetensors"
        return self._of_run(path, command, None, seed, "whole set of snapshots")

    def released(self, name: str) -> Preconditioned:
        """A network of somebody else, see `zoo.load`, kept."""
        return self.kept(("network", name), lambda: self._loaded(name))

    def pictures(self, name: str, split: str = "train") -> data.Dataset:
        """A data set, kept, such as "mnist-5k" or "fashion-mnist"; "cifar10" lies where the lab's `cifar10` says."""
        where = self.cifar10 if name == "cifar10" else name
        if where is None:
            raise Missing(
                "CIFAR-10's pictures: say where, with --cifar10 PATH (a zip or folder) or --cifar10 cifar10"
            )
        size = None if where in data.SOURCES else 32
        return self.kept(("pictures", name, split), lambda: data.load(where, split, size))

    def judge(self, name: str) -> Classifier:
        """The judge of a data set, kept."""
        return self.kept(("judge", name), lambda: zoo.judge(name, self.device))

    def kept(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What make() gives, made once for each key: rows that follow one another share it."""
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]

    def digest(self, name: str) -> str | None:
        """What a file of `used` is told by; None where it is not there any more."""
        inside, _, rest = name.partition("/")
        path = zoo.FOLDER / f"{rest}.safetensors" if inside == "weights" else self.runs / rest
        return digest(path) if path.is_file() else None

    def _read(self, path: Path, source: str, name: str) -> Preconditioned:
        self.used[name] = self.kept(("digest", name), lambda: digest(path))
        return self.kept(("network", name), lambda: self._loaded(source))

    def _loaded(self, source: str) -> Preconditioned:
        model = zoo.load(source, self.device)
        if self.device.type == "cuda":
            record(model.net, lambda line: print(line, file=sys.stderr))
        return model

    def _of_run(
        self, path: Path, command: str, twin: str | None, seed: int, what: str | None = None
    ) -> Preconditioned:
        """A network of a run. twin: one that ships, and whose recipe it must have but for the seed. what: the command makes."""
        if not path.is_file():
            raise Missing(f"{path.parent} has no {what or path.name}; make it with: {command}")
        recipe = recipe_of(path)
        wrong = resume.differences({"seed": seed}, {"seed": recipe["seed"]})
        if twin in zoo.names():
            shipped = recipe_of(zoo.FOLDER / f"{twin}.safetensors")
            wrong += resume.differences({**shipped, "seed": 0}, {**recipe, "seed": 0})
        if wrong:
            raise Missing(f"{path}: trained with another {resume.told(wrong)}; make it again with: {command}")
        return self._read(path, str(path), f"runs/{path.relative_to(self.runs).as_posix()}")


def digest(path: Path) -> str:
    """What a file of weights is told by."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def recipe_of(path: Path) -> dict[str, Any]:
    """The recipe of a file that `train` wrote. Raises CourseError for another file."""
    try:
        with safe_open(path, framework="pt") as file:
            config = Config.of(json.loads((file.metadata() or {})["config"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CourseError(
            f"weights {path}: not a weights file of this course ({error}); make it again"
        ) from None
    return asdict(config.recipe)
