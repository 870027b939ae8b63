"""Trained networks: those that ship with the course, each with a card that says how it was made and measured, and the world's.

digits = zoo.load("mnist-flow")                           # a denoiser; digits.given(3) is the denoiser of threes
text = zoo.load("mnist-text").given("a thin seven")       # of thin sevens, see `captions`
judge = zoo.judge("mnist")                                # a classifier
codes = zoo.autoencoder("mnist-autoencoder")              # codes.encode, codes.decode
horses = zoo.load("edm-cifar10-32x32-cond-vp").given(7)   # NVIDIA's weights, see `released.edm`
"""

import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .. import devices
from ..denoisers import Preconditioned
from ..errors import CourseError, check_known, nearest, shown, unknown
from ..files import user_path, write_bytes
from ..nets.autoencoder import Autoencoder
from ..nets.classifier import Classifier, NoisyClassifier
from ..nets.clip import ImageTextModel
from ..nets.token_transformer import TokenTransformer
from . import parts, resume
from .config import Config
from .data import data_root
from .latents import LatentDenoiser, LatentSpace
from .models import finished, network
from .released import edm, hub

FOLDER = Path(__file__).parent.parent / "weights"
OF_HUB = re.compile(r"([\w-][\w.-]*)/[\w-][\w.-]*(?<!\.pkl)(?<!\.pt)(?<!\.pth)(?<!\.zip)(?<!\.safetensors)")


def load(name_or_path: str | Path, device: torch.device | str = "cpu") -> Preconditioned:
    """A denoiser that is ready to sample from, in float32 and eval mode.

    name_or_path: one of `names()`; a `.safetensors` file that `train` wrote, or its run's folder; a checkpoint of NVIDIA's EDM code, by path or
    by the name it was released under; a network or text-to-image pipeline of diffusers, by folder or as "owner/name" on
    Hugging Face's hub. Nothing in a file is ever run.
    Raises CourseError for an unknown name, a damaged file, a device that cannot be had, and for what must be fetched first: it says
    from where, and where to.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise CourseError(f"weights: got {shown(name_or_path)}, want a name or a path")
    device = devices.choose(device)
    name = str(name_or_path)
    if name in edm.RELEASED:
        return edm.load(edm.fetched(name, data_root()), device)
    path = weights_at(name)
    if not os.path.exists(path):
        if path.name == name and not path.suffix and isinstance(name_or_path, str):
            raise unknown("weights", name, [*names(), *edm.RELEASED])
        if not of_hub(name_or_path):
            taken = OF_HUB.fullmatch(name) and path.parent.name != "runs" and os.path.isdir(path.parent)
            hub_too = f" (not looked up on the hub: a folder {path.parent.name!r} lies here)" if taken else ""
            raise CourseError(f"weights {path}: no such file or folder{hub_too}; {_beside(path)}")
        path = hub.fetched(name)
    if os.path.isdir(path):
        return hub.load(path, device)
    if not os.path.isfile(path):  # a pipe would be waited for, a device has no end
        raise CourseError(f"weights {path}: want a file or a folder, and it is neither")
    if path.suffix != ".safetensors":
        return edm.load(path, device)
    model = read(path, device)
    if isinstance(model, Autoencoder):
        raise CourseError(f"{name!r} is an autoencoder, not a denoiser; use zoo.autoencoder(...)")
    if isinstance(model, TokenTransformer):
        raise CourseError(f"{name!r} is a model of tokens, not a denoiser; use zoo.token_model(...)")
    if not isinstance(model, Preconditioned):
        if isinstance(model, ImageTextModel):
            raise CourseError(f"{name!r} compares images and texts; use zoo.clip(...)")
        raise CourseError(f"{name!r} is a classifier, not a denoiser; use zoo.judge(...)")
    return model


def of_hub(name_or_path: str | Path) -> bool:
    """Can this be "owner/name" on Hugging Face's hub? Not if it is told as a path, or if a folder of the owner's name lies here."""
    owner = OF_HUB.fullmatch(name_or_path) if isinstance(name_or_path, str) else None
    return owner is not None and owner[1] != "runs" and not os.path.isdir(owner[1])


def config(name_or_path: str | Path) -> Config | None:
    """The config of a shipped file, or of one that `train` wrote; None of others' checkpoints. Raises CourseError for a damaged file."""
    path = weights_at(name_or_path)
    return _network(path)[0] if path.suffix == ".safetensors" and path.is_file() else None


