"""Where the numbers and pictures of a run go: a file of JSON lines, TensorBoard, Weights & Biases."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ...files import write_text


class Tracker(Protocol):
    """Takes what is seen of a run after a step."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, path: Path) -> None: ...

    def close(self) -> None: ...


class Curve:
    """`curve.jsonl`: a line for each step at which something was measured. Of a run that resumes, later lines are measured again."""

    def __init__(self, path: Path, start: int):
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if 0 < _step(line) <= start]
        write_text(path, "".join(f"{line}\n" for line in kept))

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def picture(self, step: int, path: Path) -> None:
        """It is a file already."""

    def close(self) -> None:
        """Every line is in the file."""


class TensorBoard:
    """`tensorboard --logdir FOLDER` shows it. Raises ImportError where tensorboard is not installed."""

    def __init__(self, folder: Path, start: int):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder), purge_step=start + 1)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def picture(self, step: int, path: Path) -> None:
        import numpy as np
        from PIL import Image

        self.writer.add_image("samples", np.asarray(Image.open(path).convert("RGB")), step, dataformats="HWC")

    def close(self) -> None:
        self.writer.close()


class WeightsAndBiases:
    """Kept in a folder of the run unless WANDB_MODE says otherwise: nothing leaves the machine unasked; `wandb sync` sends it.

    Raises ImportError where wandb is not installed.
    """

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any]):
        import wandb

        self.wandb = wandb
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        folder.mkdir(parents=True, exist_ok=True)
        quiet = wandb.Settings(silent=True)
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "diffusion-course"),
            name=name,
            config=dict(config),
            dir=str(folder),
            mode=mode,
            settings=quiet,
        )

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def picture(self, step: int, path: Path) -> None:
        self.run.log({"samples": self.wandb.Image(str(path))}, step=step)

    def close(self) -> None:
        self.run.finish()


def error_line(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def found(
    folder: Path, name: str, config: Mapping[str, Any], start: int, say: Callable[[str], Any]
) -> list[Tracker]:
    """The trackers of what is installed. What is there and does not work is told and left out."""
    made: list[Tracker] = []
    makers: dict[str, Callable[[], Tracker]] = {
        "TensorBoard": lambda: TensorBoard(folder / "tensorboard", start),
        "Weights & Biases": lambda: WeightsAndBiases(folder, name, config),
    }
    for product, make in makers.items():
        try:
            made.append(make())
        except ImportError:
            continue
        except Exception as error:  # whatever another's start may raise: no network, no login, a full disk
            say(f"without {product}: {error_line(error)}")
    return made


def _step(line: str) -> int:
    """The step of a line; 0 of one that was not written whole."""
    try:
        step = json.loads(line)["step"]
        return step if isinstance(step, int) else 0
    except (ValueError, KeyError, TypeError):
        return 0