def weights_at(name_or_path: str | Path) -> Path:
    """The file of a shipped name, or in the folder of a run; another path as it is, whether or not something is there.

    Raises CourseError for a run that has no weights yet, for one that has several, and for the checkpoint of a run.
    """
    if name_or_path in names():
        return FOLDER / f"{name_or_path}.safetensors"
    path = user_path(name_or_path)
    if path.name == "checkpoint.pt" and path.is_file():
        raise CourseError(
            f"weights {path}: what training goes on from; want its folder, or a .safetensors file"
        )
    if not (path / "config.yaml").is_file():
        return path
    found = sorted(path.glob("*.safetensors"))
    if not found:
        raise CourseError(f"run {path}: has no weights yet; the same `train` command goes on to its end")
    if len(found) > 1:
        raise CourseError(f"run {path}: has several weights, want one of {', '.join(p.name for p in found)}")
    return found[0]


def judge(data: str, device: torch.device | str = "cpu") -> Classifier:
    """The classifier that judges samples of a data set, e.g. "mnist". Raises CourseError where none ships."""
    model = read(_path(f"{data}-judge"), device)
    assert isinstance(model, Classifier)
    return model


def noisy_classifier(data: str, device: torch.device | str = "cpu") -> NoisyClassifier:
    """p(y | x; sigma) of a data set, for classifier guidance. Raises CourseError where none ships."""
    model = read(_path(f"{data}-noisy-classifier"), device)
    assert isinstance(model, NoisyClassifier)
    return model


def clip(data: str, device: torch.device | str = "cpu") -> ImageTextModel:
    """The model that compares a data set's noisy images with captions, for CLIP guidance. Raises CourseError where none ships."""
    model = read(_path(f"{data}-clip"), device)
    assert isinstance(model, ImageTextModel)
    return model


def autoencoder(name_or_path: str | Path, device: torch.device | str = "cpu") -> Autoencoder:
    """An autoencoder, in float32 and eval mode: one of `names()`, or a file that `train` wrote.

    Raises CourseError for an unknown name, a damaged file, and one that holds another network.
    """
    device = devices.choose(device)
    _, net = _network(_file(name_or_path))
    if not isinstance(net, Autoencoder):
        raise CourseError(f"{str(name_or_path)!r} is no autoencoder")
    return net.eval().requires_grad_(False).to(device)


def latent_space(latents: parts.Latents, device: torch.device | str = "cpu") -> LatentSpace:
    """The latents that a config names, with its scale, or unscaled where it has none.

    Raises CourseError as `autoencoder` does, and where its file is not the one that `latents.digest` is of.
    """
    try:
        made = LatentSpace(autoencoder(latents.autoencoder, device), latents.scale or 1.0)
        if latents.digest not in (None, digest(latents)):
            raise CourseError(
                f"{latents.autoencoder!r} is not the one that the latents were made with; train again"
            )
    except CourseError as error:
        raise CourseError(f"latents: {error}") from None
    return made


def digest(latents: parts.Latents) -> str:
    """The digest of the autoencoder's file."""
    return resume.digest(_file(latents.autoencoder).read_bytes())


def token_model(name_or_path: str | Path, device: torch.device | str = "cpu") -> TokenTransformer:
    """A model of tokens, for `unmasking.sample`: by name, e.g. "prose-masked", or the path of a file that `train` wrote.

    Raises CourseError for an unknown name, and for weights of another kind.
    """
    path = weights_at(name_or_path)
    model = read(path if path.suffix else _path(str(name_or_path)), device)
    if not isinstance(model, TokenTransformer):
        raise CourseError(f"{str(name_or_path)!r} is no model of tokens; use zoo.load(...)")
    return model


def names() -> list[str]:
    """The names of the shipped files."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def cards() -> dict[str, dict[str, Any]]:
    """The card of every shipped file, by name: data, config, command, seed, steps, seconds, device, metrics."""
    return {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in names()}


def write(path: Path, net: nn.Module, config: Config, classes: Sequence[str] = ()) -> None:
    """Save a network in half precision, with the config it can be rebuilt from, and the names of classes where its data may be lost."""
    tensors = {
        k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in net.state_dict().items()
    }
    about = {"config": json.dumps(config.as_dict()), "crc32": _checksum(tensors)}
    write_bytes(path, save(tensors, about | ({"classes": json.dumps(classes)} if classes else {})))


def read(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The model in a file that `write` made, in float32 and eval mode. Raises CourseError for any other file, and for another device."""
    device = devices.choose(device)
    config, net = _network(path)
    try:
        return ready(net, config, device).eval().requires_grad_(False).to(device)
    except CourseError as error:
        raise CourseError(f"weights {path}: {error}") from None


def ready(net: nn.Module, config: Config, device: torch.device | str = "cpu") -> nn.Module:
    """What users call, of a network: see `models.finished`; a denoiser of latents has its autoencoder, read from its file.

    Raises CourseError as `latent_space` does.
    """
    model = finished(net, config)
    if config.latents and isinstance(model, Preconditioned):
        return LatentDenoiser(net, model.param, latent_space(config.latents, device))
    return model


def _network(path: Path) -> tuple[Config, nn.Module]:
    """The config in a file, and its network alone, on the CPU."""
    try:
        with safe_open(path, framework="pt") as file:
            if "config" not in (file.metadata() or {}):
                raise CourseError(
                    f"weights {path}: not a weights file of this course: it holds tensors, and does not say of which network;"
                    " build that and give it load_state_dict(safetensors.torch.load_file(...))"
                )
            card = json.loads(file.metadata()["config"])
            names = file.keys()  # safe_open is no dict: it cannot be iterated
            tensors = {name: file.get_tensor(name) for name in names}
            if file.metadata().get("crc32", made := _checksum(tensors)) != made:
                raise ValueError("a checksum does not fit: it was damaged on its way")
    except CourseError:
        raise
    except FileNotFoundError:
        raise CourseError(f"weights {path}: no such file") from None
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError) as error:
        raise CourseError(
            f"weights {path}: not a weights file of this course ({error}); fetch it or train it again"
        ) from None
    try:
        config = Config.of(card)
        net = network(config).to(
            memory_format=torch.channels_last
        )  # convolutions are faster so, see `Trainer`
    except CourseError as error:
        raise CourseError(f"weights {path}: {error}") from None
    try:
        net.load_state_dict(tensors)
    except RuntimeError:
        raise CourseError(f"weights {path}: belongs to another architecture than its config says") from None
    return config, net


def _beside(path: Path) -> str:
    """What lies where nothing lies at `path`, for a message: runs and weights there, and what ships."""
    try:
        there = [
            one.name
            for one in path.parent.iterdir()
            if one.suffix == ".safetensors" or (one / "config.yaml").is_file()
        ]
    except OSError:
        there = []
    found = f"runs beside it{nearest(path.name, there)}" if there else "no run lies beside it"
    return f"{found}; weights that ship: {', '.join(names())}"


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """Of names and numbers: safetensors has none of its own. Files of before have none either."""
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def _path(name: str) -> Path:
    check_known("weights", name, names())
    return FOLDER / f"{name}.safetensors"


def _file(name_or_path: str | Path) -> Path:
    """The file of a shipped name, or at a path."""
    path = user_path(name_or_path)
    return path if path.suffix else _path(str(name_or_path))
